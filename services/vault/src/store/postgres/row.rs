//! Columns to values and back. What does not fit is a malformed row, never a panic.

use jiff::Timestamp;
use keyward_runtime::time;
use keyward_storage::postgres::{FromSqlOwned, Row};
use keyward_storage::{PostgresError, StorageError};

use crate::domain::owner::Owner;
use crate::store::{StoreError, Stored, columns};

pub(super) use crate::store::columns::{
    duration_millis, millis, millis_opt, owner_kind, signed, to_json,
};

/// A column's value.
pub(super) fn get<T: FromSqlOwned>(row: &Row, column: &str) -> Stored<T> {
    let value = row.try_get(column).map_err(PostgresError::from);
    value.map_err(|error| StoreError::Fault(StorageError::from(error)))
}

pub(super) fn time(row: &Row, column: &str) -> Stored<Timestamp> {
    get(row, column).map(time::from_millis)
}

pub(super) fn time_opt(row: &Row, column: &str) -> Stored<Option<Timestamp>> {
    let millis: Option<i64> = get(row, column)?;
    Ok(millis.map(time::from_millis))
}

/// A count or version, which Postgres keeps signed.
pub(super) fn unsigned(row: &Row, column: &str) -> Stored<u64> {
    get(row, column).and_then(columns::unsigned)
}

/// A number that is small by its nature.
pub(super) fn small<T: TryFrom<i64>>(row: &Row, column: &str) -> Stored<T> {
    let value: i64 = get(row, column)?;
    T::try_from(value).map_err(|_| StoreError::Malformed("a number out of range"))
}

/// Bytes of a certain length.
pub(super) fn bytes<const LENGTH: usize>(row: &Row, column: &str) -> Stored<[u8; LENGTH]> {
    let bytes: Vec<u8> = get(row, column)?;
    let wrong = |_| StoreError::Malformed("bytes of another length");
    bytes.try_into().map_err(wrong)
}

pub(super) fn owner(row: &Row, kind: &str, uid: &str) -> Stored<Owner> {
    Ok(Owner {
        kind: owner_kind(get(row, kind)?)?,
        uid: get(row, uid)?,
    })
}

/// JSON in a text column.
pub(super) fn json<T: serde::de::DeserializeOwned>(row: &Row, column: &str) -> Stored<T> {
    columns::from_json(&get::<String>(row, column)?)
}
