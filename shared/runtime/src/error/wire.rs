//! A status read back into what it says.

use std::collections::HashMap;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::{DOMAIN, Reason, metadata};

/// What a status of another service says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireError {
    /// Why the call failed.
    pub reason: Reason,
    /// What the caller is told.
    pub message: String,
    /// Facts to act on, by the names in [`metadata`].
    pub facts: HashMap<String, String>,
}

impl WireError {
    /// The fact of that name.
    pub fn fact(&self, name: &str) -> Option<&str> {
        self.facts.get(name).map(String::as_str)
    }

    /// After how many milliseconds a retry may succeed, where that is known.
    pub fn retry_after_ms(&self) -> Option<u64> {
        self.fact(metadata::RETRY_AFTER_MS)?.parse().ok()
    }
}

impl From<&Status> for WireError {
    fn from(status: &Status) -> Self {
        let info = status
            .get_details_error_info()
            .filter(|info| info.domain == DOMAIN);
        if let Some(info) = info
            && let Some(reason) = Reason::from_name(&info.reason)
        {
            return Self {
                reason,
                message: status.message().to_owned(),
                facts: info.metadata,
            };
        }
        foreign(status)
    }
}

/// A status that gRPC itself made, or another kind of server.
fn foreign(status: &Status) -> WireError {
    let (reason, message) = match status.code() {
        Code::InvalidArgument => (Reason::InvalidRequest, status.message()),
        Code::ResourceExhausted | Code::OutOfRange => (Reason::RequestTooLarge, status.message()),
        Code::NotFound => (Reason::NotFound, status.message()),
        Code::Unauthenticated => (Reason::InvalidAccessKey, status.message()),
        Code::PermissionDenied => (Reason::InsufficientScope, status.message()),
        Code::DeadlineExceeded => (Reason::UpstreamTimeout, "the deadline passed"),
        Code::Unavailable | Code::Cancelled | Code::Unknown => (
            Reason::Overloaded,
            "a service that this request needs cannot be reached",
        ),
        // As while an upgrade goes on, and over when that is.
        Code::Unimplemented => (
            Reason::Overloaded,
            "a service that this request needs is of another version and does not know it",
        ),
        _ => (Reason::Internal, "an internal error occurred"),
    };
    WireError {
        reason,
        message: message.to_owned(),
        facts: HashMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use tonic::{Code, Status};

    use super::WireError;

    #[test]
    fn what_grpc_itself_says_has_a_reason_of_ours() {
        for (code, http_status, says) in [
            (Code::InvalidArgument, 400, "as told"),
            (Code::Unauthenticated, 401, "as told"),
            (Code::PermissionDenied, 403, "as told"),
            (Code::NotFound, 404, "as told"),
            (Code::OutOfRange, 413, "as told"),
            (Code::DeadlineExceeded, 504, "the deadline passed"),
            (Code::Unavailable, 503, "cannot be reached"),
            (Code::Unimplemented, 503, "of another version"),
            (Code::Internal, 500, "an internal error occurred"),
            (Code::DataLoss, 500, "an internal error occurred"),
        ] {
            let error = WireError::from(&Status::new(code, "as told"));
            assert_eq!(error.reason.http_status(), http_status, "{code:?}");
            assert!(error.message.contains(says), "{}", error.message);
        }
    }
}
