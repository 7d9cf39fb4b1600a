//! Copies from one engine to the other: nothing is lost on the way, and no table is forgotten.

use std::collections::{BTreeMap, BTreeSet};

use keyward_storage::copy::{CopyError, Place, copy};
use keyward_storage::{Database, Postgres, PostgresUrl, StorageError};
use keyward_testkit::TestDatabase;
use uuid::Uuid;

use super::{account, assert_adds_up, event, give, hold, place, run, settlement, time, void, wire};
use crate::domain::day::Retention;
use crate::domain::ledger::{Granted, NewRefund, Posted, Refunded};
use crate::store::postgres::PostgresStore;
use crate::store::sqlite::SqliteStore;
use crate::store::tables::LAYOUT;
use crate::store::{CloseStore as _, LedgerStore as _, Store, UpkeepStore as _};

type Columns = BTreeMap<String, BTreeSet<String>>;

/// What only Postgres has: how far migrations have come, what follows from other tables, and what
/// meterings tell each other for moments.
const OF_POSTGRES_ALONE: [&str; 9] = [
    "schema_migrations",
    "platform_balance",
    "posting",
    "refunded",
    "transfer_day",
    "usage_day",
    "entry",
    "lease_watch",
    "lease_mark",
];

fn by_table(pairs: impl IntoIterator<Item = (String, String)>) -> Columns {
    let mut columns = Columns::new();
    for (table, column) in pairs {
        columns.entry(table).or_default().insert(column);
    }
    columns
}

fn listed() -> Columns {
    by_table(LAYOUT.tables.iter().flat_map(|table| {
        let columns = table.columns.iter();
        columns.map(|column| (table.name.to_owned(), (*column).to_owned()))
    }))
}

#[tokio::test]
async fn the_list_of_tables_is_the_schema_of_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("metering.db");
    let database = Database::open(&file, LAYOUT.migrations).expect("a store");
    let sql = "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c
               WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'";
    let read = database.read(move |connection| {
        let mut statement = connection.prepare(sql)?;
        let pairs = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok::<_, StorageError>(pairs.collect::<Result<Vec<_>, _>>()?)
    });
    assert_eq!(by_table(read.await.expect("works")), listed());
}

#[tokio::test]
async fn the_list_of_tables_is_the_schema_of_postgres() {
    let database = TestDatabase::new();
    let url = PostgresUrl::parse(&database.url()).expect("an URL");
    Postgres::migrate(&url, &LAYOUT.schema)
        .await
        .expect("migrated");
    let postgres = Postgres::open(&url, &LAYOUT.schema).await.expect("a store");
    let sql = "SELECT table_name::text, column_name::text
               FROM information_schema.columns JOIN pg_class ON relname = table_name
               WHERE table_schema = 'keyward_metering' AND NOT relispartition";
    let session = postgres.session().await.expect("a session");
    let rows = session.query(sql, &[]).await.expect("works");
    let pairs = rows.iter().map(|row| (row.get(0), row.get(1)));
    // The partition's key follows from the id.
    let is_own =
        |(table, column): &(String, String)| column != "day" || table == "partition_dropped";
    let mut found = by_table(pairs.filter(is_own));
    found.retain(|table, _| !OF_POSTGRES_ALONE.contains(&table.as_str()));
    assert_eq!(found, listed());
}

/// A refund of everything that an event was charged.
async fn refund(store: &impl Store, event_id: u128, key: &str) -> Refunded {
    let refund = NewRefund {
        id: Uuid::now_v7(),
        account: account(1),
        event_id: Uuid::from_u128(event_id),
        amount: None,
        request_id: key.to_owned(),
        note: String::new(),
        time: time(1_700),
    };
    run(store, refund).await
}

#[tokio::test]
async fn a_copy_to_postgres_and_back_loses_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("metering.db");
    let store = SqliteStore::open(&file).expect("a store");
    give(&store, account(1), 1_000, "k").await;
    for id in 1..=3 {
        place(&store, hold(id, account(1), 60)).await;
    }
    let used = event(10, account(1), 25, wire::AttemptStatus::Ok);
    run(&store, settlement(used.clone(), 1)).await;
    void(&store, 2, account(1), None).await;
    assert!(matches!(
        refund(&store, 10, "back").await,
        Refunded::Posted { .. }
    ));
    store.close().await;
    drop(store);

    let database = TestDatabase::new();
    let url = PostgresUrl::parse(&database.url()).expect("an URL");
    let first = Place::Sqlite(file);
    let middle = Place::Postgres(url.clone());
    let last = Place::Sqlite(folder.path().join("copy.db"));
    let there = copy(&LAYOUT, &first, &middle, |_, _| ())
        .await
        .expect("copied");
    let back = copy(&LAYOUT, &middle, &last, |_, _| ())
        .await
        .expect("copied");
    assert_eq!(there, back);
    for place in [&middle, &first] {
        let again = copy(&LAYOUT, &last, place, |_, _| ()).await;
        assert!(matches!(again, Err(CopyError::NotEmpty(_))), "{again:?}");
    }

    let retention = Retention::new(Retention::DAYS);
    let store = PostgresStore::open(&url, retention).await.expect("a store");
    store
        .keep_up(keyward_runtime::time::now())
        .await
        .expect("kept up");
    assert_adds_up(&store).await;
    let lines = store
        .transactions(account(1), None, 9)
        .await
        .expect("works");
    let amounts: Vec<_> = lines.iter().map(|line| line.amount.get()).collect();
    assert_eq!(amounts, [25, -25, 1_000]);
    let again = give(&store, account(1), 1_000, "k").await;
    assert!(
        matches!(
            again,
            Granted::Posted {
                duplicate: true,
                ..
            }
        ),
        "{again:?}"
    );
    assert_eq!(refund(&store, 10, "more").await, Refunded::NotCharged);
    let again = run(&store, settlement(used, 1)).await;
    assert!(
        matches!(
            again,
            Posted::Recorded {
                duplicate: true,
                ..
            }
        ),
        "{again:?}"
    );
    let other = event(11, account(1), 7, wire::AttemptStatus::Ok);
    let posted = run(&store, settlement(other, 3)).await;
    assert!(
        matches!(
            posted,
            Posted::Recorded {
                duplicate: false,
                ..
            }
        ),
        "{posted:?}"
    );
    assert_adds_up(&store).await;
}
