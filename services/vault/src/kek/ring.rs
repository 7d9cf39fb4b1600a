//! Master keys in this process's memory, from settings or a file.

use async_trait::async_trait;

use super::{KekProvider, KekResult};
use crate::app::random;
use crate::domain::envelope::{
    DataKey, NONCE_BYTES, OpenError, SealError, unwrap_data_key, wrap_data_key,
};
use crate::domain::master_key::MasterKeyRing;
use crate::store::StoredDataKey;

/// A ring of master keys.
#[derive(Debug)]
pub(crate) struct LocalRing {
    ring: MasterKeyRing,
}

impl LocalRing {
    /// The provider of these master keys.
    pub(crate) fn new(ring: MasterKeyRing) -> Self {
        Self { ring }
    }

    fn wrap_one(&self, id: &str, key: &DataKey) -> KekResult<StoredDataKey> {
        let master = self.ring.find(id.as_bytes());
        let master = master.ok_or(OpenError::UnknownMasterKey)?;
        let nonce = random::<NONCE_BYTES>().map_err(|_| SealError)?;
        Ok(StoredDataKey {
            owner: key.owner,
            generation: key.generation,
            master_key_id: id.to_owned(),
            wrapped: wrap_data_key(master, key, *nonce)?,
        })
    }
}

#[async_trait]
impl KekProvider for LocalRing {
    fn kind(&self) -> &'static str {
        "local"
    }

    fn ids(&self) -> Vec<String> {
        self.ring.ids()
    }

    async fn wrap(&self, id: &str, keys: &[&DataKey]) -> KekResult<Vec<StoredDataKey>> {
        keys.iter().map(|key| self.wrap_one(id, key)).collect()
    }

    async fn unwrap(
        &self,
        wrapped: &[StoredDataKey],
    ) -> KekResult<Vec<Result<DataKey, OpenError>>> {
        let unwrap = |stored: &StoredDataKey| {
            unwrap_data_key(&self.ring, stored.owner, stored.generation, &stored.wrapped)
        };
        Ok(wrapped.iter().map(unwrap).collect())
    }

    async fn health(&self) -> KekResult<()> {
        Ok(())
    }
}
