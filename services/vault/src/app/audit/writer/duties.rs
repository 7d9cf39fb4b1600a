//! What the writer does every few milliseconds and every so often: what mutations left gets its place,
//! the file follows, checkpoints are signed, and what waits for a place for too long is said.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::Writer;
use crate::app::audit::file::SINK_WAIT;
use crate::app::audit::follower::FILE;
use crate::domain::audit::checkpoint::Checkpoint;

/// When a checkpoint is due.
const CHECKPOINT_EVERY: Duration = Duration::from_mins(1);
const CHECKPOINT_EVENTS: u64 = 10_000;

/// After how long an event without a place is a fault, and how often that is looked at.
const UNLINKED_MAX: jiff::SignedDuration = jiff::SignedDuration::from_secs(10);
const UNLINKED_CHECK_EVERY: Duration = Duration::from_secs(2);

impl Writer {
    pub(super) async fn tick(&mut self) {
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

    /// Links what is left, brings the file up to it, and signs it.
    pub(super) async fn finish(&mut self) {
        self.tick().await;
        while self.follower.is_behind(self.head.sequence) {
            if !self.follow_with_file().await {
                break;
            }
        }
        self.checkpoint().await;
    }

    /// What fails is said where it fails; the next tick tries again.
    async fn follow_with_file(&mut self) -> bool {
        let chain = self.head.sequence;
        self.follower.catch_up(chain, &self.backlog).await.is_ok()
    }

    /// Signs what the store has: a store that has less later has been set back.
    pub(in crate::app::audit) async fn checkpoint(&mut self) {
        self.checkpointed.1 = Instant::now();
        if self.head.sequence == self.checkpointed.0 || !self.backlog.is_empty() {
            return;
        }
        let Some(file) = self.follower.sink() else {
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
}
