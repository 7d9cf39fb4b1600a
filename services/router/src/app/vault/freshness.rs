//! Whether what is kept here is still known to be true: the vault was heard within the bound, and
//! nothing that it said can have been missed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// When the vault was last heard, up to which change, and which doubts there were.
#[derive(Debug)]
pub(super) struct Freshness {
    bound: Duration,
    start: Instant,
    /// Milliseconds from `start`, plus one; 0 for never.
    heard_ms: AtomicU64,
    sequence: AtomicU64,
    /// Counts doubts, from 1. What was verified in an earlier epoch is unverified in this one.
    epoch: AtomicU64,
    /// The epoch whose doubt was cleared; 0 for none.
    trusted: AtomicU64,
}

impl Freshness {
    pub(super) fn new(bound: Duration) -> Self {
        Self {
            bound,
            start: Instant::now(),
            heard_ms: AtomicU64::new(0),
            sequence: AtomicU64::new(0),
            epoch: AtomicU64::new(1),
            trusted: AtomicU64::new(0),
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

    /// What is kept may be wrong from now on, until the epoch that this begins is trusted.
    pub(super) fn doubt(&self) -> u64 {
        self.epoch.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// The doubt that began this epoch is cleared; without effect if there is a newer one.
    pub(super) fn trust(&self, epoch: u64) {
        self.trusted.store(epoch, Ordering::SeqCst);
    }

    /// The last change that has come.
    pub(super) fn sequence(&self) -> u64 {
        self.sequence.load(Ordering::SeqCst)
    }

    /// The epoch in which things are known to be true; `None` while nothing is.
    pub(super) fn epoch(&self) -> Option<u64> {
        let epoch = self.epoch.load(Ordering::SeqCst);
        let is_trusted = self.trusted.load(Ordering::SeqCst) == epoch;
        (is_trusted && !self.is_silent()).then_some(epoch)
    }

    pub(super) fn is_fresh(&self) -> bool {
        self.epoch().is_some()
    }

    /// Whether the vault was not heard for longer than the bound.
    pub(super) fn is_silent(&self) -> bool {
        let heard = self.heard_ms.load(Ordering::SeqCst);
        let bound = u64::try_from(self.bound.as_millis()).unwrap_or(u64::MAX);
        heard == 0 || self.elapsed_ms().saturating_sub(heard - 1) > bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_cleared_doubt_and_a_vault_that_is_heard_make_things_known() {
        let freshness = Freshness::new(Duration::from_mins(1));
        freshness.heard();
        assert_eq!(freshness.epoch(), None, "nothing was ever verified");
        let first = freshness.doubt();
        freshness.trust(first);
        assert_eq!(freshness.epoch(), Some(first));
        let second = freshness.doubt();
        freshness.trust(first);
        assert_eq!(
            freshness.epoch(),
            None,
            "an old clearing clears no new doubt"
        );
        freshness.trust(second);
        assert_eq!(freshness.epoch(), Some(second));
    }

    #[test]
    fn silence_for_the_bound_makes_nothing_known_whatever_was_verified() {
        let freshness = Freshness::new(Duration::ZERO);
        let epoch = freshness.doubt();
        freshness.trust(epoch);
        assert!(freshness.is_silent(), "it was never heard");
        freshness.heard();
        std::thread::sleep(Duration::from_millis(5));
        assert!(freshness.is_silent() && !freshness.is_fresh());
    }
}
