//! What is read of the store from outside, beside a running gateway.

use jiff::Timestamp;
use keyward_storage::Migration;
use rusqlite::Connection;

use super::MIGRATIONS;

/// Transfers are in the order of their numbers.
const LAST_WRITE: &str = "
    SELECT max(post_ms) FROM (SELECT post_ms FROM transfer ORDER BY sequence DESC LIMIT 1)";

const EVENTS: &str = "
    SELECT sequence, event FROM usage_record WHERE sequence > ?1 ORDER BY sequence LIMIT ?2";

/// Encoded records after that number, with theirs, at most `limit`.
pub(crate) fn events(
    connection: &Connection,
    after: i64,
    limit: u32,
) -> rusqlite::Result<Vec<(i64, Vec<u8>)>> {
    let mut statement = connection.prepare_cached(EVENTS)?;
    let rows = statement.query_map((after, limit), |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// The schema's steps.
pub(crate) fn migrations() -> &'static [Migration] {
    MIGRATIONS
}

/// When it was last written to: the time of the newest transfer.
pub(crate) fn last_write(connection: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    let millis: Option<i64> = connection.query_row(LAST_WRITE, [], |row| row.get(0))?;
    Ok(millis.map(keyward_runtime::time::from_millis))
}
