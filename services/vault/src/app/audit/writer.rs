//! The one writer of an instance's chain. What must be written before a secret leaves is gathered and
//! committed together; where the store fails, the file beside it carries the log on until it is back.
//! What else the writer does is in `duties`, how it deals with the store in `asking`.

mod asking;
mod duties;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use ring::signature::Ed25519KeyPair;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::file::SINK_WAIT;
use super::follower::Follower;
use super::meters::AuditMeters;
use crate::app::Clock;
use crate::domain::audit::chain::{Head, LinkedEvent};
use crate::store::{Append, HeldLease, Lease, Store, Stored};
use asking::Put;

/// How often what mutations left is looked for, and the file follows: every event has its place
/// within 50 ms.
const LINK_EVERY: Duration = Duration::from_millis(25);

/// How much one commit takes in.
const GROUP_MAX: u32 = 256;

/// How often a store that failed is tried again while the file carries on.
const RETRY_EVERY: Duration = Duration::from_millis(100);

/// How many events the file may have that the store lacks: about 50 MB. Beyond, nothing more is given
/// out.
const BACKLOG_MAX: usize = 65_536;

/// How much of it goes back to the store before whoever waits has its turn.
const PIECES_MAX: usize = 4;

const STORE: &str = "store";

/// No sink took the event.
#[derive(Debug, Clone, Copy)]
pub(super) struct NoSink;

/// Something to be written, and who waits for it.
pub(super) struct Request {
    pub(super) append: Append,
    pub(super) reply: oneshot::Sender<Result<bool, NoSink>>,
}

/// The writer's state; it runs as one task.
pub(super) struct Writer {
    pub(super) instance: String,
    pub(super) head: Head,
    pub(super) store: Arc<dyn Store>,
    pub(super) follower: Follower,
    pub(super) key: Ed25519KeyPair,
    pub(super) clock: Clock,
    pub(super) meters: AuditMeters,
    /// Events that the file has, and the store perhaps lacks.
    pub(super) backlog: Vec<LinkedEvent>,
    /// A write that the store has not answered in time.
    pub(super) hung: Option<BoxFuture<'static, Stored<()>>>,
    pub(super) retry_at: Option<Instant>,
    pub(super) checkpointed: (u64, Instant),
    pub(super) unlinked_check_at: Instant,
}

impl Writer {
    /// Runs until nobody can ask for anything any more; then links what is left and signs it.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Request>) {
        let mut ticks = interval(LINK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let group_max = GROUP_MAX as usize;
        let mut group = Vec::with_capacity(group_max);
        loop {
            tokio::select! {
                biased;
                _ = ticks.tick() => self.tick().await,
                taken = queue.recv_many(&mut group, group_max) => match taken {
                    0 => break,
                    _ => self.serve(group.drain(..)).await,
                },
            }
        }
        self.finish().await;
    }

    async fn serve(&mut self, group: impl Iterator<Item = Request>) {
        let (wanted, replies): (Vec<_>, Vec<_>) =
            group.map(|request| (request.append, request.reply)).unzip();
        let answers = match self.commit(wanted).await {
            Ok(granted) => granted.into_iter().map(Ok).collect(),
            Err(no_sink) => {
                self.meters.refused.inc_by(replies.len() as u64);
                vec![Err(no_sink); replies.len()]
            }
        };
        for (reply, answer) in replies.into_iter().zip(answers) {
            // Whoever asked may have gone; what was written stays.
            let _ = reply.send(answer);
        }
    }

    /// Writes to the store; where that does not work, to the file.
    async fn commit(&mut self, wanted: Vec<Append>) -> Result<Vec<bool>, NoSink> {
        if self.backlog.len() > GROUP_MAX as usize || !self.store_may_be_tried().await {
            return self.put_in_file(wanted).await;
        }
        match self.put_in_store(wanted).await? {
            Put::Granted(granted) => Ok(granted),
            Put::Refused(wanted) => self.put_in_file(wanted).await,
        }
    }

    /// The store is only read. What it has of leases is checked as far as it can tell.
    async fn put_in_file(&mut self, wanted: Vec<Append>) -> Result<Vec<bool>, NoSink> {
        let is_full = self.backlog.len() + wanted.len() > BACKLOG_MAX;
        if self.follower.sink().is_none() || is_full {
            return Err(NoSink);
        }
        let granted = self.holding(&wanted).await?;
        let (mut head, mut events) = (self.head, Vec::new());
        for (wanted, holds) in wanted.into_iter().zip(&granted) {
            if *holds {
                let linked = LinkedEvent::after(head, wanted.event);
                head = linked.head;
                events.push(linked);
            }
        }
        self.save(&events).await?;
        self.advance(head, events.len());
        self.backlog.extend(events);
        Ok(granted)
    }

    /// Whether each has a lease that holds, or needs none.
    async fn holding(&mut self, wanted: &[Append]) -> Result<Vec<bool>, NoSink> {
        let leases = || wanted.iter().filter_map(|wanted| wanted.lease.as_ref());
        let Some(now) = leases().map(|lease| lease.now).max() else {
            return Ok(vec![true; wanted.len()]);
        };
        let held = leases().map(HeldLease::from).collect();
        let reading = timeout(SINK_WAIT, self.store.leases_holding(held, now));
        let Ok(Ok(holding)) = reading.await else {
            return Err(NoSink);
        };
        let holds = |lease: &Lease| holding.contains(&HeldLease::from(lease));
        let holds = |wanted: &Append| wanted.lease.as_ref().is_none_or(holds);
        Ok(wanted.iter().map(holds).collect())
    }

    /// Puts the chain's next events on the file's disk.
    async fn save(&mut self, events: &[LinkedEvent]) -> Result<(), NoSink> {
        let chain = self.head.sequence;
        self.follower.save(events, chain, &self.backlog).await
    }

    fn advance(&mut self, head: Head, events: usize) {
        self.head = head;
        self.meters.linked.inc_by(events as u64);
    }
}
