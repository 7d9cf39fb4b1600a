//! What the gateway says when it refuses, and what to do then.

use std::fmt;

use http::StatusCode;
use serde_json::Value;

use crate::cli::connection::Access;
use crate::cli::exit::{Exit, Failure};

/// An error of the management API.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    status: StatusCode,
    /// Our own word for the kind of error.
    pub(crate) code: String,
    message: String,
    /// The field that is at fault, where one is.
    parameter: Option<String>,
}

impl Refusal {
    /// Reads the member `error` of an answer; `None` where it is not in our form.
    pub(super) fn read(status: StatusCode, error: &Value) -> Option<Self> {
        Some(Self {
            status,
            code: error["code"].as_str()?.to_owned(),
            message: error["message"].as_str()?.to_owned(),
            parameter: error["param"].as_str().map(str::to_owned),
        })
    }

    /// The one that a failure comes from, if it does.
    pub(crate) fn of(failure: &Failure) -> Option<&Self> {
        match failure {
            Failure::Error { error, .. } => error.downcast_ref(),
            Failure::NobodyReads => None,
        }
    }

    /// Whether it is about what was sent: something else may be accepted.
    pub(crate) fn is_about_this(&self) -> bool {
        [400, 404, 409, 413, 422].contains(&self.status.as_u16())
    }

    /// Whether the same may be accepted a little later.
    pub(crate) fn is_for_now(&self) -> bool {
        [429, 503].contains(&self.status.as_u16()) || self.code == "idempotency_in_progress"
    }

    /// Whether this field is what is wrong.
    pub(crate) fn is_about_field(&self, name: &str) -> bool {
        self.parameter.as_deref() == Some(name)
    }

    pub(super) fn into_failure(self, access: &Access) -> Failure {
        let (exit, hint) = match (self.status, self.code.as_str()) {
            (StatusCode::UNAUTHORIZED, _) => (Exit::Access, Some(access.refused_hint())),
            (StatusCode::FORBIDDEN, "insufficient_scope") => (
                Exit::Access,
                Some(
                    "Your access key may not do this: it lacks a scope, or its user a role.\n\
                     `keyward access list` shows the scopes of your keys."
                        .to_owned(),
                ),
            ),
            (StatusCode::FORBIDDEN, _) => (Exit::Access, None),
            (StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS, _) => {
                (Exit::Failed, Some("Try again in a moment.".to_owned()))
            }
            _ => (Exit::Failed, None),
        };
        let failure = Failure::of(exit, self.into());
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}
