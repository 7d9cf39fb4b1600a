//! Whole tables out of Postgres and into it, in batches.

use std::pin::pin;

use futures::TryStreamExt as _;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};

use super::{Postgres, PostgresError, Session};
use crate::{StorageError, Value};

/// One consistent view of everything, for as long as it takes.
const SNAPSHOT: &str = "
    SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
    SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";

const UNHURRIED: &str = "
    SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";

impl Postgres {
    /// A connection that sees everything as it is now, and changes nothing.
    ///
    /// # Errors
    /// [`StorageError`] if none can be had in time.
    pub async fn snapshot(&self) -> Result<Session, StorageError> {
        let session = self.begin().await?;
        session.run_script(SNAPSHOT).await?;
        Ok(session)
    }

    /// A connection in a transaction that may take long.
    ///
    /// # Errors
    /// [`StorageError`] if none can be had in time.
    pub async fn begin_unhurried(&self) -> Result<Session, StorageError> {
        let session = self.begin().await?;
        session.run_script(UNHURRIED).await?;
        Ok(session)
    }
}

impl Session {
    /// Hands all rows of a query on, `size` at a time.
    ///
    /// # Errors
    /// [`StorageError::Postgres`], and those of `take`.
    pub async fn read_batches(
        &self,
        sql: &'static str,
        size: usize,
        mut take: impl AsyncFnMut(Vec<Vec<Value>>) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        let client = self.client()?;
        let none: [&(dyn ToSql + Sync); 0] = [];
        let rows = client
            .query_raw(sql, none)
            .await
            .map_err(PostgresError::from)?;
        let mut rows = pin!(rows);
        let mut batch = Vec::with_capacity(size);
        while let Some(row) = rows.try_next().await.map_err(PostgresError::from)? {
            let values = (0..row.len()).map(|column| row.try_get(column));
            batch.push(
                values
                    .collect::<Result<_, _>>()
                    .map_err(PostgresError::from)?,
            );
            if batch.len() == size {
                take(std::mem::replace(&mut batch, Vec::with_capacity(size))).await?;
            }
        }
        take(batch).await
    }

    /// Puts rows into a table: `copy` is its `COPY … FROM STDIN BINARY`, and `select` a query with the
    /// same columns, of which only their types are asked.
    ///
    /// # Errors
    /// [`StorageError::Postgres`].
    pub async fn copy_in(
        &self,
        copy: &'static str,
        select: &'static str,
        rows: &[Vec<Value>],
    ) -> Result<(), StorageError> {
        let copied = async {
            let client = self.client()?;
            let columns = client.prepare_cached(select).await?;
            let types: Vec<Type> = columns
                .columns()
                .iter()
                .map(|c| c.type_().clone())
                .collect();
            let mut writer = pin!(BinaryCopyInWriter::new(client.copy_in(copy).await?, &types));
            for row in rows {
                writer.as_mut().write_raw(row).await?;
            }
            writer.finish().await?;
            Ok::<(), PostgresError>(())
        };
        Ok(copied.await?)
    }
}
