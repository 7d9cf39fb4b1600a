//! Who asks a provider for an answer that several want: one, the others wait for it.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::app::dispatch::ProviderAnswer;
use crate::domain::cache::Name;

type Table = Arc<Mutex<HashMap<Name, watch::Receiver<Landing>>>>;

/// All that are under way. Bounded by the requests that are.
#[derive(Debug, Default)]
pub(super) struct Flights {
    table: Table,
}

/// What became of a request for an answer that is not there.
#[derive(Debug)]
pub(crate) enum Boarding {
    /// It is the one to ask.
    First(Flight),
    /// Another asks.
    Behind(Ahead),
}

/// How a turn ended.
#[derive(Debug, Clone, Default)]
pub(crate) enum Landing {
    /// With nothing that anybody else could be given.
    #[default]
    Failed,
    /// With an answer, whether it is stored or not.
    Served,
    /// With a provider's refusal of the request itself.
    Refused(Arc<ProviderAnswer>),
}

/// The turn of the one who asks. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Flight {
    table: Table,
    name: Name,
    /// Those who wait see it go.
    landed: watch::Sender<Landing>,
}

/// The turn of another.
#[derive(Debug)]
pub(crate) struct Ahead(watch::Receiver<Landing>);

impl Flights {
    pub(super) fn board(&self, name: Name) -> Boarding {
        let mut table = self.table.lock();
        if let Some(receiver) = table.get(&name) {
            return Boarding::Behind(Ahead(receiver.clone()));
        }
        let (landed, receiver) = watch::channel(Landing::default());
        table.insert(name, receiver);
        Boarding::First(Flight {
            table: Arc::clone(&self.table),
            name,
            landed,
        })
    }
}

impl Flight {
    /// Says how it ends. Those who wait learn of it when it has ended.
    pub(crate) fn land(&self, landing: Landing) {
        self.landed.send_if_modified(|how| {
            *how = landing;
            false
        });
    }
}

impl Ahead {
    /// Waits until it has ended.
    pub(crate) async fn landed(mut self) -> Landing {
        while self.0.changed().await.is_ok() {}
        self.0.borrow().clone()
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.table.lock().remove(&self.name);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn one_goes_first_and_the_others_wait_until_it_is_through() {
        let flights = Flights::default();
        for (said, expect) in [(None, "Failed"), (Some(Landing::Served), "Served")] {
            let Boarding::First(flight) = flights.board([1; 32]) else {
                panic!("nobody was before it");
            };
            let Boarding::Behind(ahead) = flights.board([1; 32]) else {
                panic!("somebody was before it");
            };
            assert!(matches!(flights.board([2; 32]), Boarding::First(_)));
            if let Some(landing) = said {
                flight.land(landing);
            }
            let mut landed = std::pin::pin!(ahead.landed());
            assert!(landed.as_mut().now_or_never().is_none());
            drop(flight);
            assert_eq!(format!("{:?}", landed.await), expect);
        }
    }
}
