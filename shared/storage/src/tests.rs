//! The promises of `Database`: durable, isolated, in groups, private.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::lock::WriteLock;
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

#[tokio::test]
async fn once_closed_all_is_in_the_file_and_nothing_runs_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    let database = open(&folder);
    let (release, _holding) = hold_up(&database).await;
    let release = async move { drop(release) };
    let (asked_before, ()) = tokio::join!(add(&database, 7), release);
    asked_before.unwrap();
    assert_eq!(value(&database).await, 7);
    database.close().await;
    for beside in ["test.db-wal", "test.db-shm"] {
        assert!(!folder.path().join(beside).exists(), "{beside}");
    }
    assert!(WriteLock::take(&path, Duration::ZERO).is_ok());
    let late = add(&database, 1).await.unwrap_err();
    assert!(matches!(late, StorageError::Closed), "{late:?}");
    let late = database.read(|_| Ok::<(), StorageError>(())).await;
    assert!(matches!(late, Err(StorageError::Closed)), "{late:?}");
    database.close().await;
    assert_eq!(value(&open(&folder)).await, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_waits_for_reads_and_writes_under_way() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder);
    let (release, held) = mpsc::channel::<()>();
    let (begun, began) = tokio::sync::oneshot::channel();
    let reading = database.read(move |connection| {
        let _ = begun.send(());
        let _ = held.recv();
        let value = connection.query_row("SELECT value FROM counter", [], |row| row.get(0));
        value.map_err(StorageError::from)
    });
    let end = async {
        began.await.unwrap();
        let (holding, _held) = hold_up(&database).await;
        let mut closing = std::pin::pin!(database.close());
        let soon = tokio::time::timeout(Duration::from_millis(30), &mut closing).await;
        assert!(soon.is_err(), "something is under way");
        drop(holding);
        let soon = tokio::time::timeout(Duration::from_millis(30), &mut closing).await;
        assert!(soon.is_err(), "a read is under way");
        drop(release);
        closing.await;
    };
    let (read, ()) = tokio::join!(reading, end);
    let read: i64 = read.unwrap();
    assert_eq!(read, 0);
    assert!(!folder.path().join("test.db-wal").exists());
}

#[tokio::test]
async fn temporary_content_stays_in_memory() {
    const MEMORY: i64 = 2;
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder);
    let place = |connection: &rusqlite::Connection| {
        connection
            .pragma_query_value(None, "temp_store", |row| row.get::<_, i64>(0))
            .map_err(StorageError::from)
    };
    assert_eq!(database.write(place).await.unwrap(), MEMORY);
    assert_eq!(database.read(place).await.unwrap(), MEMORY);
}

#[tokio::test]
async fn a_statement_is_prepared_once_whatever_is_bound_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder);
    let prepared_anew = |connection: &rusqlite::Connection| -> Result<i32, StorageError> {
        let mut anew = 0;
        for bound in [1, 2, 3] {
            let mut statement = connection.prepare_cached(
                "SELECT value FROM counter WHERE id >= ?1 AND (?1 IS NULL OR value >= 0) LIMIT ?1",
            )?;
            let mut rows = statement.query([bound])?;
            while rows.next()?.is_some() {}
            drop(rows);
            anew += statement.get_status(rusqlite::StatementStatus::RePrepare);
        }
        Ok(anew)
    };
    assert_eq!(database.read(prepared_anew).await.unwrap(), 0);
    assert_eq!(database.write(prepared_anew).await.unwrap(), 0);
}

#[tokio::test]
async fn a_read_that_panics_harms_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder);
    for _ in 0..8 {
        let panics = database.read(|_| -> Result<(), StorageError> { panic!("a bug") });
        let bad = panics.await;
        assert!(matches!(bad, Err(StorageError::Panicked)), "{bad:?}");
    }
    assert_eq!(value(&database).await, 0);
}

