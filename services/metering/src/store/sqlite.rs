//! The embedded store: SQLite, every change through its one writer thread.

mod budgets;
mod forgetting;
pub(crate) mod inspect;
mod leases;
mod ledger;
mod notices;
mod outbox;
#[cfg(test)]
mod power_cut;
mod prices;
mod proof;
mod row;
mod statements;
mod sums;
mod tiers;
mod usage;
mod webhooks;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_money::Prices;
use keyward_storage::{Database, Migration};
use rusqlite::Connection;
use uuid::Uuid;

use super::notices::{
    Endpoint, ListedNotice, NewWebhook, NoticeStore, OutboxDepth, OutboxStore, Outgoing, TryEnd,
    WebhookStore,
};
use super::{
    Answer, Balance, Batch, BatchStore, BudgetStore, Call, CloseStore, CrossingStore, LeaseStore,
    LedgerStore, NewAnswer, OverdueHold, PriceStore, ProofStore, RecordQuery, StatementStore,
    StoreError, SumQuery, Sums, TierStore, Transaction, UpkeepStore, UsageStore,
};
use crate::domain::account::AccountKey;
use crate::domain::budget::Budget;
use crate::domain::charging::Hold;
use crate::domain::day::Retention;
use crate::domain::filter::Hour;
use crate::domain::ledger::{Lease, Period, PeriodKey, Reject};
use crate::domain::notice::NewNotice;
use crate::domain::prices::{Activation, PriceRow, PriceVersion};
use crate::domain::proof::{Discrepancy, Priceable};
use crate::domain::receipt::Record;
use crate::domain::requester::Visibility;
use crate::domain::statement::LedgerSums;
use crate::domain::sums::TooManyGroups;
use crate::domain::tier::Tier;
use crate::domain::webhook::Webhook;

pub(super) const MIGRATIONS: &[Migration] = &[
    Migration {
        name: "0001_metering.sql",
        sql: include_str!("sqlite/0001_metering.sql"),
    },
    Migration {
        name: "0002_sums.sql",
        sql: include_str!("sqlite/0002_sums.sql"),
    },
    Migration {
        name: "0003_tiers.sql",
        sql: include_str!("sqlite/0003_tiers.sql"),
    },
    Migration {
        name: "0004_ledger.sql",
        sql: include_str!("sqlite/0004_ledger.sql"),
    },
    Migration {
        name: "0005_notices.sql",
        sql: include_str!("sqlite/0005_notices.sql"),
    },
    Migration {
        name: "0006_budgets.sql",
        sql: include_str!("sqlite/0006_budgets.sql"),
    },
    Migration {
        name: "0007_carried.sql",
        sql: include_str!("sqlite/0007_carried.sql"),
    },
    Migration {
        name: "0008_days.sql",
        sql: include_str!("sqlite/0008_days.sql"),
    },
    Migration {
        name: "0009_leases.sql",
        sql: include_str!("sqlite/0009_leases.sql"),
    },
    Migration {
        name: "0010_forgotten.sql",
        sql: include_str!("sqlite/0010_forgotten.sql"),
    },
    Migration {
        name: "0011_prices.sql",
        sql: include_str!("sqlite/0011_prices.sql"),
    },
];

/// Metering's tables in a SQLite file.
#[derive(Debug, Clone)]
pub(crate) struct SqliteStore {
    database: Database,
    /// From when on events are too old to be recorded; what is recorded stays.
    retention: Option<Retention>,
}

impl SqliteStore {
    /// Opens or creates the file and brings its schema up to date. Blocks.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            database: Database::open(path, MIGRATIONS)?,
            retention: None,
        })
    }

    /// The same, which refuses events that are older.
    pub(crate) fn keeping(self, retention: Retention) -> Self {
        Self {
            retention: Some(retention),
            ..self
        }
    }

    /// Opens the file for reading only, also beside a process that writes to it. Blocks.
    pub(crate) fn look(path: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            database: Database::look(path, MIGRATIONS)?,
            retention: None,
        })
    }

    /// Changes something behind the program's back; says how many rows.
    #[cfg(test)]
    pub(crate) async fn tamper(&self, sql: &'static str) -> usize {
        let changed = self.write(move |connection| Ok(connection.execute(sql, [])?));
        changed.await.expect("the store works")
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.database.write(work).await
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.database.read(work).await
    }
}

