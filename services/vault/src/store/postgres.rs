//! The vault's store in Postgres, for several vaults at once. Each mutation is a transaction with its
//! audit events and changes in it. What makes it safe beside others is the same as in SQLite, revisions
//! that are compared in the statement itself; mutations that others must learn of commit one after
//! the other, because each holds the counter of changes to its end.

mod access_keys;
mod accounts;
mod audit;
mod changes;
mod constraint;
mod custody;
mod generations;
pub(crate) mod inspect;
mod members;
mod projects;
mod provider_keys;
mod replays;
mod row;
mod row_states;
mod seals;
mod watchers;

use async_trait::async_trait;
use futures::future::BoxFuture;
use keyward_storage::postgres::{Row, Schema, Session, ToSql};
use keyward_storage::{Migration, Postgres, PostgresUrl, StorageError};

use super::{CloseStore, Effects, StoreError, Stored};

/// The schema's steps, in order; a released one never changes.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration {
        name: "0001_vault",
        sql: include_str!("postgres/0001_vault.sql"),
    },
    Migration {
        name: "0002_replays",
        sql: include_str!("postgres/0002_replays.sql"),
    },
    Migration {
        name: "0003_custody",
        sql: include_str!("postgres/0003_custody.sql"),
    },
    Migration {
        name: "0004_hygiene",
        sql: include_str!("postgres/0004_hygiene.sql"),
    },
    Migration {
        name: "0005_audit_chain",
        sql: include_str!("postgres/0005_audit_chain.sql"),
    },
    Migration {
        name: "0006_watchers",
        sql: include_str!("postgres/0006_watchers.sql"),
    },
    Migration {
        name: "0007_row_states",
        sql: include_str!("postgres/0007_row_states.sql"),
    },
    Migration {
        name: "0008_key_filters",
        sql: include_str!("postgres/0008_key_filters.sql"),
    },
    Migration {
        name: "0009_access_key_cache",
        sql: include_str!("postgres/0009_access_key_cache.sql"),
    },
];

/// The vault's part of a database. Whoever makes it owns it, and nobody else may look into it.
pub(super) const SCHEMA: Schema = Schema {
    name: "keyward_vault",
    create: "CREATE SCHEMA keyward_vault; REVOKE ALL ON SCHEMA keyward_vault FROM PUBLIC",
    migrations: MIGRATIONS,
};

/// The store.
#[derive(Debug, Clone)]
pub struct PostgresStore {
    postgres: Postgres,
}

type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

impl PostgresStore {
    /// Connects. The schema must have been brought up to date, see [`PostgresStore::migrate`].
    ///
    /// # Errors
    /// [`StorageError`] if it cannot be reached, or has another schema.
    pub async fn open(url: &PostgresUrl) -> Result<Self, StorageError> {
        Ok(Self {
            postgres: Postgres::open(url, &SCHEMA).await?,
        })
    }

    /// Connects for reading only, also beside vaults that write.
    ///
    /// # Errors
    /// As [`PostgresStore::open`].
    pub async fn look(url: &PostgresUrl) -> Result<Self, StorageError> {
        Ok(Self {
            postgres: Postgres::look(url, &SCHEMA).await?,
        })
    }

    /// Makes the schema or brings it up to date; says from which version, and to which.
    ///
    /// # Errors
    /// [`StorageError`] if it cannot be reached, refuses, or is of a later version.
    pub async fn migrate(url: &PostgresUrl) -> Result<(u32, u32), StorageError> {
        Postgres::migrate(url, &SCHEMA).await
    }

    /// The database below, for tests.
    #[cfg(test)]
    pub(super) fn postgres(&self) -> &Postgres {
        &self.postgres
    }

    async fn session(&self) -> Stored<Session> {
        Ok(self.postgres.session().await?)
    }

    /// Runs a mutation, then writes what goes with it; returns the last change's number. Changes come
    /// last, so that the counter is held as briefly as can be.
    async fn mutate<F>(&self, effects: Effects, work: F) -> Stored<u64>
    where
        F: for<'s> FnOnce(&'s Session) -> BoxFuture<'s, Stored<()>> + Send,
    {
        let session = self.postgres.begin().await?;
        let worked = async {
            work(&session).await?;
            write(&session, &effects).await
        };
        let worked = worked.await;
        session.end(worked).await
    }
}

async fn write(session: &Session, effects: &Effects) -> Stored<u64> {
    for event in &effects.audit {
        audit::insert(session, event)
            .await
            .map_err(|error| StoreError::Unaudited(Box::new(error)))?;
    }
    if let Some(replay) = &effects.replay {
        replays::put(session, replay).await?;
    }
    for change in &effects.changes {
        changes::insert(session, change).await?;
    }
    changes::head(session).await
}

#[async_trait]
impl CloseStore for PostgresStore {
    async fn close(&self) {
        self.postgres.close();
    }
}

/// Runs a statement, and returns how many rows it changed.
async fn execute(session: &Session, sql: &'static str, values: Values<'_>) -> Stored<u64> {
    let executed = session.execute(sql, values).await;
    executed.map_err(constraint::to_store_error)
}

/// Runs a statement that must change exactly one row, read before at some revision.
async fn execute_one(session: &Session, sql: &'static str, values: Values<'_>) -> Stored<()> {
    match execute(session, sql, values).await? {
        1 => Ok(()),
        _ => Err(StoreError::Changed),
    }
}

/// The first row of a query, if any.
async fn query_one<T>(
    session: &Session,
    sql: &'static str,
    values: Values<'_>,
    read: impl FnOnce(&Row) -> Stored<T>,
) -> Stored<Option<T>> {
    let row = session.query_first(sql, values).await;
    let row = row.map_err(constraint::to_store_error)?;
    row.as_ref().map(read).transpose()
}

/// All rows of a query, which must bound them itself.
async fn query_all<T>(
    session: &Session,
    sql: &'static str,
    values: Values<'_>,
    read: impl Fn(&Row) -> Stored<T>,
) -> Stored<Vec<T>> {
    let rows = session.query(sql, values).await;
    let rows = rows.map_err(constraint::to_store_error)?;
    rows.iter().map(read).collect()
}

#[cfg(test)]
mod tests;
