//! The slots that this process holds, so that they can be renewed for as long as it lives.

use std::collections::{HashMap, HashSet};

use parking_lot::Mutex;

use crate::counter::Counter;

/// Slots by counter.
#[derive(Debug, Default)]
pub(crate) struct Held {
    holders: Mutex<HashMap<Counter, HashSet<String>>>,
}

impl Held {
    pub(crate) fn add(&self, counters: &[Counter], holder: &str) {
        let mut holders = self.holders.lock();
        for counter in counters {
            let of_counter = holders.entry(counter.clone()).or_default();
            of_counter.insert(holder.to_owned());
        }
    }

    pub(crate) fn remove(&self, counters: &[Counter], holder: &str) {
        let mut holders = self.holders.lock();
        for counter in counters {
            if let Some(of_counter) = holders.get_mut(counter) {
                of_counter.remove(holder);
                if of_counter.is_empty() {
                    holders.remove(counter);
                }
            }
        }
    }

    /// All of them now.
    pub(crate) fn all(&self) -> Vec<(Counter, Vec<String>)> {
        let holders = self.holders.lock();
        let all = holders.iter();
        all.map(|(counter, of_counter)| (counter.clone(), of_counter.iter().cloned().collect()))
            .collect()
    }
}