#[async_trait]
impl BatchStore for SqliteStore {
    /// The one writer thread takes batches of all shards into one commit.
    async fn transact(&self, _shard: u16, batch: Arc<Batch>) -> Result<(), StoreError> {
        let retention = self.retention;
        self.write(move |connection| ledger::transact(connection, &batch, retention))
            .await
    }
}

#[async_trait]
impl LedgerStore for SqliteStore {
    async fn hold_get(&self, id: Uuid) -> Result<Option<Hold>, StoreError> {
        self.read(move |connection| ledger::hold(connection, id))
            .await
    }

    async fn holds_open(&self) -> Result<u32, StoreError> {
        self.read(ledger::count_open).await
    }

    async fn holds_overdue(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<OverdueHold>, StoreError> {
        self.read(move |connection| ledger::holds_overdue(connection, now, limit))
            .await
    }

    async fn lots_overdue(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<AccountKey>, StoreError> {
        self.read(move |connection| ledger::lots_overdue(connection, now, limit))
            .await
    }

    async fn balance(&self, account: AccountKey) -> Result<Balance, StoreError> {
        self.read(move |connection| ledger::balance(connection, account))
            .await
    }

    async fn transactions(
        &self,
        account: AccountKey,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Transaction>, StoreError> {
        self.read(move |connection| ledger::transactions(connection, account, before, limit))
            .await
    }

    #[cfg(test)]
    async fn totals(&self) -> Result<super::Totals, StoreError> {
        self.read(ledger::totals).await
    }
}

#[async_trait]
impl LeaseStore for SqliteStore {
    /// One process writes a file.
    fn crossing(&self) -> Option<Arc<dyn CrossingStore>> {
        None
    }

    async fn lease_get(&self, id: Uuid) -> Result<Option<Lease>, StoreError> {
        self.read(move |connection| leases::get(connection, id))
            .await
    }

    async fn leases_of(&self, account: AccountKey) -> Result<Vec<Lease>, StoreError> {
        self.read(move |connection| leases::of_account(connection, account))
            .await
    }

    async fn leases_open(&self, expired: Timestamp, limit: u32) -> Result<Vec<Lease>, StoreError> {
        self.read(move |connection| leases::open_until(connection, expired, limit))
            .await
    }
}

#[async_trait]
impl UsageStore for SqliteStore {
    async fn quarantine(&self, reject: Reject) -> Result<(), StoreError> {
        self.write(move |connection| usage::quarantine(connection, &reject))
            .await
    }

    async fn records(&self, query: RecordQuery) -> Result<Vec<Record>, StoreError> {
        self.read(move |connection| usage::list(connection, &query))
            .await
    }

    async fn usage_sums(&self, query: SumQuery) -> Result<Result<Sums, TooManyGroups>, StoreError> {
        self.read(move |connection| sums::query(connection, &query))
            .await
    }

    async fn usage_sums_complete(&self, limit: u32) -> Result<usize, StoreError> {
        self.write(move |connection| sums::complete(connection, limit))
            .await
    }

    async fn attempts(
        &self,
        inference_id: String,
        visibility: Visibility,
    ) -> Result<Vec<Record>, StoreError> {
        self.read(move |connection| usage::attempts(connection, &inference_id, visibility))
            .await
    }
}

#[async_trait]
impl ProofStore for SqliteStore {
    async fn discrepancies(&self) -> Result<Vec<Discrepancy>, StoreError> {
        self.read(proof::discrepancies).await
    }

    async fn priceables(&self, after: i64, limit: u32) -> Result<Vec<Priceable>, StoreError> {
        self.read(move |connection| proof::priceables(connection, after, limit))
            .await
    }

    async fn frozen(&self) -> Result<Vec<AccountKey>, StoreError> {
        self.read(proof::frozen).await
    }
}

#[async_trait]
impl TierStore for SqliteStore {
    async fn tiers(&self) -> Result<Vec<Tier>, StoreError> {
        self.read(tiers::all).await
    }

    async fn tier_put(&self, tier: Tier, answer: Option<NewAnswer>) -> Result<(), StoreError> {
        self.write(move |connection| tiers::put(connection, &tier, answer.as_ref()))
            .await
    }

    async fn answer(&self, call: Call, since: Timestamp) -> Result<Option<Answer>, StoreError> {
        self.read(move |connection| tiers::answer(connection, &call, since))
            .await
    }
}

#[async_trait]
impl PriceStore for SqliteStore {
    async fn price_book_install(
        &self,
        version: u64,
        rows: Vec<PriceRow>,
        time: Timestamp,
    ) -> Result<Activation, StoreError> {
        self.write(move |connection| prices::install(connection, version, rows, time))
            .await
    }

    async fn price_activation(&self) -> Result<Option<Activation>, StoreError> {
        self.read(prices::activation).await
    }

    async fn price_activate(
        &self,
        version: u64,
        answer: Option<NewAnswer>,
    ) -> Result<bool, StoreError> {
        self.write(move |connection| prices::activate(connection, version, answer.as_ref()))
            .await
    }

    async fn price_versions(
        &self,
        before: u64,
        limit: u32,
    ) -> Result<Vec<PriceVersion>, StoreError> {
        self.read(move |connection| prices::versions(connection, before, limit))
            .await
    }

    async fn price_rows(&self, version: u64) -> Result<Vec<PriceRow>, StoreError> {
        self.read(move |connection| prices::all(connection, version))
            .await
    }

    async fn prices(
        &self,
        version: u64,
        provider: String,
        model: String,
    ) -> Result<Option<Prices>, StoreError> {
        self.read(move |connection| prices::get(connection, version, &provider, &model))
            .await
    }
}

#[async_trait]
impl StatementStore for SqliteStore {
    async fn ledger_sums(
        &self,
        account: AccountKey,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<LedgerSums, StoreError> {
        self.read(move |connection| statements::ledger(connection, account, start, end))
            .await
    }

    async fn accounts_used(&self, start: Hour, end: Hour) -> Result<Vec<AccountKey>, StoreError> {
        self.read(move |connection| statements::accounts(connection, start, end))
            .await
    }
}

#[async_trait]
impl NoticeStore for SqliteStore {
    async fn notice_insert(&self, notice: NewNotice) -> Result<bool, StoreError> {
        self.write(move |connection| notices::insert(connection, &notice))
            .await
    }

    async fn notices(
        &self,
        account: AccountKey,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<ListedNotice>, StoreError> {
        self.read(move |connection| notices::list(connection, account, before, limit))
            .await
    }

    async fn notices_forget(&self, before: Timestamp, limit: u32) -> Result<usize, StoreError> {
        self.write(move |connection| notices::forget(connection, before, limit))
            .await
    }
}

#[async_trait]
impl WebhookStore for SqliteStore {
    async fn webhook_insert(
        &self,
        new: NewWebhook,
        answer: Option<NewAnswer>,
    ) -> Result<bool, StoreError> {
        self.write(move |connection| webhooks::insert(connection, &new, answer.as_ref()))
            .await
    }

    async fn webhook_get(&self, id: Uuid) -> Result<Option<Endpoint>, StoreError> {
        self.read(move |connection| webhooks::get(connection, id))
            .await
    }

    async fn webhooks(
        &self,
        account: AccountKey,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Webhook>, StoreError> {
        self.read(move |connection| webhooks::list(connection, account, before, limit))
            .await
    }

    async fn webhook_update(
        &self,
        webhook: Webhook,
        answer: Option<NewAnswer>,
    ) -> Result<bool, StoreError> {
        self.write(move |connection| webhooks::update(connection, &webhook, answer.as_ref()))
            .await
    }

    async fn webhook_delete(
        &self,
        id: Uuid,
        revision: u64,
        answer: Option<NewAnswer>,
    ) -> Result<bool, StoreError> {
        self.write(move |connection| webhooks::delete(connection, id, revision, answer.as_ref()))
            .await
    }

    async fn webhook_test(
        &self,
        id: Uuid,
        now: Timestamp,
        not_since: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write(move |connection| webhooks::test(connection, id, now, not_since))
            .await
    }
}

#[async_trait]
impl OutboxStore for SqliteStore {
    async fn outbox_is_due(&self, now: Timestamp) -> Result<bool, StoreError> {
        self.read(move |connection| outbox::is_due(connection, now))
            .await
    }

    async fn outbox_take(
        &self,
        now: Timestamp,
        claimed_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Outgoing>, StoreError> {
        self.write(move |connection| outbox::take(connection, now, claimed_until, limit))
            .await
    }

    async fn outbox_end(&self, end: TryEnd) -> Result<bool, StoreError> {
        self.write(move |connection| outbox::end(connection, &end))
            .await
    }

    async fn outbox_give_up(&self, before: Timestamp, now: Timestamp) -> Result<usize, StoreError> {
        self.write(move |connection| outbox::give_up(connection, before, now))
            .await
    }

    async fn outbox_depth(&self) -> Result<OutboxDepth, StoreError> {
        self.read(outbox::depth).await
    }
}

#[async_trait]
impl BudgetStore for SqliteStore {
    async fn budgets(&self, account: AccountKey) -> Result<Vec<Budget>, StoreError> {
        self.read(move |connection| budgets::of_account(connection, account))
            .await
    }

    async fn budget(&self, id: Uuid) -> Result<Option<Budget>, StoreError> {
        self.read(move |connection| budgets::get(connection, id))
            .await
    }

    async fn budget_periods(
        &self,
        periods: Vec<PeriodKey>,
    ) -> Result<Vec<Option<Period>>, StoreError> {
        self.read(move |connection| budgets::periods(connection, &periods))
            .await
    }

    async fn budget_put(
        &self,
        budget: Budget,
        before: Option<u64>,
        answer: Option<NewAnswer>,
    ) -> Result<bool, StoreError> {
        self.write(move |connection| budgets::put(connection, &budget, before, answer.as_ref()))
            .await
    }

    async fn budget_delete(
        &self,
        id: Uuid,
        before: u64,
        answer: Option<NewAnswer>,
    ) -> Result<bool, StoreError> {
        self.write(move |connection| budgets::delete(connection, id, before, answer.as_ref()))
            .await
    }
}

#[async_trait]
impl UpkeepStore for SqliteStore {
    /// A file grows by itself, and keeps everything.
    async fn keep_up(&self, _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    async fn holds_forget(&self, before: Timestamp, limit: u32) -> Result<usize, StoreError> {
        self.write(move |connection| forgetting::holds(connection, before, limit))
            .await
    }

    async fn periods_forget(&self, before: Timestamp, limit: u32) -> Result<usize, StoreError> {
        self.write(move |connection| forgetting::periods(connection, before, limit))
            .await
    }
}

#[async_trait]
impl CloseStore for SqliteStore {
    async fn close(&self) {
        self.database.close().await;
    }
}

#[cfg(test)]
mod tests {
    use keyward_proto::metering::v1 as wire;

    use super::SqliteStore;
    use crate::domain::filter::{Filter, Hour, TagFilter};
    use crate::domain::sums::Dimension;
    use crate::store::suite::conformance;
    use crate::store::{RecordQuery, SumQuery, UsageStore as _};

    fn open() -> (SqliteStore, tempfile::TempDir) {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SqliteStore::open(&folder.path().join("metering.db")).expect("a store");
        (
            store.keeping(super::Retention::new(super::Retention::DAYS)),
            folder,
        )
    }

    conformance!(open());

    #[tokio::test]
    async fn transfers_cannot_be_changed_or_deleted() {
        let (store, _folder) = open();
        for sql in ["UPDATE transfer SET amount = 1", "DELETE FROM transfer"] {
            let changed = store
                .write(move |connection| {
                    connection.execute(
                        "INSERT INTO transfer (transfer_id, kind, account, amount, inference_id,
                             request_id, note, post_ms)
                         VALUES (randomblob(16), 'grant', 'users/a', 5, '', ?1, '', 0)",
                        [sql],
                    )?;
                    Ok(connection.execute(sql, [])?)
                })
                .await;
            let error = changed.expect_err("transfers are immutable");
            assert!(format!("{error:?}").contains("immutable"), "{error:?}");
        }
    }

    /// What is changed behind the program's back is found, and named.
    #[tokio::test]
    async fn whatever_is_changed_by_hand_breaks_the_proof() {
        for (sql, of, words) in [
            (
                "UPDATE account SET balance = balance + 1 WHERE name LIKE 'users/%'",
                "users/",
                "its transfers",
            ),
            (
                "UPDATE lot SET remaining = remaining + 1",
                "users/",
                "what is left of its grants",
            ),
            (
                "UPDATE account SET held = held + 1 WHERE name LIKE 'users/%'",
                "users/",
                "its open holds",
            ),
            (
                "UPDATE hold SET amount = amount + 1",
                "users/",
                "its open holds",
            ),
            (
                "UPDATE usage_record SET charge = charge + 1",
                "users/",
                "the transfers of charges",
            ),
            (
                "UPDATE usage_record SET charge = charge + 1",
                "record ",
                "its prices and figures",
            ),
            (
                "UPDATE usage_record SET list_cost = list_cost + 1",
                "record ",
                "its prices and figures",
            ),
            (
                "UPDATE usage_hour SET attempts = attempts + 1",
                "users/",
                "the sums",
            ),
            (
                "UPDATE usage_hour SET input_tokens = input_tokens + 1",
                "users/",
                "by the day that are wrong",
            ),
            (
                "DELETE FROM usage_sum_day",
                "users/",
                "by the day that are wrong",
            ),
            (
                "UPDATE usage_sum_day_tag SET searches = searches + 1",
                "users/",
                "by the day that are wrong",
            ),
            (
                "DELETE FROM usage_record",
                "users/",
                "the transfers of charges",
            ),
        ] {
            let (store, _folder) = open();
            let store = std::sync::Arc::new(store);
            crate::store::suite::some_books(&*store).await;
            assert!(store.tamper(sql).await > 0, "{sql}");
            let proof = crate::store::prove(&*store, None).await.expect("works");
            let found: Vec<_> = proof
                .discrepancies
                .iter()
                .map(ToString::to_string)
                .collect();
            let named = |text: &&String| text.starts_with(of) && text.contains(words);
            assert!(found.iter().any(|text| named(&text)), "{sql}: {found:?}");
        }
    }

    /// A store as version 0.1 left it: records without sums.
    #[tokio::test]
    async fn records_from_before_there_were_sums_are_added_to_them_once() {
        use prost::Message as _;
        const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("metering.db");
        let account = format!("users/{ID}");
        {
            let old = rusqlite::Connection::open(&path).expect("a file");
            old.execute_batch(super::MIGRATIONS[0].sql)
                .expect("applied");
            old.pragma_update(None, "user_version", 1).expect("set");
            for number in 0..25_i64 {
                let id = uuid::Uuid::from_u128(number.unsigned_abs().into()).to_string();
                let event = wire::UsageEvent {
                    event_id: id.clone(),
                    inference_id: id.clone(),
                    attempt: 1,
                    owner: Some(wire::UsageOwner {
                        account: account.clone(),
                        ..wire::UsageOwner::default()
                    }),
                    status: wire::AttemptStatus::Ok.into(),
                    usage: Some(wire::Usage {
                        input_tokens: number,
                        ..wire::Usage::default()
                    }),
                    tags: [("team".to_owned(), "a".to_owned())].into(),
                    ..wire::UsageEvent::default()
                };
                old.execute(
                    "INSERT INTO usage_record (event_id, inference_id, attempt, client_request_id,
                         account, user_uid, organization_uid, project_uid, access_key_id, provider,
                         model, key_source, provider_key_id, status, list_cost, charge, absorbed,
                         price_version, markup_basis_points, record_ms, event)
                     VALUES (?1, ?1, 1, '', ?2, '', '', '', '', 'p', 'm', 2, '', 1, ?3, 0, 0, 1, 0,
                         ?4, ?5)",
                    rusqlite::params![id, account, number, number * 600_000, event.encode_to_vec()],
                )
                .expect("inserted");
            }
        }
        let store = SqliteStore::open(&path).expect("a store");
        let mut added = Vec::new();
        for _ in 0..4 {
            added.push(store.usage_sums_complete(10).await.expect("works"));
        }
        assert_eq!(added, [10, 10, 5, 0]);
        let query = |tag: Option<&str>| SumQuery {
            account: account.parse().expect("an account"),
            user_uid: None,
            start: Hour::new(0),
            end: Hour::new(100),
            filter: Filter {
                tag: tag.map(TagFilter::parse),
                ..Filter::default()
            },
            by: [Dimension::Hour].into(),
            groups_max: 100,
        };
        for tag in [None, Some("team=a")] {
            let sums = store.usage_sums(query(tag)).await.expect("works");
            let sums = sums.expect("few");
            assert_eq!(sums.total.attempts, 25);
            assert_eq!(sums.total.list_cost.get(), 300);
            assert_eq!(sums.total.usage.input_tokens, 300);
            assert_eq!(sums.groups.len(), 5, "six in an hour");
        }
        let page = RecordQuery {
            account: account.parse().expect("an account"),
            user_uid: None,
            inference_id: None,
            filter: Filter::default(),
            before: None,
            limit: 100,
        };
        assert_eq!(store.records(page).await.expect("works").len(), 25);
    }

    #[tokio::test]
    async fn hours_from_before_there_were_days_are_added_to_them() {
        const ID: &str = "users/01890a5d-ac96-774b-bcce-b302099a8057";
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("metering.db");
        let old = keyward_storage::Database::open(&path, &super::MIGRATIONS[..7]).expect("a file");
        old.write(|connection| {
            for hour in -30..60 {
                for (table, tag) in [("usage_hour", ""), ("usage_hour_tag", "'team', 'a',")] {
                    let sql = format!(
                        "INSERT INTO {table} SELECT '{ID}', {hour}, {tag} '', '', '', 'p', 'm', 2,
                             '', 1, 1, 0, 0, 5, 0, 5, {tokens}, {zeros}",
                        tokens = if hour < 2 { i64::MAX } else { 7 },
                        zeros = ["0"; 13].join(", "),
                    );
                    connection.execute(&sql, [])?;
                }
            }
            Ok::<_, super::StoreError>(())
        })
        .await
        .expect("written");
        old.close().await;
        drop(old);
        let store = SqliteStore::open(&path).expect("a store");
        let query = |tag: Option<&str>| SumQuery {
            account: ID.parse().expect("an account"),
            user_uid: None,
            start: Hour::new(-24),
            end: Hour::new(50),
            filter: Filter {
                tag: tag.map(TagFilter::parse),
                ..Filter::default()
            },
            by: [Dimension::Day].into(),
            groups_max: 100,
        };
        for tag in [None, Some("team=a")] {
            let sums = store.usage_sums(query(tag)).await.expect("works");
            let sums = sums.expect("few").groups;
            let found: Vec<_> = sums
                .iter()
                .map(|day| (day.group.hour, day.sum.attempts, day.sum.usage.input_tokens))
                .collect();
            assert_eq!(
                found,
                [
                    (Some(48), 2, 14),
                    (Some(24), 24, 168),
                    (Some(0), 24, i64::MAX),
                    (Some(-24), 24, i64::MAX),
                ]
            );
        }
    }

    /// Pages and look-ups must cost what they show, however much is stored.
    #[tokio::test]
    async fn lists_walk_an_index() {
        let (store, _folder) = open();
        for (sql, index) in [
            (super::usage::LIST_ALL, "usage_record_by_time"),
            (
                super::sums::HOURS,
                "PRIMARY KEY (account=? AND hour>? AND hour<?)",
            ),
            (
                super::sums::HOURS_BY_TAG,
                "PRIMARY KEY (account=? AND hour>? AND hour<?)",
            ),
            (
                super::sums::DAYS,
                "PRIMARY KEY (account=? AND hour>? AND hour<?)",
            ),
            (
                super::sums::DAYS_BY_TAG,
                "PRIMARY KEY (account=? AND hour>? AND hour<?)",
            ),
            (super::usage::LIST_REQUEST, "usage_record_by_inference"),
            (super::usage::LIST_REQUEST, "usage_record_by_client_request"),
            (super::ledger::TRANSACTIONS, "transfer_by_account"),
        ] {
            let plan = store
                .read(move |connection| {
                    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
                    let mut rows = statement.raw_query();
                    let mut plan = String::new();
                    while let Some(row) = rows.next()? {
                        plan.push_str(&row.get::<_, String>(3)?);
                        plan.push('\n');
                    }
                    Ok(plan)
                })
                .await
                .expect("a plan");
            assert!(plan.contains(index), "{plan}");
            assert!(
                !plan.lines().any(|line| line.starts_with("SCAN usage_")),
                "{plan}"
            );
            assert!(
                !plan.lines().any(|line| line.starts_with("SCAN transfer")),
                "{plan}"
            );
        }
    }
}
