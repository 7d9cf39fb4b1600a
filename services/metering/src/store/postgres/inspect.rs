//! What is read of the store from outside, beside running meterings.

use jiff::Timestamp;
use keyward_runtime::time;
use keyward_storage::postgres::{SchemaFacts, Session};
use keyward_storage::{Postgres, PostgresUrl, StorageError, Value};

use super::SCHEMA;

/// How many records are read at a time.
const PAGE: usize = 1_000;

/// Lines of all accounts are noted by day.
const LAST_WRITE: &str = "
    SELECT max(post_ms) AS post_ms FROM transfer
    WHERE day IN (SELECT DISTINCT day FROM transfer_day
        WHERE post_day = (SELECT max(post_day) FROM transfer_day))";

const EVENTS: &str = "SELECT event FROM usage_record";

/// The database, and what its schema is like.
pub(crate) async fn open(url: &PostgresUrl) -> Result<(Postgres, SchemaFacts), StorageError> {
    Postgres::inspect(url, &SCHEMA).await
}

/// When it was last written to: the time of the newest transfer.
pub(crate) async fn last_write(session: &Session) -> Result<Option<Timestamp>, StorageError> {
    let row = session.query_first(LAST_WRITE, &[]).await?;
    let millis: Option<i64> = row.and_then(|row| row.get(0));
    Ok(millis.map(time::from_millis))
}

/// Shows `each` all encoded records, as they are at one moment.
pub(crate) async fn events(
    url: &PostgresUrl,
    mut each: impl FnMut(&[u8]),
) -> Result<(), StorageError> {
    let postgres = Postgres::look(url, &SCHEMA).await?;
    let snapshot = postgres.snapshot().await?;
    let show = async |rows: Vec<Vec<Value>>| {
        for value in rows.into_iter().flatten() {
            if let Value::Bytes(event) = value {
                each(&event);
            }
        }
        Ok(())
    };
    let read = snapshot.read_batches(EVENTS, PAGE, show).await;
    snapshot.end(read).await
}
