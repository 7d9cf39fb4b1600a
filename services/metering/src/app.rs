//! Use cases. They make ids and read the clock, and decide by `domain` over what `store` has.

mod access;
mod bootstrap;
mod credits;
pub(crate) mod directory;
mod holds;
mod meters;
mod pricing;
mod sums;
mod sweeper;
mod usage;

use std::sync::Arc;

use keyward_catalog::Catalog;
use keyward_runtime::time;
use parking_lot::RwLock;

pub(crate) use credits::Grant;
use directory::AccountDirectory;
pub(crate) use holds::PlaceHold;
pub(crate) use meters::Meters;
pub(crate) use sums::{SumPage, SumRequest};
pub(crate) use usage::{Receipt, RecordsRequest};

use crate::MeteringError;
use crate::domain::prices::PriceBook;
use crate::domain::tier::Tiers;
use crate::store::Store;

/// How many old records are added to the sums in one transaction: one takes a fraction of a second.
const SUMS_PIECE: u32 = 10_000;

/// Metering's use cases.
pub(crate) struct App {
    store: Arc<dyn Store>,
    directory: Arc<dyn AccountDirectory>,
    catalog: Catalog,
    prices: PriceBook,
    meters: Meters,
    /// As the store has them: this process is the only one that changes them.
    tiers: RwLock<Arc<Tiers>>,
}

impl App {
    /// Opens over a store: installs the catalogue's prices as the current price book.
    pub(crate) async fn open(
        store: Arc<dyn Store>,
        directory: Arc<dyn AccountDirectory>,
        catalog: Catalog,
        meters: Meters,
    ) -> Result<Self, MeteringError> {
        let rows = PriceBook::rows_of(&catalog);
        let version = store
            .price_book_install(catalog.version(), rows.clone(), time::now())
            .await?;
        let tiers = store.tiers().await?.into_iter().collect::<Tiers>();
        meters.open(store.holds_open().await?);
        complete_sums(&*store).await?;
        Ok(Self {
            store,
            directory,
            catalog,
            prices: PriceBook::new(version, rows),
            meters,
            tiers: RwLock::new(Arc::new(tiers)),
        })
    }

    /// The tiers as they are now.
    fn current_tiers(&self) -> Arc<Tiers> {
        Arc::clone(&self.tiers.read())
    }
}

/// Adds what was recorded before there were sums to them, in pieces that each end in a commit.
async fn complete_sums(store: &dyn Store) -> Result<(), MeteringError> {
    let mut records = 0;
    loop {
        let added = store.usage_sums_complete(SUMS_PIECE).await?;
        records += added;
        if added < SUMS_PIECE as usize {
            break;
        }
    }
    if records > 0 {
        tracing::info!(records, "usage that was recorded before is in the sums now");
    }
    Ok(())
}
