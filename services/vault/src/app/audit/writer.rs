//! The one writer of an instance's chain. What must be written before a secret leaves is gathered and
//! committed together; what mutations left is given its place every few milliseconds; checkpoints are
//! signed. Where the store fails, the file beside it carries the log on until it is back.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, poll_immediate};
use ring::signature::Ed25519KeyPair;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::file::{FileSink, SINK_WAIT};
use super::meters::AuditMeters;
use crate::app::Clock;
use crate::domain::audit::body::to_line;
use crate::domain::audit::chain::{Head, LinkedEvent};
use crate::domain::audit::checkpoint::Checkpoint;
use crate::store::{Append, Batch, HeldLease, Lease, Linked, Store, Stored};

/// How often what mutations left is looked for: every event has its place within 50 ms.
const LINK_EVERY: Duration = Duration::from_millis(25);

/// How much one commit takes in.
pub(super) const GROUP_MAX: usize = 256;

/// How often a store that failed is tried again while the file carries on.
const RETRY_EVERY: Duration = Duration::from_millis(100);

/// How many events the file may have that the store lacks: about 50 MB. Beyond, nothing more is given
/// out.
const BACKLOG_MAX: usize = 65_536;

/// When a checkpoint is due.
const CHECKPOINT_EVERY: Duration = Duration::from_mins(1);
const CHECKPOINT_EVENTS: u64 = 10_000;

/// After how long an event without a place is a fault, and how often that is looked at.
const UNLINKED_MAX: jiff::SignedDuration = jiff::SignedDuration::from_secs(10);
const UNLINKED_CHECK_EVERY: Duration = Duration::from_secs(2);

const STORE: &str = "store";
const FILE: &str = "file";

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
    /// None only where auditing is not required.
    pub(super) file: Option<FileSink>,
    /// The last event that the file has.
    pub(super) file_head: u64,
    pub(super) key: Ed25519KeyPair,
    pub(super) clock: Clock,
    pub(super) meters: AuditMeters,
    /// Events that the file has, and the store perhaps lacks.
    pub(super) backlog: Vec<LinkedEvent>,
    /// A write that the store has not answered in time.
    pub(super) hung: Option<BoxFuture<'static, Stored<()>>>,
    pub(super) retry_at: Option<Instant>,
    /// Whether the file failed last time: said once.
    pub(super) file_failed: bool,
    pub(super) checkpointed: (u64, Instant),
    pub(super) unlinked_check_at: Instant,
}

impl Writer {
    /// Runs until nobody can ask for anything any more; then links what is left and signs it.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Request>) {
        let mut ticks = interval(LINK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut group = Vec::with_capacity(GROUP_MAX);
        loop {
            tokio::select! {
                biased;
                _ = ticks.tick() => self.tick().await,
                taken = queue.recv_many(&mut group, GROUP_MAX) => match taken {
                    0 => break,
                    _ => self.serve(std::mem::take(&mut group)).await,
                },
            }
        }
        self.tick().await;
        self.checkpoint().await;
    }

    async fn serve(&mut self, group: Vec<Request>) {
        let (wanted, replies): (Vec<_>, Vec<_>) = group
            .into_iter()
            .map(|request| (request.append, request.reply))
            .unzip();
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
        self.follow_with_file().await;
    }

    /// Writes to the store; where that does not work, to the file.
    async fn commit(&mut self, wanted: Vec<Append>) -> Result<Vec<bool>, NoSink> {
        if self.store_may_be_tried().await
            && let Some(linked) = self.put_in_store(wanted.clone()).await?
        {
            return Ok(linked.granted);
        }
        self.put_in_file(wanted).await
    }

    async fn store_may_be_tried(&mut self) -> bool {
        if let Some(hung) = &mut self.hung {
            if poll_immediate(hung).await.is_none() {
                return false;
            }
            self.hung = None;
        }
        let due = self.retry_at.is_none_or(|at| Instant::now() >= at);
        due || self.file.is_none()
    }

