//! The store that is copied into: made if need be, empty, and filled in one transaction.

use keyward_storage::StorageError;

use super::{CopyError, Opened, Piece, Pieces, Place, Source, expected, sums_of};
use crate::store::postgres::PostgresStore;
use crate::store::sqlite::SqliteStore;
use crate::store::tables::TABLES;

/// Tables that have rows once anybody has used a store. In others a new one may have some.
const USED: [&str; 4] = [
    "accounts",
    "provider_keys",
    "system_secrets",
    "audit_events",
];

/// Takes the counter to where the changes are.
const SET_HEAD: &str = "
    UPDATE change_head SET sequence = (SELECT coalesce(max(sequence), 0) FROM changes)";

#[derive(Debug)]
pub(super) struct Target(Opened);

impl Target {
    pub(super) async fn open(place: &Place) -> Result<Self, StorageError> {
        if let Place::Postgres(url) = place {
            PostgresStore::migrate(url).await?;
        }
        Ok(Self(Opened::open(place).await?))
    }

    pub(super) fn source(&self) -> Source<'_> {
        &self.0
    }

    pub(super) async fn must_be_empty(&self) -> Result<(), CopyError> {
        let tables = sums_of(self.source()).await?.tables();
        let is_used = |name: &str| USED.contains(&name);
        match tables
            .iter()
            .find(|table| table.rows > 0 && is_used(table.name))
        {
            Some(table) => Err(CopyError::NotEmpty(table.name)),
            None => Ok(()),
        }
    }

    /// Writes what comes, and keeps it only if the end came too.
    pub(super) async fn write(&self, pieces: Pieces) -> Result<(), StorageError> {
        match &self.0 {
            Opened::Sqlite(store) => write_sqlite(store, pieces).await,
            Opened::Postgres(store) => write_postgres(store, pieces).await,
        }
    }
}

async fn write_sqlite(store: &SqliteStore, mut pieces: Pieces) -> Result<(), StorageError> {
    let write = move |connection: &rusqlite::Connection| {
        for table in TABLES.iter().rev() {
            connection.execute(table.clear, [])?;
        }
        while let Piece::Rows(table, rows) = expected(pieces.blocking_recv())? {
            let mut statement = connection.prepare_cached(TABLES[table].insert)?;
            for row in rows {
                statement.execute(rusqlite::params_from_iter(row))?;
            }
        }
        Ok(())
    };
    store.database().write(write).await
}

async fn write_postgres(store: &PostgresStore, mut pieces: Pieces) -> Result<(), StorageError> {
    let session = store.postgres().begin_unhurried().await?;
    let write = async {
        for table in TABLES.iter().rev() {
            session.execute(table.clear, &[]).await?;
        }
        while let Piece::Rows(table, rows) = expected(pieces.recv().await)? {
            let table = &TABLES[table];
            session.copy_in(table.copy, table.select, &rows).await?;
        }
        session.execute(SET_HEAD, &[]).await.map(drop)
    };
    let written = write.await;
    session.end(written).await
}
