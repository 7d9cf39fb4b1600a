//! The store that is copied into: made if need be, empty, and filled in one transaction.

use std::collections::BTreeSet;

use super::{
    CopyError, Engine, Layout, Opened, Piece, Pieces, Place, Source, Table, expected, sums_of,
};
use crate::postgres::Session;
use crate::{Database, Postgres, StorageError, Value};

#[derive(Debug)]
pub(super) struct Target(Opened);

impl Target {
    pub(super) async fn open(layout: &'static Layout, place: &Place) -> Result<Self, StorageError> {
        if let Place::Postgres(url) = place {
            Postgres::migrate(url, &layout.schema).await?;
        }
        Ok(Self(Opened::open(layout, place).await?))
    }

    pub(super) fn source(&self) -> Source<'_> {
        &self.0
    }

    pub(super) async fn must_be_empty(&self) -> Result<(), CopyError> {
        let tables = sums_of(self.source()).await?.tables();
        let is_used = |name: &str| self.0.layout.used.contains(&name);
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
        match &self.0.engine {
            Engine::Sqlite(database) => write_sqlite(self.0.layout, database, pieces).await,
            Engine::Postgres(postgres) => write_postgres(self.0.layout, postgres, pieces).await,
        }
    }
}

async fn write_sqlite(
    layout: &'static Layout,
    database: &Database,
    mut pieces: Pieces,
) -> Result<(), StorageError> {
    let write = move |connection: &rusqlite::Connection| {
        for table in layout.tables.iter().rev() {
            connection.execute(table.clear, [])?;
        }
        while let Piece::Rows(table, rows) = expected(pieces.blocking_recv())? {
            let mut statement = connection.prepare_cached(layout.tables[table].insert)?;
            for row in rows {
                statement.execute(rusqlite::params_from_iter(row))?;
            }
        }
        Ok(())
    };
    database.write(write).await
}

async fn write_postgres(
    layout: &'static Layout,
    postgres: &Postgres,
    mut pieces: Pieces,
) -> Result<(), StorageError> {
    let session = postgres.begin_unhurried().await?;
    let write = async {
        for table in layout.tables.iter().rev() {
            session.execute(table.clear, &[]).await?;
        }
        while let Piece::Rows(table, rows) = expected(pieces.recv().await)? {
            copy_in(&session, &layout.tables[table], rows).await?;
        }
        for statement in layout.finish {
            session.execute(statement, &[]).await?;
        }
        Ok(())
    };
    let written = write.await;
    session.end(written).await
}

async fn copy_in(
    session: &Session,
    table: &Table,
    mut rows: Vec<Vec<Value>>,
) -> Result<(), StorageError> {
    if let Some(partitions) = &table.partitions {
        let mut all = BTreeSet::new();
        for row in &mut rows {
            let partition = (partitions.of)(row);
            row.push(Value::Number(partition));
            all.insert(partition);
        }
        let all: Vec<i64> = all.into_iter().collect();
        session.query(partitions.make, &[&all]).await?;
    }
    session.copy_in(table.copy, table.types, &rows).await
}
