//! Values as columns hold them, in every engine: times as milliseconds since 1970, counts signed,
//! lists as JSON or separated by blanks. What does not fit is a malformed row, never a panic.

use jiff::{SignedDuration, Timestamp};
use keyward_auth::{OrganizationRole, Scope, Scopes};
use uuid::Uuid;

use super::{Page, StoreError, Stored};
use crate::domain::owner::OwnerKind;

pub(super) fn millis(time: Timestamp) -> i64 {
    time.as_millisecond()
}

pub(super) fn millis_opt(time: Option<Timestamp>) -> Option<i64> {
    time.map(millis)
}

pub(super) fn duration_millis(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A count or version, which databases keep signed.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(value: i64) -> Stored<u64> {
    u64::try_from(value).map_err(|_| StoreError::Malformed("a negative count"))
}

pub(super) fn owner_kind(number: i64) -> Stored<OwnerKind> {
    OwnerKind::from_number(number).ok_or(StoreError::Malformed("an owner kind"))
}

pub(super) fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Stored<T> {
    serde_json::from_str(text).map_err(|_| StoreError::Malformed("JSON"))
}

pub(super) fn to_json<T: serde::Serialize>(value: &T) -> Stored<String> {
    serde_json::to_string(value).map_err(|_| StoreError::Malformed("JSON"))
}

/// Roles by the numbers of the contract.
pub(super) fn role(number: i64) -> Stored<OrganizationRole> {
    i32::try_from(number)
        .ok()
        .and_then(OrganizationRole::from_proto)
        .ok_or(StoreError::Malformed("a role"))
}

pub(super) fn scopes(text: &str) -> Stored<Scopes> {
    text.split_whitespace()
        .map(|name| Scope::from_name(name).ok_or(StoreError::Malformed("a scope")))
        .collect()
}

pub(super) fn scopes_text(scopes: Scopes) -> String {
    let names: Vec<_> = scopes.iter().map(Scope::as_str).collect();
    names.join(" ")
}

impl Page {
    /// One row more than asked for shows that there are more.
    pub(super) fn limit(self) -> i64 {
        i64::from(self.size) + 1
    }

    /// Below the largest possible uid where the page is the first.
    pub(super) fn below(self) -> Uuid {
        self.before.unwrap_or(Uuid::max())
    }
}
