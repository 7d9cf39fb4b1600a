//! Leases that routers have, and what they hold from them.

use keyward_money::Nanos;
use uuid::Uuid;

use super::World;
use crate::domain::account::AccountKey;
use crate::domain::charging::Terms;
use crate::domain::ledger::{GiveBack, Holder, Lend, Lent, NewHold};
use crate::simulation::port::{Port, Unheard};
use crate::simulation::router::Borrowed;

impl<P: Port> World<P> {
    /// A router asks for a lease, or for more of one.
    pub(super) async fn borrow(&mut self, router: usize) {
        let account = self.account();
        let mut known = self.routers[router].leases.iter().cloned();
        let known = known.find(|borrowed| borrowed.account == account);
        let borrowed = known.unwrap_or_else(|| {
            let borrowed = self.new_lease(account);
            self.routers[router].leases.push(borrowed.clone());
            borrowed
        });
        let wanted = borrowed.granted + self.amount(200);
        let lend = Lend {
            id: borrowed.id,
            account,
            holder: Holder {
                router: Uuid::from_u128(router as u128),
                start: self.routers[router].start,
            },
            price_version: borrowed.terms.price_version,
            markup: borrowed.terms.markup,
            wanted: Nanos::new(wanted),
            least: Nanos::new(borrowed.granted),
            most: Nanos::new(i64::MAX),
            parts: 2,
            time: self.now,
            expire_time: self.now,
        };
        let Ok(lent) = self.port.ask(lend).await else {
            // What was lent comes with the next answer.
            self.borrowed(router, borrowed.id).is_unsure = true;
            return;
        };
        let Lent::Granted(lease) = lent else {
            panic!("a lease of its own is not {lent:?}");
        };
        let more = lease.granted.get() - borrowed.granted;
        let left = self.available(account);
        assert!(
            more == 0 || borrowed.is_unsure || left >= Nanos::ZERO,
            "more is lent than was there"
        );
        let known = self.borrowed(router, borrowed.id);
        known.free += more;
        known.granted += more;
        known.is_unsure = false;
    }

    /// A lease as its router knows it.
    fn borrowed(&mut self, router: usize, id: Uuid) -> &mut Borrowed {
        let mut leases = self.routers[router].leases.iter_mut();
        leases.find(|known| known.id == id).expect("one")
    }

    fn new_lease(&mut self, account: AccountKey) -> Borrowed {
        let terms = Terms {
            cap: None,
            ..self.terms()
        };
        Borrowed {
            id: self.id(),
            account,
            terms,
            free: 0,
            granted: 0,
            returned: 0,
            is_unsure: false,
        }
    }

    /// A router holds from a lease, and nobody else learns of it.
    pub(super) fn hold_from_lease(&mut self, router: usize) {
        let leases = &self.routers[router].leases;
        let Some(place) = leases.iter().position(|borrowed| borrowed.free > 0) else {
            return;
        };
        let borrowed = leases[place].clone();
        let hold = self.new_hold(borrowed.account);
        let amount = hold.amount.get().min(borrowed.free);
        self.routers[router].leases[place].free -= amount;
        let hold = NewHold {
            amount: Nanos::new(amount),
            terms: borrowed.terms,
            ..hold
        };
        self.dispatch(router, hold);
        let last = self.routers[router].serving.last_mut();
        last.expect("it was dispatched").lease = Some(borrowed.id);
    }

    /// A router gives a part back; what earlier starts had is given back once all is told.
    pub(super) async fn give_back(&mut self, router: usize) {
        if self.routers[router].spool.is_empty() && self.end_lost(router).await.is_err() {
            return;
        }
        let Some(borrowed) = self.routers[router].leases.first_mut() else {
            return;
        };
        let part = borrowed.free.max(0) / 2;
        borrowed.free -= part;
        borrowed.returned += part;
        let (id, account) = (borrowed.id, borrowed.account);
        let back = GiveBack {
            id,
            account,
            returned: Nanos::new(borrowed.returned),
            ends: false,
        };
        // Unheard of, it comes with the next one.
        let _ = self.port.ask(back).await;
    }

    pub(super) async fn end_lost(&mut self, router: usize) -> Result<(), Unheard> {
        while let Some(lost) = self.routers[router].lost.last() {
            let end = GiveBack {
                id: lost.id,
                account: lost.account,
                returned: Nanos::ZERO,
                ends: true,
            };
            self.port.ask(end).await?;
            self.routers[router].lost.pop();
        }
        Ok(())
    }
}
