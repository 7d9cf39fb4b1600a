//! What only Postgres has: partitions, and roles that must not see metering's tables.

use std::collections::BTreeSet;
use std::sync::Arc;

use keyward_money::Nanos;
use keyward_proto::metering::v1 as wire;
use keyward_storage::copy::{Place, copy};
use keyward_storage::postgres::Session;
use keyward_storage::{PostgresUrl, StorageError};
use keyward_testkit::{PrivatePostgres, TestDatabase};
use uuid::Uuid;

use super::row::get;
use super::{MIGRATIONS, PostgresStore};
use crate::domain::account::{AccountKey, AccountKind};
use crate::domain::charging::Priced;
use crate::domain::day::Retention;
use crate::domain::event::Event;
use crate::domain::filter::Filter;
use crate::domain::ledger::{Command, NewGrant, NewHold, NewRecord};
use crate::domain::requester::Visibility;
use crate::store::sqlite::SqliteStore;
use crate::store::suite::samples::{event, hold, settlement};
use crate::store::suite::{budget, conformance};
use crate::store::tables::LAYOUT;
use crate::store::{
    Batch, BatchStore as _, BudgetStore as _, LedgerStore as _, RecordQuery, StoreError, Totals,
    UpkeepStore as _, UsageStore as _, Work, prove, shard_of,
};

/// The SQLSTATE of missing rights.
const PERMISSION_DENIED: &str = "42501";
const DAY_MS: i64 = 86_400_000;
const ROLES: &str = include_str!("../../../../../deploy/postgres/roles.sql");

pub(super) async fn open() -> (PostgresStore, TestDatabase) {
    open_keeping(Retention::new(Retention::DAYS)).await
}

async fn open_keeping(retention: Retention) -> (PostgresStore, TestDatabase) {
    let database = TestDatabase::new();
    let url = PostgresUrl::parse(&database.url()).expect("an URL");
    PostgresStore::migrate(&url).await.expect("migrated");
    let store = PostgresStore::open(&url, retention).await.expect("a store");
    let now = keyward_runtime::time::now();
    store.keep_up(now).await.expect("kept up");
    (store, database)
}

const TOTALS: &str = "
    WITH balances AS (
        SELECT name, balance FROM account
        UNION ALL SELECT name, sum(balance) FROM platform_balance GROUP BY name),
    moved AS (
        SELECT account, sum(amount) AS amount FROM (
            SELECT account, amount FROM entry
            UNION ALL SELECT account, amount FROM transfer_carried) entries
        GROUP BY account)
    SELECT (SELECT sum(balance)::bigint FROM balances) AS balances,
        (SELECT count(*) FROM balances LEFT JOIN moved ON account = name
            WHERE balance <> coalesce(amount, 0)) AS balances_off,
        (SELECT count(*) FROM account WHERE greatest(balance, 0) <>
            (SELECT coalesce(sum(remaining), 0) FROM lot WHERE lot.account = name)) AS lots_off,
        (SELECT coalesce(sum(held), 0)::bigint FROM account) AS held,
        (SELECT coalesce(sum(amount), 0)::bigint FROM hold WHERE state = 'open') AS open_holds,
        (SELECT coalesce(sum(leased), 0)::bigint FROM account) AS leased,
        (SELECT coalesce(sum(remaining), 0)::bigint FROM lease) AS open_leases,
        (SELECT coalesce(sum(charge), 0)::bigint FROM usage_record) AS record_charges,
        (SELECT coalesce(sum(amount), 0)::bigint FROM transfer WHERE kind = 'charge')
            AS transfer_charges";

pub(super) async fn totals(session: &Session) -> Result<Totals, StoreError> {
    let row = session.query_first(TOTALS, &[]).await?.expect("a row");
    let nanos = |column| get(&row, column).map(Nanos::new);
    Ok(Totals {
        balances: nanos("balances")?,
        balances_off: get(&row, "balances_off")?,
        lots_off: get(&row, "lots_off")?,
        held: nanos("held")?,
        open_holds: nanos("open_holds")?,
        leased: nanos("leased")?,
        open_leases: nanos("open_leases")?,
        record_charges: nanos("record_charges")?,
        transfer_charges: nanos("transfer_charges")?,
    })
}

conformance!(open().await);

