//! Why a request was not served, as the caller is told.

use keyward_runtime::error::{Reason, ServiceError, metadata};

use crate::domain::plan::Refusal;
use crate::domain::request::RequestError;

/// When it is worth asking again whether the vault is unsealed: people do that, and take their time.
const SEALED_RETRY_MS: &str = "30000";

/// A failure with what the caller can act on.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub(crate) struct RouteError {
    reason: Reason,
    message: String,
    facts: Vec<(&'static str, String)>,
}

impl ServiceError for RouteError {
    fn reason(&self) -> Reason {
        self.reason
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        self.facts.clone()
    }
}

impl RouteError {
    pub(crate) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            facts: Vec::new(),
        }
    }

    /// Adds a fact, unless it is there already.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if self.facts.iter().all(|(known, _)| *known != name) {
            self.facts.push((name, value.into()));
        }
        self
    }

    /// Something that we depend on is away for now.
    pub(crate) fn away(what: &str) -> Self {
        let message = format!("{what} cannot be reached; try again shortly");
        Self::new(Reason::Overloaded, message).with(metadata::RETRY_AFTER_MS, "1000")
    }

    /// The caller's deadline passed. Who is to blame for that nobody knows.
    pub(crate) fn late() -> Self {
        let message = "the call's deadline passed before it was answered in full";
        Self::new(Reason::UpstreamTimeout, message)
    }

    /// The vault is there and opens nothing. An operator did that, and has to undo it.
    pub(crate) fn sealed() -> Self {
        let message = "the vault is sealed: no stored key is used until it is unsealed";
        Self::new(Reason::VaultSealed, message).with(metadata::RETRY_AFTER_MS, SEALED_RETRY_MS)
    }

    /// What another service refused with, in its own words.
    pub(crate) fn from_status(status: &tonic::Status, what: &str) -> Self {
        let wire = keyward_runtime::error::WireError::from(status);
        if matches!(wire.reason, Reason::Internal | Reason::Overloaded) || is_transport(status) {
            return Self::away(what);
        }
        let mut error = Self::new(wire.reason, wire.message.clone());
        for name in [
            metadata::AFFORDABLE_OUTPUT_TOKENS,
            metadata::AVAILABLE_NANOS,
            metadata::NEEDED_NANOS,
            metadata::RETRY_AFTER_MS,
        ] {
            if let Some(value) = wire.fact(name) {
                error = error.with(name, value);
            }
        }
        error
    }
}

fn is_transport(status: &tonic::Status) -> bool {
    use tonic::Code::{Cancelled, DeadlineExceeded, Unavailable, Unknown};
    matches!(
        status.code(),
        Cancelled | DeadlineExceeded | Unavailable | Unknown
    )
}

impl From<RequestError> for RouteError {
    fn from(error: RequestError) -> Self {
        let route = Self::new(Reason::InvalidRequest, error.message);
        match error.param {
            Some(param) => route.with(metadata::PARAM, param),
            None => route,
        }
    }
}

/// What the form of a provider lacks, or the caller's own form does not allow.
impl From<&keyward_dialect::Refusal> for RouteError {
    fn from(refusal: &keyward_dialect::Refusal) -> Self {
        let reason = match refusal {
            keyward_dialect::Refusal::Unsupported { .. } => Reason::UnsupportedParameter,
            keyward_dialect::Refusal::Invalid { .. } => Reason::InvalidRequest,
        };
        let error = Self::new(reason, refusal.to_string());
        match refusal.param() {
            Some(param) => error.with(metadata::PARAM, param),
            None => error,
        }
    }
}

impl RouteError {
    /// A plan's refusal, for the model as the caller named it.
    pub(crate) fn refused(refusal: &Refusal, model: &str) -> Self {
        match refusal {
            Refusal::ModelNotFound => Self::new(
                Reason::ModelNotFound,
                format!("there is no model {model:?}"),
            )
            .with(metadata::PARAM, "model"),
            Refusal::ModelNotAllowed => {
                let message = format!("this access key may not call {model:?}");
                Self::new(Reason::ModelNotAllowed, message).with(metadata::PARAM, "model")
            }
            Refusal::ModelForbidden(scope) => {
                let message = format!("{scope} does not allow {model:?}");
                Self::new(Reason::ModelNotAllowed, message).with(metadata::PARAM, "model")
            }
            Refusal::FallbackNotAllowed(name) => {
                let message =
                    format!("{name:?} may not be called by this access key, or under its policy");
                Self::new(Reason::ModelNotAllowed, message).with(metadata::PARAM, "models")
            }
            Refusal::NoKey(providers) => {
                let message = match providers.as_slice() {
                    [] => format!("no key here can serve {model:?}"),
                    some => format!(
                        "no key here can serve {model:?}: add one for {}",
                        some.join(" or ")
                    ),
                };
                Self::new(Reason::NoKeyForModel, message).with(metadata::PARAM, "model")
            }
            Refusal::NotCallable(providers, form) => {
                let (providers, form) = (providers.join(" and "), form.told());
                let message = format!(
                    "{providers} cannot be called in {form}, and nobody else has {model:?}"
                );
                Self::new(Reason::NoKeyForModel, message).with(metadata::PARAM, "model")
            }
            Refusal::KeyMismatch(message) => {
                Self::new(Reason::ProviderKeyMismatch, message.clone())
            }
            Refusal::KeyRejected(message) => {
                Self::new(Reason::ProviderKeyRejected, message.clone())
            }
        }
    }
}
