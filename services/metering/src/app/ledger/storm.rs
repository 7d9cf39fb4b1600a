//! Many who hold, settle, give back and raise at the same time, as the writers of shards take it, on
//! both engines: the books add up, and nobody waits for another for ever.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join_all;
use keyward_money::Nanos;
use keyward_proto::metering::v1 as wire;
use keyward_storage::PostgresUrl;
use keyward_testkit::TestDatabase;
use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use uuid::Uuid;

use super::Ledger;
use crate::domain::account::AccountKey;
use crate::domain::day::Retention;
use crate::domain::ledger::{
    Extended, Extension, NewGrant, NewHold, Placed, Posted, Settlement, VoidHold,
};
use crate::domain::notice::LowBalance;
use crate::store::postgres::PostgresStore;
use crate::store::sqlite::SqliteStore;
use crate::store::suite::install_prices;
use crate::store::suite::samples::{account, assert_adds_up, event, hold, settlement, time};
use crate::store::{BatchStore, Store, prove};

/// How many there are, and over how many accounts.
const TASKS: u64 = 64;
const ACCOUNTS: u64 = 100;

/// How many things each of them does; `KEYWARD_TEST_OPERATIONS` asks for more.
const OPERATIONS: u32 = 100;

/// What each account begins with: less than is asked of it.
const GRANTED: i64 = 1_500;

#[expect(clippy::disallowed_methods, reason = "a run by hand may ask for more")]
fn operations() -> u32 {
    let given = std::env::var("KEYWARD_TEST_OPERATIONS").ok();
    given.map_or(OPERATIONS, |text| text.parse().expect("a number"))
}

/// Somebody who does things, and knows what should have come of them.
struct Task<'a> {
    ledger: &'a Ledger,
    rng: TestRng,
    open: Vec<NewHold>,
    settled: Option<(Settlement, Posted)>,
    charged: BTreeMap<AccountKey, i64>,
}

impl<'a> Task<'a> {
    fn new(ledger: &'a Ledger, number: u64) -> Self {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&number.to_le_bytes());
        Self {
            ledger,
            rng: TestRng::from_seed(RngAlgorithm::ChaCha, &seed),
            open: Vec::new(),
            settled: None,
            charged: BTreeMap::new(),
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound
    }

    fn amount(&mut self, bound: u64) -> i64 {
        i64::try_from(self.below(bound)).expect("small")
    }

    /// One of its open holds, if it has any.
    fn pick(&mut self) -> Option<NewHold> {
        let count = u64::try_from(self.open.len()).expect("small");
        let index = (count > 0).then(|| self.below(count))?;
        Some(
            self.open
                .swap_remove(usize::try_from(index).expect("small")),
        )
    }

    async fn work(mut self) -> BTreeMap<AccountKey, i64> {
        for _ in 0..operations() {
            match self.below(100) {
                0..45 => self.place().await,
                45..72 => self.settle().await,
                72..80 => self.settle_again().await,
                80..90 => self.void().await,
                _ => self.extend().await,
            }
        }
        self.charged
    }

    async fn place(&mut self) {
        let payer = account((1 + self.below(ACCOUNTS)).into());
        let amount = 1 + self.amount(120);
        let hold = hold(Uuid::now_v7().as_u128(), payer, amount);
        match self.ledger.run(hold.clone()).await.expect("written") {
            Placed::Held(_) => self.open.push(hold),
            Placed::Short { available } => assert!(available < hold.amount, "it was there"),
            other => panic!("a new hold is not {other:?}"),
        }
    }

    /// Sometimes more than was held.
    async fn settle(&mut self) {
        let Some(hold) = self.pick() else { return };
        let (payer, tokens) = (hold.request.account, self.amount(150));
        let used = event(
            Uuid::now_v7().as_u128(),
            payer,
            tokens,
            wire::AttemptStatus::Ok,
        );
        let settling = settlement(used, hold.request.id.as_u128());
        let posted = self.ledger.run(settling.clone()).await.expect("written");
        let Posted::Recorded { priced, duplicate } = posted else {
            panic!("a settle is not {posted:?}");
        };
        assert_eq!((priced.charge.get(), duplicate), (tokens, false));
        *self.charged.entry(payer).or_default() += tokens;
        self.settled = Some((settling, posted));
    }

    async fn settle_again(&mut self) {
        let Some((settling, posted)) = self.settled.clone() else {
            return;
        };
        let Posted::Recorded { priced, .. } = posted else {
            panic!("it was recorded");
        };
        let again = self.ledger.run(settling).await.expect("written");
        let duplicate = true;
        assert_eq!(again, Posted::Recorded { priced, duplicate });
    }

    async fn void(&mut self) {
        let Some(hold) = self.pick() else { return };
        let void = VoidHold {
            id: hold.request.id,
            account: hold.request.account,
            event: None,
            time: time(1_500),
        };
        let voided = self.ledger.run(void).await.expect("written");
        assert!(!voided.duplicate, "{voided:?}");
    }

    async fn extend(&mut self) {
        let Some(hold) = self.pick() else { return };
        let extension = Extension {
            id: hold.request.id,
            account: hold.request.account,
            amount: hold.amount.saturating_add(Nanos::new(self.amount(50))),
            time: time(1_500),
        };
        let extended = self.ledger.run(extension).await.expect("written");
        let is_known = matches!(extended, Extended::Held(_) | Extended::Short { .. });
        assert!(is_known, "{extended:?}");
        self.open.push(hold);
    }
}

async fn fund(ledger: &Ledger) {
    let granting = (1..=ACCOUNTS).map(|number| {
        ledger.run(NewGrant {
            id: Uuid::now_v7(),
            account: account(number.into()),
            amount: Nanos::new(GRANTED),
            priority: 0,
            expire_time: None,
            request_id: "k".to_owned(),
            note: String::new(),
            time: time(1_000),
        })
    });
    for granted in join_all(granting).await {
        granted.expect("written");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_many_do_at_once_adds_up_in_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(&folder.path().join("metering.db")).expect("a store");
    whatever_many_do_at_once_adds_up(Arc::new(store)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_many_do_at_once_adds_up_in_postgres() {
    let database = TestDatabase::new();
    let url = PostgresUrl::parse(&database.url()).expect("an URL");
    PostgresStore::migrate(&url).await.expect("migrated");
    let store = PostgresStore::open(&url, Retention::new(Retention::DAYS)).await;
    whatever_many_do_at_once_adds_up(Arc::new(store.expect("a store"))).await;
}

async fn whatever_many_do_at_once_adds_up(store: Arc<impl Store + 'static>) {
    install_prices(&*store).await;
    let batches: Arc<dyn BatchStore> = Arc::clone(&store) as Arc<dyn BatchStore>;
    let ledger = Ledger::start(&batches, LowBalance::default());
    fund(&ledger).await;
    let tasks = (1..=TASKS).map(|number| Task::new(&ledger, number).work());
    let mut charged = BTreeMap::<AccountKey, i64>::new();
    for (payer, amount) in join_all(tasks).await.into_iter().flatten() {
        *charged.entry(payer).or_default() += amount;
    }
    ledger.close().await;
    for number in 1..=ACCOUNTS {
        let payer = account(number.into());
        let balance = store.balance(payer).await.expect("works").balance.get();
        let spent = charged.get(&payer).copied().unwrap_or_default();
        assert_eq!(balance, GRANTED - spent, "{payer}");
    }
    assert_adds_up(&*store).await;
    let proof = prove(&*store, None).await.expect("works");
    assert_eq!(proof.discrepancies, []);
}
