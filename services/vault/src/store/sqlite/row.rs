//! Columns to values and back. What does not fit is a malformed row, never a panic.

use jiff::Timestamp;
use keyward_runtime::time;
use rusqlite::Row;
use rusqlite::types::FromSql;

use super::constraint::to_store_error;
use crate::domain::owner::Owner;
use crate::store::{Stored, columns};

pub(super) use crate::store::columns::{
    duration_millis, millis, millis_opt, owner_kind, signed, to_json,
};

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

/// A count or version, which SQLite keeps signed.
pub(super) fn unsigned(row: &Row<'_>, column: &str) -> Stored<u64> {
    get(row, column).and_then(columns::unsigned)
}

pub(super) fn owner(row: &Row<'_>, kind: &str, uid: &str) -> Stored<Owner> {
    Ok(Owner {
        kind: owner_kind(get(row, kind)?)?,
        uid: get(row, uid)?,
    })
}

/// JSON in a text column.
pub(super) fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: &str) -> Stored<T> {
    columns::from_json(&get::<String>(row, column)?)
}