    /// `None` if the store took nothing, and never will take any of it.
    async fn put_in_store(&mut self, wanted: Vec<Append>) -> Result<Option<Linked>, NoSink> {
        let backlog = self.backlog.clone();
        let batch = Arc::new(Batch::new(&self.instance, self.head, backlog, wanted));
        let (store, asked) = (Arc::clone(&self.store), Arc::clone(&batch));
        let mut write: BoxFuture<'static, _> =
            Box::pin(async move { store.audit_link(asked).await });
        let answered = timeout(SINK_WAIT, &mut write).await;
        let linked = batch.settle();
        match answered {
            Ok(Ok(())) => {
                self.store_is_back();
                let linked = linked.ok_or(NoSink)?;
                self.advance(&linked);
                Ok(Some(linked))
            }
            // Nothing of it was committed.
            Ok(Err(error)) => {
                self.store_failed(&error);
                Ok(None)
            }
            Err(_) => {
                self.hung = Some(write);
                self.store_failed(&"it does not answer");
                match linked {
                    Some(linked) => self.in_doubt(linked).await.map(Some),
                    None => Ok(None),
                }
            }
        }
    }

    /// The store may commit it yet, so these are the chain's next events, whatever becomes of them.
    /// Only what the file has counts.
    async fn in_doubt(&mut self, linked: Linked) -> Result<Linked, NoSink> {
        let saved = self.save(&linked.events).await;
        self.advance(&linked);
        self.backlog.extend(linked.events.iter().cloned());
        saved.map(|()| linked)
    }

    /// The store is only read. What it has of leases is checked as far as it can tell.
    async fn put_in_file(&mut self, wanted: Vec<Append>) -> Result<Vec<bool>, NoSink> {
        if self.file.is_none() || self.backlog.len() + wanted.len() > BACKLOG_MAX {
            return Err(NoSink);
        }
        let (mut head, mut events, mut granted) = (self.head, Vec::new(), Vec::new());
        for wanted in wanted {
            let holds = match &wanted.lease {
                Some(lease) => self.holds(lease).await,
                None => true,
            };
            granted.push(holds);
            if holds {
                let linked = LinkedEvent::after(head, wanted.event);
                head = linked.head;
                events.push(linked);
            }
        }
        self.save(&events).await?;
        self.backlog.extend(events.iter().cloned());
        self.advance(&Linked {
            head,
            events,
            granted: Vec::new(),
        });
        Ok(granted)
    }

    async fn holds(&mut self, lease: &Lease) -> bool {
        let held = vec![HeldLease::from(lease)];
        let reading = self.store.leases_holding(held, lease.now);
        let holding = timeout(SINK_WAIT, reading).await;
        matches!(holding, Ok(Ok(holding)) if !holding.is_empty())
    }

    fn advance(&mut self, linked: &Linked) {
        self.head = linked.head;
        self.meters.linked.inc_by(linked.events.len() as u64);
    }

    /// Puts events on the file's disk, after all that it lacks.
    async fn save(&mut self, events: &[LinkedEvent]) -> Result<(), NoSink> {
        let Some(last) = events.last() else {
            return Ok(());
        };
        self.catch_up().await?;
        self.append(events, true).await?;
        self.file_head = last.head.sequence;
        Ok(())
    }

    async fn append(&mut self, events: &[LinkedEvent], durable: bool) -> Result<(), NoSink> {
        let Some(file) = &self.file else {
            return Err(NoSink);
        };
        let lines: String = events
            .iter()
            .map(|linked| to_line(&self.instance, linked))
            .collect();
        match file.append(lines, durable).await {
            Ok(()) => {
                self.meters.up(FILE, true);
                if std::mem::take(&mut self.file_failed) {
                    tracing::info!("the audit log's file takes events again");
                }
                Ok(())
            }
            Err(error) => {
                self.meters.failed(FILE);
                if !std::mem::replace(&mut self.file_failed, true) {
                    tracing::error!(%error, "the audit log's file cannot be written");
                }
                Err(NoSink)
            }
        }
    }

    /// The file gets what the store has more than it.
    async fn catch_up(&mut self) -> Result<(), NoSink> {
        const PAGE: u32 = 512;
        while self.file.is_some() && self.file_head < self.head.sequence {
            let read = self.store.audit_chain(&self.instance, self.file_head, PAGE);
            let Ok(Ok(events)) = timeout(SINK_WAIT, read).await else {
                return Err(NoSink);
            };
            let events = match events.is_empty() {
                true => self.not_in_file(),
                false => events,
            };
            let Some(last) = events.last().map(|linked| linked.head.sequence) else {
                return Ok(());
            };
            self.append(&events, false).await?;
            self.file_head = last;
        }
        Ok(())
    }

