//! Partitions by day: made before anything falls into them, dropped once they are old.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_storage::postgres::Row;
use parking_lot::RwLock;

use super::super::{StoreError, UpkeepStore};
use super::noted::Noted;
use super::row::get;
use super::{PostgresStore, ledger, usage};
use crate::domain::day::{Day, Retention};
use crate::domain::ledger::Changes;

/// How long it may take to add up what the transfers of a day come to, before they go.
const DROP_MAX: Duration = Duration::from_mins(10);

pub(super) const THERE: &str = "
    SELECT substr(relname::text, length('usage_record_') + 1)::integer AS day
    FROM pg_catalog.pg_inherits JOIN pg_catalog.pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = to_regclass('usage_record')";

const MAKE: &str = "SELECT partition_make(day) FROM unnest($1::integer[]) AS wanted (day)";

const DROP: &str = "SELECT partition_drop($1)";

/// What is known of the partitions.
#[derive(Debug)]
pub(super) struct Partitions {
    pub(super) retention: Retention,
    there: RwLock<BTreeSet<Day>>,
    /// Where usage records are noted to lie.
    pub(super) usage: Noted,
    /// The same for transfers.
    pub(super) transfers: Noted,
}

impl Partitions {
    pub(super) fn new(retention: Retention) -> Self {
        Self {
            retention,
            there: RwLock::default(),
            usage: Noted::default(),
            transfers: Noted::default(),
        }
    }

    /// Remembers where what is stored now was noted to lie.
    pub(super) fn note(&self, changes: &Changes) {
        self.usage.add(usage::days(&changes.records));
        self.transfers
            .add(ledger::transfer_days(&changes.transfers));
    }

    fn forget(&self, day: Day) {
        self.there.write().remove(&day);
        self.usage.forget(day);
        self.transfers.forget(day);
    }
}

impl PostgresStore {
    /// Those of these days that there is no room for, as far as this process knows.
    pub(super) fn missing(&self, days: &BTreeSet<Day>) -> BTreeSet<Day> {
        days - &*self.partitions.there.read()
    }

    /// Makes room for these days, in a transaction of its own: none that moves money waits for it.
    pub(super) async fn make_room(&self, days: &BTreeSet<Day>) -> Result<(), StoreError> {
        if days.is_empty() {
            return Ok(());
        }
        let numbers: Vec<i32> = days.iter().map(|day| day.get()).collect();
        self.session().await?.query(MAKE, &[&numbers]).await?;
        self.partitions.there.write().extend(days);
        Ok(())
    }

    async fn drop_day(&self, day: Day) -> Result<(), StoreError> {
        // Forgotten first: whoever writes to that day makes room anew.
        self.partitions.forget(day);
        let session = self.postgres.begin_unhurried().await?;
        let dropped = session.query_within(DROP_MAX, DROP, &[&day.get()]).await;
        session.end(dropped).await?;
        tracing::info!(
            day = day.get(),
            "usage records and transfers of a day are dropped"
        );
        Ok(())
    }
}

#[async_trait]
impl UpkeepStore for PostgresStore {
    async fn keep_up(&self, now: Timestamp) -> Result<(), StoreError> {
        let rows = self.session().await?.query(THERE, &[]).await?;
        let day = |row: &Row| get(row, "day").map(Day::new);
        let there = rows.iter().map(day).collect::<Result<BTreeSet<Day>, _>>()?;
        let today = Day::of_millis(now.as_millisecond());
        let upkeep = self.partitions.retention.upkeep(today, &there);
        *self.partitions.there.write() = there;
        self.make_room(&upkeep.make).await?;
        for day in upkeep.drop {
            self.drop_day(day).await?;
        }
        Ok(())
    }

    async fn holds_forget(&self, before: Timestamp, limit: u32) -> Result<usize, StoreError> {
        self.forget_holds(before, limit).await
    }

    async fn periods_forget(&self, before: Timestamp, limit: u32) -> Result<usize, StoreError> {
        self.forget_periods(before, limit).await
    }
}
