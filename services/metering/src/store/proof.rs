//! What a proof reads: all that is kept in two ways, from one state of the store.

use async_trait::async_trait;
use jiff::Timestamp;

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

/// Proves all books of a store. Records from before `since` are not priced anew.
pub(crate) async fn prove(
    store: &dyn ProofStore,
    since: Option<Timestamp>,
) -> Result<Proof, StoreError> {
    let mut proof = Proof {
        records: 0,
        discrepancies: store.discrepancies().await?,
    };
    let mut after = match since {
        Some(since) => place_before(store, since).await?,
        None => 0,
    };
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

/// The place behind which records begin that were stored since then. They are stored in the order of
/// their times, so it is found by halves.
async fn place_before(store: &dyn ProofStore, since: Timestamp) -> Result<i64, StoreError> {
    let mut high = 1;
    while !begins_behind(store, high, since).await? {
        high *= 2;
    }
    let mut low = 0;
    while low < high {
        let middle = low + (high - low) / 2;
        match begins_behind(store, middle, since).await? {
            true => high = middle,
            false => low = middle + 1,
        }
    }
    Ok(low)
}

/// Whether nothing behind a place was stored before then.
async fn begins_behind(
    store: &dyn ProofStore,
    place: i64,
    since: Timestamp,
) -> Result<bool, StoreError> {
    let next = store.priceables(place, 1).await?;
    Ok(next.first().is_none_or(|next| next.record.time >= since))
}