    /// Events that neither the store nor the file is known to have.
    fn not_in_file(&self) -> Vec<LinkedEvent> {
        let lacks = |linked: &&LinkedEvent| linked.head.sequence > self.file_head;
        self.backlog.iter().filter(lacks).cloned().collect()
    }

    /// What fails is said where it fails; the next tick tries again.
    async fn follow_with_file(&mut self) {
        let _ = self.catch_up().await;
    }

    /// Gives all that waits its place; returns how many those were.
    pub(super) async fn link_all(&mut self) -> u64 {
        let first = self.head.sequence;
        loop {
            let before = self.head.sequence;
            self.link_what_waits().await;
            if self.head.sequence == before {
                return before - first;
            }
        }
    }

    async fn tick(&mut self) {
        if self.store_may_be_tried().await {
            self.link_what_waits().await;
        }
        self.follow_with_file().await;
        let (sequence, at) = self.checkpointed;
        if self.head.sequence >= sequence + CHECKPOINT_EVENTS || at.elapsed() >= CHECKPOINT_EVERY {
            self.checkpoint().await;
        }
        if Instant::now() >= self.unlinked_check_at {
            self.check_unlinked().await;
        }
    }

    /// Read first, from what is committed: an event of a mutation that is undone has no place.
    async fn link_what_waits(&mut self) {
        const LIMIT: u32 = 256;
        let reading = self.store.audit_unlinked(LIMIT);
        let Ok(Ok(events)) = timeout(SINK_WAIT, reading).await else {
            return;
        };
        if events.is_empty() && self.backlog.is_empty() {
            return;
        }
        let append = |event| Append { event, lease: None };
        let wanted = events.into_iter().map(append).collect();
        // They are in the store; if they cannot be linked now, they wait.
        let _ = self.put_in_store(wanted).await;
    }

    /// Signs what the store has: a store that has less later has been set back.
    pub(super) async fn checkpoint(&mut self) {
        self.checkpointed.1 = Instant::now();
        if self.head.sequence == self.checkpointed.0 || !self.backlog.is_empty() {
            return;
        }
        let Some(file) = &self.file else {
            return;
        };
        let checkpoint = Checkpoint {
            instance: self.instance.clone(),
            head: self.head,
        };
        match file.checkpoint(checkpoint.sign(&self.key)).await {
            Ok(()) => {
                self.checkpointed.0 = self.head.sequence;
                let size = i64::try_from(self.head.sequence).unwrap_or(i64::MAX);
                self.meters.checkpoint.set(size);
            }
            Err(error) => {
                self.meters.failed(FILE);
                tracing::error!(%error, "a checkpoint of the audit log cannot be written");
            }
        }
    }

    async fn check_unlinked(&mut self) {
        self.unlinked_check_at = Instant::now() + UNLINKED_CHECK_EVERY;
        let Ok(before) = self.clock.now().checked_sub(UNLINKED_MAX) else {
            return;
        };
        let counting = self.store.audit_unlinked_count(before);
        if let Ok(Ok(count)) = timeout(SINK_WAIT, counting).await {
            self.meters
                .unlinked
                .set(i64::try_from(count).unwrap_or(i64::MAX));
            if count > 0 {
                tracing::error!(
                    count,
                    "audit events have had no place in the chain for over 10 s"
                );
            }
        }
    }

    fn store_failed(&mut self, why: &dyn std::fmt::Display) {
        self.meters.failed(STORE);
        if self.retry_at.is_none() {
            tracing::error!(%why, "the audit log cannot be written to the store");
        }
        self.retry_at = Some(Instant::now() + RETRY_EVERY);
    }

    fn store_is_back(&mut self) {
        self.backlog.clear();
        self.meters.up(STORE, true);
        if self.retry_at.take().is_some() {
            tracing::info!("the store takes audit events again");
        }
    }
}
