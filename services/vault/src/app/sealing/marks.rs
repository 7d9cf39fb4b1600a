//! The highest that this process has seen: of each key its revision, of each owner its minimum
//! generation. What is lower was put back. Forgotten at the end of the process; across starts the
//! audit log tells.

use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use uuid::Uuid;

use crate::domain::owner::{Owner, OwnerKind};

/// How many keys and how many owners are remembered: those used last, some 20 MB at most.
const MARKS_MAX: u64 = 100_000;

/// What was seen.
pub(super) struct Marks {
    revisions: Cache<Uuid, u64>,
    minimums: Cache<(OwnerKind, Uuid), u32>,
}

impl Marks {
    pub(super) fn new() -> Self {
        Self {
            revisions: cache(),
            minimums: cache(),
        }
    }

    /// The highest revision of a key; to be asked before its row is read, so that whoever reads
    /// while it is changed does not take the row for an old one.
    pub(super) fn revision(&self, id: Uuid) -> u64 {
        self.revisions.get(&id).unwrap_or(0)
    }

    /// A row of this revision was read or written.
    pub(super) fn saw_revision(&self, id: Uuid, revision: u64) {
        raise(&self.revisions, id, revision);
    }

    /// The highest minimum of an owner; to be asked before its floor is read.
    pub(super) fn minimum(&self, owner: Owner) -> u32 {
        self.minimums.get(&(owner.kind, owner.uid)).unwrap_or(0)
    }

    /// A floor with this minimum was read or written.
    pub(super) fn saw_minimum(&self, owner: Owner, minimum: u32) {
        raise(&self.minimums, (owner.kind, owner.uid), minimum);
    }
}

/// Without admission by frequency: the newest must be remembered, however seldom it was asked for.
fn cache<K, V>() -> Cache<K, V>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    Cache::builder()
        .max_capacity(MARKS_MAX)
        .eviction_policy(EvictionPolicy::lru())
        .build()
}

/// Never lowers, also where two raise at the same time.
fn raise<K, V>(cache: &Cache<K, V>, key: K, value: V)
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Ord + Copy + Send + Sync + 'static,
{
    if cache.get(&key).is_some_and(|seen| seen >= value) {
        return;
    }
    cache
        .entry(key)
        .and_upsert_with(|seen| seen.map_or(value, |seen| seen.into_value().max(value)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_never_lowered() {
        let marks = Marks::new();
        let id = Uuid::from_u128(1);
        assert_eq!((marks.revision(id), marks.minimum(Owner::SYSTEM)), (0, 0));
        for (seen, highest) in [(3, 3), (2, 3), (4, 4)] {
            marks.saw_revision(id, seen);
            marks.saw_minimum(Owner::SYSTEM, 7);
            assert_eq!(marks.revision(id), highest);
        }
        assert_eq!(marks.minimum(Owner::SYSTEM), 7);
        assert_eq!(marks.minimum(Owner::user(id)), 0);
    }
}