/// An id of a day, counted from 1970.
fn id(day: i64, number: u128) -> Uuid {
    let millis = u128::try_from(day * DAY_MS + 5_000).expect("after 1970");
    Uuid::from_u128(millis << 80 | 7 << 76 | 2 << 62 | number)
}

fn time(day: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(day * DAY_MS + 9_000).expect("in range")
}

fn account(number: u128) -> AccountKey {
    AccountKey::new(AccountKind::User, Uuid::from_u128(number))
}

/// Runs commands of one shard as a batch.
async fn run<C: Command>(store: &PostgresStore, commands: Vec<C>) {
    let shard = shard_of(commands[0].account());
    let (works, _answers): (Vec<_>, Vec<_>) = commands.into_iter().map(Work::new).unzip();
    let batch = Arc::new(Batch::new(works));
    store.transact(shard, batch).await.expect("written");
}

fn grant(id: Uuid, day: i64, amount: i64) -> NewGrant {
    NewGrant {
        id,
        account: account(1),
        amount: Nanos::new(amount),
        priority: 0,
        expire_time: None,
        request_id: id.to_string(),
        note: String::new(),
        time: time(day),
    }
}

/// A record with an id of one day, dispatched on another.
fn record(of: u128, id: Uuid, dispatched: i64) -> NewRecord {
    let message = wire::UsageEvent {
        event_id: id.to_string(),
        inference_id: id.to_string(),
        attempt: 1,
        owner: Some(wire::UsageOwner {
            account: account(of).to_string(),
            ..wire::UsageOwner::default()
        }),
        model: "nul\0".to_owned(),
        status: wire::AttemptStatus::Ok.into(),
        start_time: Some(keyward_runtime::time::to_proto(time(dispatched))),
        tags: [("nul\0".to_owned(), "\0".to_owned())].into(),
        ..wire::UsageEvent::default()
    };
    NewRecord {
        event: Event::parse(&id.to_string(), Some(message), None).expect("valid"),
        priced: Priced::default(),
        price_version: 0,
        time: time(dispatched),
    }
}

async fn listed(store: &PostgresStore, filter: Filter, page: u32) -> Vec<Uuid> {
    let mut found = Vec::new();
    let mut before = None;
    loop {
        let query = RecordQuery {
            account: account(1),
            user_uid: None,
            inference_id: None,
            filter: filter.clone(),
            before,
            limit: page,
        };
        let page = store.records(query).await.expect("works");
        found.extend(page.iter().map(|record| record.event.id));
        match page.last() {
            Some(last) => before = Some(last.place),
            None => return found,
        }
    }
}

#[tokio::test]
async fn records_are_found_by_when_they_were_dispatched_wherever_their_ids_put_them() {
    let (store, _database) = open().await;
    // Dispatched on, and with an id of.
    let days: Vec<(i64, i64)> = vec![
        (20_000, 20_000),
        (20_001, 20_001),
        (20_001, 20_002),
        (20_005, 20_001),
        (20_006, 20_006),
        (20_009, 0),
        (20_030, 20_030),
        (20_031, 20_031),
    ];
    let mut records = Vec::new();
    for (number, (dispatched, day)) in (1..).zip(&days) {
        records.push(record(1, id(*day, number), *dispatched));
    }
    let mut ids: Vec<Uuid> = records.iter().map(|record| record.event.id).collect();
    run(&store, records).await;
    run(&store, vec![record(2, id(20_000, 99), 20_000)]).await;
    ids.reverse();
    for page in [1, 3, 100] {
        assert_eq!(listed(&store, Filter::default(), page).await, ids, "{page}");
    }
    let some = Filter {
        start: Some(time(20_001)),
        end: Some(time(20_009)),
        ..Filter::default()
    };
    assert_eq!(listed(&store, some, 2).await, ids[3..7], "from, and before");
    let everything = Visibility {
        account: None,
        user_uid: None,
    };
    for id in ids {
        let attempts = store
            .attempts(id.to_string(), everything)
            .await
            .expect("works");
        assert_eq!(attempts.len(), 1, "{id}");
    }
}

