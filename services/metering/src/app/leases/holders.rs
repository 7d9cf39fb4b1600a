//! The routers that can be reached, and what is asked of them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use keyward_money::Nanos;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};

use crate::domain::errand::Errand;
use crate::domain::ledger::Holder;

/// Calls on their way to one router, which does them as they come. A router that leaves so many
/// undone is not asked for more.
const CALLS_MAX: usize = 1_024;

/// Something that a router is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) id: u64,
    pub(crate) errand: Errand,
}

/// The routers that are connected.
#[derive(Debug, Clone)]
pub(crate) struct Holders {
    shared: Arc<Mutex<Shared>>,
    /// Counts up as one is connected.
    arrivals: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Shared {
    last_id: u64,
    connected: HashMap<Holder, Line>,
}

/// The way to one router.
#[derive(Debug)]
struct Line {
    /// Of several of the same router the last one counts.
    number: u64,
    calls: mpsc::Sender<Call>,
    undone: HashMap<u64, oneshot::Sender<Nanos>>,
}

/// A router's connection, for as long as it stands.
#[derive(Debug)]
pub(crate) struct Connected {
    shared: Arc<Mutex<Shared>>,
    pub(crate) holder: Holder,
    number: u64,
}

impl Drop for Connected {
    fn drop(&mut self) {
        let mut shared = self.shared.lock();
        let line = shared.connected.get(&self.holder);
        if line.is_some_and(|line| line.number == self.number) {
            shared.connected.remove(&self.holder);
        }
    }
}

impl Connected {
    /// The router has done what it was called for.
    pub(crate) fn done(&self, call_id: u64, in_flight: Nanos) {
        let mut shared = self.shared.lock();
        let line = shared.connected.get_mut(&self.holder);
        if let Some(waiting) = line.and_then(|line| line.undone.remove(&call_id)) {
            // Who asked may have given up.
            let _ = waiting.send(in_flight);
        }
    }
}

impl Shared {
    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }
}

impl Default for Holders {
    fn default() -> Self {
        Self {
            shared: Arc::default(),
            arrivals: watch::Sender::new(0),
        }
    }
}

impl Holders {
    /// A router is connected: what is asked of it comes out here.
    pub(crate) fn connect(&self, holder: Holder) -> (Connected, mpsc::Receiver<Call>) {
        let (calls, receiver) = mpsc::channel(CALLS_MAX);
        let mut shared = self.shared.lock();
        let number = shared.next_id();
        let line = Line {
            number,
            calls,
            undone: HashMap::new(),
        };
        shared.connected.insert(holder, line);
        drop(shared);
        self.arrivals.send_modify(|arrivals| *arrivals += 1);
        let connected = Connected {
            shared: Arc::clone(&self.shared),
            holder,
            number,
        };
        (connected, receiver)
    }

    /// All that are connected now.
    pub(crate) fn all(&self) -> BTreeSet<Holder> {
        self.shared.lock().connected.keys().copied().collect()
    }

    /// Asks routers for something, and waits until they have done it, for so long at most; those
    /// that are not connected are waited for, too. Gives what requests in flight hold.
    pub(crate) async fn call(
        &self,
        holders: impl IntoIterator<Item = Holder>,
        errand: Errand,
        wait: Duration,
    ) -> Nanos {
        let asking = holders
            .into_iter()
            .map(|holder| self.ask(holder, errand, wait));
        let in_flight = join_all(asking).await.into_iter().flatten();
        in_flight.fold(Nanos::ZERO, Nanos::saturating_add)
    }

    /// The same of one; nothing if it has not done it in time.
    pub(crate) async fn ask(
        &self,
        holder: Holder,
        errand: Errand,
        wait: Duration,
    ) -> Option<Nanos> {
        let done = async { self.begin(holder, errand).await.await.ok() };
        tokio::time::timeout(wait, done).await.ok().flatten()
    }

    async fn begin(&self, holder: Holder, errand: Errand) -> oneshot::Receiver<Nanos> {
        let mut arrivals = self.arrivals.subscribe();
        loop {
            if let Some(done) = self.try_begin(holder, errand) {
                return done;
            }
            // The sender is in `self`, so this waits for an arrival.
            if arrivals.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    fn try_begin(&self, holder: Holder, errand: Errand) -> Option<oneshot::Receiver<Nanos>> {
        let mut shared = self.shared.lock();
        let id = shared.next_id();
        let line = shared.connected.get_mut(&holder)?;
        let (waiting, done) = oneshot::channel();
        line.undone.retain(|_, waiting| !waiting.is_closed());
        line.calls.try_send(Call { id, errand }).ok()?;
        line.undone.insert(id, waiting);
        Some(done)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const SOON: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_mins(1);

    fn holder(start: u64) -> Holder {
        Holder {
            router: Uuid::nil(),
            start,
        }
    }

    #[tokio::test]
    async fn a_call_is_over_once_all_have_done_it_or_the_wait_is() {
        let holders = Holders::default();
        let (one, mut first) = holders.connect(holder(1));
        let (two, mut second) = holders.connect(holder(2));
        let answering = async {
            one.done(first.recv().await.expect("a call").id, Nanos::new(3));
            two.done(second.recv().await.expect("a call").id, Nanos::new(4));
        };
        let all = holders.all();
        let calling = holders.call(all, Errand::flush(None), LONG);
        assert_eq!(tokio::join!(calling, answering).0, Nanos::new(7));
        let silent = holders.call([holder(1)], Errand::recall(None), SOON);
        assert_eq!(silent.await, Nanos::ZERO);
        drop(one);
        assert_eq!(holders.all(), [holder(2)].into());
    }

    #[tokio::test]
    async fn who_comes_back_is_asked_then() {
        let holders = Holders::default();
        let coming = async {
            tokio::time::sleep(SOON).await;
            let (connected, mut calls) = holders.connect(holder(1));
            connected.done(calls.recv().await.expect("a call").id, Nanos::new(5));
            connected
        };
        let calling = holders.call([holder(1)], Errand::flush(None), LONG);
        let (in_flight, connected) = tokio::join!(calling, coming);
        assert_eq!(in_flight, Nanos::new(5));
        let (again, _calls) = holders.connect(holder(1));
        drop(connected);
        assert_eq!(holders.all().len(), 1, "the newer connection stands");
        drop(again);
        assert!(holders.all().is_empty());
    }
}
