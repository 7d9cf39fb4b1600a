//! What routers have used, and how metering is told of it.

use uuid::Uuid;

use super::{Due, System, World, chance, event};
use crate::domain::charging::price_own_key;
use crate::domain::event::{Event, Outcome};
use crate::domain::ledger::{LeaseSettlement, NewHold, NewRecord, Posted, Settlement, VoidHold};
use crate::simulation::port::{Port, Unheard};
use crate::simulation::router::{Request, Told};

impl<P: Port> World<P> {
    /// A request ends: what it used goes into the spool.
    pub(super) fn finish(&mut self, router: usize) {
        if self.routers[router].serving.is_empty() {
            return;
        }
        let Request {
            hold,
            intent,
            lease,
        } = self.routers[router].serving.remove(0);
        let tokens = self.amount(150);
        let kind = match self.below(10) {
            0..2 => System::Failed,
            2 => System::Hedged,
            _ => System::Used,
        };
        let inference_id = &intent.message.inference_id;
        let event = event(intent.id, inference_id, hold.request.account, tokens, kind);
        let charge = hold.terms.price(&event).expect("fits").charge;
        let rest = hold.amount.get() - charge.get();
        let mut leases = self.routers[router].leases.iter_mut();
        if let Some(borrowed) = leases.find(|borrowed| Some(borrowed.id) == lease) {
            borrowed.free += rest;
        }
        self.spool(router, event, &hold, lease);
    }

    fn spool(&mut self, router: usize, event: Event, hold: &NewHold, lease: Option<Uuid>) {
        let due = Due {
            event: event.clone(),
            terms: Some(hold.terms.clone()),
        };
        self.due.insert(event.id, due);
        let told = Told {
            event,
            hold_id: Some(hold.request.id),
            lease: lease.map(|lease| (lease, hold.clone())),
        };
        self.routers[router].spool.push(told);
    }

    /// One of the spool's events is told; it goes once it is acknowledged. A reordering network
    /// takes any of them.
    pub(super) async fn tell(&mut self, router: usize) {
        let waiting = self.routers[router].spool.len() as u64;
        if waiting == 0 {
            return;
        }
        let place = usize::try_from(self.below(waiting)).expect("small");
        let told = self.routers[router].spool[place].clone();
        if self.ask(&told).await.is_ok() && !chance(&mut self.rng, 20) {
            self.routers[router].spool.remove(place);
        }
    }

    async fn ask(&mut self, told: &Told) -> Result<(), Unheard> {
        let (event, time) = (told.event.clone(), self.now);
        let is_unknown = told.lease.is_some() && event.outcome == Outcome::Failed;
        let posted = match told.hold_id.filter(|_| !is_unknown) {
            None => {
                let priced = price_own_key(&event, None);
                let record = NewRecord {
                    event,
                    priced,
                    price_version: 0,
                    time,
                };
                self.port.ask(record).await?
            }
            Some(id) if event.outcome == Outcome::Failed => {
                let void = VoidHold {
                    id,
                    account: event.account,
                    event: Some(event),
                    time,
                };
                self.port
                    .ask(void)
                    .await?
                    .posted
                    .expect("an event was told")
            }
            Some(hold_id) if told.lease.is_some() => {
                let (lease_id, hold) = told.lease.clone().expect("one");
                let settlement = LeaseSettlement {
                    event,
                    lease_id,
                    hold_id,
                    held: hold.amount,
                    terms: hold.terms,
                    budgets: Vec::new(),
                    time,
                };
                self.port.ask(settlement).await?
            }
            Some(hold_id) => {
                let settlement = Settlement {
                    event,
                    hold_id,
                    time,
                };
                self.port.ask(settlement).await?
            }
        };
        assert!(matches!(posted, Posted::Recorded { .. }), "{posted:?}");
        Ok(())
    }

    /// A router dies: what it served is in its spool as intents, and settled by those when it is
    /// back.
    pub(super) fn crash(&mut self, router: usize) {
        for request in std::mem::take(&mut self.routers[router].serving) {
            let Request {
                hold,
                intent,
                lease,
            } = request;
            self.spool(router, intent, &hold, lease);
        }
        let died = &mut self.routers[router];
        died.start += 1;
        died.lost.append(&mut died.leases);
    }
}