#[tokio::test]
async fn more_reads_than_there_are_readers_are_each_answered() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder);
    add(&database, 3).await.unwrap();
    let reads = (0..200).map(|_| value(&database));
    let values = futures::future::join_all(reads).await;
    assert_eq!(values, vec![3; 200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_writes_are_each_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let database = Arc::new(open(&folder));
    let writes = (0..500).map(|_| {
        let database = Arc::clone(&database);
        async move { add(&database, 1).await.unwrap() }
    });
    let mut tasks = JoinSet::new();
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

/// Holds the writer up until the sender is dropped, so that what is written meanwhile forms one
/// group.
async fn hold_up(database: &Database) -> (mpsc::Sender<()>, JoinSet<Result<(), StorageError>>) {
    let (release, held) = mpsc::channel();
    let (begun, began) = tokio::sync::oneshot::channel();
    let database = database.clone();
    let mut holding = JoinSet::new();
    holding.spawn(async move {
        let work = move |_: &rusqlite::Connection| -> Result<(), StorageError> {
            let _ = begun.send(());
            let _ = held.recv();
            Ok(())
        };
        database.write(work).await
    });
    began.await.unwrap();
    (release, holding)
}

#[tokio::test]
async fn a_panic_undoes_only_its_own_work_and_the_writer_lives_on() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder);
    let (release, _holding) = hold_up(&database).await;
    let panics = database.write(|connection| -> Result<(), StorageError> {
        connection.execute("UPDATE counter SET value = 100", [])?;
        panic!("a bug")
    });
    let release = async move { drop(release) };
    let (good, bad, good_too, ()) =
        tokio::join!(add(&database, 5), panics, add(&database, 6), release);
    assert!(matches!(bad, Err(StorageError::Panicked)), "{bad:?}");
    assert!(good.is_ok() && good_too.is_ok());
    add(&database, 1).await.unwrap();
    assert_eq!(value(&database).await, 12);
}

#[tokio::test]
async fn nothing_of_a_group_stays_whose_transaction_was_lost() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder);
    let (release, _holding) = hold_up(&database).await;
    // As SQLite itself does when the disk is full.
    let loses = database.write(|connection| -> Result<(), StorageError> {
        connection.execute_batch("ROLLBACK")?;
        connection.execute("no statement", [])?;
        Ok(())
    });
    let release = async move { drop(release) };
    let (before, lost, after, ()) =
        tokio::join!(add(&database, 5), loses, add(&database, 6), release);
    assert!(before.is_err() && lost.is_err() && after.is_err());
    assert_eq!(value(&database).await, 0);
    add(&database, 1).await.unwrap();
    assert_eq!(value(&database).await, 1);
}

#[tokio::test]
async fn one_process_writes_and_lets_the_next_in_when_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    let database = open(&folder);
    let error = WriteLock::take(&path, Duration::from_millis(30)).unwrap_err();
    assert!(matches!(error, StorageError::Locked { .. }), "{error:?}");
    drop(database);
    assert!(WriteLock::take(&path, Duration::from_secs(5)).is_ok());
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

#[tokio::test]
async fn what_is_synced_later_is_committed_at_once_and_on_the_disk_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    let later = |path: &std::path::Path| {
        Database::open_syncing_later(path, MIGRATIONS, Duration::from_hours(1)).unwrap()
    };
    let database = later(&path);
    add(&database, 7).await.unwrap();
    // What a process that is killed now leaves behind: its files as they are.
    let left = tempfile::tempdir().unwrap();
    for name in ["test.db", "test.db-wal"] {
        std::fs::copy(folder.path().join(name), left.path().join(name)).unwrap();
    }
    assert_eq!(value(&later(&left.path().join("test.db"))).await, 7);
    database.sync().synced().await.unwrap();
    assert!(!database.sync_has_failed());
    add(&database, 1).await.unwrap();
    database.close().await;
    assert_eq!(value(&open(&folder)).await, 8);
    // A commit of one that waits for the disk each time is there already.
    open(&left).sync().synced().await.unwrap();
}
