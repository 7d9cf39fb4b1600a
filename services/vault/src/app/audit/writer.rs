//! The one writer of an instance's chain. What must be written before a secret leaves is gathered and
//! committed together; what mutations left is given its place every few milliseconds; checkpoints are
//! signed. Where the store fails, the file beside it carries the log on until it is back.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, poll_immediate};
use ring::signature::Ed25519KeyPair;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::file::{Care, FileSink, SINK_WAIT};
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

/// How much of it goes back to the store before whoever waits has its turn.
const PIECES_MAX: usize = 4;

/// How much the file gets at a time, and how often in a row before whoever waits has its turn.
const COPY_EVENTS: u32 = 512;
const COPIES_MAX: usize = 8;

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

/// What became of a batch.
enum Asked {
    Written,
    /// Nothing of it was committed, nor will be.
    Failed,
    /// The store does not answer, and may be at it yet.
    Silent,
}

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
        if self.backlog.len() <= GROUP_MAX
            && self.store_may_be_tried().await
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
        let asked = self.ask_store(&batch).await;
        let linked = batch.settle();
        match (asked, linked) {
            (Asked::Written, linked) => {
                self.store_is_back();
                let linked = linked.ok_or(NoSink)?;
                self.advance(&linked);
                Ok(Some(linked))
            }
            (Asked::Silent, Some(linked)) => self.in_doubt(linked).await.map(Some),
            (Asked::Silent, None) | (Asked::Failed, _) => Ok(None),
        }
    }

    async fn ask_store(&mut self, batch: &Arc<Batch>) -> Asked {
        let (store, asked) = (Arc::clone(&self.store), Arc::clone(batch));
        let mut write: BoxFuture<'static, _> =
            Box::pin(async move { store.audit_link(asked).await });
        match timeout(SINK_WAIT, &mut write).await {
            Ok(Ok(())) => Asked::Written,
            Ok(Err(error)) => {
                self.store_failed(&error);
                Asked::Failed
            }
            Err(_) => {
                self.hung = Some(write);
                self.store_failed(&"it does not answer");
                Asked::Silent
            }
        }
    }

    /// Gives the store a piece of what only the file has: all of it could take longer than a store is
    /// waited for. False once what is left fits into one batch, or if the store does not take it.
    async fn return_piece(&mut self) -> bool {
        if self.backlog.len() <= GROUP_MAX {
            return false;
        }
        let piece = self.backlog[..GROUP_MAX].to_vec();
        let end = piece.last().map_or(self.head, |linked| linked.head);
        let batch = Arc::new(Batch::new(&self.instance, end, piece, Vec::new()));
        let asked = self.ask_store(&batch).await;
        // Whatever a silent store does with it: these stay the chain's events.
        batch.settle();
        let written = matches!(asked, Asked::Written);
        if written {
            self.backlog.drain(..GROUP_MAX);
        }
        written
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
        self.backlog.extend(events.iter().cloned());
        self.advance(&Linked {
            head,
            events,
            granted: Vec::new(),
        });
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
        if self.file_head < self.head.sequence {
            return Err(NoSink);
        }
        self.append(events, Care::Durable).await?;
        self.file_head = last.head.sequence;
        Ok(())
    }

    async fn append(&mut self, events: &[LinkedEvent], care: Care) -> Result<(), NoSink> {
        let Some(file) = &self.file else {
            return Err(NoSink);
        };
        let lines: String = events
            .iter()
            .map(|linked| to_line(&self.instance, linked))
            .collect();
        match file.append(lines, care).await {
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

    /// The file gets what it lacks, or the next part of a lot.
    async fn catch_up(&mut self) -> Result<(), NoSink> {
        for _ in 0..COPIES_MAX {
            if self.file.is_none() || self.file_head >= self.head.sequence {
                break;
            }
            let (events, care) = match self.not_in_file() {
                events if events.is_empty() => (self.only_in_store().await?, Care::Copied),
                events => (events, Care::Durable),
            };
            let last = events.last().map(|linked| linked.head.sequence);
            self.append(&events, care).await?;
            // What nobody has any more cannot be copied; a proof says so.
            self.file_head = last.unwrap_or(self.head.sequence);
        }
        Ok(())
    }

    /// The file's next events, where it is not certain that the store has them.
    fn not_in_file(&self) -> Vec<LinkedEvent> {
        let next = |linked: &LinkedEvent| linked.head.sequence == self.file_head + 1;
        let Some(at) = self.backlog.iter().position(next) else {
            return Vec::new();
        };
        let events = self.backlog[at..].iter();
        events.take(COPY_EVENTS as usize).cloned().collect()
    }

    async fn only_in_store(&mut self) -> Result<Vec<LinkedEvent>, NoSink> {
        let (instance, after) = (&self.instance, self.file_head);
        let reading = self.store.audit_chain(instance, after, COPY_EVENTS);
        match timeout(SINK_WAIT, reading).await {
            Ok(Ok(events)) => Ok(events),
            Ok(Err(_)) | Err(_) => Err(NoSink),
        }
    }

    /// What fails is said where it fails; the next tick tries again.
    async fn follow_with_file(&mut self) {
        let _ = self.catch_up().await;
    }

    /// Gives all that waits its place; returns how many those were.
    pub(super) async fn link_all(&mut self) -> u64 {
        while self.return_piece().await {}
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
        for _ in 0..PIECES_MAX {
            if !self.return_piece().await {
                break;
            }
        }
        if self.backlog.len() > GROUP_MAX {
            return;
        }
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
