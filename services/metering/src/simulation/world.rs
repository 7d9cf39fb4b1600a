//! A few routers, accounts and clocks, and what happens to them.

mod checking;
mod lending;
mod telling;

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
use super::router::{Request, Router, Told};
use crate::domain::account::{AccountKey, AccountKind};
use crate::domain::charging::{HoldRequest, Terms};
use crate::domain::event::Event;
use crate::domain::ledger::{
    Books, ExpireHold, ExpireLots, Extension, Granted, NewGrant, NewHold, Placed,
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
    Hedged,
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
        System::Hedged => (wire::AttemptStatus::Hedged, wire::KeySource::System),
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
