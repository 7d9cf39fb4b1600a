//! The vault's store in SQLite. Reads run on reading connections, mutations on the one writer, each
//! with its audit events and changes in the same transaction.

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
mod traces;
mod watchers;

use std::path::Path;

use async_trait::async_trait;
use keyward_storage::{Database, Migration, StorageError};
use rusqlite::{Connection, Params, Row};

use super::{CloseStore, Effects, StoreError, Stored};

/// The schema's steps, in order; a released one never changes.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration {
        name: "0001_vault",
        sql: include_str!("sqlite/0001_vault.sql"),
    },
    Migration {
        name: "0002_replays",
        sql: include_str!("sqlite/0002_replays.sql"),
    },
    Migration {
        name: "0003_custody",
        sql: include_str!("sqlite/0003_custody.sql"),
    },
    Migration {
        name: "0004_hygiene",
        sql: include_str!("sqlite/0004_hygiene.sql"),
    },
    Migration {
        name: "0005_audit_chain",
        sql: include_str!("sqlite/0005_audit_chain.sql"),
    },
    Migration {
        name: "0006_row_states",
        sql: include_str!("sqlite/0006_row_states.sql"),
    },
    Migration {
        name: "0007_key_filters",
        sql: include_str!("sqlite/0007_key_filters.sql"),
    },
    Migration {
        name: "0008_access_key_cache",
        sql: include_str!("sqlite/0008_access_key_cache.sql"),
    },
];

/// The store.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    database: Database,
    traces: traces::Traces,
}

impl SqliteStore {
    /// Opens the file, and brings its schema up to date. Blocks; meant for the start of a process.
    ///
    /// # Errors
    /// [`StorageError`] if the file cannot be opened.
    pub fn open(path: &Path) -> Result<Self, StorageError> {
        Ok(Self {
            database: Database::open(path, MIGRATIONS)?,
            traces: traces::Traces::default(),
        })
    }

    /// Opens the file for reading only, also beside a vault that writes to it; what is to be written
    /// is told that it is closed.
    ///
    /// # Errors
    /// [`StorageError`] if it cannot be read, or has another schema than this program.
    pub fn look(path: &Path) -> Result<Self, StorageError> {
        Ok(Self {
            database: Database::look(path, MIGRATIONS)?,
            traces: traces::Traces::default(),
        })
    }

    /// The database below, for tests.
    #[cfg(test)]
    pub(super) fn database(&self) -> &Database {
        &self.database
    }

    async fn read<T, F>(&self, work: F) -> Stored<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Stored<T> + Send + 'static,
    {
        self.database.read(work).await
    }

    /// Runs a mutation, then writes what goes with it; returns the last change's number.
    async fn mutate<F>(&self, effects: Effects, work: F) -> Stored<u64>
    where
        F: FnOnce(&Connection) -> Stored<()> + Send + 'static,
    {
        self.database
            .write(move |connection| {
                work(connection)?;
                write_effects(connection, &effects)?;
                changes::head(connection)
            })
            .await
    }
}

#[async_trait]
impl CloseStore for SqliteStore {
    async fn close(&self) {
        self.database.close().await;
    }
}

/// Writes what goes with a mutation, in its transaction.
fn write_effects(connection: &Connection, effects: &Effects) -> Stored<()> {
    for event in &effects.audit {
        audit::insert(connection, event).map_err(|error| StoreError::Unaudited(Box::new(error)))?;
    }
    for change in &effects.changes {
        changes::insert(connection, change)?;
    }
    match &effects.replay {
        Some(replay) => replays::put(connection, replay),
        None => Ok(()),
    }
}

/// Runs a statement, and returns how many rows it changed.
fn execute(connection: &Connection, sql: &str, params: impl Params) -> Stored<usize> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.execute(params))
        .map_err(constraint::to_store_error)
}

/// Runs a statement that must change exactly one row, read before at some revision.
fn execute_one(connection: &Connection, sql: &str, params: impl Params) -> Stored<()> {
    match execute(connection, sql, params)? {
        1 => Ok(()),
        _ => Err(StoreError::Changed),
    }
}

/// The first row of a query, if any.
fn query_one<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> Stored<T>,
) -> Stored<Option<T>> {
    let mut statement = prepare(connection, sql)?;
    let mut rows = statement
        .query(params)
        .map_err(constraint::to_store_error)?;
    match rows.next().map_err(constraint::to_store_error)? {
        Some(row) => read(row).map(Some),
        None => Ok(None),
    }
}

/// All rows of a query, which must bound them itself.
fn query_all<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl Fn(&Row<'_>) -> Stored<T>,
) -> Stored<Vec<T>> {
    let mut statement = prepare(connection, sql)?;
    let mut rows = statement
        .query(params)
        .map_err(constraint::to_store_error)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next().map_err(constraint::to_store_error)? {
        all.push(read(row)?);
    }
    Ok(all)
}

fn prepare<'a>(connection: &'a Connection, sql: &str) -> Stored<rusqlite::CachedStatement<'a>> {
    connection
        .prepare_cached(sql)
        .map_err(constraint::to_store_error)
}
