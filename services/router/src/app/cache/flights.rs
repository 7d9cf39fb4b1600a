//! Who asks a provider for an answer that several want: one, the others wait for it.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::domain::cache::Name;

type Table = Arc<Mutex<HashMap<Name, watch::Receiver<()>>>>;

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
    /// Another asks: what is received ends when that one is through.
    Behind(watch::Receiver<()>),
}

/// The turn of the one who asks. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Flight {
    table: Table,
    name: Name,
    /// Those who wait see it go.
    _landed: watch::Sender<()>,
}

impl Flights {
    pub(super) fn board(&self, name: Name) -> Boarding {
        let mut table = self.table.lock();
        if let Some(receiver) = table.get(&name) {
            return Boarding::Behind(receiver.clone());
        }
        let (landed, receiver) = watch::channel(());
        table.insert(name, receiver);
        Boarding::First(Flight {
            table: Arc::clone(&self.table),
            name,
            _landed: landed,
        })
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.table.lock().remove(&self.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_goes_first_and_the_others_wait_until_it_is_through() {
        let flights = Flights::default();
        let Boarding::First(flight) = flights.board([1; 32]) else {
            panic!("nobody was before it");
        };
        let Boarding::Behind(mut behind) = flights.board([1; 32]) else {
            panic!("somebody was before it");
        };
        assert!(matches!(flights.board([2; 32]), Boarding::First(_)));
        assert!(!behind.has_changed().unwrap());
        drop(flight);
        assert!(behind.changed().await.is_err());
        assert!(matches!(flights.board([1; 32]), Boarding::First(_)));
    }
}
