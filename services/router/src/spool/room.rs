//! How much the spool holds, whether it takes more, and the gauges that show it.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use prometheus_client::metrics::gauge::Gauge;

use super::rows::Written;
use super::{Counts, SpoolError, SpoolGauges};

/// How much the spool takes in. What is in flight when a bound is reached is taken all the same: only
/// new work is refused.
#[derive(Debug, Clone, Copy)]
pub struct SpoolLimits {
    /// Attempts in flight and events that wait, together.
    pub rows: u32,
    /// Bytes of the file in use, what is in quarantine included.
    pub bytes: u64,
}

impl Default for SpoolLimits {
    /// At 500 requests a second metering may be away for more than half an hour, and a gibibyte is
    /// several times what so many events take.
    fn default() -> Self {
        Self {
            rows: 1_000_000,
            bytes: 1 << 30,
        }
    }
}

/// What is known of the spool without asking the file.
#[derive(Debug)]
pub(super) struct Room {
    limits: SpoolLimits,
    intents: AtomicI64,
    bytes: AtomicI64,
    /// The file took nothing when it was written to last.
    is_failing: AtomicBool,
    gauges: SpoolGauges,
}

impl Room {
    pub(super) fn new(limits: SpoolLimits, gauges: SpoolGauges) -> Self {
        Self {
            limits,
            intents: AtomicI64::new(0),
            bytes: AtomicI64::new(0),
            is_failing: AtomicBool::new(false),
            gauges,
        }
    }

    /// Starts from what is in the file.
    pub(super) fn set(&self, counts: Counts) {
        self.intents.store(counts.intents, Ordering::Relaxed);
        self.bytes.store(counts.bytes, Ordering::Relaxed);
        self.gauges.depth.set(counts.events);
        self.gauges.quarantined.set(counts.quarantined);
    }

    /// Whether new work can be taken on.
    pub(super) fn admits(&self) -> Result<(), SpoolError> {
        if self.is_failing() {
            return Err(SpoolError::Failing);
        }
        let rows = self.intents.load(Ordering::Relaxed) + self.gauges.depth.get();
        let bytes = self.bytes.load(Ordering::Relaxed);
        let is_full = rows >= i64::from(self.limits.rows) || over(bytes, self.limits.bytes);
        if is_full {
            Err(SpoolError::Full)
        } else {
            Ok(())
        }
    }

    pub(super) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }

    /// Says so once where that has changed.
    pub(super) fn fails(&self, fails: bool) {
        if self.is_failing.swap(fails, Ordering::Relaxed) == fails {
            return;
        }
        if fails {
            tracing::error!("the usage spool cannot be written; new requests are refused");
        } else {
            tracing::info!("the usage spool can be written again");
        }
    }

    /// What a commit has changed, and the bytes in use since.
    pub(super) fn committed(&self, more: Written, bytes: i64) {
        self.bytes.store(bytes, Ordering::Relaxed);
        self.intents.fetch_add(more.intents, Ordering::Relaxed);
        self.gauges.depth.inc_by(more.events);
        self.gauges.quarantined.inc_by(more.quarantined);
    }

    /// Intents have become events.
    pub(super) fn recovered(&self, count: i64) {
        self.intents.fetch_sub(count, Ordering::Relaxed);
        self.gauges.depth.inc_by(count);
    }

    /// The events that wait.
    pub(super) fn depth(&self) -> &Gauge {
        &self.gauges.depth
    }

    pub(super) fn oldest_seconds(&self) -> &Gauge {
        &self.gauges.oldest_seconds
    }
}

fn over(bytes: i64, limit: u64) -> bool {
    u64::try_from(bytes).is_ok_and(|bytes| bytes >= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_work_is_taken_on_up_to_either_bound_and_while_the_file_can_be_written() {
        let limits = SpoolLimits {
            rows: 10,
            bytes: 1_000,
        };
        let room = Room::new(limits, SpoolGauges::default());
        for (intents, events, bytes, expect) in [
            (0, 0, 0, Ok(())),
            (4, 5, 999, Ok(())),
            (5, 5, 0, Err(SpoolError::Full)),
            (0, 0, 1_000, Err(SpoolError::Full)),
        ] {
            room.set(Counts {
                intents,
                events,
                quarantined: 0,
                bytes,
            });
            assert_eq!(room.admits(), expect, "{intents} {events} {bytes}");
        }
        room.set(Counts::default());
        room.fails(true);
        assert_eq!(room.admits(), Err(SpoolError::Failing));
        room.fails(false);
        assert_eq!(room.admits(), Ok(()));
    }
}
