//! The audit log from outside, beside a running vault or without one: its proof, and all of its
//! events. Writes nothing, and needs no master key.

use std::path::PathBuf;

use crate::app::audit::start::AuditStartError;
use crate::app::audit::verify::{self, Evidence};
use crate::domain::audit::chain::LinkedEvent;
use crate::store::sqlite::SqliteStore;
use crate::vault::STORE_FILE;

pub use crate::app::audit::verify::{AuditFault, AuditProof, ProvenChain};
pub use crate::domain::audit::body::to_line;

/// Where a log lies, and what it is held against.
#[derive(Debug, Clone)]
pub struct Source {
    /// Where the store is.
    pub data_dir: PathBuf,
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
    let path = source.data_dir.join(STORE_FILE);
    if !path.exists() {
        return Err(CheckError::NoStore(path));
    }
    let store = SqliteStore::look(&path)?;
    let keys = source.public_keys.clone();
    let evidence = Evidence::read(&source.checkpoints, keys).map_err(AuditStartError::from)?;
    Ok(verify::prove(&store, evidence, each).await?)
}
