//! Changes of the spool, and what of a batch of them has to be written.

use std::collections::{HashMap, HashSet};

use crate::domain::parcel::Held;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// An attempt is dispatched.
    Intent {
        sequence: i64,
        held: Held,
        create_ms: i64,
        event: Vec<u8>,
    },
    /// Something was delivered, and so much by now.
    Checkpoint { sequence: i64, usage: Vec<u8> },
    /// Books are closed: metering is to be told. Ends the intent.
    Event {
        sequence: i64,
        kind: &'static str,
        create_ms: i64,
        body: Vec<u8>,
    },
    /// Metering has it.
    Done { sequence: i64 },
    /// Metering refused it for good.
    Refused {
        sequence: i64,
        refuse_ms: i64,
        reason: String,
    },
}

impl Change {
    /// Whether it is of what metering said: it is written once the disk takes something again, while
    /// whoever made another change is told that it failed.
    pub(super) const fn is_kept(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Refused { .. })
    }

    const fn sequence(&self) -> i64 {
        match self {
            Self::Intent { sequence, .. }
            | Self::Checkpoint { sequence, .. }
            | Self::Event { sequence, .. }
            | Self::Done { sequence }
            | Self::Refused { sequence, .. } => *sequence,
        }
    }
}

/// Leaves out what later changes of the same batch undo: the intent of an attempt that is over by
/// now, and all checkpoints but the last.
pub(super) fn coalesce(batch: Vec<Change>) -> Vec<Change> {
    let closed: HashSet<i64> = batch
        .iter()
        .filter(|change| matches!(change, Change::Event { .. }))
        .map(Change::sequence)
        .collect();
    let mut last = HashMap::new();
    for (place, change) in batch.iter().enumerate() {
        if let Change::Checkpoint { sequence, .. } = change {
            last.insert(*sequence, place);
        }
    }
    let counts = |place: usize, change: &Change| match change {
        Change::Intent { sequence, .. } => !closed.contains(sequence),
        Change::Checkpoint { sequence, .. } => {
            !closed.contains(sequence) && last.get(sequence) == Some(&place)
        }
        _ => true,
    };
    let all = batch.into_iter().enumerate();
    all.filter(|(place, change)| counts(*place, change))
        .map(|(_, change)| change)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent(sequence: i64) -> Change {
        Change::Intent {
            sequence,
            held: Held::default(),
            create_ms: 0,
            event: Vec::new(),
        }
    }

    fn event(sequence: i64) -> Change {
        Change::Event {
            sequence,
            kind: "record",
            create_ms: 0,
            body: Vec::new(),
        }
    }

    fn checkpoint(sequence: i64, usage: u8) -> Change {
        Change::Checkpoint {
            sequence,
            usage: vec![usage],
        }
    }

    #[test]
    fn only_what_still_counts_is_written() {
        let done = Change::Done { sequence: 9 };
        for (batch, expect) in [
            (vec![intent(1), event(1)], vec![event(1)]),
            (
                vec![
                    intent(1),
                    checkpoint(1, 1),
                    event(1),
                    intent(2),
                    done.clone(),
                ],
                vec![event(1), intent(2), done.clone()],
            ),
            (
                vec![
                    intent(1),
                    checkpoint(1, 1),
                    checkpoint(2, 1),
                    checkpoint(1, 2),
                ],
                vec![intent(1), checkpoint(2, 1), checkpoint(1, 2)],
            ),
            (vec![event(1), intent(2)], vec![event(1), intent(2)]),
            (vec![], vec![]),
        ] {
            assert_eq!(coalesce(batch.clone()), expect, "{batch:?}");
        }
    }
}
