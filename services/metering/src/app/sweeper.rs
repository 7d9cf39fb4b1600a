//! Frees holds that nobody settled in time, and books credits that have expired.

use std::time::Duration;

use futures::future::try_join_all;
use keyward_runtime::{error, ids, time};
use tokio_util::sync::CancellationToken;

use super::App;
use crate::MeteringError;
use crate::domain::ledger::{ExpireHold, ExpireLots};

/// How often expired holds are looked for: their credit is free this much later at most.
const INTERVAL: Duration = Duration::from_secs(1);

/// How many holds are freed in one transaction, so that requests in between do not wait long.
const BATCH: u32 = 500;

impl App {
    /// Frees expired holds, and counts the open ones, until told to stop.
    pub(crate) async fn sweep_until(&self, stop: CancellationToken) {
        while stop
            .run_until_cancelled(tokio::time::sleep(INTERVAL))
            .await
            .is_some()
        {
            if let Err(fault) = self.sweep().await {
                tracing::error!(error.chain = %error::chain(&fault), "cannot free expired holds");
            }
        }
    }

    /// Does all that is due once.
    pub(crate) async fn sweep(&self) -> Result<(), MeteringError> {
        self.reload_idle_tiers().await?;
        self.follow_prices().await?;
        self.expire_holds().await?;
        self.expire_lots().await?;
        self.reclaim_leases().await?;
        self.meters.open(self.store.holds_open().await?);
        Ok(())
    }

    /// Frees all holds that have expired by now; says how many.
    pub(crate) async fn expire_holds(&self) -> Result<usize, MeteringError> {
        let mut total = 0;
        loop {
            let now = time::now();
            let overdue = self.store.holds_overdue(now, BATCH).await?;
            let freeing = overdue.iter().map(|hold| {
                self.ledger.run(ExpireHold {
                    id: hold.id,
                    account: hold.account,
                    time: now,
                })
            });
            let freed = try_join_all(freeing).await?;
            let freed = freed.into_iter().filter(|freed| *freed).count();
            total += freed;
            if freed < BATCH as usize {
                break;
            }
        }
        self.meters.expired(total);
        if total > 0 {
            tracing::warn!(holds.expired = total, "holds expired that nobody settled");
        }
        Ok(total)
    }

    /// Books credits that have expired by now.
    pub(crate) async fn expire_lots(&self) -> Result<(), MeteringError> {
        loop {
            let now = time::now();
            let accounts = self.store.lots_overdue(now, BATCH).await?;
            let expiring = accounts.iter().map(|account| {
                self.ledger.run(ExpireLots {
                    id: ids::new(),
                    account: *account,
                    time: now,
                })
            });
            let expired = try_join_all(expiring).await?;
            let some = expired.iter().filter(|amount| !amount.is_zero()).count();
            if some < BATCH as usize {
                return Ok(());
            }
        }
    }
}
