//! Data keys that were unwrapped lately, so that nobody is asked for each use. They are overwritten
//! the moment they leave, which is why this is a plain map: caches with deferred removal cannot say
//! when that is.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::domain::envelope::DataKey;
use crate::domain::owner::Owner;

/// How long a data key is kept: long enough that a provider of master keys that is away for a while
/// is not missed, short enough that memory holds those in use.
const KEPT_FOR: Duration = Duration::from_mins(10);

/// How many are kept: 32 bytes each, for as many owners as are active in ten minutes.
const KEPT_MAX: usize = 100_000;

/// The data keys of the last minutes.
#[derive(Debug, Default)]
pub(super) struct KeptDataKeys(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    keys: HashMap<(Owner, u32), Entry>,
    /// Counts the times that something had to be forgotten.
    age: u64,
}

#[derive(Debug)]
struct Entry {
    key: Arc<DataKey>,
    until: Instant,
}

impl KeptDataKeys {
    /// What [`Self::keep`] must be told: from before the data key was read.
    pub(super) fn age(&self) -> u64 {
        self.0.lock().age
    }

    /// Keeps one, unless something had to be forgotten since `age`: it might have been this.
    pub(super) fn keep(&self, age: u64, key: &Arc<DataKey>) {
        let mut kept = self.0.lock();
        if kept.age != age {
            return;
        }
        if kept.keys.len() >= KEPT_MAX {
            kept.keys.clear();
        }
        let entry = Entry {
            key: Arc::clone(key),
            until: Instant::now() + KEPT_FOR,
        };
        kept.keys.insert((key.owner, key.generation), entry);
    }

    /// One that is kept.
    pub(super) fn find(&self, owner: Owner, generation: u32) -> Option<Arc<DataKey>> {
        let kept = self.0.lock();
        let entry = kept.keys.get(&(owner, generation))?;
        (entry.until > Instant::now()).then(|| Arc::clone(&entry.key))
    }

    /// Forgets an owner's.
    pub(super) fn forget(&self, gone: Owner) {
        self.drop_all(|owner| owner == gone);
    }

    /// Forgets all.
    pub(super) fn clear(&self) {
        self.drop_all(|_| true);
    }

    /// Drops those whose time is over.
    pub(super) fn sweep(&self) {
        let now = Instant::now();
        self.0.lock().keys.retain(|_, entry| entry.until > now);
    }

    fn drop_all(&self, gone: impl Fn(Owner) -> bool) {
        let mut kept = self.0.lock();
        kept.age += 1;
        kept.keys.retain(|(owner, _), _| !gone(*owner));
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn key(owner: Owner) -> Arc<DataKey> {
        Arc::new(DataKey::new(owner, 1, Zeroizing::new([7; 32])))
    }

    #[test]
    fn what_is_forgotten_is_dropped_at_once_and_others_stay() {
        let kept = KeptDataKeys::default();
        let bob = Owner::user(uuid::Uuid::from_u128(1));
        let (bobs, ours) = (key(bob), key(Owner::SYSTEM));
        kept.keep(kept.age(), &bobs);
        kept.keep(kept.age(), &ours);
        assert!(kept.find(bob, 1).is_some() && kept.find(bob, 2).is_none());
        kept.forget(bob);
        assert!(kept.find(bob, 1).is_none() && kept.find(Owner::SYSTEM, 1).is_some());
        assert_eq!(Arc::strong_count(&bobs), 1);
        kept.forget(Owner::SYSTEM);
        assert_eq!(Arc::strong_count(&ours), 1);
    }

    #[test]
    fn one_that_was_read_before_something_was_forgotten_is_not_kept() {
        let kept = KeptDataKeys::default();
        let age = kept.age();
        kept.forget(Owner::SYSTEM);
        kept.keep(age, &key(Owner::SYSTEM));
        assert!(kept.find(Owner::SYSTEM, 1).is_none());
    }

    #[test]
    fn a_sweep_keeps_those_whose_time_is_not_over() {
        let kept = KeptDataKeys::default();
        kept.keep(kept.age(), &key(Owner::SYSTEM));
        kept.sweep();
        assert!(kept.find(Owner::SYSTEM, 1).is_some());
    }
}
