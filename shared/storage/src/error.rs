//! What can go wrong with the store itself, whatever is stored.

use std::path::PathBuf;

use crate::postgres::PostgresError;

/// A fault of the store.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// SQLite refused; a violated constraint is in here with its name.
    #[error("the database refused an operation")]
    Sqlite(#[from] rusqlite::Error),
    /// Postgres refused, or cannot be reached.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// The file cannot be created or opened.
    #[error("cannot open {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Another process writes to it, and did not let go of it in time.
    #[error("{} is in use by another process", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The schema is of a later version than this program knows.
    #[error("the database has schema version {found}, this program knows up to {known}")]
    Newer {
        /// The version in the file.
        found: u32,
        /// The latest that this program knows.
        known: u32,
    },
    /// The schema is of an earlier version than this program needs, and is not brought up to date
    /// by a start.
    #[error(
        "the database has schema version {found}, this program needs {known}: run `keyward migrate`"
    )]
    Older {
        /// The version in the database; 0 where there is no schema.
        found: u32,
        /// The one that this program needs.
        known: u32,
    },
    /// A migration failed; nothing of it stays.
    #[error("migration {name} failed")]
    Migration {
        /// Which one.
        name: &'static str,
        /// Why.
        #[source]
        source: Box<StorageError>,
    },
    /// Work could not be committed with its group.
    #[error("a commit failed: {0}")]
    Commit(String),
    /// Work panicked; nothing of it stays.
    #[error("work on the database panicked")]
    Panicked,
    /// The writer has stopped.
    #[error("the database is closed")]
    Closed,
}

impl StorageError {
    /// Whether the store can be read perhaps, but takes nothing more: its disk is full or fails, or
    /// a commit did.
    pub fn is_unwritable(&self) -> bool {
        use rusqlite::ErrorCode::{DiskFull, ReadOnly, SystemIoFailure};
        match self {
            Self::Sqlite(error) => matches!(
                error.sqlite_error_code(),
                Some(DiskFull | ReadOnly | SystemIoFailure)
            ),
            Self::Commit(_) => true,
            _ => false,
        }
    }

    /// Whether values were refused that were to be stored (a constraint, a number that is too large, a
    /// text that is none): all else may be stored.
    pub fn is_of_values(&self) -> bool {
        use rusqlite::ErrorCode::{ConstraintViolation, TooBig, TypeMismatch};
        match self {
            Self::Sqlite(error) => matches!(
                error.sqlite_error_code(),
                Some(ConstraintViolation | TooBig | TypeMismatch)
            ),
            Self::Postgres(error) => error.is_of_values(),
            _ => false,
        }
    }

    /// A violated constraint: its name in Postgres; in SQLite the message, which names it, such as
    /// `CHECK constraint failed: hold_amount_positive` or
    /// `UNIQUE constraint failed: provider_key.owner_uid, …`; `None` for other faults.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Sqlite(rusqlite::Error::SqliteFailure(error, Some(message)))
                if error.code == rusqlite::ErrorCode::ConstraintViolation =>
            {
                Some(message)
            }
            Self::Postgres(PostgresError::Refused { constraint, .. }) => constraint.as_deref(),
            _ => None,
        }
    }
}
