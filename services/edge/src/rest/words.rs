//! The words that stand for the contracts' enumerations in JSON and headers.

use keyward_proto::metering::v1::{AttemptStatus, KeySource, TransactionKind, UsageSource};
use keyward_proto::vault::v1::{KeyStatus, OwnerKind};

/// Whose key, with `:openrouter` where it is one that opens OpenRouter; `None` where there is none.
pub(crate) fn key_source(source: i32, provider: &str) -> Option<String> {
    let word = match KeySource::try_from(source).unwrap_or_default() {
        KeySource::Unspecified => return None,
        KeySource::Inline => "inline",
        KeySource::User => "user",
        KeySource::Project => "project",
        KeySource::Organization => "organization",
        KeySource::System => "system",
    };
    Some(match provider {
        "openrouter" => format!("{word}:openrouter"),
        _ => word.to_owned(),
    })
}

pub(crate) fn attempt_status(status: i32) -> &'static str {
    match AttemptStatus::try_from(status).unwrap_or_default() {
        AttemptStatus::Unspecified => "unknown",
        AttemptStatus::Ok => "ok",
        AttemptStatus::Failed => "failed",
        AttemptStatus::Cut => "cut",
        AttemptStatus::Abandoned => "abandoned",
    }
}

pub(crate) fn usage_source(source: i32) -> &'static str {
    match UsageSource::try_from(source).unwrap_or_default() {
        UsageSource::Unspecified => "unknown",
        UsageSource::Reported => "reported",
        UsageSource::Opening => "opening",
        UsageSource::Estimated => "estimated",
        UsageSource::Recovered => "recovered",
    }
}

pub(crate) fn transaction_kind(kind: i32) -> &'static str {
    match TransactionKind::try_from(kind).unwrap_or_default() {
        TransactionKind::Unspecified => "unknown",
        TransactionKind::Grant => "grant",
        TransactionKind::Charge => "charge",
    }
}

pub(crate) fn key_status(status: i32) -> &'static str {
    match KeyStatus::try_from(status).unwrap_or_default() {
        KeyStatus::Unspecified => "unknown",
        KeyStatus::Untested => "untested",
        KeyStatus::Connected => "connected",
        KeyStatus::Error => "error",
        KeyStatus::Disabled => "disabled",
        KeyStatus::Expired => "expired",
    }
}

pub(crate) fn owner_kind(kind: i32) -> &'static str {
    match OwnerKind::try_from(kind).unwrap_or_default() {
        OwnerKind::Unspecified => "unknown",
        OwnerKind::User => "user",
        OwnerKind::Organization => "organization",
        OwnerKind::Project => "project",
        OwnerKind::System => "system",
    }
}

/// The kind of owner of that name.
pub(crate) fn owner_kind_of(word: &str) -> Option<OwnerKind> {
    Some(match word {
        "user" => OwnerKind::User,
        "organization" => OwnerKind::Organization,
        "project" => OwnerKind::Project,
        "system" => OwnerKind::System,
        _ => return None,
    })
}
