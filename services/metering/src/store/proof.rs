//! What a proof reads: all that is kept in two ways, from one state of the store.

use async_trait::async_trait;

use super::StoreError;
use crate::domain::account::AccountKey;
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
    async fn frozen(&self) -> Result<Vec<AccountKey>, StoreError>;
}

/// How many records are priced anew at a time.
const PAGE: u32 = 1_000;

/// What a proof has found.
#[derive(Debug, Default)]
pub(crate) struct Proof {
    /// How many records were priced anew.
    pub(crate) records: u64,
    pub(crate) discrepancies: Vec<Discrepancy>,
}

/// Proves all books of a store.
pub(crate) async fn prove(store: &dyn ProofStore) -> Result<Proof, StoreError> {
    let mut proof = Proof {
        records: 0,
        discrepancies: store.discrepancies().await?,
    };
    let mut after = 0;
    loop {
        let page = store.priceables(after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(proof);
        };
        after = last.record.place.sequence;
        proof.records += page.len() as u64;
        let wrong = page.iter().filter_map(Priceable::discrepancy);
        proof.discrepancies.extend(wrong);
    }
}
