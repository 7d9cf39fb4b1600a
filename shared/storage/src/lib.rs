//! The engines below the services' stores: SQLite as the embedded one, with one writer thread that
//! commits in groups, a few readers, and migrations; and Postgres, in [`postgres`]. It knows nothing of
//! what is stored.

pub mod copy;
mod error;
mod inspect;
mod lock;
mod migrate;
pub mod postgres;
mod readers;
mod sync;
mod value;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

pub use error::StorageError;
pub use inspect::{Inspector, Integrity, StoreFacts};
pub use lock::WriteLock;
pub use migrate::Migration;
pub use postgres::{Postgres, PostgresError, PostgresUrl};
use readers::Readers;
pub use sync::SyncTicket;
use sync::Syncer;
pub use value::Value;
use writer::{Syncing, Writer};

/// How long an open waits for another process to let go of the file.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// How long emptying the write-ahead log waits for readers; nothing is written meanwhile.
const TRUNCATE_WAIT: Duration = Duration::from_millis(100);

/// An open database. Clones share it; it closes when told to, or soon after the last is dropped.
#[derive(Clone, Debug)]
pub struct Database {
    /// None where it is only read.
    writer: Option<Writer>,
    readers: Arc<Readers>,
    path: Arc<PathBuf>,
}

impl Database {
    /// Opens the file, creating it (mode 0600) where there is none, and brings its schema up to
    /// `migrations`. Nobody else can open it until this one has closed. Blocks; meant for the start
    /// of a process.
    ///
    /// # Errors
    /// [`StorageError`] if the file cannot be opened, is no database, belongs to a newer version,
    /// or stays locked for 5 s.
    pub fn open(path: &Path, migrations: &[Migration]) -> Result<Self, StorageError> {
        Self::open_as(path, migrations, None)
    }

    /// The same, for what need not wait for the disk each time: a write has returned once it is
    /// committed, so that it survives this process, and is on the disk at most `within` later, or
    /// once a ticket of [`Self::sync`] says so.
    ///
    /// # Errors
    /// As of [`Self::open`].
    pub fn open_syncing_later(
        path: &Path,
        migrations: &[Migration],
        within: Duration,
    ) -> Result<Self, StorageError> {
        Self::open_as(path, migrations, Some(within))
    }

    fn open_as(
        path: &Path,
        migrations: &[Migration],
        sync_within: Option<Duration>,
    ) -> Result<Self, StorageError> {
        let lock = WriteLock::take(path, LOCK_WAIT)?;
        create_private(path)?;
        let mut connection = connect(path, OpenFlags::default())?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        migrate::run(&mut connection, migrations)?;
        let syncing = match sync_within {
            None => None,
            Some(within) => {
                connection.pragma_update(None, "synchronous", "NORMAL")?;
                let (syncer, thread) = Syncer::start(inspect::wal(path), within)?;
                Some(Syncing { syncer, thread })
            }
        };
        let readers = Arc::new(Readers::open(path, OpenFlags::empty())?);
        Ok(Self {
            writer: Some(Writer::start(
                connection,
                Arc::clone(&readers),
                lock,
                syncing,
            )?),
            readers,
            path: Arc::new(path.to_owned()),
        })
    }

    /// Asks that everything committed so far be brought to the disk at once, and gives what tells when
    /// it is.
    pub fn sync(&self) -> SyncTicket {
        let syncer = self.writer.as_ref().and_then(Writer::syncer);
        syncer.map_or_else(SyncTicket::done, Syncer::ticket)
    }

    /// Whether commits could not be brought to the disk. It stays so until the database is opened
    /// anew.
    pub fn sync_has_failed(&self) -> bool {
        let syncer = self.writer.as_ref().and_then(Writer::syncer);
        syncer.is_some_and(Syncer::has_failed)
    }

    /// Opens the file for reading only, also beside a process that writes to it; creates and changes
    /// nothing.
    ///
    /// # Errors
    /// [`StorageError`] if it cannot be read, or its schema is not that of `migrations`.
    pub fn look(path: &Path, migrations: &[Migration]) -> Result<Self, StorageError> {
        let found = Inspector::open(path)?.schema_version()?;
        let known = u32::try_from(migrations.len()).unwrap_or(u32::MAX);
        if found != known {
            return Err(StorageError::Newer { found, known });
        }
        let (name, flags) = inspect::how_to_look(path);
        Ok(Self {
            writer: None,
            readers: Arc::new(Readers::open(&name, flags)?),
            path: Arc::new(path.to_owned()),
        })
    }

    /// Takes the write-ahead log into the file and cuts it to nothing, so that what was overwritten
    /// is not in it any more. False where somebody reads from it just now: ask again.
    ///
    /// # Errors
    /// [`StorageError`] if the database fails.
    pub async fn truncate_log(&self) -> Result<bool, StorageError> {
        let path = Arc::clone(&self.path);
        match tokio::task::spawn_blocking(move || truncate_log(&path)).await {
            Ok(truncated) => truncated,
            Err(_) => Err(StorageError::Closed),
        }
    }

    /// Closes it for all that share it: what was asked for before is done, what comes later is told
    /// [`StorageError::Closed`]. Returns once nothing but the file is left of it, which holds all
    /// that was written, and another process can open it.
    pub async fn close(&self) {
        if let Some(writer) = &self.writer {
            writer.close().await;
        }
    }

    /// Runs `work` in a transaction and returns what it returns, once that is durable on disk.
    /// An error rolls back what `work` did, and nothing else. Work that arrives together is
    /// committed together, each piece in a savepoint of its own, in the order of arrival.
    ///
    /// # Errors
    /// Those of `work`, and [`StorageError`] if it panicked, the commit fails or the store is closed.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        match &self.writer {
            Some(writer) => writer.run(work).await,
            None => Err(StorageError::Closed.into()),
        }
    }

    /// Runs `work` on a reading connection, which sees everything that was committed before.
    ///
    /// # Errors
    /// Those of `work`, and [`StorageError`] if it panicked or the store is closed.
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        self.readers.run(work).await
    }
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StorageError> {
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(LOCK_WAIT)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Freed pages are overwritten: what was deleted does not linger in the file, and in the
    // write-ahead log only until that is used again.
    connection.pragma_update(None, "secure_delete", true)?;
    // Sorting and statements that are undone in part need room besides: in memory, so that nothing of
    // a store lies in a folder for temporary files, and there need be none. Read-only roots have none.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // Plans do not depend on the values that are bound: with those of its own settings SQLite would
    // prepare many statements anew for each new value, which takes longer than to run them.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // How many prepared statements a connection keeps: more than any one service has.
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}

fn truncate_log(path: &Path) -> Result<bool, StorageError> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(TRUNCATE_WAIT)?;
    let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
    match connection.query_row(checkpoint, [], |row| row.get::<_, bool>(0)) {
        Ok(is_busy) => Ok(!is_busy),
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => {
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(unix)]
fn create_private(path: &Path) -> Result<(), StorageError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let options = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path);
    options.map(drop).map_err(|source| StorageError::File {
        path: path.to_owned(),
        source,
    })
}

#[cfg(not(unix))]
fn create_private(_: &Path) -> Result<(), StorageError> {
    Ok(())
}

#[cfg(test)]
mod tests;
