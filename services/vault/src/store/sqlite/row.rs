//! Columns to values and back. What does not fit is a malformed row, never a panic.

use jiff::Timestamp;
use keyward_runtime::time;
use rusqlite::Row;
use rusqlite::types::FromSql;
use uuid::Uuid;

use super::constraint::to_store_error;
use crate::domain::owner::{Owner, OwnerKind};
use crate::store::{Page, StoreError, Stored};

/// A column's value.
pub(super) fn get<T: FromSql>(row: &Row<'_>, column: &str) -> Stored<T> {
    row.get(column).map_err(to_store_error)
}

pub(super) fn time(row: &Row<'_>, column: &str) -> Stored<Timestamp> {
    get(row, column).map(time::from_millis)
}

pub(super) fn time_opt(row: &Row<'_>, column: &str) -> Stored<Option<Timestamp>> {
    let millis: Option<i64> = get(row, column)?;
    Ok(millis.map(time::from_millis))
}

pub(super) fn millis(time: Timestamp) -> i64 {
    time.as_millisecond()
}

pub(super) fn millis_opt(time: Option<Timestamp>) -> Option<i64> {
    time.map(millis)
}

/// A count or version, which SQLite keeps signed.
pub(super) fn unsigned(row: &Row<'_>, column: &str) -> Stored<u64> {
    let value: i64 = get(row, column)?;
    u64::try_from(value).map_err(|_| StoreError::Malformed("a negative count"))
}

pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn owner(row: &Row<'_>, kind: &str, uid: &str) -> Stored<Owner> {
    Ok(Owner {
        kind: owner_kind(get(row, kind)?)?,
        uid: get(row, uid)?,
    })
}

pub(super) fn owner_kind(number: i64) -> Stored<OwnerKind> {
    OwnerKind::from_number(number).ok_or(StoreError::Malformed("an owner kind"))
}

/// JSON in a text column.
pub(super) fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: &str) -> Stored<T> {
    let text: String = get(row, column)?;
    serde_json::from_str(&text).map_err(|_| StoreError::Malformed("JSON"))
}

pub(super) fn to_json<T: serde::Serialize>(value: &T) -> Stored<String> {
    serde_json::to_string(value).map_err(|_| StoreError::Malformed("JSON"))
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
