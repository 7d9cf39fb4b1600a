//! Writing to the store: each batch is asked for once, for a bounded time. What only the file has goes
//! back to it in pieces, and what mutations left there is given its place.

use std::sync::Arc;

use futures::future::{BoxFuture, poll_immediate};
use tokio::time::{Instant, timeout};

use super::{GROUP_MAX, NoSink, PIECES_MAX, RETRY_EVERY, STORE, Writer};
use crate::app::audit::file::SINK_WAIT;
use crate::domain::audit::chain::Head;
use crate::store::{Append, Batch, Linked};

/// What became of a batch.
enum Asked {
    Written,
    /// Nothing of it was committed, nor will be.
    Failed,
    /// The store does not answer, and may be at it yet.
    Silent,
}

/// What became of what was wanted.
pub(super) enum Put {
    /// It is in the log; for each, whether it got a place.
    Granted(Vec<bool>),
    /// The store took nothing, and never will take any of it.
    Refused(Vec<Append>),
}

impl Writer {
    pub(super) async fn store_may_be_tried(&mut self) -> bool {
        if let Some(hung) = &mut self.hung {
            if poll_immediate(hung).await.is_none() {
                return false;
            }
            self.hung = None;
        }
        let due = self.retry_at.is_none_or(|at| Instant::now() >= at);
        due || self.follower.sink().is_none()
    }

    pub(super) async fn put_in_store(&mut self, wanted: Vec<Append>) -> Result<Put, NoSink> {
        let backlog = self.backlog.clone();
        let batch = Arc::new(Batch::new(&self.instance, self.head, backlog, wanted));
        let asked = self.ask_store(&batch).await;
        match (asked, batch.settle()) {
            (Asked::Written, linked) => {
                self.store_is_back();
                let linked = linked.ok_or(NoSink)?;
                self.advance(linked.head, linked.events.len());
                self.follower.committed(linked.events);
                Ok(Put::Granted(linked.granted))
            }
            (Asked::Silent, Some(linked)) => self.in_doubt(linked).await.map(Put::Granted),
            (Asked::Silent, None) | (Asked::Failed, _) => Ok(Put::Refused(wanted_of(batch))),
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

    /// The store may commit it yet, so these are the chain's next events, whatever becomes of them.
    /// Only what the file has counts.
    async fn in_doubt(&mut self, linked: Linked) -> Result<Vec<bool>, NoSink> {
        let saved = self.save(&linked.events).await;
        self.advance(linked.head, linked.events.len());
        self.backlog.extend(linked.events);
        saved.map(|()| linked.granted)
    }

    /// Gives all that waits its place; returns how many those were.
    pub(in crate::app::audit) async fn link_all(&mut self) -> u64 {
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

    /// Read first, from what is committed: an event of a mutation that is undone has no place.
    pub(super) async fn link_what_waits(&mut self) {
        for _ in 0..PIECES_MAX {
            if !self.return_piece().await {
                break;
            }
        }
        if self.backlog.len() > GROUP_MAX as usize {
            return;
        }
        let reading = self.store.audit_unlinked(GROUP_MAX);
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

    /// Gives the store a piece of what only the file has: all of it could take longer than a store is
    /// waited for. False once what is left fits into one batch, or if the store does not take it.
    async fn return_piece(&mut self) -> bool {
        let length = GROUP_MAX as usize;
        if self.backlog.len() <= length {
            return false;
        }
        let piece = self.backlog[..length].to_vec();
        let end: Head = piece.last().map_or(self.head, |linked| linked.head);
        let batch = Arc::new(Batch::new(&self.instance, end, piece, Vec::new()));
        let asked = self.ask_store(&batch).await;
        // Whatever a silent store does with it: these stay the chain's events.
        batch.settle();
        let written = matches!(asked, Asked::Written);
        if written {
            self.backlog.drain(..length);
        }
        written
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

/// What a batch wanted. A store that is silent still has the batch.
fn wanted_of(batch: Arc<Batch>) -> Vec<Append> {
    match Arc::try_unwrap(batch) {
        Ok(batch) => batch.wanted,
        Err(shared) => shared.wanted.clone(),
    }
}
