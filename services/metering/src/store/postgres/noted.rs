//! Where records and transfers were noted to lie: what is known to be stored is not written with each
//! batch anew.

use std::collections::{BTreeSet, HashSet};

use parking_lot::RwLock;

use crate::domain::account::AccountKey;
use crate::domain::day::Day;

/// How many places are remembered: a few for each of the accounts of a day. Beyond, all are forgotten,
/// and each is written once more.
const MAX: usize = 100_000;

/// An account has something of a day in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub(super) account: AccountKey,
    /// When it was dispatched or posted.
    pub(super) day: Day,
    pub(super) partition: Day,
}

/// Places that are stored, as far as this process wrote them itself. They are deleted with their
/// partitions only, which take in nothing more.
#[derive(Debug, Default)]
pub(super) struct Noted(RwLock<HashSet<Place>>);

impl Noted {
    /// Those of these that may not be stored yet, in order.
    pub(super) fn new_among(&self, places: BTreeSet<Place>) -> impl Iterator<Item = Place> {
        places.into_iter().filter(|place| !self.is_noted(place))
    }

    fn is_noted(&self, place: &Place) -> bool {
        self.0.read().contains(place)
    }

    /// Remembers places that are stored now.
    pub(super) fn add(&self, places: BTreeSet<Place>) {
        if places.iter().all(|place| self.is_noted(place)) {
            return;
        }
        let mut noted = self.0.write();
        if noted.len() > MAX {
            noted.clear();
        }
        noted.extend(places);
    }

    /// Forgets a partition.
    pub(super) fn forget(&self, partition: Day) {
        self.0.write().retain(|place| place.partition != partition);
    }
}
