//! A few routers, accounts and clocks, and what happens to them.

use std::collections::HashMap;
use std::sync::Arc;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use keyward_money::{BasisPoints, Nanos, Prices};
use keyward_proto::metering::v1 as wire;
use parking_lot::Mutex;
use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use ring::digest;
use uuid::Uuid;

use super::port::{Port, Unheard};
use super::router::{Borrowed, Request, Router, Told};
use crate::domain::account::{AccountKey, AccountKind};
use crate::domain::charging::{HoldRequest, Terms, price_own_key};
use crate::domain::event::{Event, Outcome};
use crate::domain::ledger::oracle::assert_adds_up;
use crate::domain::ledger::{
    Books, ExpireHold, ExpireLots, Extension, GiveBack, Granted, Holder, LeaseSettlement, Lend,
    Lent, NewGrant, NewHold, NewRecord, Placed, Posted, Settlement, TransferKind, VoidHold,
};

/// How many things happen in a history.
const STEPS: u32 = 80;
const ROUTERS: usize = 3;
const ACCOUNTS: u64 = 3;

/// A source of chances that is the same for the same seed and purpose.
pub(super) fn rng(seed: u64, purpose: &str) -> TestRng {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&seed.to_le_bytes());
    context.update(purpose.as_bytes());
    TestRng::from_seed(RngAlgorithm::ChaCha, context.finish().as_ref())
}

/// Whether something happens that does so in so many of a hundred cases.
pub(super) fn chance(rng: &mut TestRng, percent: u32) -> bool {
    rng.next_u32() % 100 < percent
}

/// What a system-key request must be charged in the end, as what it pinned and used says.
#[derive(Debug, Clone)]
struct Due {
    event: Event,
    terms: Option<Terms>,
}

/// All there is.
pub(super) struct World<P> {
    port: P,
    rng: TestRng,
    now: Timestamp,
    routers: Vec<Router>,
    ids: u64,
    /// By event: what was used of a provider.
    due: HashMap<Uuid, Due>,
    granted: HashMap<AccountKey, i64>,
}

