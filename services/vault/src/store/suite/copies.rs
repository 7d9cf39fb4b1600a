//! Copies from one engine to the other: nothing is lost on the way, and no table is forgotten.

use std::collections::{BTreeMap, BTreeSet};

use keyward_storage::copy::{CopyError, Place, copy};
use keyward_storage::{PostgresUrl, StorageError};
use keyward_testkit::TestDatabase;

use super::samples::{access_key, effects, sealed, stored};
use crate::domain::owner::OwnerKind::User;
use crate::store::tables::LAYOUT;
use crate::store::{
    AccessKeyStore as _, AuditFilter, AuditStore as _, ChangeStore as _, CloseStore as _,
    ProviderKeyStore as _,
};

type Columns = BTreeMap<String, BTreeSet<String>>;

/// What only Postgres has: how far migrations and changes have come, which SQLite keeps by itself.
const OF_POSTGRES_ALONE: [&str; 3] = ["schema_migrations", "change_head", "watchers"];

/// What is of running vaults; another store has none of them.
const OF_PROCESSES: &str = "vault_replicas";

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
    let (store, _folder) = super::sqlite::open().await;
    let sql = "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c
               WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'";
    let read = store.database().read(move |connection| {
        let mut statement = connection.prepare(sql)?;
        let pairs = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok::<_, StorageError>(pairs.collect::<Result<Vec<_>, _>>()?)
    });
    let mut found = by_table(read.await.unwrap());
    assert!(found.remove(OF_PROCESSES).is_some());
    assert_eq!(found, listed());
}

#[tokio::test]
async fn the_list_of_tables_is_the_schema_of_postgres() {
    let (store, _database) = super::postgres::open().await;
    let sql = "SELECT table_name::text, column_name::text FROM information_schema.columns
               WHERE table_schema = 'keyward_vault'";
    let session = store.postgres().session().await.unwrap();
    let rows = session.query(sql, &[]).await.unwrap();
    let mut found = by_table(rows.iter().map(|row| (row.get(0), row.get(1))));
    assert!(found.remove(OF_PROCESSES).is_some());
    found.retain(|table, _| !OF_POSTGRES_ALONE.contains(&table.as_str()));
    assert_eq!(found, listed());
}

#[tokio::test]
async fn a_copy_to_postgres_and_back_loses_nothing() {
    let (store, folder) = super::sqlite::open().await;
    let bob = stored(&store, User, "bob").await;
    let one = sealed(bob.owner, 1);
    let insert = store.provider_key_insert(one.clone(), effects(bob.owner));
    insert.await.unwrap();
    let key = access_key(&bob, "k1");
    let insert = store.access_key_insert(key, [9; 32], effects(bob.owner));
    insert.await.unwrap();
    for id in 0..600 {
        stored(&store, User, &format!("user-{id}")).await;
    }
    let head = store.change_head().await.unwrap();
    store.close().await;
    drop(store);

    let database = TestDatabase::new();
    let first = Place::Sqlite(folder.path().join("vault.db"));
    let middle = Place::Postgres(PostgresUrl::parse(&database.url()).unwrap());
    let last = Place::Sqlite(folder.path().join("copy.db"));
    let mut told = 0;
    let there = copy(&LAYOUT, &first, &middle, |_, rows| told += rows)
        .await
        .unwrap();
    let back = copy(&LAYOUT, &middle, &last, |_, _| ()).await.unwrap();
    assert_eq!(there, back);
    let rows: u64 = there.iter().map(|table| table.rows).sum();
    assert_eq!(told as u64, rows);
    let accounts = there.iter().find(|table| table.name == "accounts");
    assert_eq!(accounts.map(|table| table.rows), Some(601));
    for place in [&middle, &first] {
        let again = copy(&LAYOUT, &last, place, |_, _| ()).await;
        assert!(
            matches!(again, Err(CopyError::NotEmpty("accounts"))),
            "{again:?}"
        );
    }

    let store = super::postgres::open_at(&database).await;
    assert_eq!(store.change_head().await.unwrap(), head);
    let found = store.provider_key_get(bob.owner, one.key.id).await;
    let found = found.unwrap().unwrap();
    assert_eq!((found.key, found.record), (one.key, one.record));
    assert!(store.access_key_by_hash([9; 32]).await.unwrap().is_some());
    let page = super::samples::ALL;
    let events = store.audit_list(AuditFilter::default(), page).await;
    assert_eq!(events.unwrap().len(), 101);
    stored(&store, User, "eve").await;
    assert_eq!(store.change_head().await.unwrap(), head + 1);
}

#[tokio::test]
async fn a_copy_that_fails_leaves_an_empty_target() {
    let (store, folder) = super::sqlite::open().await;
    stored(&store, User, "nul\0").await;
    store.close().await;
    drop(store);
    let database = TestDatabase::new();
    let from = Place::Sqlite(folder.path().join("vault.db"));
    let to = Place::Postgres(PostgresUrl::parse(&database.url()).unwrap());
    let failed = copy(&LAYOUT, &from, &to, |_, _| ()).await;
    assert!(matches!(failed, Err(CopyError::Store(_))), "{failed:?}");
    let store = super::postgres::open_at(&database).await;
    assert_eq!(store.change_head().await.unwrap(), 0);
    assert_eq!(store.changes_after(0, 10).await.unwrap(), []);
}
