//! Group commit: one writer for each shard of accounts takes what has arrived while its last batch
//! was being committed, and commits that as one.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::MeteringError;
use crate::domain::ledger::Command;
use crate::domain::notice::LowBalance;
use crate::store::{Batch, BatchStore, SHARDS, Work, shard_of, transact};

/// How many commands may wait for a shard's writer: some seconds of work. Beyond, callers are told
/// at once that there is too much to do.
const QUEUE_MAX: usize = 65_536;

/// How many commands one commit takes in: enough to spread an fsync thin, little enough that the
/// first does not wait long for the last.
const BATCH_MAX: usize = 1_024;

/// The ways in to the writers.
#[derive(Debug)]
pub(crate) struct Ledger {
    shards: Vec<mpsc::Sender<Work>>,
    closing: CancellationToken,
    writers: TaskTracker,
}

impl Ledger {
    /// Starts a writer for each shard.
    pub(crate) fn start(store: &Arc<dyn BatchStore>, low_balance: LowBalance) -> Self {
        let (closing, writers) = (CancellationToken::new(), TaskTracker::new());
        let shards = (0..SHARDS).map(|shard| {
            let (way_in, queue) = mpsc::channel(QUEUE_MAX);
            let store = Arc::clone(store);
            writers.spawn(write(shard, store, queue, closing.clone(), low_balance));
            way_in
        });
        let shards = shards.collect();
        writers.close();
        Self {
            shards,
            closing,
            writers,
        }
    }

    /// Does something, and says what became of it once that is durable. A caller that goes away does
    /// not stop it.
    pub(crate) async fn run<C: Command>(&self, command: C) -> Result<C::Answer, MeteringError> {
        let shard = usize::from(shard_of(command.account()));
        let (work, answer) = Work::new(command);
        let way_in = self.shards.get(shard).ok_or(MeteringError::LedgerClosed)?;
        way_in.try_send(work).map_err(|refused| match refused {
            TrySendError::Full(_) => MeteringError::LedgerFull,
            TrySendError::Closed(_) => MeteringError::LedgerClosed,
        })?;
        let answered = answer.await.map_err(|_| MeteringError::LedgerClosed)?;
        Ok(answered?)
    }

    /// Does what is in line already, and takes in nothing more.
    pub(crate) async fn close(&self) {
        self.closing.cancel();
        self.writers.wait().await;
    }
}

async fn write(
    shard: u16,
    store: Arc<dyn BatchStore>,
    mut queue: mpsc::Receiver<Work>,
    closing: CancellationToken,
    low_balance: LowBalance,
) {
    let mut group = Vec::with_capacity(BATCH_MAX);
    loop {
        let taken = tokio::select! {
            taken = queue.recv_many(&mut group, BATCH_MAX) => taken,
            () = closing.cancelled(), if !queue.is_closed() => {
                queue.close();
                continue;
            }
        };
        if taken == 0 {
            return;
        }
        let batch = Batch::new(std::mem::take(&mut group)).with_low_balance(low_balance);
        transact(&*store, shard, batch).await;
        // Those that were just answered may ask for more at once: let them, so that the next commit
        // takes it in.
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod storm;
