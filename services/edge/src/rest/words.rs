//! The words that stand for the contracts' enumerations in JSON and headers.

use std::borrow::Cow;

use keyward_proto::{metering, router, vault};
use serde::Serialize;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// Declares the words of an enumeration of the contracts.
macro_rules! words {
    ($(#[doc = $doc:literal])* $name:ident of $contract:path { $($variant:ident = $word:literal,)+ }) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
        pub(crate) enum $name {
            $(#[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// The word of a value; that of the unspecified one for a value nobody knows.
            pub(crate) fn of(value: i32) -> Self {
                use $contract as Contract;
                match Contract::try_from(value).unwrap_or_default() {
                    $(Contract::$variant => Self::$variant,)+
                }
            }

            /// As it is written.
            #[allow(dead_code, reason = "not every one is written elsewhere than in JSON")]
            pub(crate) const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .description(Some(concat!($($doc,)*).trim()))
                    .enum_values(Some([$($word,)+]))
                    .build()
                    .into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }
        }
    };
}

words!(
    /// How an attempt ended: in full, before anything was delivered, after something was, with the
    /// caller leaving, or with another attempt answering first, for which the platform pays.
    AttemptStatus of metering::v1::AttemptStatus {
        Unspecified = "unknown",
        Ok = "ok",
        Failed = "failed",
        Cut = "cut",
        Abandoned = "abandoned",
        Hedged = "hedged",
    }
);

words!(
    /// Where the figures of a usage record come from: the provider's report at the end, its report at
    /// the opening of a stream that did not end, an estimate, or what was found after a crash.
    UsageSource of metering::v1::UsageSource {
        Unspecified = "unknown",
        Reported = "reported",
        Opening = "opening",
        Estimated = "estimated",
        Recovered = "recovered",
    }
);

words!(
    /// What a transaction is.
    TransactionKind of metering::v1::TransactionKind {
        Unspecified = "unknown",
        Grant = "grant",
        Charge = "charge",
        Refund = "refund",
        Expiry = "expiry",
    }
);

words!(
    /// What a notice is about: a budget used up to a share, a balance that is low or used up, a key
    /// that its provider refuses, one that is due for another secret or expires soon, credits that
    /// paid where an own key failed, or a test.
    NoticeKind of metering::v1::NoticeKind {
        Unspecified = "unknown",
        BudgetThreshold = "budget_threshold",
        LowBalance = "low_balance",
        KeyFailing = "key_failing",
        KeyRotationDue = "key_rotation_due",
        FallbackToCredits = "fallback_to_credits",
        Test = "test",
        KeyExpiring = "key_expiring",
    }
);

words!(
    /// How long a budget's periods are, by the calendar of its time zone.
    BudgetPeriod of metering::v1::BudgetPeriod {
        Unspecified = "unknown",
        Hour = "hour",
        Day = "day",
        Week = "week",
        Month = "month",
    }
);

words!(
    /// What a budget does about requests that may cost more than it has left: refuse them, or only
    /// tell.
    BudgetAction of metering::v1::BudgetAction {
        Unspecified = "unknown",
        Block = "block",
        Notify = "notify",
    }
);

words!(
    /// How a provider key stands.
    KeyStatus of vault::v1::KeyStatus {
        Unspecified = "unknown",
        Untested = "untested",
        Connected = "connected",
        Error = "error",
        Disabled = "disabled",
        Expired = "expired",
    }
);

words!(
    /// What a test of a provider key found: it is accepted, refused, without credit, or limited at
    /// present; or nothing, because the provider was not reached, did not answer in time, failed, or
    /// answered about something else.
    KeyFinding of router::v1::KeyFinding {
        Unspecified = "unknown",
        Accepted = "accepted",
        Rejected = "rejected",
        NoCredit = "no_credit",
        RateLimited = "rate_limited",
        Unreachable = "unreachable",
        TimedOut = "timed_out",
        ProviderFailed = "provider_failed",
        NotTold = "not_told",
    }
);

words!(
    /// Whose a provider key is.
    OwnerKind of vault::v1::OwnerKind {
        Unspecified = "unknown",
        User = "user",
        Organization = "organization",
        Project = "project",
        System = "system",
    }
);

/// How a provider has fared lately: nothing was sent to it, it answers, some of its models or keys
/// are left alone for a while, or everything lately sent to it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ProviderHealth {
    Unknown,
    Ok,
    Degraded,
    Down,
}

impl ProviderHealth {
    /// The word of a value.
    pub(crate) fn of(value: i32) -> Self {
        use router::v1::ProviderHealth as Contract;
        match Contract::try_from(value).unwrap_or_default() {
            Contract::Unspecified | Contract::Unknown => Self::Unknown,
            Contract::Ok => Self::Ok,
            Contract::Degraded => Self::Degraded,
            Contract::Down => Self::Down,
        }
    }
}

/// Whether a provider is left alone: it is called, it failed and is left alone for a while, or the next
/// request finds out whether it answers again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ProviderBreaker {
    Closed,
    Open,
    HalfOpen,
}

impl ProviderBreaker {
    /// The word of a value.
    pub(crate) fn of(value: i32) -> Self {
        use router::v1::ProviderBreaker as Contract;
        match Contract::try_from(value).unwrap_or_default() {
            Contract::Unspecified | Contract::Closed => Self::Closed,
            Contract::Open => Self::Open,
            Contract::HalfOpen => Self::HalfOpen,
        }
    }
}

/// The sources of keys, by their words.
const KEY_SOURCES: [(metering::v1::KeySource, &str); 5] = {
    use metering::v1::KeySource;
    [
        (KeySource::Inline, "inline"),
        (KeySource::User, "user"),
        (KeySource::Project, "project"),
        (KeySource::Organization, "organization"),
        (KeySource::System, "system"),
    ]
};

/// The kinds of notices that webhooks can be made for: those that there are so far.
pub(crate) const NOTICE_KINDS: [metering::v1::NoticeKind; 3] = [
    metering::v1::NoticeKind::BudgetThreshold,
    metering::v1::NoticeKind::LowBalance,
    metering::v1::NoticeKind::FallbackToCredits,
];

/// Whose key, without saying where; `None` where there is none.
pub(crate) fn key_source_word(source: i32) -> Option<&'static str> {
    let found = KEY_SOURCES
        .iter()
        .find(|(known, _)| i32::from(*known) == source);
    found.map(|(_, word)| *word)
}

/// Whose key, with `:openrouter` where it is one that opens OpenRouter; `None` where there is none.
pub(crate) fn key_source(source: i32, provider: &str) -> Option<String> {
    let word = key_source_word(source)?;
    Some(match provider {
        "openrouter" => format!("{word}:openrouter"),
        _ => word.to_owned(),
    })
}

/// The source of that word.
pub(crate) fn key_source_of(word: &str) -> Option<metering::v1::KeySource> {
    let found = KEY_SOURCES.iter().find(|(_, known)| *known == word);
    found.map(|(source, _)| *source)
}

/// The kind of owner of that name.
pub(crate) fn owner_kind_of(word: &str) -> Option<vault::v1::OwnerKind> {
    use vault::v1::OwnerKind;
    Some(match word {
        "user" => OwnerKind::User,
        "organization" => OwnerKind::Organization,
        "project" => OwnerKind::Project,
        "system" => OwnerKind::System,
        _ => return None,
    })
}
