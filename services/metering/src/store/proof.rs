//! What a proof reads: all that is kept in two ways, from one state of the store.

use async_trait::async_trait;

use super::StoreError;
use crate::domain::proof::{Discrepancy, Priceable};

/// What books are proven by.
#[async_trait]
pub(crate) trait ProofStore: Send + Sync {
    /// Where accounts, budgets and sums do not agree with what they are made of.
    async fn discrepancies(&self) -> Result<Vec<Discrepancy>, StoreError>;

    /// Records after that one, in the order in which they were stored, with what they were priced
    /// by; at most `limit`.
    async fn priceables(&self, after: i64, limit: u32) -> Result<Vec<Priceable>, StoreError>;

    /// The accounts whose books are closed.
    async fn frozen(&self) -> Result<Vec<crate::domain::account::AccountKey>, StoreError>;
}
