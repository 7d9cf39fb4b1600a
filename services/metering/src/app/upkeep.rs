//! What the store needs now and then: room for the days that come, and none for what is long past.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use keyward_runtime::{error, time};
use tokio_util::sync::CancellationToken;

use super::App;
use crate::MeteringError;
use crate::domain::day::Retention;

/// How often room is made. It is made days ahead, so that some of these may fail.
const INTERVAL: Duration = Duration::from_hours(1);

/// How often what is long past is let go of.
const FORGET_INTERVAL: Duration = Duration::from_mins(1);

/// How long a closed hold stays after its expiry: a router that was away for so long still settles
/// late, and the period of every budget that a hold counts for has ended. Then such a settle is put
/// aside as one of an unknown hold; one that was counted is still known by its record.
const HOLDS_KEPT: SignedDuration = SignedDuration::from_hours(35 * 24);

/// How long budgets' periods stay after their begin: as long as records do where nothing is said.
const PERIODS_KEPT: SignedDuration = SignedDuration::from_hours(Retention::DAYS as i64 * 24);

/// How much is removed in one transaction, so that none in between waits long, and in how many of
/// them at a time: half a million a minute is more than is ever placed.
const FORGET_PIECE: u32 = 5_000;
const FORGET_PIECES: u32 = 100;

impl App {
    /// Keeps the store up until told to stop; opening it has done so once.
    pub(crate) async fn keep_up_until(&self, stop: CancellationToken) {
        while stop
            .run_until_cancelled(tokio::time::sleep(INTERVAL))
            .await
            .is_some()
        {
            if let Err(fault) = self.store.keep_up(time::now()).await {
                tracing::error!(error.chain = %error::chain(&fault), "cannot keep the store up");
            }
        }
    }

    /// Lets go of what is long past until told to stop.
    pub(crate) async fn forget_until(&self, stop: CancellationToken) {
        while stop
            .run_until_cancelled(tokio::time::sleep(FORGET_INTERVAL))
            .await
            .is_some()
        {
            if let Err(fault) = self.forget(time::now()).await {
                tracing::error!(
                    error.chain = %error::chain(&fault),
                    "cannot remove closed holds"
                );
            }
        }
    }

    /// Removes closed holds and budgets' periods that nobody needs any more, piece by piece; says how
    /// many.
    pub(crate) async fn forget(&self, now: Timestamp) -> Result<usize, MeteringError> {
        let before = |age| now.checked_sub(age).unwrap_or(Timestamp::MIN);
        let (holds, periods) = (before(HOLDS_KEPT), before(PERIODS_KEPT));
        let mut total = 0;
        for _ in 0..FORGET_PIECES {
            let removed = self.store.holds_forget(holds, FORGET_PIECE).await?
                + self.store.periods_forget(periods, FORGET_PIECE).await?;
            total += removed;
            if removed < FORGET_PIECE as usize {
                break;
            }
        }
        Ok(total)
    }
}
