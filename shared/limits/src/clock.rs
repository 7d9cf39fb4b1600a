//! The time that counters go by: the engine's own, or in tests one that is set.

#[cfg(test)]
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Where the time comes from.
#[derive(Debug, Clone, Default)]
pub(crate) enum Clock {
    /// The engine.
    #[default]
    Own,
    /// Whoever sets it, in microseconds.
    #[cfg(test)]
    Set(Arc<AtomicU64>),
}

impl Clock {
    /// The time that was set, if it is one that is set.
    pub(crate) fn set_micros(&self) -> Option<u64> {
        match self {
            Self::Own => None,
            #[cfg(test)]
            Self::Set(micros) => Some(micros.load(Ordering::SeqCst)),
        }
    }
}
