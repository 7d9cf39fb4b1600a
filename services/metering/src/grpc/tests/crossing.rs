//! Several meterings on one database, each with routers of its own.

#![allow(
    clippy::disallowed_methods,
    reason = "what a test spawns ends with its runtime"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keyward_proto::metering::v1 as wire;
use keyward_runtime::error::Reason;
use keyward_runtime::ids;
use keyward_storage::PostgresUrl;
use keyward_testkit::TestDatabase;
use tokio::sync::Barrier;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::leases::{sample, serve};
use super::routers::{PRICE, Router, account};
use super::world::{World, another_markup, by, hold, refused, words};
use crate::domain::day::Retention;
use crate::store::CrossingStore as _;
use crate::store::postgres::PostgresStore;

/// One of several meterings.
struct Member {
    world: Arc<World<PostgresStore>>,
    attending: JoinHandle<()>,
}

impl Member {
    async fn open(url: &PostgresUrl) -> Self {
        let store = PostgresStore::open(url, Retention::new(Retention::DAYS)).await;
        let world = Arc::new(World::over(store.expect("a store"), ()).await);
        let metering = world.metering.clone();
        let attending = tokio::spawn(async move {
            let never = CancellationToken::new();
            metering.app().attend_until(never).await;
        });
        Self { world, attending }
    }

    /// Places a hold for six requests of [`PRICE`] beside what is done meanwhile.
    fn placing(
        &self,
    ) -> JoinHandle<Result<tonic::Response<wire::PlaceHoldResponse>, tonic::Status>> {
        let mut metering = self.world.metering();
        tokio::spawn(async move { metering.place_hold(by("bob", hold(words(18, 18)))).await })
    }
}

/// So many on a database of their own, and ten times [`PRICE`] to spend.
async fn members<const COUNT: usize>() -> ([Member; COUNT], TestDatabase) {
    let database = TestDatabase::new();
    let url = PostgresUrl::parse(&database.url()).expect("an URL");
    PostgresStore::migrate(&url).await.expect("migrated");
    let mut members = Vec::new();
    for _ in 0..COUNT {
        members.push(Member::open(&url).await);
    }
    let members: [Member; COUNT] = members.try_into().ok().expect("so many");
    members[0].world.give("users/bob", 10 * PRICE).await;
    (members, database)
}

