//! Columns to values and back.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use keyward_runtime::time;
use keyward_storage::postgres::{FromSqlOwned, Row};
use keyward_storage::{PostgresError, StorageError};

use super::super::StoreError;
use crate::domain::event::Event;

pub(super) use super::super::columns::{
    account, amount, budgets, budgets_text, corrupt, event, markup, prices, prices_text, signed,
    transfer_kind, unsigned, uuid, whole_millis_from,
};

/// The longest text in a column that is searched by. Longer ones are cut, because an index holds only
/// so much of a row; the encoded event keeps them whole.
const KEY_BYTES_MAX: usize = 400;

/// A column's value.
pub(super) fn get<T: FromSqlOwned>(row: &Row, column: &str) -> Result<T, StoreError> {
    row.try_get(column).map_err(fault)
}

/// What is not what was asked for.
pub(super) fn fault(error: impl Into<PostgresError>) -> StoreError {
    StorageError::from(error.into()).into()
}

pub(super) fn time(row: &Row, column: &str) -> Result<Timestamp, StoreError> {
    get(row, column).map(time::from_millis)
}

/// A number that is small by its nature.
pub(super) fn small<T: TryFrom<i64>>(row: &Row, column: &str) -> Result<T, StoreError> {
    let value: i64 = get(row, column)?;
    T::try_from(value).map_err(|_| corrupt("number"))
}

/// A text without NUL, which Postgres has not: what is said by strangers must not stop a batch. The
/// encoded event keeps it as it came.
pub(super) fn text(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        text.replace('\0', "\u{fffd}").into()
    } else {
        text.into()
    }
}

/// The same for a column that is searched by, and for what it is searched for.
pub(super) fn key(given: &str) -> Cow<'_, str> {
    text(
        given
            .get(..given.floor_char_boundary(KEY_BYTES_MAX))
            .unwrap_or(given),
    )
}

/// The tags of an event as a JSON object, which must be without NUL, too.
pub(super) fn tags_json(event: &Event) -> Result<String, StoreError> {
    let tags = event.tags().into_iter();
    let tags: BTreeMap<_, _> = tags.map(|(name, value)| (key(name), key(value))).collect();
    serde_json::to_string(&tags).map_err(|_| corrupt("tag"))
}
