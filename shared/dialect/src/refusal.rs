//! Why a request or an answer cannot be translated.

/// Why a request cannot be translated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The target's form has no such thing.
    #[error("{message}")]
    Unsupported {
        /// The member of the caller's request, by its own name, nested ones with dots.
        param: String,
        /// What is lacking, for the caller.
        message: String,
    },
    /// The request is not what its form asks for.
    #[error("{message}")]
    Invalid {
        /// The member that is wrong, if one is.
        param: Option<String>,
        /// What is wrong, for the caller.
        message: String,
    },
}

impl Refusal {
    /// The member that it is about.
    pub fn param(&self) -> Option<&str> {
        match self {
            Self::Unsupported { param, .. } => Some(param),
            Self::Invalid { param, .. } => param.as_deref(),
        }
    }

    pub(crate) fn invalid(param: &str, message: impl Into<String>) -> Self {
        Self::Invalid {
            param: Some(param.to_owned()),
            message: message.into(),
        }
    }
}

/// An answer that is not what the provider's form says it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the provider's answer cannot be read: {reason}")]
pub struct Garbled {
    reason: String,
}

impl Garbled {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
        }
    }
}

impl From<serde_json::Error> for Garbled {
    /// Keeps where it is wrong, and nothing of what stands there.
    fn from(error: serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        Self::new(match error.classify() {
            serde_json::error::Category::Data => {
                format!("a member of another type at line {line} column {column}")
            }
            _ => format!("no JSON at line {line} column {column}"),
        })
    }
}
