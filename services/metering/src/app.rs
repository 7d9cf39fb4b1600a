//! Use cases. They make ids and read the clock, and decide by `domain` over what `store` has.

mod access;
mod bootstrap;
mod budgets;
mod credits;
pub(crate) mod directory;
mod estimate;
mod holds;
pub(crate) mod key_concerns;
mod key_statistics;
mod leases;
mod ledger;
mod meters;
mod notices;
mod once;
mod outbox;
mod pricing;
mod proof;
mod rerating;
mod statements;
mod sums;
mod sweeper;
mod tiers;
mod upkeep;
mod usage;
mod webhooks;

use std::sync::Arc;

use jiff::Timestamp;
use keyward_catalog::Catalog;
use keyward_runtime::time;
use parking_lot::RwLock;

use budgets::BudgetCache;
pub(crate) use budgets::NewBudget;
pub(crate) use credits::{Grant, Refund};
use directory::AccountDirectory;
pub(crate) use estimate::{Estimate, EstimateRequest, TierCost};
pub(crate) use holds::{ExtendHold, PlaceHold};
pub(crate) use key_statistics::{KeysPage, KeysRequest};
pub(crate) use leases::{Call, Connected, LIFETIME, RenewLease, Renewed, SettleLeased};
use leases::{Crossing, Holders, Recalls, Strict};
pub(crate) use ledger::Ledger;
pub(crate) use meters::Meters;
pub(crate) use once::Once;
use pricing::Book;
pub(crate) use pricing::{ComparisonPage, PriceFilter};
pub(crate) use rerating::{RerateRequest, Rerating};
pub(crate) use statements::{AccountSavings, Statement};
pub(crate) use sums::{SumPage, SumRequest};
pub(crate) use usage::{Receipt, RecordsRequest};
pub(crate) use webhooks::wire_kind;

use crate::MeteringError;
use crate::courier::Courier;
use crate::domain::notice::LowBalance;
use crate::domain::tier::Tiers;
use crate::store::{BatchStore, Store};

/// How many old records are added to the sums in one transaction: one takes a fraction of a second.
const SUMS_PIECE: u32 = 10_000;

/// The longest id by which a caller names a change.
const REQUEST_ID_BYTES_MAX: usize = 255;

/// Metering's use cases.
pub(crate) struct App {
    store: Arc<dyn Store>,
    /// Whatever changes money or usage goes through it.
    ledger: Ledger,
    directory: Arc<dyn AccountDirectory>,
    book: RwLock<Arc<Book>>,
    /// Held while another is put in force.
    price_changes: tokio::sync::Mutex<()>,
    meters: Meters,
    /// As the store has them; what another process changes of them is taken over within a second.
    tiers: RwLock<Arc<Tiers>>,
    /// Held while one of them is changed.
    tier_changes: tokio::sync::Mutex<()>,
    budgets: BudgetCache,
    /// Held while one of them is changed.
    budget_changes: tokio::sync::Mutex<()>,
    courier: Courier,
    /// Held while a webhook is changed, so that of two calls under one id the second finds the
    /// first's answer.
    webhook_changes: tokio::sync::Mutex<()>,
    /// The routers that have leases, or may.
    holders: Holders,
    /// The way to those of other meterings, where several share the store.
    crossing: Option<Crossing>,
    strict: Strict,
    recalls: Recalls,
}

/// What the settings say of how metering works.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ways {
    /// Whether routers are lent parts of balances.
    pub(crate) lends: bool,
    /// When a balance is told of as low.
    pub(crate) low_balance: LowBalance,
}

impl App {
    /// Opens over a store: installs the catalogue's prices as the current price book.
    pub(crate) async fn open(
        store: Arc<dyn Store>,
        directory: Arc<dyn AccountDirectory>,
        catalog: Arc<Catalog>,
        courier: Courier,
        meters: Meters,
        ways: Ways,
    ) -> Result<Self, MeteringError> {
        store.keep_up(time::now()).await?;
        let book = Book::install(&*store, catalog).await?;
        let tiers = store.tiers().await?.into_iter().collect::<Tiers>();
        meters.open(store.holds_open().await?);
        let strict = strict(&*store, ways.lends).await?;
        complete_sums(&*store).await?;
        let crossing = store.crossing().map(Crossing::over);
        Ok(Self {
            ledger: Ledger::start(
                &(Arc::clone(&store) as Arc<dyn BatchStore>),
                ways.low_balance,
            ),
            store,
            directory,
            book: RwLock::new(Arc::new(book)),
            price_changes: tokio::sync::Mutex::new(()),
            meters,
            tiers: RwLock::new(Arc::new(tiers)),
            tier_changes: tokio::sync::Mutex::new(()),
            budgets: BudgetCache::default(),
            budget_changes: tokio::sync::Mutex::new(()),
            courier,
            webhook_changes: tokio::sync::Mutex::new(()),
            holders: Holders::default(),
            crossing,
            strict,
            recalls: Recalls::default(),
        })
    }

    /// Ends what was asked for, and closes the store.
    pub(crate) async fn close(&self) {
        self.ledger.close().await;
        self.store.close().await;
    }
}

/// After leases from before a start it shows first which routers there are.
async fn strict(store: &dyn Store, lends: bool) -> Result<Strict, MeteringError> {
    let open = store.leases_open(Timestamp::MAX, 1).await?;
    let learning = (!open.is_empty()).then_some(LIFETIME);
    Ok(Strict::new(lends, learning))
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
