//! Looks at a database from outside, also while another process writes to it: takes no write lock,
//! creates nothing, changes nothing.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::{Migration, StorageError};

/// How long a read waits for another process: long enough for a checkpoint, short for who waits.
const BUSY: Duration = Duration::from_secs(2);

/// Whether SQLite's own check finds the file sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Integrity {
    /// It does.
    Sound,
    /// It does not; SQLite's words, which name pages and tables and no content.
    Damaged(String),
    /// It took longer than was allowed: nothing is known.
    NotFinished,
}

/// What was found of a database, whatever is stored in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreFacts {
    /// The schema version in the file.
    pub found: u32,
    /// The latest that this program knows.
    pub known: u32,
    /// Whether the file is sound.
    pub integrity: Integrity,
    /// The size of the write-ahead log beside it, in bytes.
    pub wal_bytes: u64,
}

/// A database opened for looking only.
#[derive(Debug)]
pub struct Inspector {
    connection: Connection,
    path: PathBuf,
}

impl Inspector {
    /// Opens the file for reading.
    ///
    /// # Errors
    /// [`StorageError`] if it cannot be opened or is no database.
    pub fn open(path: &Path) -> Result<Self, StorageError> {
        let (name, flags) = how_to_look(path);
        let flags = flags | OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(name, flags)?;
        connection.busy_timeout(BUSY)?;
        let inspector = Self {
            connection,
            path: path.to_owned(),
        };
        inspector.schema_version()?;
        Ok(inspector)
    }

    /// What there is to say of it; the check of the whole file takes at most `limit`.
    ///
    /// # Errors
    /// [`StorageError`] if it cannot be read.
    pub fn facts(
        &self,
        migrations: &[Migration],
        limit: Duration,
    ) -> Result<StoreFacts, StorageError> {
        Ok(StoreFacts {
            found: self.schema_version()?,
            known: u32::try_from(migrations.len()).unwrap_or(u32::MAX),
            integrity: self.integrity(limit)?,
            wal_bytes: std::fs::metadata(wal(&self.path)).map_or(0, |file| file.len()),
        })
    }

    /// For what its owner wants to know beyond that. It cannot write.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) fn schema_version(&self) -> Result<u32, StorageError> {
        let pragma = |row: &rusqlite::Row<'_>| row.get(0);
        Ok(self
            .connection
            .pragma_query_value(None, "user_version", pragma)?)
    }

    fn integrity(&self, limit: Duration) -> Result<Integrity, StorageError> {
        let checked = self.within(limit, |connection| {
            connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))
        });
        match checked {
            Ok(word) if word == "ok" => Ok(Integrity::Sound),
            Ok(words) => Ok(Integrity::Damaged(words)),
            Err(error) => match error.sqlite_error_code() {
                Some(rusqlite::ErrorCode::OperationInterrupted) => Ok(Integrity::NotFinished),
                Some(rusqlite::ErrorCode::DatabaseCorrupt) => {
                    Ok(Integrity::Damaged("it is malformed".to_owned()))
                }
                _ => Err(error.into()),
            },
        }
    }

    /// Runs a query that is interrupted after `limit`.
    fn within<T>(&self, limit: Duration, query: impl FnOnce(&Connection) -> T) -> T {
        let interrupt = self.connection.get_interrupt_handle();
        let (done, waiting) = mpsc::channel::<()>();
        thread::scope(|scope| {
            scope.spawn(move || {
                if waiting.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                    interrupt.interrupt();
                }
            });
            let result = query(&self.connection);
            drop(done);
            result
        })
    }
}

/// The name and the flags by which a file is only read. A log beside it means that a process has it
/// open, or ended without closing it. Without one nothing but the file counts, and nothing is created
/// beside it.
pub(crate) fn how_to_look(path: &Path) -> (PathBuf, OpenFlags) {
    match wal(path).exists() {
        true => (path.to_owned(), OpenFlags::empty()),
        false => (immutable(path), OpenFlags::SQLITE_OPEN_URI),
    }
}

/// The write-ahead log beside a database.
pub(crate) fn wal(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// The name by which SQLite opens a file that it may take for unchanging: without locks, and without
/// the files beside it that a log needs.
fn immutable(path: &Path) -> PathBuf {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => {
                uri.push(char::from(*byte));
            }
            other => {
                // Writing to a text cannot fail.
                let _ = write!(uri, "%{other:02X}");
            }
        }
    }
    uri.push_str("?mode=ro&immutable=1");
    uri.into()
}

#[cfg(test)]
mod tests;
