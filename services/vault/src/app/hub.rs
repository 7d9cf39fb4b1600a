//! Who watches for changes, and how far each has confirmed them. One that has left counts as behind for
//! as long as it may use what it holds: it may not know yet that it hears nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

/// Knows the watchers. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct ChangeHub {
    head: watch::Sender<u64>,
    state: Arc<Mutex<State>>,
    /// Counts confirmations and departures, so that those who wait look again.
    progress: watch::Sender<u64>,
    /// How long a watcher that hears nothing goes on.
    bound: Duration,
}

#[derive(Debug, Default)]
struct State {
    next_id: u64,
    confirmed: HashMap<u64, u64>,
    /// Who has left, and when.
    departed: HashMap<u64, Instant>,
}

/// A connected watcher; leaves when dropped.
#[derive(Debug)]
pub(crate) struct Registration {
    id: u64,
    hub: ChangeHub,
}

impl ChangeHub {
    /// Without watchers, with `head` as the last change; watchers that hear nothing go on for `bound`.
    pub(crate) fn new(head: u64, bound: Duration) -> Self {
        Self {
            head: watch::Sender::new(head),
            state: Arc::default(),
            progress: watch::Sender::new(0),
            bound,
        }
    }

    /// Wakes watchers: there is a change of this number.
    pub(crate) fn announce(&self, sequence: u64) {
        self.head.send_if_modified(|head| {
            let newer = sequence > *head;
            *head = sequence.max(*head);
            newer
        });
    }

    /// Told of every announcement.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    /// Told of every confirmation, arrival and departure.
    pub(super) fn progress(&self) -> watch::Receiver<u64> {
        self.progress.subscribe()
    }

    /// How long a watcher that hears nothing goes on.
    pub(super) fn bound(&self) -> Duration {
        self.bound
    }

    /// What each watcher has confirmed; nothing, for those that left lately.
    pub(super) fn standing(&self) -> Vec<u64> {
        let state = self.state.lock();
        let lately = |left: &&Instant| left.elapsed() < self.bound;
        let departed = state.departed.values().filter(lately).map(|_| 0);
        state.confirmed.values().copied().chain(departed).collect()
    }

    /// A watcher that has taken in everything up to `confirmed`.
    pub(crate) fn register(&self, confirmed: u64) -> Registration {
        let mut state = self.state.lock();
        state.next_id += 1;
        let id = state.next_id;
        state.confirmed.insert(id, confirmed);
        Registration {
            id,
            hub: self.clone(),
        }
    }

    /// Waits until all who watch now have confirmed `sequence`, at most `wait`; returns how many
    /// have not. One that leaves meanwhile has not.
    pub(crate) async fn confirmed(&self, sequence: u64, wait: Duration) -> u32 {
        let mut progress = self.progress.subscribe();
        let behind: Vec<u64> = {
            let state = self.state.lock();
            let behind = state.confirmed.iter().filter(|(_, done)| **done < sequence);
            behind.map(|(id, _)| *id).collect()
        };
        let all = async {
            while self.may_still_confirm(&behind, sequence) && progress.changed().await.is_ok() {}
        };
        // Whether in time or not is counted below.
        let _ = tokio::time::timeout(wait, all).await;
        let mut state = self.state.lock();
        state.departed.retain(|_, left| left.elapsed() < self.bound);
        let gone_before = state.departed.keys().filter(|id| !behind.contains(*id));
        let late = behind
            .iter()
            .filter(|id| !has_confirmed(&state, **id, sequence));
        u32::try_from(late.count() + gone_before.count()).unwrap_or(u32::MAX)
    }

    fn may_still_confirm(&self, behind: &[u64], sequence: u64) -> bool {
        let state = self.state.lock();
        let connected_and_behind =
            |id: &u64| state.confirmed.get(id).is_some_and(|at| *at < sequence);
        behind.iter().any(connected_and_behind)
    }
}

fn has_confirmed(state: &State, id: u64, sequence: u64) -> bool {
    state.confirmed.get(&id).is_some_and(|at| *at >= sequence)
}

impl Registration {
    /// Everything up to `sequence` has been taken in.
    pub(crate) fn confirm(&self, sequence: u64) {
        if let Some(at) = self.hub.state.lock().confirmed.get_mut(&self.id) {
            *at = sequence.max(*at);
        }
        self.hub.progress.send_modify(|count| *count += 1);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut state = self.hub.state.lock();
        state.confirmed.remove(&self.id);
        let bound = self.hub.bound;
        state.departed.retain(|_, left| left.elapsed() < bound);
        state.departed.insert(self.id, Instant::now());
        drop(state);
        self.hub.progress.send_modify(|count| *count += 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_millis(50);
    const BOUND: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn nobody_is_waited_for_where_nobody_watches() {
        assert_eq!(ChangeHub::new(0, BOUND).confirmed(1, WAIT).await, 0);
    }

    #[tokio::test]
    async fn those_who_have_not_confirmed_in_time_are_counted() {
        let hub = ChangeHub::new(0, BOUND);
        let (quick, _slow) = (hub.register(0), hub.register(0));
        quick.confirm(7);
        assert_eq!(hub.confirmed(7, WAIT).await, 1);
    }

    #[tokio::test]
    async fn a_confirmation_ends_the_wait_and_a_departure_counts_as_none() {
        let hub = ChangeHub::new(0, BOUND);
        let (stays, leaves) = (hub.register(0), hub.register(0));
        let waiting = hub.confirmed(3, Duration::from_mins(1));
        let acting = async {
            tokio::task::yield_now().await;
            stays.confirm(3);
            drop(leaves);
        };
        let (late, ()) = tokio::join!(waiting, acting);
        assert_eq!(late, 1);
    }

    #[tokio::test]
    async fn one_that_has_left_counts_until_it_must_have_noticed() {
        for (bound, expect) in [(Duration::from_mins(1), 1), (Duration::ZERO, 0)] {
            let hub = ChangeHub::new(0, bound);
            drop(hub.register(9));
            assert_eq!(hub.confirmed(1, WAIT).await, expect);
        }
    }
}
