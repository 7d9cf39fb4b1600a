//! The file as it follows the chain. It gets every event in its order: at once and durably what the
//! store lacks, a little later what the store has. Nobody waits for that, and it is not read again.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::time::timeout;

use super::file::{Care, FileSink, SINK_WAIT};
use super::meters::AuditMeters;
use super::writer::NoSink;
use crate::domain::audit::body::to_line;
use crate::domain::audit::chain::LinkedEvent;
use crate::store::Store;

/// How much the file gets at a time, and how often in a row before whoever waits has its turn.
const COPY_EVENTS: u32 = 512;
const COPIES_MAX: usize = 8;

/// How many events are kept until the file has them: what it gets in a row, about 3 MB. Those beyond
/// are read from the store.
const RECENT_MAX: usize = COPIES_MAX * COPY_EVENTS as usize;

pub(super) const FILE: &str = "file";

/// What of the log the file has.
pub(super) struct Follower {
    instance: String,
    store: Arc<dyn Store>,
    /// None only where auditing is not required.
    sink: Option<FileSink>,
    /// The last event that it has.
    head: u64,
    /// The chain's newest events that the store has committed, one after the other.
    recent: VecDeque<LinkedEvent>,
    /// Whether it failed last time: said once.
    has_failed: bool,
    meters: AuditMeters,
}

/// Events as the file gets them.
struct Piece {
    lines: String,
    /// None where there are no events.
    last: Option<u64>,
    care: Care,
}

impl Piece {
    fn new(instance: &str, events: &[LinkedEvent], care: Care) -> Self {
        let lines = events.iter().map(|linked| to_line(instance, linked));
        Self {
            lines: lines.collect(),
            last: events.last().map(|linked| linked.head.sequence),
            care,
        }
    }
}

impl Follower {
    /// Of a file whose last event is `head`.
    pub(super) fn new(
        instance: &str,
        store: Arc<dyn Store>,
        sink: Option<FileSink>,
        head: u64,
        meters: AuditMeters,
    ) -> Self {
        Self {
            instance: instance.to_owned(),
            store,
            sink,
            head,
            recent: VecDeque::new(),
            has_failed: false,
            meters,
        }
    }

    pub(super) fn sink(&self) -> Option<&FileSink> {
        self.sink.as_ref()
    }

    /// Whether it lacks something of a chain of that length.
    pub(super) fn is_behind(&self, chain: u64) -> bool {
        self.sink.is_some() && self.head < chain
    }

    /// Keeps what the store has committed, until the file has it.
    pub(super) fn committed(&mut self, events: Vec<LinkedEvent>) {
        let Some(first) = events.first().map(|linked| linked.head.sequence) else {
            return;
        };
        if self.sink.is_none() {
            return;
        }
        let newest = self.recent.back().map(|linked| linked.head.sequence);
        if newest.is_some_and(|newest| newest + 1 != first) {
            self.recent.clear();
        }
        self.recent.extend(events);
        let beyond = self.recent.len().saturating_sub(RECENT_MAX);
        self.recent.drain(..beyond);
    }

    /// Puts the events after a chain of that length on disk, after all of the chain that is missing.
    /// Of the chain, `backlog` may be missing in the store.
    pub(super) async fn save(
        &mut self,
        events: &[LinkedEvent],
        chain: u64,
        backlog: &[LinkedEvent],
    ) -> Result<(), NoSink> {
        if events.is_empty() {
            return Ok(());
        }
        self.catch_up(chain, backlog).await?;
        if self.head < chain {
            return Err(NoSink);
        }
        let piece = Piece::new(&self.instance, events, Care::Durable);
        self.append(piece, chain).await
    }

    /// The file gets what it lacks of a chain of that length, or the next part of a lot.
    pub(super) async fn catch_up(
        &mut self,
        chain: u64,
        backlog: &[LinkedEvent],
    ) -> Result<(), NoSink> {
        for _ in 0..COPIES_MAX {
            if !self.is_behind(chain) {
                break;
            }
            let piece = self.next_piece(backlog).await?;
            self.append(piece, chain).await?;
        }
        Ok(())
    }

    /// What may be only here is written with care. What is not here any more, the store has.
    async fn next_piece(&mut self, backlog: &[LinkedEvent]) -> Result<Piece, NoSink> {
        let at_hand = next_of(backlog, self.head);
        if !at_hand.is_empty() {
            return Ok(Piece::new(&self.instance, at_hand, Care::Durable));
        }
        let at_hand = next_of(self.recent.make_contiguous(), self.head);
        if !at_hand.is_empty() {
            return Ok(Piece::new(&self.instance, at_hand, Care::Copied));
        }
        let read = self.only_in_store().await?;
        Ok(Piece::new(&self.instance, &read, Care::Copied))
    }

    async fn only_in_store(&self) -> Result<Vec<LinkedEvent>, NoSink> {
        let reading = self
            .store
            .audit_chain(&self.instance, self.head, COPY_EVENTS);
        match timeout(SINK_WAIT, reading).await {
            Ok(Ok(events)) => Ok(events),
            Ok(Err(_)) | Err(_) => Err(NoSink),
        }
    }

    async fn append(&mut self, piece: Piece, chain: u64) -> Result<(), NoSink> {
        let sink = self.sink.as_ref().ok_or(NoSink)?;
        let written = sink.append(piece.lines, piece.care).await;
        self.tell(written)?;
        // What nobody has any more cannot be copied; a proof says so.
        self.head = piece.last.unwrap_or(chain);
        let written = |linked: &LinkedEvent| linked.head.sequence <= self.head;
        let written = self.recent.partition_point(written);
        self.recent.drain(..written);
        Ok(())
    }

    fn tell(&mut self, written: std::io::Result<()>) -> Result<(), NoSink> {
        match written {
            Ok(()) => {
                self.meters.up(FILE, true);
                if std::mem::take(&mut self.has_failed) {
                    tracing::info!("the audit log's file takes events again");
                }
                Ok(())
            }
            Err(error) => {
                self.meters.failed(FILE);
                if !std::mem::replace(&mut self.has_failed, true) {
                    tracing::error!(%error, "the audit log's file cannot be written");
                }
                Err(NoSink)
            }
        }
    }
}

/// What follows `head` of events that follow each other, as much as the file gets at a time; nothing
/// unless that begins right after it.
fn next_of(events: &[LinkedEvent], head: u64) -> &[LinkedEvent] {
    let (_, after) = events.split_at(events.partition_point(|e| e.head.sequence <= head));
    match after.first() {
        Some(next) if next.head.sequence == head + 1 => {
            &after[..after.len().min(COPY_EVENTS as usize)]
        }
        Some(_) | None => &[],
    }
}

#[cfg(test)]
mod tests;
