//! The collector that traces go to, if one is set.

use url::Url;

use super::connect;
use crate::doctor::gather::Subject;
use crate::doctor::judge::telemetry::Facts;

/// Connects to it, and sends nothing.
pub(crate) async fn gather(subject: &Subject) -> Option<Facts> {
    let endpoint = subject.variable("OTEL_EXPORTER_OTLP_ENDPOINT")?;
    let (endpoint, reached) = match Url::parse(endpoint) {
        Ok(url) => (url.origin().ascii_serialization(), connect(&url).await),
        Err(_) => ("the endpoint".to_owned(), Err("it is no URL".to_owned())),
    };
    Some(Facts { endpoint, reached })
}
