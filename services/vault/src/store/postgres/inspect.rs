//! What is read of the store from outside, beside running vaults.

use std::collections::BTreeSet;

use jiff::Timestamp;
use keyward_storage::postgres::{SchemaFacts, Session};
use keyward_storage::{Postgres, PostgresUrl, StorageError};

use super::row::{get, time};
use super::{SCHEMA, query_all, query_one, seals};
use crate::inspect::Destination;
use crate::store::{Stored, StoredDataKey};

/// Events are in the order of their ids.
const LAST_WRITE: &str = "SELECT time FROM audit_events ORDER BY uid DESC LIMIT 1";

/// One of each master key and generation, whoever's it is.
const DATA_KEYS: &str = "
    SELECT DISTINCT ON (master_key_id, generation)
        owner_kind, owner_uid, generation, master_key_id, wrapped
    FROM data_keys WHERE destroy_time IS NULL
    ORDER BY master_key_id, generation LIMIT 100";

/// An Azure key's address is its endpoint. Bounded: whoever looks tries each of them.
const DESTINATIONS: &str = "
    SELECT DISTINCT provider, CASE base_url WHEN '' THEN endpoint ELSE base_url END AS address
    FROM provider_keys WHERE enabled
    ORDER BY provider, address LIMIT 32";

/// The database, and what its schema is like.
pub(crate) async fn open(url: &PostgresUrl) -> Result<(Postgres, SchemaFacts), StorageError> {
    Postgres::inspect(url, &SCHEMA).await
}

/// When it was last written to: the time of the newest event.
pub(crate) async fn last_write(session: &Session) -> Stored<Option<Timestamp>> {
    query_one(session, LAST_WRITE, &[], |row| time(row, "time")).await
}

/// A data key of each master key and generation.
pub(crate) async fn data_keys(session: &Session) -> Stored<Vec<StoredDataKey>> {
    query_all(session, DATA_KEYS, &[], seals::read).await
}

/// Where enabled keys are sent.
pub(crate) async fn destinations(session: &Session) -> Stored<BTreeSet<Destination>> {
    let found = query_all(session, DESTINATIONS, &[], |row| {
        let address: String = get(row, "address")?;
        Ok(Destination {
            provider: get(row, "provider")?,
            base_url: Some(address).filter(|address| !address.is_empty()),
        })
    });
    Ok(found.await?.into_iter().collect())
}