/// Waits until others can know that a router is connected.
async fn stated(member: &Member) {
    let long = Duration::from_mins(1);
    let store = &member.world.store;
    let watched = async || store.watched_elsewhere(Uuid::nil(), long).await;
    while watched().await.expect("works").is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn what_another_metering_lent_is_called_back_before_a_hold_is_refused() {
    let ([asked, other], _keep) = members().await;
    let mut router = Router::start(&other.world, ids::new(), 1).await;
    assert_eq!(router.renew(5 * PRICE).await, 5 * PRICE);
    let placing = asked.placing();
    let call = router.call().await;
    assert_eq!(
        (call.call(), call.account.as_str()),
        (wire::LeaseCall::Recall, &*account())
    );
    router.give_back(5 * PRICE, false).await;
    router.done(&call, 0);
    placing.await.expect("no panic").expect("it was there");
    let lent = router.renew(6 * PRICE).await;
    assert_eq!(lent, 0, "it was short just now, which is known there too");
    let short = asked.placing().await.expect("no panic");
    assert_eq!(refused(short).0, Reason::InsufficientCredits);
}

#[tokio::test]
async fn a_read_at_one_metering_waits_for_what_routers_of_another_have_not_told() {
    let ([asked, other], _keep) = members().await;
    let mut router = Router::start(&other.world, ids::new(), 1).await;
    router.renew(5 * PRICE).await;
    let telling = async {
        let call = router.call().await;
        assert_eq!(call.call(), wire::LeaseCall::Flush);
        router.settle().await;
        router.done(&call, 70);
    };
    let (balance, ()) = tokio::join!(asked.world.balance("bob"), telling);
    assert_eq!(balance, (9 * PRICE, 70));
}

#[tokio::test]
async fn a_budget_that_refuses_ends_what_is_lent_elsewhere() {
    let ([asked, other], _keep) = members().await;
    let mut router = Router::start(&other.world, ids::new(), 1).await;
    assert_eq!(router.renew(PRICE).await, PRICE, "there is no budget");
    router.give_back(PRICE, true).await;
    stated(&other).await;
    let budget = wire::CreateBudgetRequest {
        request_id: ids::new_text(),
        budget: Some(wire::Budget {
            amount_nanos: 5_000_000_000,
            period: wire::BudgetPeriod::Month.into(),
            time_zone: "UTC".to_owned(),
            action: wire::BudgetAction::Block.into(),
            ..wire::Budget::default()
        }),
    };
    let telling = async {
        let call = router.call().await;
        assert_eq!(call.call(), wire::LeaseCall::Recall);
        router.done(&call, 0);
    };
    let mut budgets = asked.world.budgets();
    let (made, ()) = tokio::join!(budgets.create_budget(by("bob", budget)), telling);
    made.expect("made");
    router.lease_id = ids::new_text();
    assert_eq!(router.renew(PRICE).await, 0, "what it had read is old");
}

#[tokio::test]
async fn another_markup_is_known_elsewhere_before_leases_are_called_back() {
    let ([asked, other], _keep) = members().await;
    let mut router = Router::start(&other.world, ids::new(), 1).await;
    router.renew(PRICE).await;
    stated(&other).await;
    let telling = async {
        let call = router.recalled().await;
        router.lease_id = ids::new_text();
        let renewal = router.renewal(PRICE);
        let renewed = other.world.metering().renew_lease(renewal).await;
        router.done(&call, 0);
        renewed.expect("lent").into_inner().markup_basis_points
    };
    let mut pricing = asked.world.pricing();
    let (changed, markup) = tokio::join!(
        pricing.update_tier(by("admin", another_markup(700))),
        telling
    );
    changed.expect("changed");
    assert_eq!(markup, 700);
}

#[tokio::test]
async fn a_router_of_a_lost_metering_is_called_by_the_one_that_it_comes_to() {
    let ([asked, lost, next], _keep) = members().await;
    let id = ids::new();
    let router = Router::start(&lost.world, id, 1).await;
    assert_eq!(router.renew(5 * PRICE).await, 5 * PRICE);
    stated(&lost).await;
    lost.attending.abort();
    let lease_id = router.lease_id.clone();
    drop(router);

    let placing = asked.placing();
    let mut router = Router::start(&next.world, id, 1).await;
    router.lease_id = lease_id;
    let call = router.call().await;
    router.give_back(5 * PRICE, false).await;
    router.done(&call, 0);
    placing.await.expect("no panic").expect("it was there");
}

#[tokio::test]
async fn where_no_metering_hears_a_recall_the_hold_is_refused_in_time_and_nothing_is_lent_twice() {
    let ([asked, lost], _keep) = members().await;
    let router = Router::start(&lost.world, ids::new(), 1).await;
    assert_eq!(router.renew(5 * PRICE).await, 5 * PRICE);
    lost.attending.abort();
    let refusing = tokio::time::timeout(Duration::from_secs(10), asked.placing()).await;
    let short = refusing.expect("in time").expect("no panic");
    assert_eq!(refused(short).0, Reason::InsufficientCredits);
    let settled = router.settle().await;
    assert_eq!(settled.charge_nanos, PRICE, "what it holds is its own");
    router.give_back(4 * PRICE, true).await;
    let placed = asked.placing().await.expect("no panic");
    placed.expect("what came back is there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_holds_through_two_meterings_so_many_stand_as_there_are_credits() {
    const BALANCE: i64 = 500 * PRICE;
    let ([first, second], _keep) = members().await;
    first.world.give("users/bob", BALANCE - 10 * PRICE).await;
    let ended = Arc::new(AtomicBool::new(false));
    let sampled = Arc::clone(&first.world);
    let sampling = tokio::spawn(sample(sampled, Arc::clone(&ended), BALANCE));
    let (mut routers, over) = (Vec::new(), Arc::new(Barrier::new(4)));
    for member in [&first, &second, &first, &second] {
        let router = Router::start(&member.world, ids::new(), 1).await;
        let serving = serve(Arc::clone(&member.world), router, 250, Arc::clone(&over));
        routers.push(tokio::spawn(serving));
    }
    let mut held = (0, 0);
    for router in routers {
        let (leased, placed) = router.await.expect("no panic");
        held = (held.0 + leased, held.1 + placed);
    }
    ended.store(true, Ordering::SeqCst);
    assert!(sampling.await.expect("no panic") > 0);
    assert_eq!(held.0 + held.1, 500, "{held:?}");
    assert!(held.0 > 0, "some were taken from leases");
}