/// The days that there are partitions for.
async fn days(store: &PostgresStore) -> BTreeSet<i32> {
    let session = store.session().await.expect("a session");
    let rows = session.query(super::partitions::THERE, &[]).await;
    rows.expect("works").iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn days_are_made_ahead_and_on_demand_and_dropped_with_their_sums_carried() {
    let (store, _database) = open_keeping(Retention::new(10)).await;
    // In place of the days of now, which the clock of this test has long passed.
    let now = days(&store).await;
    assert_eq!(now.len(), 5, "{now:?}");
    let days = async |store: &PostgresStore| {
        &days(store).await - &now.iter().copied().filter(|day| *day > 0).collect()
    };
    store.keep_up(time(20_000)).await.expect("kept up");
    let ahead = [0, 20_000, 20_001, 20_002, 20_003];
    assert_eq!(days(&store).await, ahead.into());
    for (number, day) in (1..).zip([19_995, 19_995, 20_001]) {
        run(&store, vec![grant(id(day, number), day, 100)]).await;
    }
    run(&store, vec![record(1, id(19_995, 7), 19_995)]).await;
    assert!(days(&store).await.contains(&19_995));
    let lines = async || {
        let found = store.transactions(account(1), None, 10).await;
        found.expect("works").len()
    };
    assert_eq!(
        (
            lines().await,
            listed(&store, Filter::default(), 5).await.len()
        ),
        (3, 1)
    );

    store.keep_up(time(20_006)).await.expect("kept up");
    let expected = [
        0, 20_000, 20_001, 20_002, 20_003, 20_006, 20_007, 20_008, 20_009,
    ];
    assert_eq!(days(&store).await, expected.into());
    assert_eq!(
        (
            lines().await,
            listed(&store, Filter::default(), 5).await.len()
        ),
        (1, 0)
    );
    let balance = store.balance(account(1)).await.expect("works");
    assert_eq!(balance.balance, Nanos::new(300));
    let totals = store.totals().await.expect("works");
    assert_eq!((totals.balances, totals.balances_off), (Nanos::ZERO, 0));
}

#[tokio::test]
async fn a_copy_of_a_store_that_has_dropped_days_is_proven_by_what_is_left() {
    let (store, database) = open_keeping(Retention::new(10)).await;
    store.keep_up(time(19_995)).await.expect("kept up");
    run(&store, vec![grant(id(20_001, 1), 20_001, 100)]).await;
    let (budget, held) = (budget(1, account(1)), hold(1, account(1), 30));
    let made = store.budget_put(budget.clone(), None, None).await;
    assert!(made.expect("works"));
    let share = budget.share(&held.request, &[].into(), time(19_995));
    let budgets = share.into_iter().collect();
    run(&store, vec![NewHold { budgets, ..held }]).await;
    let event_id = id(19_995, 7).as_u128();
    let used = event(event_id, account(1), 25, wire::AttemptStatus::Ok);
    run(&store, vec![settlement(used, 1)]).await;
    let seen = store.budget_periods(vec![budget.period_key(time(19_995))]);
    let spent = seen.await.expect("works")[0].map(|period| period.spent.get());
    assert_eq!(spent, Some(25));
    store.keep_up(time(20_006)).await.expect("it is dropped");
    let proof = prove(&store, None).await.expect("works");
    assert_eq!((proof.records, proof.discrepancies), (0, Vec::new()));

    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("copy.db");
    let from = Place::Postgres(PostgresUrl::parse(&database.url()).expect("an URL"));
    let to = Place::Sqlite(file.clone());
    copy(&LAYOUT, &from, &to, |_, _| ()).await.expect("copied");
    let copied = SqliteStore::open(&file).expect("a store");
    let proof = prove(&copied, None).await.expect("works");
    assert_eq!((proof.records, proof.discrepancies), (0, Vec::new()));
}

#[tokio::test]
async fn transfers_cannot_be_changed_or_deleted() {
    let (store, database) = open().await;
    run(&store, vec![grant(id(20_000, 1), 20_000, 5)]).await;
    for change in ["UPDATE", "DELETE FROM", "TRUNCATE"] {
        let set = if change == "UPDATE" {
            " SET amount = 1"
        } else {
            ""
        };
        let sql = [change, " keyward_metering.transfer", set].concat();
        let refused = PrivatePostgres::refusal(&database.url(), &sql);
        assert_eq!(refused.as_deref(), Some("P0001"), "{sql}");
    }
}

/// The names of all tables that the migrations make.
fn tables() -> Vec<&'static str> {
    let lines = MIGRATIONS.iter().flat_map(|step| step.sql.lines());
    let made = lines.filter_map(|line| line.strip_prefix("CREATE ")?.split_once("TABLE "));
    let names = made.filter_map(|(_, rest)| rest.split(' ').next());
    names.chain(["schema_migrations", "transfer_0"]).collect()
}

