//! What is read of the store from outside, beside a running gateway.

use jiff::Timestamp;
use keyward_storage::Migration;
use rusqlite::Connection;

use super::MIGRATIONS;

/// Transfers are in the order of their numbers.
const LAST_WRITE: &str = "
    SELECT max(post_ms) FROM (SELECT post_ms FROM transfer ORDER BY sequence DESC LIMIT 1)";

/// The schema's steps.
pub(crate) fn migrations() -> &'static [Migration] {
    MIGRATIONS
}

/// When it was last written to: the time of the newest transfer.
pub(crate) fn last_write(connection: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    let millis: Option<i64> = connection.query_row(LAST_WRITE, [], |row| row.get(0))?;
    Ok(millis.map(keyward_runtime::time::from_millis))
}
