//! What is read of leases; they are written with the ledger.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use super::{CrossingStore, StoreError};
use crate::domain::account::AccountKey;
use crate::domain::ledger::Lease;

/// Leases.
#[async_trait]
pub(crate) trait LeaseStore: Send + Sync {
    /// The way to routers of other meterings, where several may share this store.
    fn crossing(&self) -> Option<Arc<dyn CrossingStore>>;

    /// The lease of that id, open or ended.
    async fn lease_get(&self, id: Uuid) -> Result<Option<Lease>, StoreError>;

    /// The open leases of an account.
    async fn leases_of(&self, account: AccountKey) -> Result<Vec<Lease>, StoreError>;

    /// At most `limit` open leases that have expired by then, the oldest first.
    async fn leases_open(&self, expired: Timestamp, limit: u32) -> Result<Vec<Lease>, StoreError>;
}
