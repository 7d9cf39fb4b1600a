//! What metering answers instead of what was asked for.

use std::fmt;

use jiff::Timestamp;
use keyward_money::Nanos;
use keyward_runtime::error::{Reason, ServiceError, metadata};
use uuid::Uuid;

use crate::courier::CourierError;
use crate::domain::budget::Budget;
use crate::domain::charging::Shortage;
use crate::store::{NotWritten, StoreError};

/// An error of metering.
#[derive(Debug, thiserror::Error)]
pub enum MeteringError {
    /// The request is malformed.
    #[error("{message}")]
    Invalid {
        /// The field at fault.
        param: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// There is no such thing, or not for this caller.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The caller may not do this.
    #[error("this needs an access key with the scope `admin`")]
    NotAllowed,
    /// The caller's role in its organisation is not enough.
    #[error("your role in the organization does not let you {0}")]
    RoleNotAllowed(&'static str),
    /// The balance does not cover the request.
    #[error("{}", insufficient_credits(.account, .shortage))]
    InsufficientCredits {
        /// Who was to pay, `users/{user}` or `organizations/{org}`.
        account: String,
        /// What is needed and what there is.
        shortage: HoldShortage,
    },
    /// The request is expected to cost more than its cap.
    #[error("falling back to credits would cost more than the cap on it allows")]
    CapExceeded(#[doc = "What is needed and what is allowed."] HoldShortage),
    /// Nobody knows the model.
    #[error("the model {model:?} is not known{}", at(.provider))]
    ModelUnknown {
        /// The provider; empty where any would do.
        provider: String,
        /// The model.
        model: String,
    },
    /// The model has no price, so credits cannot pay for it.
    #[error(
        "the model {model:?} has no price at {provider}, so credits cannot pay for it; a key of \
         your own can"
    )]
    ModelUnpriced {
        /// The provider.
        provider: String,
        /// The model.
        model: String,
    },
    /// The same id came with something else before.
    #[error("this id was used for something else: {0}")]
    Conflict(&'static str),
    /// Nothing is held by it any more.
    #[error("the hold is closed already")]
    HoldClosed,
    /// It is there already.
    #[error("there is such a {0} already")]
    Exists(&'static str),
    /// It is not as it was when the caller saw it.
    #[error("this {0} was changed meanwhile; read it again")]
    Changed(&'static str),
    /// It was asked for too often.
    #[error("{0}")]
    TooSoon(&'static str),
    /// The system gives no random bytes.
    #[error("there is no randomness")]
    NoRandomness,
    /// Notices cannot be sent as the settings have it.
    #[error(transparent)]
    Courier(#[from] CourierError),
    /// The same idempotency key came with another request before.
    #[error("this `request_id` was used for another request")]
    IdempotencyMismatch,
    /// The vault, which knows accounts, cannot be asked.
    #[error("accounts cannot be looked up at present")]
    DirectoryUnavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The catalogue that this program was built with cannot be read.
    #[error("the embedded catalogue cannot be used")]
    Catalog(#[from] keyward_catalog::CatalogError),
    /// The account's books did not add up.
    #[error("the account's books are closed until they have been looked at")]
    AccountFrozen,
    /// A budget does not cover the request.
    #[error("budget exceeded: {0}")]
    BudgetExceeded(#[doc = "Which one, and what is left of it."] BudgetRefusal),
    /// More is asked of the ledger than it can write.
    #[error("there is too much to be written at present")]
    LedgerFull,
    /// The process stops.
    #[error("metering is stopping")]
    LedgerClosed,
    /// What was asked for was not written, or nobody knows.
    #[error("the ledger could not be written")]
    NotWritten(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The store takes all else, but not this.
    #[error("this cannot be stored")]
    NotStorable,
    /// The store failed.
    #[error("the store of metering failed")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What a hold would have needed, and what there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoldShortage {
    /// What is needed.
    pub needed: Nanos,
    /// What there is.
    pub available: Nanos,
    /// How many output tokens that would pay for; `None` where they cost nothing.
    pub affordable_output_tokens: Option<i64>,
}

impl From<Shortage> for HoldShortage {
    fn from(shortage: Shortage) -> Self {
        Self {
            needed: shortage.needed,
            available: shortage.available,
            affordable_output_tokens: shortage.affordable_output_tokens,
        }
    }
}

/// What a hold would have needed of a budget, and what there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetRefusal {
    /// The budget's id.
    pub budget_id: Uuid,
    /// What may be spent in each period.
    pub amount: Nanos,
    /// How long a period is: `hour`, `day`, `week` or `month`.
    pub period: &'static str,
    /// When the period of now ends.
    pub period_end: Timestamp,
    /// What is needed.
    pub needed: Nanos,
    /// What is left.
    pub available: Nanos,
}

impl BudgetRefusal {
    pub(crate) fn new(
        budget: &Budget,
        (needed, available): (Nanos, Nanos),
        now: Timestamp,
    ) -> Self {
        Self {
            budget_id: budget.id,
            amount: budget.terms.amount,
            period: budget.calendar.every().name(),
            period_end: budget.period(now).end,
            needed,
            available: available.max(Nanos::ZERO),
        }
    }
}

impl fmt::Display for BudgetRefusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            budget_id,
            amount,
            period,
            period_end,
            needed,
            available,
        } = self;
        write!(
            formatter,
            "this request may cost {needed}, and the budget {budget_id} of {amount} per {period} has \
             {available} left until {period_end}"
        )
    }
}

fn insufficient_credits(account: &str, shortage: &HoldShortage) -> String {
    let HoldShortage {
        needed, available, ..
    } = shortage;
    let pays_for = match shortage.affordable_output_tokens {
        Some(tokens) => format!(", which would pay for {tokens} output tokens"),
        // Less of them would not make it cheaper.
        None => String::new(),
    };
    format!(
        "insufficient credits: this request may cost {needed}, {account} has {available} \
         available{pays_for}"
    )
}

impl MeteringError {
    pub(crate) fn model_unknown(provider: &str, model: &str) -> Self {
        Self::ModelUnknown {
            provider: provider.to_owned(),
            model: model.to_owned(),
        }
    }

    pub(crate) fn invalid(param: &'static str, message: impl std::fmt::Display) -> Self {
        Self::Invalid {
            param,
            message: message.to_string(),
        }
    }
}

/// ` at openai`; nothing where any provider would do.
fn at(provider: &str) -> String {
    if provider.is_empty() {
        String::new()
    } else {
        format!(" at {provider}")
    }
}

impl From<StoreError> for MeteringError {
    fn from(error: StoreError) -> Self {
        Self::Store(Box::new(error))
    }
}

impl From<NotWritten> for MeteringError {
    fn from(error: NotWritten) -> Self {
        match error {
            NotWritten::Unknown => Self::NotWritten(Box::new(error)),
            NotWritten::Refused => Self::NotStorable,
        }
    }
}

impl ServiceError for MeteringError {
    fn reason(&self) -> Reason {
        match self {
            Self::Invalid { .. } | Self::NotStorable => Reason::InvalidRequest,
            Self::NotFound(_) => Reason::NotFound,
            Self::NotAllowed | Self::RoleNotAllowed(_) => Reason::InsufficientScope,
            Self::InsufficientCredits { .. } => Reason::InsufficientCredits,
            Self::CapExceeded(_) => Reason::FallbackCapExceeded,
            Self::ModelUnknown { .. } => Reason::ModelNotFound,
            Self::ModelUnpriced { .. } => Reason::NoKeyForModel,
            Self::Conflict(_) | Self::Exists(_) => Reason::AlreadyExists,
            Self::Changed(_) | Self::HoldClosed => Reason::PreconditionFailed,
            Self::IdempotencyMismatch => Reason::IdempotencyMismatch,
            Self::BudgetExceeded(_) => Reason::BudgetExceeded,
            Self::DirectoryUnavailable(_)
            | Self::AccountFrozen
            | Self::LedgerFull
            | Self::LedgerClosed
            | Self::NotWritten(_) => Reason::Overloaded,
            Self::TooSoon(_) => Reason::RateLimitExceeded,
            Self::NoRandomness | Self::Courier(_) | Self::Catalog(_) | Self::Store(_) => {
                Reason::Internal
            }
        }
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Invalid { param, .. } => vec![(metadata::PARAM, (*param).to_owned())],
            Self::InsufficientCredits { shortage, .. } | Self::CapExceeded(shortage) => {
                let mut facts = vec![
                    (metadata::NEEDED_NANOS, shortage.needed.get().to_string()),
                    (
                        metadata::AVAILABLE_NANOS,
                        shortage.available.get().to_string(),
                    ),
                ];
                if let Some(tokens) = shortage.affordable_output_tokens {
                    facts.push((metadata::AFFORDABLE_OUTPUT_TOKENS, tokens.to_string()));
                }
                facts
            }
            Self::BudgetExceeded(refusal) => vec![
                (metadata::BUDGET_ID, refusal.budget_id.to_string()),
                (metadata::PERIOD_END_TIME, refusal.period_end.to_string()),
                (metadata::NEEDED_NANOS, refusal.needed.get().to_string()),
                (
                    metadata::AVAILABLE_NANOS,
                    refusal.available.get().to_string(),
                ),
            ],
            _ => Vec::new(),
        }
    }
}
