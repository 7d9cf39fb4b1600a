//! Frees holds that nobody settled in time.

use std::time::Duration;

use keyward_runtime::{error, time};
use tokio_util::sync::CancellationToken;

use super::App;
use crate::MeteringError;

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

    async fn sweep(&self) -> Result<(), MeteringError> {
        self.reload_idle_tiers().await?;
        self.expire_holds().await?;
        self.meters.open(self.store.holds_open().await?);
        Ok(())
    }

    /// Frees all holds that have expired by now; says how many.
    pub(crate) async fn expire_holds(&self) -> Result<usize, MeteringError> {
        let mut total = 0;
        loop {
            let freed = self.store.holds_expire(time::now(), BATCH).await?;
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
}
