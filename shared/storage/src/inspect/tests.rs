//! Looking at a database leaves it as it was, whoever else has it open.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Inspector, Integrity};
use crate::{Database, Migration, StorageError};

const MIGRATIONS: &[Migration] = &[Migration {
    name: "0001_words.sql",
    sql: "CREATE TABLE words (word TEXT NOT NULL) STRICT;
          CREATE INDEX words_by_word ON words (word);",
}];
const LONG: Duration = Duration::from_secs(30);

/// A database of some pages in a folder with an awkward name.
async fn filled(folder: &Path) -> (Database, PathBuf) {
    let folder = folder.join("50% of #1?");
    fs::create_dir(&folder).unwrap();
    let path = folder.join("test.db");
    let database = Database::open(&path, MIGRATIONS).unwrap();
    let write = database.write(|connection| {
        let sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
                   INSERT INTO words SELECT hex(i) || 'word' FROM n";
        connection.execute(sql, []).map_err(StorageError::from)
    });
    write.await.unwrap();
    (database, path)
}

fn names(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path.parent().unwrap()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn an_open_database_can_be_looked_at_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (database, path) = filled(folder.path()).await;
    let facts = Inspector::open(&path).unwrap().facts(MIGRATIONS, LONG);
    let facts = facts.unwrap();
    assert_eq!((facts.found, facts.known), (1, 1));
    assert_eq!(facts.integrity, Integrity::Sound);
    assert!(facts.wal_bytes > 0);
    let count = "SELECT count(*) FROM words";
    let inspector = Inspector::open(&path).unwrap();
    let seen: u32 = inspector
        .connection()
        .query_row(count, [], |row| row.get(0))
        .unwrap();
    assert_eq!(seen, 5000);
    let write = database.write(|connection| {
        let sql = "DELETE FROM words";
        connection.execute(sql, []).map_err(StorageError::from)
    });
    assert_eq!(write.await.unwrap(), 5000);
}

#[tokio::test]
async fn a_closed_database_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (database, path) = filled(folder.path()).await;
    drop(database);
    // The writer's thread closes the file after the last handle is gone.
    while path.with_extension("db-wal").exists() {
        std::thread::yield_now();
    }
    let (before, bytes) = (names(&path), fs::read(&path).unwrap());
    let inspector = Inspector::open(&path).unwrap();
    let facts = inspector.facts(&[], LONG).unwrap();
    assert_eq!((facts.found, facts.known, facts.wal_bytes), (1, 0, 0));
    assert_eq!(facts.integrity, Integrity::Sound);
    let written = inspector.connection().execute("DELETE FROM words", []);
    assert!(written.is_err(), "an inspector can write");
    assert_eq!(names(&path), before);
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[tokio::test]
async fn damage_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (database, path) = filled(folder.path()).await;
    drop(database);
    while path.with_extension("db-wal").exists() {
        std::thread::yield_now();
    }
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8192].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    let facts = Inspector::open(&path).unwrap().facts(MIGRATIONS, LONG);
    assert!(matches!(facts.unwrap().integrity, Integrity::Damaged(_)));
}

#[test]
fn what_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    assert!(Inspector::open(&path).is_err(), "there is none");
    assert!(!path.exists());
    fs::write(&path, "words, and not a few of them, but no database").unwrap();
    assert!(Inspector::open(&path).is_err());
}

#[tokio::test]
async fn a_check_that_takes_too_long_is_broken_off() {
    let folder = tempfile::tempdir().unwrap();
    let (_database, path) = filled(folder.path()).await;
    let inspector = Inspector::open(&path).unwrap();
    let endless = inspector.within(Duration::from_millis(20), |connection| {
        let sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
                   SELECT max(i) FROM n";
        connection.query_row(sql, [], |row| row.get::<_, i64>(0))
    });
    let code = endless.unwrap_err().sqlite_error_code();
    assert_eq!(code, Some(rusqlite::ErrorCode::OperationInterrupted));
}
