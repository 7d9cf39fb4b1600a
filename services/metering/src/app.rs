//! Use cases. They make ids and read the clock, and decide by `domain` over what `store` has.

mod bootstrap;
mod credits;
pub(crate) mod directory;
mod holds;
mod meters;
mod pricing;
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
pub(crate) use usage::Receipt;

use crate::MeteringError;
use crate::domain::account::{AccountKey, AccountName};
use crate::domain::prices::PriceBook;
use crate::domain::requester::Requester;
use crate::domain::tier::Tiers;
use crate::store::Store;

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

    /// The account that a caller names, or that pays for it where it names none: its own, or for
    /// platform admins anybody's. To others, what is not theirs does not exist.
    async fn account(
        &self,
        requester: &Requester,
        name: &str,
    ) -> Result<(AccountName, AccountKey), MeteringError> {
        if name.is_empty() {
            return requester
                .billing_account()
                .ok_or(MeteringError::NotFound("account"));
        }
        let name: AccountName = name
            .parse()
            .map_err(|error| MeteringError::invalid("account", error))?;
        if let Some(key) = requester.own_account(&name) {
            return Ok((name, key));
        }
        if !requester.is_platform_admin {
            return Err(MeteringError::NotFound("account"));
        }
        let key = self.directory.resolve(&name).await?;
        Ok((name, key))
    }
}
