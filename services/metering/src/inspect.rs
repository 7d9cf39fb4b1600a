//! Looks at metering's store from outside, beside a running gateway or without one. Writes nothing.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use keyward_storage::{Inspector, StorageError, StoreFacts};

use crate::store::sqlite::inspect;

/// What was found of a store that is there.
#[derive(Debug)]
pub struct Inspection {
    /// The store itself.
    pub store: StoreFacts,
    /// When it was last written to, by its own account.
    pub last_write: Option<Timestamp>,
}

/// Looks; `None` where there is no store yet. Blocks; the check of the whole file takes at most
/// `limit`.
///
/// # Errors
/// [`StorageError`] if it cannot be read.
pub fn inspect(path: &Path, limit: Duration) -> Option<Result<Inspection, StorageError>> {
    path.exists().then(|| {
        let inspector = Inspector::open(path)?;
        Ok(Inspection {
            store: inspector.facts(inspect::migrations(), limit)?,
            // What a store of another version does not tell is left out.
            last_write: inspect::last_write(inspector.connection()).unwrap_or_default(),
        })
    })
}
