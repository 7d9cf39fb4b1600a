//! Logging: text for people, JSON for machines. An error is logged once, where it is handled.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt;

use crate::settings::{LogFormat, LogSettings, SettingsError};

/// Libraries that print what passes through them when asked for everything: kept at `info`, so that
/// `trace` shows Keyward's own steps and no header or body.
const QUIET: [&str; 6] = [
    "hyper=info",
    "h2=info",
    "hyper_util=info",
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
    let _ = match json {
        true => subscriber.json().flatten_event(true).try_init(),
        false => subscriber.with_ansi(terminal).try_init(),
    };
    Ok(())
}

fn filter(directives: &str) -> Result<EnvFilter, ParseError> {
    QUIET
        .iter()
        .try_fold(EnvFilter::try_new(directives)?, |filter, directive| {
            Ok(filter.add_directive(directive.parse()?))
        })
}
