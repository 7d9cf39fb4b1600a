//! The vault's one error: variants are what a caller can act on. None holds a secret.

use keyward_runtime::error::{Reason, ServiceError, metadata};

use crate::domain::envelope::{OpenError, SealError};
use crate::kek::KekError;
use crate::store::StoreError;

/// What every use case returns.
pub(crate) type Result<T> = std::result::Result<T, VaultError>;

/// Why the vault did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// There is no such thing, or not for this caller, who must not learn which.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// It is there already; with its id where the caller may see it.
    #[error("{what} exists already{}", existing_text(.existing))]
    AlreadyExists {
        /// What kind of thing.
        what: &'static str,
        /// The id of the one that is there.
        existing: String,
    },
    /// A field of the request is wrong.
    #[error("{message}")]
    Invalid {
        /// Which.
        param: &'static str,
        /// What is wrong with it, and what was expected.
        message: String,
    },
    /// It has changed since the caller read it.
    #[error("it has changed since it was read")]
    Stale,
    /// The key is disabled or expired.
    #[error("the provider key is {0}")]
    NotUsable(&'static str),
    /// The caller may know of it, but not do this.
    #[error("this access key or role does not allow {0}")]
    Forbidden(&'static str),
    /// The credential is unknown, expired or revoked.
    #[error("the access key is missing, wrong, expired or revoked")]
    InvalidAccessKey,
    /// The caller gave this request the id of another.
    #[error("another request came under the same `request_id`")]
    OtherRequest,
    /// The same request is being worked on.
    #[error("the same request is being worked on; ask again")]
    InProgress,
    /// The calling service may not do this.
    #[error("this method is not for callers like this one")]
    PeerNotAllowed,
    /// The router has had as many distinct secrets as it may within a minute.
    #[error(
        "this router has been given {0} distinct provider keys within a minute, and gets no other"
    )]
    SecretCeiling(usize),
    /// The key's record does not open.
    #[error("the provider key cannot be opened; remove it and enter it again")]
    KeyUnavailable(#[source] OpenError),
    /// It cannot be done as things stand; says what must be done before.
    #[error("{0}")]
    NotNow(String),
    /// The vault is sealed: no key is opened or sealed until it is unsealed.
    #[error("the vault is sealed")]
    Sealed,
    /// Whoever keeps the master key does not answer, or refuses.
    #[error("the provider of the master key is not available")]
    MasterKeyAway(#[source] KekError),
    /// What a key is sealed for cannot be changed without the key.
    #[error("where a provider key is sent changes only with the key itself: enter it in `key`")]
    SecretRequired,
    /// An owner's data key has sealed as much as it may, and there is no other.
    #[error("nothing more can be sealed for this owner until its data key can be replaced")]
    SealsExhausted,
    /// The store does not answer, or an audit event could not be written.
    #[error("the vault's store is not available")]
    Unavailable(#[source] StoreError),
    /// Nothing is given out or changed that the audit log cannot take.
    #[error("no audit event can be written now, so nothing is given out or changed")]
    AuditUnavailable,
    /// A fault of ours.
    #[error("{0}")]
    Internal(&'static str),
}

fn existing_text(existing: &str) -> String {
    if existing.is_empty() {
        String::new()
    } else {
        format!(": {existing}")
    }
}

impl VaultError {
    /// A field is wrong.
    #[allow(
        clippy::needless_pass_by_value,
        reason = "callers have errors and texts alike"
    )]
    pub(crate) fn invalid(param: &'static str, message: impl ToString) -> Self {
        Self::Invalid {
            param,
            message: message.to_string(),
        }
    }
}

impl From<StoreError> for VaultError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Exists => Self::AlreadyExists {
                what: "it",
                existing: String::new(),
            },
            StoreError::Changed => Self::Stale,
            StoreError::OwnerGone => Self::NotFound("owner"),
            StoreError::MasterKeyRetired => Self::MasterKeyAway(KekError::Away(error.to_string())),
            StoreError::Answered => Self::InProgress,
            StoreError::Text => {
                Self::invalid("", "a text in the request has a NUL character in it")
            }
            StoreError::Malformed(what) => Self::Internal(what),
            StoreError::Unaudited(_) => Self::AuditUnavailable,
            StoreError::Fault(ref fault) if fault.is_unwritable() => Self::AuditUnavailable,
            StoreError::Fault(_) => Self::Unavailable(error),
        }
    }
}

impl From<SealError> for VaultError {
    fn from(_: SealError) -> Self {
        Self::Internal("a secret could not be sealed")
    }
}

impl From<KekError> for VaultError {
    fn from(error: KekError) -> Self {
        match error {
            KekError::Sealed => Self::Sealed,
            KekError::Open(error) => Self::KeyUnavailable(error),
            KekError::Seal(error) => error.into(),
            KekError::Away(_) | KekError::Unfit(_) => Self::MasterKeyAway(error),
        }
    }
}

impl ServiceError for VaultError {
    fn reason(&self) -> Reason {
        match self {
            Self::NotFound(_) => Reason::NotFound,
            Self::AlreadyExists { .. } => Reason::AlreadyExists,
            Self::Invalid { .. } => Reason::InvalidRequest,
            Self::Stale | Self::NotUsable(_) | Self::NotNow(_) => Reason::PreconditionFailed,
            Self::Forbidden(_) => Reason::InsufficientScope,
            Self::InvalidAccessKey => Reason::InvalidAccessKey,
            Self::OtherRequest => Reason::IdempotencyMismatch,
            Self::InProgress => Reason::IdempotencyInProgress,
            Self::PeerNotAllowed => Reason::PeerNotAllowed,
            Self::SecretCeiling(_) => Reason::SecretCeiling,
            Self::KeyUnavailable(_) => Reason::ProviderKeyUnavailable,
            Self::Sealed => Reason::VaultSealed,
            Self::SecretRequired => Reason::SecretRequired,
            Self::SealsExhausted => Reason::SealsExhausted,
            Self::MasterKeyAway(_) | Self::Unavailable(_) => Reason::Overloaded,
            Self::AuditUnavailable => Reason::AuditUnavailable,
            Self::Internal(_) => Reason::Internal,
        }
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Invalid { param, .. } => vec![(metadata::PARAM, (*param).to_owned())],
            _ => Vec::new(),
        }
    }
}
