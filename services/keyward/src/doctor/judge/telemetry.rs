//! Where traces go, if anywhere.

use crate::doctor::report::Check;

/// The collector, tried.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// Its address.
    pub(crate) endpoint: String,
    /// Whether it takes connections.
    pub(crate) reached: Result<(), String>,
}

const NAME: &str = "telemetry";

pub(crate) fn judge(found: Option<&Facts>) -> Check {
    let Some(Facts { endpoint, reached }) = found else {
        return Check::ok(NAME, "traces go nowhere: no endpoint is set");
    };
    match reached {
        Ok(()) => Check::ok(NAME, format!("{endpoint} takes connections")),
        Err(problem) => Check::warn(
            NAME,
            format!("{endpoint} takes no connections: {problem}; traces are lost meanwhile"),
            "start the collector, or correct telemetry.otlp_endpoint",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::Status;

    #[test]
    fn requests_are_served_without_a_collector() {
        let facts = |reached: Result<(), &str>| Facts {
            endpoint: "http://127.0.0.1:4317".to_owned(),
            reached: reached.map_err(str::to_owned),
        };
        assert_eq!(judge(None).status, Status::Ok);
        assert_eq!(judge(Some(&facts(Ok(())))).status, Status::Ok);
        assert_eq!(judge(Some(&facts(Err("refused")))).status, Status::Warn);
    }
}
