//! What is read of the store from outside, beside a running vault.

use std::collections::BTreeSet;

use jiff::Timestamp;
use keyward_storage::Migration;
use rusqlite::Connection;

use super::row::get;
use super::{MIGRATIONS, query_all, query_one, seals};
use crate::inspect::Destination;
use crate::store::{Stored, StoredDataKey};

/// Its events are in the order of their ids.
const LAST_WRITE: &str = "SELECT time FROM audit_events ORDER BY uid DESC LIMIT 1";

/// One of each master key and generation, whoever's it is.
const DATA_KEYS: &str = "
    SELECT owner_kind, owner_uid, generation, master_key_id, wrapped FROM data_keys
    WHERE destroy_time IS NULL
    GROUP BY master_key_id, generation
    ORDER BY master_key_id, generation LIMIT 100";

/// An Azure key's address is its endpoint. Bounded: whoever looks tries each of them.
const DESTINATIONS: &str = "
    SELECT DISTINCT provider, CASE base_url WHEN '' THEN endpoint ELSE base_url END AS address
    FROM provider_keys WHERE enabled = 1
    ORDER BY provider, address LIMIT 32";

/// The schema's steps.
pub(crate) fn migrations() -> &'static [Migration] {
    MIGRATIONS
}

/// When it was last written to: the time of the newest event.
pub(crate) fn last_write(connection: &Connection) -> Stored<Option<Timestamp>> {
    query_one(connection, LAST_WRITE, [], |row| {
        Ok(keyward_runtime::time::from_millis(get(row, "time")?))
    })
}

/// A data key of each master key and generation.
pub(crate) fn data_keys(connection: &Connection) -> Stored<Vec<StoredDataKey>> {
    query_all(connection, DATA_KEYS, [], seals::read)
}

/// Where enabled keys are sent.
pub(crate) fn destinations(connection: &Connection) -> Stored<BTreeSet<Destination>> {
    let read = |row: &rusqlite::Row<'_>| {
        let address: String = get(row, "address")?;
        Ok(Destination {
            provider: get(row, "provider")?,
            base_url: Some(address).filter(|address| !address.is_empty()),
        })
    };
    Ok(query_all(connection, DESTINATIONS, [], read)?
        .into_iter()
        .collect())
}
