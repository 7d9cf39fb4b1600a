//! Logging, and traces: text for people, JSON for machines, spans for a collector. An error is logged
//! once, where it is handled.

mod export;
mod line;
pub mod names;
pub mod rpc;

use std::io::IsTerminal as _;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt;

use crate::metrics::Metrics;
use crate::settings::{LogFormat, LogSettings, SettingsError};
pub use export::Exporter;
use line::{Form, Line};

/// Libraries that print what passes through them when asked for everything: kept at `info`, so that
/// `trace` shows Keyward's own steps and no header or body.
const QUIET: [&str; 7] = [
    "hyper=info",
    "h2=info",
    "hyper_util=info",
    "opentelemetry=info",
    "rustls=info",
    "tower=info",
    "tonic=info",
];

/// Starts logging to standard error. A second call does nothing.
///
/// # Errors
/// [`SettingsError::Invalid`] if the filter cannot be read.
pub fn start(settings: &LogSettings) -> Result<(), SettingsError> {
    let filter = filter(&settings.filter).map_err(|error| SettingsError::Invalid {
        name: "log.filter".to_owned(),
        origin: "or RUST_LOG".to_owned(),
        message: format!("expected something like \"info,keyward_router=debug\": {error}"),
    })?;
    let terminal = std::io::stderr().is_terminal();
    let json = match settings.format {
        LogFormat::Auto => !terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let subscriber = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // The only fault is that logging has been started before, by a test in the same process.
    let _ = if json {
        let line = Line::new(fmt::format().json().flatten_event(true), Form::Json);
        subscriber
            .json()
            .flatten_event(true)
            .event_format(line)
            .try_init()
    } else {
        let line = Line::new(fmt::format().with_ansi(terminal), Form::Text);
        subscriber.with_ansi(terminal).event_format(line).try_init()
    };
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BuildLabels {
    version: &'static str,
    roles: String,
}

/// A metric that says what runs: always 1, what it says is in its labels.
pub fn show_build(metrics: &Metrics, roles: &[&'static str]) {
    let help = "The version that runs, and its roles";
    let build = metrics.register("build_info", help, Family::<BuildLabels, Gauge>::default());
    let labels = BuildLabels {
        version: env!("CARGO_PKG_VERSION"),
        roles: roles.join(","),
    };
    build.get_or_create(&labels).set(1);
}

fn filter(directives: &str) -> Result<EnvFilter, ParseError> {
    QUIET
        .iter()
        .try_fold(EnvFilter::try_new(directives)?, |filter, directive| {
            Ok(filter.add_directive(directive.parse()?))
        })
}
