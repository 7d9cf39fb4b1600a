//! The collector that traces go to, if one is set.

use super::connect;
use crate::doctor::gather::Subject;
use crate::doctor::judge::telemetry::Facts;

/// Connects to it, and sends nothing.
pub(crate) async fn gather(subject: &Subject) -> Option<Facts> {
    let export = subject.settings.telemetry.export.as_ref()?;
    Some(Facts {
        // Without what else may stand in it: user names, paths.
        endpoint: export.endpoint.origin().ascii_serialization(),
        reached: connect(&export.endpoint).await,
    })
}
