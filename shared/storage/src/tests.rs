//! The promises of `Database`: durable, isolated, in groups, private.

use std::sync::Arc;

use crate::{Database, Migration, StorageError};

const MIGRATIONS: &[Migration] = &[Migration {
    name: "0001_counter.sql",
    sql: "CREATE TABLE counter (id INTEGER PRIMARY KEY, value INTEGER NOT NULL,
          CONSTRAINT value_not_negative CHECK (value >= 0)) STRICT;
          INSERT INTO counter VALUES (1, 0);",
}];

fn open(folder: &tempfile::TempDir) -> Database {
    Database::open(&folder.path().join("test.db"), MIGRATIONS).unwrap()
}

async fn value(database: &Database) -> i64 {
    database
        .read(|connection| {
            connection
                .query_row("SELECT value FROM counter", [], |row| row.get(0))
                .map_err(StorageError::from)
        })
        .await
        .unwrap()
}

async fn add(database: &Database, amount: i64) -> Result<usize, StorageError> {
    database
        .write(move |connection| {
            connection
                .execute("UPDATE counter SET value = value + ?1", [amount])
                .map_err(StorageError::from)
        })
        .await
}

#[tokio::test]
async fn what_was_written_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    add(&open(&folder), 7).await.unwrap();
    assert_eq!(value(&open(&folder)).await, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_writes_are_each_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let database = Arc::new(open(&folder));
    let writes = (0..500).map(|_| {
        let database = Arc::clone(&database);
        async move { add(&database, 1).await.unwrap() }
    });
    let mut tasks = tokio::task::JoinSet::new();
    writes.for_each(|write| drop(tasks.spawn(write)));
    tasks.join_all().await;
    assert_eq!(value(&database).await, 500);
}

#[tokio::test]
async fn a_failing_piece_of_work_undoes_only_itself() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder);
    let (good, bad, good_too) =
        tokio::join!(add(&database, 5), add(&database, -100), add(&database, 6));
    assert!(good.is_ok() && good_too.is_ok());
    let error = bad.unwrap_err();
    assert_eq!(
        error.constraint(),
        Some("CHECK constraint failed: value_not_negative")
    );
    assert_eq!(value(&database).await, 11);
}

#[tokio::test]
async fn a_schema_of_a_later_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(&folder));
    let error = Database::open(&folder.path().join("test.db"), &[]).unwrap_err();
    assert!(matches!(error, StorageError::Newer { found: 1, known: 0 }));
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_can_be_read_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder);
    add(&database, 1).await.unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", entry.path().display());
    }
}
