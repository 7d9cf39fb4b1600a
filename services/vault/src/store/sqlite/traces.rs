//! Whether something was overwritten that the write-ahead log may still hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Clones share it. Set at first: what a process before this one left is not known.
#[derive(Debug, Clone)]
pub(super) struct Traces(Arc<AtomicBool>);

impl Default for Traces {
    fn default() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}

impl Traces {
    /// Something was overwritten, and that is committed.
    pub(super) fn left(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether there may be some; there are none any more unless they are left again.
    pub(super) fn take(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }
}
