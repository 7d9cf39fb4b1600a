//! Brings a schema up to date: numbered SQL files, each in a transaction of its own, counted in
//! SQLite's `user_version`.

use rusqlite::{Connection, TransactionBehavior};

use crate::StorageError;

/// One step of a schema. Its number is its place in the list, from 1; a released one never changes.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// The file's name, for messages.
    pub name: &'static str,
    /// SQL statements.
    pub sql: &'static str,
}

pub(crate) fn run(
    connection: &mut Connection,
    migrations: &[Migration],
) -> Result<(), StorageError> {
    let known = u32::try_from(migrations.len()).unwrap_or(u32::MAX);
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > known {
        return Err(StorageError::Newer { found, known });
    }
    for (number, migration) in (1u32..).zip(migrations).skip(found as usize) {
        apply(connection, number, migration).map_err(|source| StorageError::Migration {
            name: migration.name,
            source: Box::new(StorageError::from(source)),
        })?;
        tracing::debug!(migration.name, migration.number = number, "schema migrated");
    }
    Ok(())
}

fn apply(connection: &mut Connection, number: u32, migration: &Migration) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found >= number {
        // Another process was faster.
        return Ok(());
    }
    transaction.execute_batch(migration.sql)?;
    transaction.pragma_update(None, "user_version", number)?;
    transaction.commit()
}
