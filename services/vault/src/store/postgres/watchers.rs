//! How far the watchers of each vault are. Times are the database's: the clocks of vaults may differ.

use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use super::row::{signed, unsigned};
use super::{PostgresStore, Values, execute, query_one};
use crate::store::{Stored, WatcherStore};

const PUT: &str = "
    INSERT INTO watchers (vault, confirmed, stated) VALUES ($1, $2, clock_timestamp())
    ON CONFLICT ON CONSTRAINT watchers_pk
    DO UPDATE SET confirmed = excluded.confirmed, stated = excluded.stated";

const BEHIND: &str = "
    SELECT count(*) AS behind FROM watchers, unnest(confirmed) AS reached
    WHERE vault <> $1 AND reached < $2
        AND stated > clock_timestamp() - $3::bigint * interval '1 millisecond'";

/// Those of vaults that ended long ago.
pub(super) const PRUNE: &str = "
    DELETE FROM watchers WHERE stated < clock_timestamp() - interval '1 hour'";

#[async_trait]
impl WatcherStore for PostgresStore {
    fn is_shared(&self) -> bool {
        true
    }

    async fn watchers_put(&self, vault: Uuid, confirmed: Vec<u64>) -> Stored<()> {
        let confirmed: Vec<i64> = confirmed.into_iter().map(signed).collect();
        let values: Values<'_> = &[&vault, &confirmed];
        execute(&self.session().await?, PUT, values).await.map(drop)
    }

    async fn watchers_behind(&self, vault: Uuid, sequence: u64, age: Duration) -> Stored<u32> {
        let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        let values: Values<'_> = &[&vault, &signed(sequence), &age];
        let count = |row: &_| unsigned(row, "behind");
        let behind = query_one(&self.session().await?, BEHIND, values, count).await?;
        Ok(u32::try_from(behind.unwrap_or(0)).unwrap_or(u32::MAX))
    }
}
