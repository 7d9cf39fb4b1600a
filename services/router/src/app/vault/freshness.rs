//! Whether what is kept here is still known to be true: the vault was heard within the bound.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// When the vault was last heard, and up to which change.
#[derive(Debug)]
pub(super) struct Freshness {
    bound: Duration,
    start: Instant,
    /// Milliseconds from `start`, plus one; 0 for never.
    heard_ms: AtomicU64,
    sequence: AtomicU64,
}

impl Freshness {
    pub(super) fn new(bound: Duration) -> Self {
        Self {
            bound,
            start: Instant::now(),
            heard_ms: AtomicU64::new(0),
            sequence: AtomicU64::new(0),
        }
    }

    pub(super) fn bound(&self) -> Duration {
        self.bound
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX - 1)
    }

    /// A change has come. Told before it is taken in: whoever keeps something from before it finds
    /// out, either by this or by being emptied.
    pub(super) fn reached(&self, sequence: u64) {
        self.sequence.store(sequence, Ordering::SeqCst);
    }

    /// The vault was heard, and everything so far is taken in.
    pub(super) fn heard(&self) {
        self.heard_ms.store(self.elapsed_ms() + 1, Ordering::SeqCst);
    }

    /// Nothing counts as known until the vault is heard again.
    pub(super) fn lost(&self) {
        self.heard_ms.store(0, Ordering::SeqCst);
    }

    /// The last change that has come.
    pub(super) fn sequence(&self) -> u64 {
        self.sequence.load(Ordering::SeqCst)
    }

    pub(super) fn is_fresh(&self) -> bool {
        let heard = self.heard_ms.load(Ordering::SeqCst);
        let bound = u64::try_from(self.bound.as_millis()).unwrap_or(u64::MAX);
        heard > 0 && self.elapsed_ms().saturating_sub(heard - 1) <= bound
    }
}
