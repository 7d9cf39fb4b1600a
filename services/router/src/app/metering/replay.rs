//! Tells metering what lies in a spool that a lost router has left, without a router.

use std::path::Path;
use std::time::Duration;

use keyward_auth::Connection;
use keyward_storage::StorageError;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Client;
use super::courier::Courier;
use crate::spool::{Spool, SpoolGauges, SpoolLimits};

/// How often metering is tried before it is given up, and after which pause.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// What became of a spool that was replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    /// Events that metering has now.
    pub delivered: i64,
    /// How many of them were made of attempts that were under way when their router was lost.
    pub recovered: i64,
    /// Events that metering refused for good; they stay in the file.
    pub refused: i64,
    /// Events that metering could not be told of; they stay in the file.
    pub left: i64,
}

/// Tells metering what lies in the spool at `path`, which no router may have open, and takes it out.
///
/// # Errors
/// [`StorageError`] if the file cannot be opened or is in use.
pub(crate) async fn replay(path: &Path, metering: Connection) -> Result<Replayed, StorageError> {
    let gauges = SpoolGauges::default();
    let spool = Spool::open(path, SpoolLimits::default(), gauges.clone()).await?;
    let refused_before = gauges.quarantined.get();
    let recovered = i64::try_from(spool.recover().await?).unwrap_or(i64::MAX);
    let all = spool.depth();
    for attempt in 0..TRIES {
        if attempt > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        let (_open, nothing_fresh) = mpsc::channel(1);
        let client = Client::new(metering.clone());
        let stopping = CancellationToken::new();
        let courier = Courier::new(spool.clone(), client, nothing_fresh, stopping);
        courier.run_once().await;
        if spool.depth() == 0 {
            break;
        }
    }
    let left = spool.depth();
    spool.close().await;
    let refused = gauges.quarantined.get() - refused_before;
    Ok(Replayed {
        delivered: all - left - refused,
        recovered,
        refused,
        left,
    })
}
