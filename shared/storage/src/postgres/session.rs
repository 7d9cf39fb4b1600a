//! One borrowed connection. Statements are constants, prepared once for each connection, and each
//! has its time.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use deadpool_postgres::{Client, ClientWrapper, Object};
use futures::SinkExt as _;
use futures::future::{join_all, join3};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};

use super::{ANSWER_MAX, CopyRows, PostgresError};
use crate::StorageError;

/// How long a migration may take: it may have to rewrite a large table.
pub(super) const MIGRATION_MAX: Duration = Duration::from_hours(1);

/// A statement and its values.
pub type Asked<'a> = (&'static str, Vec<&'a (dyn ToSql + Sync)>);

/// A connection, given back when dropped; thrown away instead where it is in a transaction or
/// broken, so that the next one finds neither.
#[derive(Debug)]
pub struct Session {
    client: Option<Client>,
    in_transaction: bool,
    spoilt: AtomicBool,
}

impl Session {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client: Some(client),
            in_transaction: false,
            spoilt: AtomicBool::new(false),
        }
    }

    /// Runs a statement, and returns how many rows it changed.
    ///
    /// # Errors
    /// [`StorageError::Postgres`].
    pub async fn execute(
        &self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, StorageError> {
        let run = async |client: &ClientWrapper| {
            let statement = client.prepare_cached(sql).await?;
            client.execute(&statement, values).await
        };
        self.within(ANSWER_MAX, run).await
    }

    /// All rows of a query, which must bound them itself.
    ///
    /// # Errors
    /// [`StorageError::Postgres`].
    pub async fn query(
        &self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StorageError> {
        self.query_within(ANSWER_MAX, sql, values).await
    }

    /// The same, for what may take longer than a request can wait.
    ///
    /// # Errors
    /// [`StorageError::Postgres`].
    pub async fn query_within(
        &self,
        limit: Duration,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StorageError> {
        let run = async |client: &ClientWrapper| {
            let statement = client.prepare_cached(sql).await?;
            client.query(&statement, values).await
        };
        self.within(limit, run).await
    }

    /// The first row of a query, if any.
    ///
    /// # Errors
    /// [`StorageError::Postgres`].
    pub async fn query_first(
        &self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, StorageError> {
        Ok(self.query(sql, values).await?.into_iter().next())
    }

    /// Sends statements all at once, which run in this order, and waits for all: for the time of one.
    /// In a transaction what comes after one that fails fails, too.
    ///
    /// # Errors
    /// [`StorageError::Postgres`], that of the first that failed.
    pub async fn pipeline(&self, asked: &[Asked<'_>]) -> Result<Vec<Vec<Row>>, StorageError> {
        let run = async |client: &ClientWrapper| {
            let statements = prepare(client, asked).await?;
            send(client, &statements, asked).await
        };
        self.within(ANSWER_MAX, run).await
    }

    /// Begins a transaction with statements, sent as in [`Session::pipeline`]. They must change
    /// nothing: nobody knows yet whether the transaction has begun.
    ///
    /// # Errors
    /// As [`Session::pipeline`].
    pub async fn begin_with(
        &mut self,
        asked: Vec<Asked<'_>>,
    ) -> Result<Vec<Vec<Row>>, StorageError> {
        self.in_transaction = true;
        let begin = std::iter::once(("BEGIN", Vec::new()));
        let mut answers = self
            .pipeline(&begin.chain(asked).collect::<Vec<_>>())
            .await?;
        answers.remove(0);
        Ok(answers)
    }

    /// Ends the transaction with statements, sent as in [`Session::pipeline`], with rows that are
    /// copied into tables after them, and a commit, which does nothing where one of them failed.
    ///
    /// # Errors
    /// As [`Session::pipeline`]. Unless a statement was refused, it is not known whether anything
    /// stays.
    pub async fn commit_with(
        mut self,
        mut asked: Vec<Asked<'_>>,
        copied: impl IntoIterator<Item = CopyRows>,
    ) -> Result<(), StorageError> {
        let copied = copied.into_iter().filter(|rows| !rows.is_empty());
        let copied: Vec<_> = copied.map(CopyRows::finish).collect();
        asked.push(("COMMIT", Vec::new()));
        let commit = asked.split_off(asked.len() - 1);
        let run = async |client: &ClientWrapper| {
            let (written, commit) = (
                prepare(client, &asked).await?,
                prepare(client, &commit).await?,
            );
            let mut copies = Vec::with_capacity(copied.len());
            for (sql, body) in copied {
                copies.push((client.prepare_cached(sql).await?, body));
            }
            // Sent in this order, and none waits for what the one before it was answered.
            let (written, copied, committed) = join3(
                send(client, &written, &asked),
                join_all(copies.into_iter().map(|rows| copy(client, rows))),
                send(client, &commit, &[("COMMIT", Vec::new())]),
            )
            .await;
            written?;
            copied.into_iter().collect::<Result<Vec<u64>, _>>()?;
            committed
        };
        self.within(ANSWER_MAX, run).await?;
        self.in_transaction = false;
        Ok(())
    }

    /// Runs several statements without values, in an hour at most: for schemas.
    ///
    /// # Errors
    /// [`StorageError::Postgres`].
    pub async fn run_script(&self, sql: &'static str) -> Result<(), StorageError> {
        self.within(MIGRATION_MAX, async |client| {
            client.batch_execute(sql).await
        })
        .await
    }

    pub(super) async fn begin(&mut self) -> Result<(), StorageError> {
        self.in_transaction = true;
        self.statement("BEGIN").await
    }

    /// Ends the transaction as the work in it went.
    ///
    /// # Errors
    /// That of the work, or that of the commit: then it is not known whether anything stays.
    pub async fn end<T, E: From<StorageError>>(mut self, worked: Result<T, E>) -> Result<T, E> {
        let ended = match &worked {
            Ok(_) => self.commit().await,
            // What cannot be rolled back is thrown away with its connection.
            Err(_) => self.statement("ROLLBACK").await.or(Ok(())),
        };
        self.in_transaction = self.spoilt.load(Ordering::Relaxed);
        ended?;
        worked
    }

    pub(super) fn client(&self) -> Result<&ClientWrapper, PostgresError> {
        self.client.as_deref().ok_or(PostgresError::Closed)
    }

    async fn commit(&self) -> Result<(), StorageError> {
        self.statement("COMMIT").await
    }

    async fn statement(&self, sql: &'static str) -> Result<(), StorageError> {
        self.within(ANSWER_MAX, async |client| client.batch_execute(sql).await)
            .await
    }

    async fn within<T>(
        &self,
        limit: Duration,
        run: impl AsyncFnOnce(&ClientWrapper) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, StorageError> {
        let client = self.client()?;
        let result = match tokio::time::timeout(limit, run(client)).await {
            Ok(result) => result.map_err(PostgresError::from),
            Err(_) => Err(PostgresError::TimedOut("6 s")),
        };
        result.map_err(|error| {
            if error.spoils_connection() {
                self.spoilt.store(true, Ordering::Relaxed);
            }
            error.into()
        })
    }
}

/// Prepares statements, first of all: one that had to be prepared on the way would come after others.
async fn prepare(
    client: &ClientWrapper,
    asked: &[Asked<'_>],
) -> Result<Vec<Statement>, tokio_postgres::Error> {
    let mut statements = Vec::with_capacity(asked.len());
    for (sql, _) in asked {
        statements.push(client.prepare_cached(sql).await?);
    }
    Ok(statements)
}

async fn send(
    client: &ClientWrapper,
    statements: &[Statement],
    asked: &[Asked<'_>],
) -> Result<Vec<Vec<Row>>, tokio_postgres::Error> {
    let sent = statements.iter().zip(asked);
    let sent = sent.map(|(statement, (_, values))| client.query(statement, values));
    join_all(sent).await.into_iter().collect()
}

async fn copy(
    client: &ClientWrapper,
    (statement, body): (Statement, Bytes),
) -> Result<u64, tokio_postgres::Error> {
    let mut sink = pin!(client.copy_in(&statement).await?);
    sink.send(body).await?;
    sink.finish().await
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(client) = self.client.take()
            && (self.in_transaction || self.spoilt.load(Ordering::Relaxed))
        {
            // Out of the pool, and closed: the server rolls back by itself.
            drop(Object::take(client));
        }
    }
}
