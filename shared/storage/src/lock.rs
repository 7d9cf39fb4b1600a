//! Who may write: one process at a time, whatever else reads the file. SQLite would let a second
//! one in between transactions, and what each keeps in memory would be wrong.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::StorageError;

/// How often a lock that another holds is tried again.
const RETRY: Duration = Duration::from_millis(10);

/// The right to write, until it is dropped or its process ends, however that happens.
#[derive(Debug)]
pub struct WriteLock {
    _file: File,
}

impl WriteLock {
    /// Takes the lock that lies beside a file, waiting for it at most `wait`. Blocks.
    ///
    /// # Errors
    /// [`StorageError::Locked`] if another process has it for that long, [`StorageError::File`] if
    /// there can be none.
    pub fn take(database: &Path, wait: Duration) -> Result<Self, StorageError> {
        let path = beside(database);
        let fault = |source| StorageError::File {
            path: path.clone(),
            source,
        };
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(fault)?;
        let deadline = Instant::now() + wait;
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::Error(source)) => return Err(fault(source)),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    if !std::mem::replace(&mut told, true) {
                        let file = database.display();
                        tracing::info!(%file, ?wait, "waiting for another process to let go of a file");
                    }
                    thread::sleep(RETRY);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(StorageError::Locked {
                        path: database.to_owned(),
                    });
                }
            }
        }
    }
}

/// A file of its own: closing any handle of the database's file would end SQLite's locks on it.
fn beside(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}
