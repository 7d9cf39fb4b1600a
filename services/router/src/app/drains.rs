//! Answers that are read to their end though their callers have gone, because the provider bills them
//! all the same: only so many at a time, since nobody feels how long they take.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many there are at a time: each holds a connection, for a minute at most.
const DRAINS_MAX: usize = 64;

/// The places for such answers. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Drains(Arc<Semaphore>);

impl Drains {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(DRAINS_MAX)))
    }

    /// A place; none where all are taken, and the answer is given up.
    pub(super) fn begin(&self) -> Option<OwnedSemaphorePermit> {
        let place = Arc::clone(&self.0).try_acquire_owned().ok();
        if place.is_none() {
            tracing::warn!("an abandoned answer is not read: too many are already");
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_so_many_places_and_each_is_given_back() {
        let drains = Drains::new();
        let mut taken: Vec<_> = std::iter::from_fn(|| drains.begin()).collect();
        assert_eq!(taken.len(), DRAINS_MAX);
        taken.pop();
        assert!(drains.clone().begin().is_some());
    }
}
