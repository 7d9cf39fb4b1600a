//! Master keys at work: who wraps and unwraps data keys, wherever the master keys lie, and the data
//! keys that were unwrapped lately.

mod kept;
mod ring;
mod source;
mod transit;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use parking_lot::RwLock;

use crate::domain::envelope::{DataKey, OpenError, SealError};
use crate::domain::owner::Owner;
use crate::store::StoredDataKey;
use kept::KeptDataKeys;
use ring::LocalRing;

pub(crate) use source::{KekSource, check};
pub(crate) use transit::transit_health;
pub use transit::{TransitSetting, TransitToken};

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
    /// The master key is of a kind that cannot do what is needed.
    #[error("{0}")]
    Unfit(String),
}

/// What wrapping gives.
pub(crate) type KekResult<T> = Result<T, KekError>;

/// Keeps master keys, and wraps data keys with them. A data key is bound to its owner, its
/// generation and its master key wherever it is wrapped.
#[async_trait]
pub(crate) trait KekProvider: fmt::Debug + Send + Sync {
    /// What kind of provider it is, as people are shown it.
    fn kind(&self) -> &'static str;

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

    /// Whether it answers, and its master keys will do.
    ///
    /// # Errors
    /// [`KekError`] with what is wrong.
    async fn health(&self) -> KekResult<()>;
}

/// All master keys that this process has, the active one known, and unwrapped data keys of the last
/// minutes. While it is sealed it has none of them.
#[derive(Debug)]
pub(crate) struct MasterKeys {
    held: RwLock<Option<Held>>,
    /// Counts the times that it was sealed.
    seals: AtomicU64,
    kept: KeptDataKeys,
}

#[derive(Debug, Clone)]
struct Held {
    providers: Vec<Arc<dyn KekProvider>>,
    active: Arc<str>,
}

impl MasterKeys {
    /// Those of these providers, the first of them wrapping new data keys.
    pub(crate) fn new(providers: Vec<Arc<dyn KekProvider>>) -> Self {
        let mut ids = providers.iter().flat_map(|provider| provider.ids());
        let active = ids.next().unwrap_or_default().into();
        Self {
            held: RwLock::new(Some(Held { providers, active })),
            seals: AtomicU64::new(0),
            kept: KeptDataKeys::default(),
        }
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

    /// Unwraps many, each of which may fail for itself; nothing of them is kept.
    ///
    /// # Errors
    /// [`KekError::Away`] if some could not be tried.
    pub(crate) async fn unwrap_all(
        &self,
        stored: &[StoredDataKey],
    ) -> KekResult<Vec<Result<DataKey, OpenError>>> {
        let mut unwrapped = Vec::with_capacity(stored.len());
        for run in stored.chunk_by(|one, next| one.master_key_id == next.master_key_id) {
            let Some(first) = run.first() else { continue };
            match self.provider(&first.master_key_id) {
                Ok(provider) => unwrapped.extend(provider.unwrap(run).await?),
                Err(KekError::Open(error)) => unwrapped.extend(run.iter().map(|_| Err(error))),
                Err(error) => return Err(error),
            }
        }
        Ok(unwrapped)
    }

    /// Wraps many with the master key of this id, all or none.
    ///
    /// # Errors
    /// [`KekError`].
    pub(crate) async fn wrap_all(
        &self,
        id: &str,
        keys: &[&DataKey],
    ) -> KekResult<Vec<StoredDataKey>> {
        match keys {
            [] => Ok(Vec::new()),
            keys => self.provider(id)?.wrap(id, keys).await,
        }
    }

    /// The ids of all that are here; none while it is sealed.
    pub(crate) fn ids(&self) -> Vec<String> {
        let held = self.held().map(|held| held.providers).unwrap_or_default();
        held.iter().flat_map(|provider| provider.ids()).collect()
    }

    /// What kind of provider keeps this one; empty if none here does.
    pub(crate) fn kind_of(&self, id: &str) -> &'static str {
        self.provider(id).map_or("", |provider| provider.kind())
    }

    /// The id of the one that wraps.
    ///
    /// # Errors
    /// [`KekError::Sealed`].
    pub(crate) fn active(&self) -> KekResult<Arc<str>> {
        Ok(self.held()?.active)
    }

    /// Has new data keys wrapped by this one.
    pub(crate) fn activate(&self, id: &str) {
        if let Some(held) = self.held.write().as_mut()
            && *held.active != *id
        {
            held.active = id.into();
        }
    }

    /// Whether it is sealed.
    pub(crate) fn is_sealed(&self) -> bool {
        self.held.read().is_none()
    }

    /// An error while it is sealed.
    ///
    /// # Errors
    /// [`KekError::Sealed`].
    pub(crate) fn refuse_if_sealed(&self) -> KekResult<()> {
        self.held().map(drop)
    }

    /// Drops every master key and every data key; what was asked before may still end.
    pub(crate) fn seal(&self) {
        let mut held = self.held.write();
        self.seals.fetch_add(1, Ordering::Relaxed);
        *held = None;
        drop(held);
        self.kept.clear();
    }

    /// What [`Self::take`] must be told: from before it was asked whether the vault is sealed.
    pub(crate) fn seals(&self) -> u64 {
        self.seals.load(Ordering::Relaxed)
    }

    /// Takes these in place of what is here, unless it was sealed since `seals`: whoever read that it
    /// is not does not undo that. Returns whether they were taken.
    pub(crate) fn take(
        &self,
        seals: u64,
        providers: Vec<Arc<dyn KekProvider>>,
        active: &str,
    ) -> bool {
        let mut held = self.held.write();
        let is_newest = self.seals.load(Ordering::Relaxed) == seals;
        if is_newest {
            let active = active.into();
            *held = Some(Held { providers, active });
        }
        is_newest
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_read_that_it_is_not_sealed_does_not_undo_a_seal() {
        let masters = MasterKeys::new(Vec::new());
        let before = masters.seals();
        masters.seal();
        assert!(!masters.take(before, Vec::new(), "one") && masters.is_sealed());
        assert!(masters.take(masters.seals(), Vec::new(), "one") && !masters.is_sealed());
    }
}
