//! The audit log from outside, beside a running vault or without one: its proof, and all of its
//! events. Writes nothing, and needs no master key.

use std::path::PathBuf;
use std::sync::Arc;

use keyward_storage::PostgresUrl;

use crate::app::audit::start::AuditStartError;
use crate::app::audit::verify::{self, Evidence};
use crate::domain::audit::chain::LinkedEvent;
use crate::store::Store;
use crate::store::postgres::PostgresStore;
use crate::store::sqlite::SqliteStore;
use crate::vault::STORE_FILE;

pub use crate::app::audit::verify::{AuditFault, AuditProof, ProvenChain};
pub use crate::domain::audit::body::to_line;

/// Where a log lies, and what it is held against.
#[derive(Debug, Clone)]
pub struct Source {
    /// Where an embedded store is.
    pub data_dir: PathBuf,
    /// Where the store is, if it is no embedded one.
    pub postgres: Option<PostgresUrl>,
    /// Where the checkpoints are.
    pub checkpoints: PathBuf,
    /// The keys that may have signed them; those that lie beside them where none is given.
    pub public_keys: Vec<[u8; 32]>,
}

/// Why a log cannot be checked.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// There is no store.
    #[error("there is no {}", .0.display())]
    NoStore(PathBuf),
    /// The store cannot be read.
    #[error("the vault's store cannot be read")]
    Store(#[from] keyward_storage::StorageError),
    /// Its rows, or the checkpoints, cannot be read.
    #[error(transparent)]
    Audit(#[from] AuditStartError),
}

impl From<crate::store::StoreError> for CheckError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Audit(error.into())
    }
}

/// Proves a log; `each` sees every event that has a place, with the instance in whose chain it is.
///
/// # Errors
/// [`CheckError`] if it cannot be checked, which says nothing of it.
pub async fn verify(
    source: &Source,
    each: impl FnMut(&str, &LinkedEvent),
) -> Result<AuditProof, CheckError> {
    let store = look(source).await?;
    let keys = source.public_keys.clone();
    let evidence = Evidence::read(&source.checkpoints, keys).map_err(AuditStartError::from)?;
    Ok(verify::prove(store.as_ref(), evidence, each).await?)
}

async fn look(source: &Source) -> Result<Arc<dyn Store>, CheckError> {
    if let Some(url) = &source.postgres {
        return Ok(Arc::new(PostgresStore::look(url).await?));
    }
    let path = source.data_dir.join(STORE_FILE);
    match path.exists() {
        true => Ok(Arc::new(SqliteStore::look(&path)?)),
        false => Err(CheckError::NoStore(path)),
    }
}
