//! Leases in SQLite.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_money::Nanos;
use keyward_runtime::time;
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, params};
use uuid::Uuid;

use super::{SqliteStore, row};
use crate::domain::account::AccountKey;
use crate::domain::ledger::{Holder, Lease};
use crate::store::{CrossingStore, LeaseStore, StoreError};

const GET: &str = "
    SELECT lease_id, account, router, start, price_version, markup_basis_points, granted, returned,
        remaining, state = 'open', create_ms, expire_ms
    FROM lease WHERE lease_id = ?1";

/// Along the index of open ones by account.
const OF_ACCOUNT: &str = "
    SELECT lease_id, account, router, start, price_version, markup_basis_points, granted, returned,
        remaining, state = 'open', create_ms, expire_ms
    FROM lease WHERE state = 'open' AND account = ?1";

const OPEN: &str = "
    SELECT lease_id, account, router, start, price_version, markup_basis_points, granted, returned,
        remaining, state = 'open', create_ms, expire_ms
    FROM lease WHERE state = 'open' AND expire_ms <= ?1 ORDER BY expire_ms LIMIT ?2";

pub(super) fn get(connection: &Connection, id: Uuid) -> Result<Option<Lease>, StoreError> {
    connection
        .prepare_cached(GET)?
        .query_row([id], |row| Ok(read(row)))
        .optional()?
        .transpose()
}

pub(super) fn of_account(
    connection: &Connection,
    account: AccountKey,
) -> Result<Vec<Lease>, StoreError> {
    list(connection, OF_ACCOUNT, params![account.to_string()])
}

pub(super) fn open_until(
    connection: &Connection,
    expired: Timestamp,
    limit: u32,
) -> Result<Vec<Lease>, StoreError> {
    list(connection, OPEN, params![expired.as_millisecond(), limit])
}

fn list(
    connection: &Connection,
    sql: &str,
    values: &[&dyn ToSql],
) -> Result<Vec<Lease>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let mut leases = Vec::new();
    while let Some(row) = rows.next()? {
        leases.push(read(row)?);
    }
    Ok(leases)
}

fn read(row: &Row<'_>) -> Result<Lease, StoreError> {
    Ok(Lease {
        id: row.get(0)?,
        account: row::account(&row.get::<_, String>(1)?)?,
        holder: Holder {
            router: row.get(2)?,
            start: row::unsigned(row.get(3)?)?,
        },
        price_version: row::unsigned(row.get(4)?)?,
        markup: row::markup(row.get(5)?)?,
        granted: Nanos::new(row.get(6)?),
        returned: Nanos::new(row.get(7)?),
        remaining: Nanos::new(row.get(8)?),
        is_open: row.get(9)?,
        create_time: time::from_millis(row.get(10)?),
        expire_time: time::from_millis(row.get(11)?),
    })
}

pub(super) fn put(connection: &Connection, lease: &Lease) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO lease (lease_id, account, router, start, price_version,
                 markup_basis_points, granted, returned, remaining, state, create_ms, expire_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
             ON CONFLICT (lease_id) DO UPDATE SET granted = ?7, returned = ?8, remaining = ?9,
                 state = ?10, expire_ms = ?12",
        )?
        .execute(params![
            lease.id,
            lease.account.to_string(),
            lease.holder.router,
            row::signed(lease.holder.start)?,
            row::signed(lease.price_version)?,
            lease.markup.get(),
            lease.granted.get(),
            lease.returned.get(),
            lease.remaining.get(),
            lease.state(),
            lease.create_time.as_millisecond(),
            lease.expire_time.as_millisecond(),
        ])?;
    Ok(())
}

#[async_trait]
impl LeaseStore for SqliteStore {
    /// One process writes a file.
    fn crossing(&self) -> Option<Arc<dyn CrossingStore>> {
        None
    }

    async fn lease_get(&self, id: Uuid) -> Result<Option<Lease>, StoreError> {
        self.read(move |connection| get(connection, id)).await
    }

    async fn leases_of(&self, account: AccountKey) -> Result<Vec<Lease>, StoreError> {
        self.read(move |connection| of_account(connection, account))
            .await
    }

    async fn leases_open(&self, expired: Timestamp, limit: u32) -> Result<Vec<Lease>, StoreError> {
        self.read(move |connection| open_until(connection, expired, limit))
            .await
    }
}
