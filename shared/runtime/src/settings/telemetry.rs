//! Where traces go. The variables that OpenTelemetry defines work beside the settings of our own;
//! those about the collector's headers, time-outs and compression are read by the exporter itself.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::SettingsError;
use super::raw::RawTelemetry;
use super::sources::Environment;
use super::validate::{invalid, url};
use crate::trace::Sampler;

/// What a process is called where nothing else is set.
const SERVICE_NAME: &str = "keyward";

/// The largest queue: at about one KiB for a span, what a small machine can spare.
const QUEUE_MAX: u64 = 262_144;

/// Settings of traces.
#[derive(Debug, Clone, Default)]
pub struct TelemetrySettings {
    /// Where traces go, and which; none where nothing is exported.
    pub export: Option<ExportSettings>,
    /// Whether providers are told of the trace: its ids are nobody else's business by default.
    pub propagate_to_providers: bool,
}

/// Settings of the exporter.
#[derive(Debug, Clone)]
pub struct ExportSettings {
    /// The collector, which speaks OTLP over gRPC.
    pub endpoint: Url,
    /// A PEM file with the authority that the collector's certificate is from, if not a public one.
    pub certificate: Option<PathBuf>,
    /// What this process is called.
    pub service_name: String,
    /// Which traces are recorded.
    pub sampler: Sampler,
    /// The most spans that wait for the collector; what comes beyond is dropped and counted.
    pub queue: usize,
    /// The most spans sent at once.
    pub batch: usize,
    /// How long spans wait for others to be sent with.
    pub delay: Duration,
}

pub(super) fn validate(
    raw: RawTelemetry,
    environment: &Environment,
) -> Result<TelemetrySettings, SettingsError> {
    Ok(TelemetrySettings {
        export: export(raw.otlp_endpoint, environment)?,
        propagate_to_providers: raw.propagate_to_providers.unwrap_or(false),
    })
}

fn export(
    endpoint: Option<String>,
    environment: &Environment,
) -> Result<Option<ExportSettings>, SettingsError> {
    let endpoint = match endpoint.filter(|text| !text.is_empty()) {
        Some(endpoint) => url("telemetry.otlp_endpoint", Some(endpoint))?,
        None => endpoint_of_environment(environment)?,
    };
    let Some(endpoint) = endpoint else {
        return Ok(None);
    };
    if is_switched_off(environment)? {
        return Ok(None);
    }
    refuse_what_is_not_spoken(environment)?;
    let queue = number(environment, "OTEL_BSP_MAX_QUEUE_SIZE", 2048, QUEUE_MAX)?;
    let batch = number(
        environment,
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
        512,
        QUEUE_MAX,
    )?;
    let delay = number(environment, "OTEL_BSP_SCHEDULE_DELAY", 5_000, 3_600_000)?;
    Ok(Some(ExportSettings {
        endpoint,
        certificate: of_traces(environment, "CERTIFICATE").map(|(_, path)| PathBuf::from(path)),
        service_name: set(environment, "OTEL_SERVICE_NAME")
            .or_else(|| service_name_of_resource(environment))
            .unwrap_or(SERVICE_NAME)
            .to_owned(),
        sampler: sampler(environment)?,
        queue: usize::try_from(queue).unwrap_or(usize::MAX),
        batch: usize::try_from(batch.min(queue)).unwrap_or(usize::MAX),
        delay: Duration::from_millis(delay),
    }))
}

/// The value of a variable; one that is empty counts as not set.
fn set<'a>(environment: &'a Environment, name: &str) -> Option<&'a str> {
    environment
        .get(name)
        .map(str::trim)
        .filter(|value| !value.is_empty())
}

/// A variable of the exporter: the one for traces goes before the one for everything.
fn of_traces<'a>(environment: &'a Environment, what: &str) -> Option<(String, &'a str)> {
    [
        format!("OTEL_EXPORTER_OTLP_TRACES_{what}"),
        format!("OTEL_EXPORTER_OTLP_{what}"),
    ]
    .into_iter()
    .find_map(|name| set(environment, &name).map(|value| (name, value)))
}

fn endpoint_of_environment(environment: &Environment) -> Result<Option<Url>, SettingsError> {
    match of_traces(environment, "ENDPOINT") {
        Some((name, endpoint)) => url(&name, Some(endpoint.to_owned())),
        None => Ok(None),
    }
}

fn is_switched_off(environment: &Environment) -> Result<bool, SettingsError> {
    let disabled = set(environment, "OTEL_SDK_DISABLED")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    match set(environment, "OTEL_TRACES_EXPORTER") {
        None | Some("otlp") => Ok(disabled),
        Some("none") => Ok(true),
        Some(_) => Err(invalid("OTEL_TRACES_EXPORTER", "expected `otlp` or `none`")),
    }
}

fn refuse_what_is_not_spoken(environment: &Environment) -> Result<(), SettingsError> {
    if let Some((name, protocol)) = of_traces(environment, "PROTOCOL")
        && protocol != "grpc"
    {
        return Err(invalid(
            &name,
            "only `grpc` is spoken, on port 4317 of most collectors",
        ));
    }
    let known = |name: &str| matches!(name.trim(), "tracecontext" | "baggage");
    match set(environment, "OTEL_PROPAGATORS") {
        Some(names) if !names.split(',').all(known) => Err(invalid(
            "OTEL_PROPAGATORS",
            "expected `tracecontext`; no other form is read or written",
        )),
        _ => Ok(()),
    }
}

fn sampler(environment: &Environment) -> Result<Sampler, SettingsError> {
    let Some(name) = set(environment, "OTEL_TRACES_SAMPLER") else {
        return Ok(Sampler::default());
    };
    let ratio = match set(environment, "OTEL_TRACES_SAMPLER_ARG") {
        None => 1.0,
        Some(text) => text
            .parse()
            .ok()
            .filter(|ratio| (0.0..=1.0).contains(ratio))
            .ok_or_else(|| invalid("OTEL_TRACES_SAMPLER_ARG", "expected a number from 0 to 1"))?,
    };
    Sampler::named(name, ratio).ok_or_else(|| {
        let message = format!("expected one of {}", Sampler::NAMES.join(", "));
        invalid("OTEL_TRACES_SAMPLER", message)
    })
}

/// `service.name` among the attributes of the resource.
fn service_name_of_resource(environment: &Environment) -> Option<&str> {
    set(environment, "OTEL_RESOURCE_ATTRIBUTES")?
        .split(',')
        .filter_map(|pair| pair.split_once('='))
        .find(|(name, _)| name.trim() == "service.name")
        .map(|(_, value)| value.trim())
}

fn number(
    environment: &Environment,
    name: &str,
    default: u64,
    most: u64,
) -> Result<u64, SettingsError> {
    match set(environment, name) {
        None => Ok(default),
        Some(text) => text
            .parse()
            .ok()
            .filter(|number| (1..=most).contains(number))
            .ok_or_else(|| invalid(name, format!("expected a number from 1 to {most}"))),
    }
}
