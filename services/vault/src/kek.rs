//! Master keys at work: who wraps and unwraps data keys, wherever the master keys lie, and the data
//! keys that were unwrapped lately.

mod kept;
mod ring;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::RwLock;

use crate::domain::envelope::{DataKey, OpenError, SealError};
use crate::domain::master_key::MasterKeyRing;
use crate::domain::owner::Owner;
use crate::store::StoredDataKey;
use kept::KeptDataKeys;
use ring::LocalRing;

/// Why a data key was not wrapped or unwrapped. Holds nothing of any key.
#[derive(Debug, thiserror::Error)]
pub enum KekError {
    /// The vault is sealed: it has no master keys.
    #[error("the vault is sealed")]
    Sealed,
    /// It does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The cipher refuses.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Whoever keeps the master key does not answer, or refuses.
    #[error("{0}")]
    Away(String),
}

/// What wrapping gives.
pub(crate) type KekResult<T> = Result<T, KekError>;

/// Keeps master keys, and wraps data keys with them. A data key is bound to its owner, its
/// generation and its master key wherever it is wrapped.
#[async_trait]
pub(crate) trait KekProvider: fmt::Debug + Send + Sync {
    /// The ids of its master keys, its own first choice first; never empty.
    fn ids(&self) -> Vec<String>;

    /// Wraps data keys with the master key of this id, all or none.
    ///
    /// # Errors
    /// [`KekError`].
    async fn wrap(&self, id: &str, keys: &[&DataKey]) -> KekResult<Vec<StoredDataKey>>;

    /// Unwraps data keys, each with the master key that it names and no other. Each may fail for
    /// itself.
    ///
    /// # Errors
    /// [`KekError::Away`] if none could be tried.
    async fn unwrap(&self, wrapped: &[StoredDataKey])
    -> KekResult<Vec<Result<DataKey, OpenError>>>;
}

/// All master keys that this process has, the active one known, and unwrapped data keys of the last
/// minutes. While it is sealed it has none of them.
#[derive(Debug)]
pub(crate) struct MasterKeys {
    held: RwLock<Option<Held>>,
    kept: KeptDataKeys,
}

#[derive(Debug, Clone)]
struct Held {
    providers: Vec<Arc<dyn KekProvider>>,
    active: Arc<str>,
}

impl MasterKeys {
    /// Those of these providers, `active` wrapping new data keys.
    pub(crate) fn new(providers: Vec<Arc<dyn KekProvider>>, active: &str) -> Self {
        let active = active.into();
        Self {
            held: RwLock::new(Some(Held { providers, active })),
            kept: KeptDataKeys::default(),
        }
    }

    /// Those of a ring, its current one active.
    pub(crate) fn of_ring(ring: MasterKeyRing) -> Self {
        let active = ring.current().id().to_owned();
        Self::new(vec![Arc::new(LocalRing::new(ring))], &active)
    }

    /// Wraps a data key with the active master key.
    ///
    /// # Errors
    /// [`KekError`].
    pub(crate) async fn wrap(&self, key: &DataKey) -> KekResult<StoredDataKey> {
        let active = self.held()?.active;
        let wrapped = self.provider(&active)?.wrap(&active, &[key]).await?;
        wrapped.into_iter().next().ok_or(KekError::Seal(SealError))
    }

    /// A data key, unwrapped now or lately.
    ///
    /// # Errors
    /// [`KekError`].
    pub(crate) async fn unwrap(&self, stored: &StoredDataKey) -> KekResult<Arc<DataKey>> {
        if let Some(kept) = self.kept(stored.owner, stored.generation) {
            return Ok(kept);
        }
        let age = self.kept.age();
        let provider = self.provider(&stored.master_key_id)?;
        let unwrapped = provider.unwrap(std::slice::from_ref(stored)).await?;
        let unwrapped = unwrapped.into_iter().next();
        let key = Arc::new(unwrapped.unwrap_or(Err(OpenError::Truncated))?);
        self.kept.keep(age, &key);
        Ok(key)
    }

    /// A data key that was unwrapped lately.
    pub(crate) fn kept(&self, owner: Owner, generation: u32) -> Option<Arc<DataKey>> {
        self.kept.find(owner, generation)
    }

    /// Forgets the data keys of an owner.
    pub(crate) fn forget(&self, owner: Owner) {
        self.kept.forget(owner);
    }

    /// Forgets the data keys that were unwrapped long ago.
    pub(crate) fn sweep(&self) {
        self.kept.sweep();
    }

    fn held(&self) -> KekResult<Held> {
        self.held.read().clone().ok_or(KekError::Sealed)
    }

    /// Who has the master key of that id.
    pub(crate) fn provider(&self, id: &str) -> KekResult<Arc<dyn KekProvider>> {
        let has = |provider: &Arc<dyn KekProvider>| provider.ids().iter().any(|known| known == id);
        let found = self.held()?.providers.into_iter().find(has);
        found.ok_or(KekError::Open(OpenError::UnknownMasterKey))
    }
}
