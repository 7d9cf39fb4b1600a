//! The slots that this process holds, so that they can be renewed for as long as their requests run.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::counter::Counter;

/// Slots by counter.
#[derive(Debug, Default)]
pub(crate) struct Held {
    holders: Mutex<HashMap<Counter, HashSet<String>>>,
}

/// Slots that are renewed until this is dropped, however the request ended.
#[derive(Debug)]
pub(crate) struct Renewed {
    held: Arc<Held>,
    counters: Vec<Counter>,
    holder: String,
}

impl Held {
    /// Has slots renewed.
    pub(crate) fn renew(self: &Arc<Self>, counters: &[Counter], holder: &str) -> Renewed {
        let mut holders = self.holders.lock();
        for counter in counters {
            let of_counter = holders.entry(counter.clone()).or_default();
            of_counter.insert(holder.to_owned());
        }
        Renewed {
            held: Arc::clone(self),
            counters: counters.to_vec(),
            holder: holder.to_owned(),
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

impl Drop for Renewed {
    fn drop(&mut self) {
        let mut holders = self.held.holders.lock();
        for counter in &self.counters {
            if let Some(of_counter) = holders.get_mut(counter) {
                of_counter.remove(&self.holder);
                if of_counter.is_empty() {
                    holders.remove(counter);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counter::{Kind, Scope};

    #[test]
    fn what_a_lost_request_held_is_renewed_no_more() {
        let counter = Counter {
            account: "a".to_owned(),
            scope: Scope::User,
            id: "a".to_owned(),
            kind: Kind::Concurrency,
        };
        let held = Arc::new(Held::default());
        let one = held.renew(std::slice::from_ref(&counter), "one");
        let other = held.renew(std::slice::from_ref(&counter), "other");
        drop(one);
        assert_eq!(held.all(), [(counter, vec!["other".to_owned()])]);
        drop(other);
        assert!(held.all().is_empty());
    }
}
