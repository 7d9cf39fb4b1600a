//! Looks at the router's store from outside, beside a running gateway or without one. Writes nothing.

use std::path::Path;
use std::time::Duration;

use keyward_storage::postgres::SchemaFacts;
use keyward_storage::{Inspector, Postgres, PostgresUrl, StorageError, StoreFacts};

use crate::store::postgres::SCHEMA;
use crate::store::sqlite::MIGRATIONS;

/// Looks at a store in a file; `None` where there is none yet. Blocks; the check of the whole file
/// takes at most `limit`.
///
/// # Errors
/// [`StorageError`] if it cannot be read.
pub fn inspect(path: &Path, limit: Duration) -> Option<Result<StoreFacts, StorageError>> {
    path.exists()
        .then(|| Inspector::open(path)?.facts(MIGRATIONS, limit))
}

/// Looks at a store in Postgres.
///
/// # Errors
/// [`StorageError`] if it cannot be reached.
pub async fn inspect_postgres(url: &PostgresUrl) -> Result<SchemaFacts, StorageError> {
    let (database, facts) = Postgres::inspect(url, &SCHEMA).await?;
    database.close();
    Ok(facts)
}
