//! Copies from one engine to the other: nothing is lost on the way, and no table is forgotten.

use std::collections::{BTreeMap, BTreeSet};

use keyward_storage::copy::{CopyError, Place, copy};
use keyward_storage::{Database, Postgres, PostgresUrl, StorageError};
use keyward_testkit::TestDatabase;

use super::{call, change, made, user};
use crate::store::postgres::PostgresStore;
use crate::store::sqlite::SqliteStore;
use crate::store::tables::LAYOUT;
use crate::store::{PolicyChange, PolicyStore as _};

/// What stays behind.
const ANSWERS: &str = "repeatable_answer";

type Columns = BTreeMap<String, BTreeSet<String>>;

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
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("router.db"), LAYOUT.migrations).unwrap();
    let sql = "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c
               WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'";
    let read = database.read(move |connection| {
        let mut statement = connection.prepare(sql)?;
        let pairs = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok::<_, StorageError>(pairs.collect::<Result<Vec<_>, _>>()?)
    });
    let mut found = by_table(read.await.unwrap());
    assert!(found.remove(ANSWERS).is_some());
    assert_eq!(found, listed());
}

#[tokio::test]
async fn the_list_of_tables_is_the_schema_of_postgres() {
    let database = TestDatabase::new();
    let url = PostgresUrl::parse(&database.url()).unwrap();
    Postgres::migrate(&url, &LAYOUT.schema).await.unwrap();
    let postgres = Postgres::open(&url, &LAYOUT.schema).await.unwrap();
    let sql = "SELECT table_name::text, column_name::text FROM information_schema.columns
               WHERE table_schema = 'keyward_router'";
    let session = postgres.session().await.unwrap();
    let rows = session.query(sql, &[]).await.unwrap();
    let mut found = by_table(rows.iter().map(|row| (row.get(0), row.get(1))));
    found.remove("schema_migrations");
    assert!(found.remove(ANSWERS).is_some());
    assert_eq!(found, listed());
}

#[tokio::test]
async fn a_copy_to_postgres_and_back_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("router.db");
    let store = SqliteStore::open(&file).unwrap();
    let asked = PolicyChange {
        call: Some(call("a", b"one")),
        ..change(&user("bob"), b"\0\xff policy")
    };
    let written = made(&store, asked.clone()).await;
    store.close().await;
    drop(store);

    let database = TestDatabase::new();
    let url = PostgresUrl::parse(&database.url()).unwrap();
    let first = Place::Sqlite(file);
    let middle = Place::Postgres(url.clone());
    let last = Place::Sqlite(folder.path().join("copy.db"));
    let there = copy(&LAYOUT, &first, &middle, |_, _| ()).await.unwrap();
    let back = copy(&LAYOUT, &middle, &last, |_, _| ()).await.unwrap();
    assert_eq!(there, back);
    let again = copy(&LAYOUT, &last, &middle, |_, _| ()).await;
    assert!(matches!(again, Err(CopyError::NotEmpty(_))), "{again:?}");

    let store = PostgresStore::open(&url).await.unwrap();
    let read = store.policy(user("bob")).await.unwrap();
    assert_eq!(read, Some(written));
    let repeated = store.policy_change(asked).await.unwrap();
    assert!(
        matches!(repeated, crate::store::Changed::Before { revision: 1, .. }),
        "{repeated:?}"
    );
    assert_eq!(made(&store, change(&user("eve"), b"")).await.sequence, 2);
}
