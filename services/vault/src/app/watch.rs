//! One watcher's stream: every change in order, and a heartbeat while the store answers. Without the
//! store nothing is sent, so that whoever watches knows that it knows nothing.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _};
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::Core;
use crate::domain::change::Change;

/// How often a watcher hears of us when nothing changes.
pub(super) const HEARTBEAT: Duration = Duration::from_millis(250);

/// How many changes are read at a time.
const BATCH: u32 = 256;

/// How many messages may wait for one watcher.
pub(crate) const QUEUE_MAX: usize = 64;

/// How long a watcher may leave its queue full before it is given up.
const STALL_MAX: Duration = Duration::from_secs(5);

/// What a watcher is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    /// The last change included.
    pub sequence: u64,
    /// What changed; none in a heartbeat.
    pub change: Option<Change>,
    /// When it was sent.
    pub time: Timestamp,
}

/// The watcher has gone, or does not keep up.
struct Gone;

/// Serves one watcher until it goes or the process stops. The first confirmation says where to
/// start; 0 is the present.
pub(crate) async fn serve(
    core: Arc<Core>,
    mut confirmations: BoxStream<'static, u64>,
    out: mpsc::Sender<Notice>,
) {
    let Some(start) = confirmations.next().await else {
        return;
    };
    let stopping = core.stopping.clone();
    let watcher = Watcher { core, out };
    tokio::select! {
        () = stopping.cancelled() => {}
        _ = watcher.run(start, confirmations) => {}
    }
}

struct Watcher {
    core: Arc<Core>,
    out: mpsc::Sender<Notice>,
}

impl Watcher {
    async fn run(
        &self,
        start: u64,
        confirmations: impl Stream<Item = u64> + Unpin,
    ) -> Result<(), Gone> {
        let mut head = self.core.hub.subscribe();
        // Registered before the start is read, so that no change falls between.
        let registration = self.core.hub.register(0);
        let _watching = self.core.meters.watching();
        let mut at = self.start(start).await?;
        registration.confirm(at);
        self.send(at, None).await?;
        let mut confirmations = confirmations.fuse();
        let mut ticks = tokio::time::interval(HEARTBEAT);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.out.closed() => return Err(Gone),
                Some(sequence) = confirmations.next() => registration.confirm(sequence),
                Ok(()) = head.changed() => at = self.send_changes(at).await?.0,
                _ = ticks.tick() => at = self.beat(at).await?,
            }
        }
    }

    /// Where to start: the present for 0, and for a number from a future that this store never had.
    async fn start(&self, start: u64) -> Result<u64, Gone> {
        let head = self.core.store.change_head().await.map_err(|_| Gone)?;
        // The first message is a heartbeat like any other: it says that changes can be read.
        let read = self.core.store.changes_after(head, 1).await;
        read.map_err(|_| Gone)?;
        Ok(if start == 0 { head } else { start.min(head) })
    }

    async fn beat(&self, at: u64) -> Result<u64, Gone> {
        let (now_at, store_answers) = self.send_changes(at).await?;
        if now_at == at && store_answers {
            self.send(at, None).await?;
        }
        Ok(now_at)
    }

    /// Sends what is new; also says whether the store answered.
    async fn send_changes(&self, mut at: u64) -> Result<(u64, bool), Gone> {
        loop {
            let changes = match self.core.store.changes_after(at, BATCH).await {
                Ok(changes) => changes,
                Err(error) => {
                    tracing::warn!(%error, "changes cannot be read; watchers hear nothing");
                    return Ok((at, false));
                }
            };
            if changes.is_empty() {
                return Ok((at, true));
            }
            for numbered in changes {
                at = numbered.sequence;
                self.send(at, Some(numbered.change)).await?;
            }
        }
    }

    async fn send(&self, sequence: u64, change: Option<Change>) -> Result<(), Gone> {
        let notice = Notice {
            sequence,
            change,
            time: self.core.clock.now(),
        };
        let sent = self.out.send_timeout(notice, STALL_MAX).await;
        sent.map_err(|_| Gone)
    }
}
