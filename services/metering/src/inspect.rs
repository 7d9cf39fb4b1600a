//! Looks at metering's store from outside, beside a running gateway or without one. Writes nothing.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use keyward_proto::metering::v1::{KeySource, UsageEvent};
use keyward_storage::postgres::SchemaFacts;
use keyward_storage::{Inspector, PostgresUrl, StorageError, StoreFacts};
use prost::Message as _;

use crate::MeteringError;
use crate::domain::day::Retention;
use crate::store::postgres::{PostgresStore, inspect as postgres};
use crate::store::sqlite::{SqliteStore, inspect};
use crate::store::{self, ProofStore, StoreError};

/// What was found of a store that is there.
#[derive(Debug)]
pub struct Inspection<F> {
    /// The store itself.
    pub store: F,
    /// When it was last written to, by its own account.
    pub last_write: Option<Timestamp>,
}

/// Looks; `None` where there is no store yet. Blocks; the check of the whole file takes at most
/// `limit`.
///
/// # Errors
/// [`StorageError`] if it cannot be read.
pub fn inspect(
    path: &Path,
    limit: Duration,
) -> Option<Result<Inspection<StoreFacts>, StorageError>> {
    path.exists().then(|| {
        let inspector = Inspector::open(path)?;
        Ok(Inspection {
            store: inspector.facts(inspect::migrations(), limit)?,
            // What a store of another version does not tell is left out.
            last_write: inspect::last_write(inspector.connection()).unwrap_or_default(),
        })
    })
}

/// Looks at a store in Postgres.
///
/// # Errors
/// [`StorageError`] if it cannot be reached.
pub async fn inspect_postgres(url: &PostgresUrl) -> Result<Inspection<SchemaFacts>, StorageError> {
    let (database, facts) = postgres::open(url).await?;
    // What an older store does not tell is left out: its version says why.
    let last_write = match facts.found == facts.known {
        true => postgres::last_write(&database.session().await?).await?,
        false => None,
    };
    database.close();
    Ok(Inspection {
        store: facts,
        last_write,
    })
}

/// What a proof of the books has found.
#[derive(Debug)]
pub struct BooksProof {
    /// How many records were priced anew.
    pub records: u64,
    /// Where the books do not add up, for people; none where they do.
    pub faults: Vec<String>,
}

/// Proves that the books of a store add up: balances, holds, budgets, sums, and what each record
/// cost. Reads beside a running gateway, or without one.
///
/// # Errors
/// [`MeteringError`] if the store cannot be read.
pub async fn prove(path: &Path) -> Result<BooksProof, MeteringError> {
    let path = path.to_owned();
    let opening = tokio::task::spawn_blocking(move || SqliteStore::look(&path));
    let store = opening
        .await
        .map_err(|fault| MeteringError::Store(Box::new(fault)))??;
    prove_store(&store).await
}

/// The same of a store in Postgres.
///
/// # Errors
/// As of [`prove`].
pub async fn prove_in_postgres(url: &PostgresUrl) -> Result<BooksProof, MeteringError> {
    let opened = PostgresStore::look(url, Retention::new(Retention::DAYS)).await;
    prove_store(&opened.map_err(StoreError::from)?).await
}

async fn prove_store(books: &dyn ProofStore) -> Result<BooksProof, MeteringError> {
    let proof = store::prove(books, None).await?;
    Ok(BooksProof {
        records: proof.records,
        faults: proof
            .discrepancies
            .iter()
            .map(ToString::to_string)
            .collect(),
    })
}

/// How many records are read at a time.
const PAGE: u32 = 1000;

/// A stored key that was used, by a usage record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUse {
    /// The request that it was used for.
    pub request_id: String,
    /// Which attempt of it.
    pub attempt: u32,
    /// Which key.
    pub provider_key_id: String,
    /// Under which lease.
    pub lease_id: String,
    /// When the attempt began.
    pub time: Option<Timestamp>,
}

/// Every use of a stored key, in the order in which they were recorded. Blocks.
///
/// # Errors
/// [`StorageError`] if the store cannot be read.
pub fn key_uses(path: &Path, mut each: impl FnMut(KeyUse)) -> Result<(), StorageError> {
    let inspector = Inspector::open(path)?;
    let mut after = 0;
    loop {
        let events = inspect::events(inspector.connection(), after, PAGE)?;
        let Some((last, _)) = events.last() else {
            return Ok(());
        };
        after = *last;
        events
            .iter()
            .filter_map(|(_, event)| key_use(event))
            .for_each(&mut each);
    }
}

/// The same of a store in Postgres, in any order.
///
/// # Errors
/// As of [`key_uses`].
pub async fn key_uses_in_postgres(
    url: &PostgresUrl,
    mut each: impl FnMut(KeyUse),
) -> Result<(), StorageError> {
    postgres::events(url, |event| {
        if let Some(key_use) = key_use(event) {
            each(key_use);
        }
    })
    .await
}

/// `None` for a key that came with its request: no vault ever had it.
fn key_use(event: &[u8]) -> Option<KeyUse> {
    let event = UsageEvent::decode(event).ok()?;
    let stored = event.key_source() != KeySource::Inline && !event.provider_key_id.is_empty();
    stored.then(|| KeyUse {
        request_id: event.inference_id,
        attempt: event.attempt,
        provider_key_id: event.provider_key_id,
        lease_id: event.lease_id,
        time: event
            .start_time
            .as_ref()
            .and_then(keyward_runtime::time::from_proto),
    })
}