impl<P: Port> World<P> {
    pub(super) fn new(seed: u64, port: P) -> Self {
        Self {
            port,
            rng: rng(seed, "world"),
            now: Timestamp::from_second(1_800_000_000).expect("in range"),
            routers: (0..ROUTERS).map(|_| Router::default()).collect(),
            ids: 0,
            due: HashMap::new(),
            granted: HashMap::new(),
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound.max(1)
    }

    fn amount(&mut self, bound: u64) -> i64 {
        i64::try_from(self.below(bound)).expect("small")
    }

    fn id(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u64_pair(0x0190_0000_0000_7000, 0x8000_0000_0000_0000 | self.ids)
    }

    fn account(&mut self) -> AccountKey {
        let number = 1 + self.below(ACCOUNTS);
        AccountKey::new(AccountKind::User, Uuid::from_u128(number.into()))
    }

    /// Lets things happen.
    pub(super) async fn live(&mut self) {
        for _ in 0..STEPS {
            let router = usize::try_from(self.below(ROUTERS as u64)).expect("small");
            match self.below(115) {
                0..12 => self.grant().await,
                12..40 => self.place(router).await,
                40..45 => self.own_key(router),
                45..50 => self.extend(router).await,
                50..68 => self.finish(router),
                68..86 => self.tell(router).await,
                86..90 => self.crash(router),
                90..95 => self.expire().await,
                95..100 => self.jump(),
                100..106 => self.borrow(router).await,
                106..112 => self.hold_from_lease(router),
                _ => self.give_back(router).await,
            }
        }
    }

    async fn grant(&mut self) {
        let (account, id, amount) = (self.account(), self.id(), 1 + self.amount(400));
        let expires = chance(&mut self.rng, 30).then_some(self.now);
        let grant = NewGrant {
            id,
            account,
            amount: Nanos::new(amount),
            priority: 0,
            expire_time: expires.and_then(|now| now.checked_add(SignedDuration::from_mins(5)).ok()),
            request_id: id.to_string(),
            note: String::new(),
            time: self.now,
        };
        // Whoever grants asks until it is told.
        loop {
            if let Ok(granted) = self.port.ask(grant.clone()).await {
                assert!(matches!(granted, Granted::Posted { .. }), "{granted:?}");
                break;
            }
        }
        *self.granted.entry(account).or_default() += amount;
    }

    /// Requests of one account arrive together. So many of their holds stand as are covered, and
    /// none is refused that would be.
    async fn place(&mut self, router: usize) {
        let (account, burst) = (self.account(), 1 + self.below(5));
        let holds: Vec<_> = (0..burst).map(|_| self.new_hold(account)).collect();
        let asking = holds.iter().map(|hold| self.port.ask(hold.clone()));
        let answers = join_all(asking).await;
        let left = self.available(account);
        for (hold, placed) in holds.into_iter().zip(answers) {
            let is_free = hold.amount.is_zero();
            match placed {
                Ok(Placed::Held(_)) => {
                    assert!(
                        is_free || left >= Nanos::ZERO,
                        "more is held than was there"
                    );
                    self.dispatch(router, hold);
                }
                Ok(Placed::Short { available }) => {
                    assert!(left <= available, "what is held is not there any more");
                    assert!(!is_free && available < hold.amount, "it was there");
                }
                Ok(other) => panic!("a new hold is not {other:?}"),
                // Not dispatched; it expires.
                Err(Unheard) => {}
            }
        }
    }

    fn available(&self, account: AccountKey) -> Nanos {
        let find = |books: &Arc<Mutex<Books>>| {
            let books = books.lock();
            let found = books.accounts.get(&account);
            found.map(|account| account.available(self.now))
        };
        let found = self.port.written().iter().find_map(find);
        found.unwrap_or_default()
    }

    fn new_hold(&mut self, account: AccountKey) -> NewHold {
        let (id, amount) = (self.id(), self.amount(120));
        NewHold {
            request: HoldRequest {
                id,
                account,
                owner: owner(account),
                inference_id: id.to_string(),
                provider: "p".to_owned(),
                model: "m".to_owned(),
            },
            terms: self.terms(),
            amount: Nanos::new(amount),
            budgets: Vec::new(),
            create_time: self.now,
            expire_time: self
                .now
                .checked_add(SignedDuration::from_mins(10))
                .expect("in range"),
        }
    }

    fn terms(&mut self) -> Terms {
        Terms {
            price_version: 1 + self.below(3),
            prices: Prices::per_million(1_000_000, 2_000_000),
            markup: BasisPoints::new(u32::try_from(self.below(3) * 500).expect("small")),
            cap: chance(&mut self.rng, 20).then(|| Nanos::new(90)),
        }
    }

    /// The provider is called: from here on there must be a record.
    fn dispatch(&mut self, router: usize, hold: NewHold) {
        let (id, account) = (self.id(), hold.request.account);
        // What the intent says: the prompt, until more is known.
        let intent = event(id, &hold.request.inference_id, account, 20, System::Used);
        let lease = None;
        self.routers[router].serving.push(Request {
            hold,
            intent,
            lease,
        });
    }

    /// A request that needs no hold.
    fn own_key(&mut self, router: usize) {
        let (account, id, tokens) = (self.account(), self.id(), self.amount(200));
        let event = event(id, &id.to_string(), account, tokens, System::Own);
        let due = Due {
            event: event.clone(),
            terms: None,
        };
        self.due.insert(id, due);
        let told = Told {
            event,
            hold_id: None,
            lease: None,
        };
        self.routers[router].spool.push(told);
    }

    async fn extend(&mut self, router: usize) {
        let more = Nanos::new(self.amount(200));
        let Some(request) = self.routers[router].serving.first() else {
            return;
        };
        let extension = Extension {
            id: request.hold.request.id,
            account: request.hold.request.account,
            amount: more,
            time: self.now,
        };
        // Refused or unheard of, the request goes on.
        let _ = self.port.ask(extension).await;
    }

    /// A request ends: what it used goes into the spool.
    fn finish(&mut self, router: usize) {
        if self.routers[router].serving.is_empty() {
            return;
        }
        let Request {
            hold,
            intent,
            lease,
        } = self.routers[router].serving.remove(0);
        let (tokens, failed) = (self.amount(150), chance(&mut self.rng, 20));
        let kind = if failed { System::Failed } else { System::Used };
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
    async fn tell(&mut self, router: usize) {
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
    fn crash(&mut self, router: usize) {
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

    /// A router asks for a lease, or for more of one.
    async fn borrow(&mut self, router: usize) {
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
    fn hold_from_lease(&mut self, router: usize) {
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
    async fn give_back(&mut self, router: usize) {
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

    async fn end_lost(&mut self, router: usize) -> Result<(), Unheard> {
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

    async fn expire(&mut self) {
        let account = self.account();
        let id = self.id();
        let time = self.now;
        let _ = self.port.ask(ExpireLots { id, account, time }).await;
        let holds: Vec<_> = {
            let books = self.port.written();
            let of = |books: &Arc<Mutex<_>>| all_holds(&books.lock());
            books.iter().flat_map(of).collect()
        };
        for (id, account) in holds {
            let _ = self.port.ask(ExpireHold { id, account, time }).await;
        }
    }

    /// Metering's clock goes on, or back.
    fn jump(&mut self) {
        let seconds = self.amount(900) - 200;
        let jumped = self.now.checked_add(SignedDuration::from_secs(seconds));
        self.now = jumped.expect("in range");
    }

    /// Everything that waits is told, over a network that works.
    pub(super) async fn settle_all(&mut self) {
        self.port.heal();
        for router in 0..ROUTERS {
            self.crash(router);
            while !self.routers[router].spool.is_empty() {
                self.tell(router).await;
            }
            self.end_lost(router).await.expect("nothing fails any more");
        }
        self.port.close().await;
    }

    /// Each use has its one record, with the figures that were told, and was charged once, by what
    /// its hold had pinned; nothing else was charged.
    pub(super) fn check(&self) {
        let mut stored = HashMap::new();
        let mut balances: HashMap<AccountKey, i64> = HashMap::new();
        let mut expired: HashMap<AccountKey, i64> = HashMap::new();
        for books in self.port.written() {
            let books = books.lock();
            assert_adds_up(&books);
            assert!(
                books.changes.rejects.is_empty(),
                "nothing was told that contradicts itself"
            );
            stored.extend(books.events.clone());
            let leased = books.accounts.values().map(|account| account.leased.get());
            assert_eq!(leased.sum::<i64>(), 0, "what was lent came back");
            let all = books.accounts.iter();
            balances.extend(all.map(|(key, account)| (*key, account.balance.get())));
            for transfer in &books.changes.transfers {
                if transfer.kind == TransferKind::Expiry {
                    *expired.entry(transfer.account).or_default() += transfer.amount.get();
                }
            }
        }
        assert_eq!(stored.len(), self.due.len(), "one record for each use");
        let mut charged: HashMap<AccountKey, i64> = HashMap::new();
        for (id, due) in &self.due {
            let record = &stored[id];
            assert_eq!(record.event, due.event, "with the figures that were told");
            let expected = due
                .terms
                .as_ref()
                .map(|terms| terms.price(&due.event).expect("fits"));
            let expected = expected.map_or(Nanos::ZERO, |priced| priced.charge);
            assert_eq!(record.priced.charge, expected, "charged by what was pinned");
            *charged.entry(due.event.account).or_default() += expected.get();
        }
        let of = |sums: &HashMap<AccountKey, i64>, key| sums.get(key).copied().unwrap_or_default();
        for (key, balance) in &balances {
            let expected = of(&self.granted, key) - of(&charged, key) - of(&expired, key);
            assert_eq!(*balance, expected, "grants less charges");
        }
    }
}

fn all_holds(books: &Books) -> Vec<(Uuid, AccountKey)> {
    let holds = books.holds.values();
    let mut all: Vec<_> = holds
        .map(|hold| (hold.request.id, hold.request.account))
        .collect();
    all.sort();
    all
}

/// What became of a use.
#[derive(Debug, Clone, Copy)]
enum System {
    Used,
    Failed,
    Own,
}

fn owner(account: AccountKey) -> wire::UsageOwner {
    wire::UsageOwner {
        account: account.to_string(),
        ..wire::UsageOwner::default()
    }
}

fn event(id: Uuid, inference_id: &str, account: AccountKey, tokens: i64, kind: System) -> Event {
    let (status, key_source) = match kind {
        System::Used => (wire::AttemptStatus::Ok, wire::KeySource::System),
        System::Failed => (wire::AttemptStatus::Failed, wire::KeySource::System),
        System::Own => (wire::AttemptStatus::Ok, wire::KeySource::User),
    };
    let message = wire::UsageEvent {
        inference_id: inference_id.to_owned(),
        attempt: 1,
        owner: Some(owner(account)),
        key_source: key_source.into(),
        status: status.into(),
        usage: Some(wire::Usage {
            input_tokens: tokens,
            ..wire::Usage::default()
        }),
        ..wire::UsageEvent::default()
    };
    Event::parse(&id.to_string(), Some(message), None).expect("valid")
}
