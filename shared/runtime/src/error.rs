//! Errors on the wire: one table of reasons, one way from a crate's error to a gRPC status, and one
//! way back.
//!
//! A status carries `google.rpc.ErrorInfo` with the domain `keyward.dev`, the reason in capitals and
//! what a caller can act on as metadata. The cause of an internal fault goes to the log, never to
//! the wire.

mod reason;
mod wire;

pub use reason::Reason;
pub use wire::WireError;

use std::collections::HashMap;

use tonic::Status;
use tonic_types::{ErrorDetails, StatusExt as _};

/// The domain of all reasons, as in `google.rpc.ErrorInfo`.
pub const DOMAIN: &str = "keyward.dev";

/// The most bytes of a message on the wire: statuses travel in trailers, which peers bound.
const MESSAGE_BYTES_MAX: usize = 2048;

/// Names of `ErrorInfo` metadata.
pub mod metadata {
    /// The field of the request that is at fault; OpenAI's `param`.
    pub const PARAM: &str = "param";
    /// The request's id, once it has reached routing.
    pub const INFERENCE_ID: &str = "inference_id";
    /// The provider that was tried last.
    pub const PROVIDER: &str = "provider";
    /// The status of that provider's own refusal, where it is passed on.
    pub const PROVIDER_STATUS: &str = "provider_status";
    /// The model as that provider names it.
    pub const UPSTREAM_MODEL: &str = "upstream_model";
    /// Whose key was tried last, as in the `x-keyward-key-source` header.
    pub const KEY_SOURCE: &str = "key_source";
    /// How many candidates were tried.
    pub const ATTEMPTS: &str = "attempts";
    /// How it stood with the stored answers: `miss`, where one was looked for.
    pub const CACHE: &str = "cache";
    /// After how many milliseconds a retry may succeed.
    pub const RETRY_AFTER_MS: &str = "retry_after_ms";
    /// Whose limit refused a request: `access_key`, `user` or `organization`.
    pub const LIMIT_SCOPE: &str = "limit_scope";
    /// How limits stand, under the names of the headers that say it.
    pub const RATE_LIMITS: [&str; 7] = [
        "x-ratelimit-limit-requests",
        "x-ratelimit-remaining-requests",
        "x-ratelimit-reset-requests",
        "x-ratelimit-limit-tokens",
        "x-ratelimit-remaining-tokens",
        "x-ratelimit-reset-tokens",
        "x-ratelimit-mode",
    ];
    /// How many output tokens the balance would pay for.
    pub const AFFORDABLE_OUTPUT_TOKENS: &str = "affordable_output_tokens";
    /// The budget that refused.
    pub const BUDGET_ID: &str = "budget_id";
    /// When its period ends, in RFC 3339.
    pub const PERIOD_END_TIME: &str = "period_end_time";
    /// What the balance or the budget has left, in nano-credits.
    pub const AVAILABLE_NANOS: &str = "available_nanos";
    /// What the request would need, in nano-credits.
    pub const NEEDED_NANOS: &str = "needed_nanos";
}

/// An error of a service: what a caller is told, and what a caller can act on.
pub trait ServiceError: std::error::Error {
    /// Which row of the table it is.
    fn reason(&self) -> Reason;

    /// Facts to act on, by the names in [`metadata`]; none by default.
    fn metadata(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// What the caller reads. By default the error's own text, but for [`Reason::Internal`], where
    /// the text may tell what nobody outside should know.
    fn public_message(&self) -> String {
        match self.reason() {
            Reason::Internal => "an internal error occurred".to_owned(),
            _ => self.to_string(),
        }
    }
}

/// Turns a service's error into the status that goes over the wire, and logs internal ones with
/// their causes.
pub fn to_status<E: ServiceError + ?Sized>(error: &E) -> Status {
    let reason = error.reason();
    if reason == Reason::Internal {
        tracing::error!(error.chain = %chain(error), "internal error");
    }
    status(reason, &error.public_message(), error.metadata())
}

/// Makes a status from its parts.
pub fn status(reason: Reason, message: &str, facts: Vec<(&'static str, String)>) -> Status {
    let facts: HashMap<String, String> = facts
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    let details = ErrorDetails::with_error_info(reason.as_str(), DOMAIN, facts);
    Status::with_error_details(reason.grpc_code(), truncated(message), details)
}

fn truncated(message: &str) -> &str {
    let mut end = message.len().min(MESSAGE_BYTES_MAX);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    &message[..end]
}

/// An error with all its causes, in one line.
pub fn chain<E: std::error::Error + ?Sized>(error: &E) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Reason, WireError, metadata, status};

    #[test]
    fn a_status_comes_back_as_it_was() {
        let sent = status(
            Reason::InsufficientCredits,
            "too little",
            vec![(metadata::NEEDED_NANOS, "7".into())],
        );
        let back = WireError::from(&sent);
        assert_eq!(back.reason, Reason::InsufficientCredits);
        assert_eq!(back.message, "too little");
        assert_eq!(back.fact(metadata::NEEDED_NANOS), Some("7"));
    }

    #[test]
    fn a_long_message_is_cut_at_a_character() {
        let sent = status(Reason::InvalidRequest, &"ü".repeat(3000), vec![]);
        assert!(sent.message().len() <= 2048);
    }
}