#[tokio::test]
async fn another_role_is_denied_every_table_of_metering() {
    let (_store, database) = open().await;
    let role = database.name().replace("test", "other");
    database.administer(&["CREATE ROLE ", &role, " LOGIN PASSWORD 'p'"].concat());
    let (owner, other) = (database.url(), database.url_for(&role, "p"));
    assert!(tables().len() > 15, "{:?}", tables());
    for table in tables() {
        let sql = ["SELECT FROM keyward_metering.", table].concat();
        let refused = PrivatePostgres::refusal(&other, &sql);
        assert_eq!(refused.as_deref(), Some(PERMISSION_DENIED), "{sql}");
        assert_eq!(PrivatePostgres::refusal(&owner, &sql), None, "{sql}");
    }
    drop(database);
    PrivatePostgres::shared().administer(&["DROP ROLE ", &role].concat());
}

#[tokio::test]
async fn the_documented_role_makes_and_drops_partitions_and_nothing_beside_its_schema() {
    let server = PrivatePostgres::start();
    server.administer("DROP ROLE keyward_vault");
    server.administer("CREATE DATABASE keyward");
    server.administer_in("keyward", ROLES);
    server.administer(
        "ALTER ROLE keyward_vault PASSWORD 'v'; ALTER ROLE keyward_metering PASSWORD 'm';
         ALTER ROLE keyward_router PASSWORD 'r'",
    );
    let own = server.url("keyward_metering", "m", "keyward");
    let url = PostgresUrl::parse(&own).expect("an URL");
    PostgresStore::migrate(&url).await.expect("migrated");
    let store = PostgresStore::open(&url, Retention::new(1)).await;
    let store = store.expect("a store");
    store.keep_up(time(20_000)).await.expect("partitions");
    run(&store, vec![grant(id(20_000, 1), 20_000, 5)]).await;
    store.keep_up(time(20_002)).await.expect("one is dropped");
    assert_eq!(
        days(&store).await,
        [0, 20_001, 20_002, 20_003, 20_004, 20_005].into()
    );
    for sql in [
        "CREATE SCHEMA another",
        "CREATE TABLE public.another ()",
        "SELECT FROM pg_authid",
        "CREATE ROLE another",
    ] {
        let refused = PrivatePostgres::refusal(&own, sql);
        assert_eq!(refused.as_deref(), Some(PERMISSION_DENIED), "{sql}");
    }
    for (role, password) in [("keyward_vault", "v"), ("keyward_router", "r")] {
        let url = server.url(role, password, "keyward");
        for table in tables() {
            let sql = ["SELECT FROM keyward_metering.", table].concat();
            let refused = PrivatePostgres::refusal(&url, &sql);
            assert_eq!(refused.as_deref(), Some(PERMISSION_DENIED), "{role}: {sql}");
        }
    }
}

/// Pages and look-ups must cost what they show, however much is stored.
#[tokio::test]
async fn lists_look_into_the_partitions_that_they_name() {
    let (store, database) = open().await;
    let records = (0..200_u32).map(|n| record(1, id(20_000 + i64::from(n % 20), n.into()), 20_000));
    run(&store, records.collect()).await;
    database.administer("ANALYZE keyward_metering.usage_record");
    let session = store.session().await.expect("a session");
    let explained = session
        .query(
            "EXPLAIN SELECT sequence FROM usage_record WHERE day = ANY ('{20001,20002}')
             AND account = 'users/x' AND start_ms >= 0 AND (start_ms, sequence) < (9, 9)
             ORDER BY start_ms DESC, sequence DESC LIMIT 5",
            &[],
        )
        .await;
    let plan: Vec<String> = explained
        .expect("a plan")
        .iter()
        .map(|row| row.get(0))
        .collect();
    let plan = plan.join("\n");
    assert!(plan.contains("usage_record_20001"), "{plan}");
    assert!(!plan.contains("usage_record_20003"), "{plan}");
}

#[tokio::test]
async fn a_schema_that_is_missing_is_refused() {
    let database = TestDatabase::new();
    let url = PostgresUrl::parse(&database.url()).expect("an URL");
    let opened = PostgresStore::open(&url, Retention::new(1)).await;
    assert!(
        matches!(opened, Err(StorageError::Older { found: 0, .. })),
        "{opened:?}"
    );
}
