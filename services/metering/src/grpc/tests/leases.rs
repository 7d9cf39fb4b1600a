//! Credit leases, with routers that are only pretended.

#![allow(
    clippy::disallowed_methods,
    reason = "what a test spawns ends with its runtime"
)]

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use futures::StreamExt as _;
use keyward_money::Nanos;
use keyward_proto::metering::v1 as wire;
use keyward_runtime::error::Reason;
use keyward_runtime::ids;
use tokio::sync::Barrier;
use tonic::Request;

use super::routers::{PRICE, Router, account, account_key};
use super::world::{World, another_markup, by, hold, refused, words};
use crate::store::{LedgerStore as _, Store};

async fn leased(world: &World) -> i64 {
    let balance = world.store.balance(account_key()).await.expect("works");
    balance.leased.get()
}

#[tokio::test]
async fn a_lease_is_half_of_what_is_there_and_pins_the_terms_of_its_tier() {
    let world = World::new().await;
    world.give("users/bob", 1_000_000).await;
    let router = Router::start(&world, ids::new(), 1).await;
    let renewed = world.metering().renew_lease(router.renewal(800_000)).await;
    let renewed = renewed.expect("lent").into_inner();
    assert_eq!(
        (renewed.granted_nanos, renewed.markup_basis_points),
        (500_000, 500)
    );
    assert_eq!(renewed.lifetime.map(|lifetime| lifetime.seconds), Some(10));
    let settled = router.settle().await;
    assert_eq!(settled.charge_nanos, PRICE);
    assert_eq!(leased(&world).await, 500_000 - PRICE);
    router.give_back(100_000, false).await;
    router.give_back(100_000, false).await;
    assert_eq!(leased(&world).await, 400_000 - PRICE);
    router.give_back(100_000, true).await;
    assert_eq!(leased(&world).await, 0);
    assert_eq!(router.renew(10).await, 0, "it has ended");
    router.settle().await;
    assert_eq!(world.balance("bob").await, (1_000_000 - 2 * PRICE, 0));
}

#[tokio::test]
async fn what_cannot_be_stored_under_a_lease_is_put_aside() {
    let world = World::new().await;
    world.give("users/bob", 1_000_000).await;
    let router = Router::start(&world, ids::new(), 1).await;
    assert_eq!(router.renew(100_000).await, 100_000);
    world.store.refuse_records().await;
    let settled = world.metering().settle_usage(router.settlement()).await;
    refused(settled);
    let metrics = world.metrics.encode().expect("encoded");
    let told = "keyward_metering_events_quarantined_total{reason=\"unstorable\"} 1";
    assert!(metrics.contains(told), "{metrics}");
}

#[tokio::test]
async fn nothing_is_lent_by_other_prices_or_where_a_budget_refuses() {
    let world = World::new().await;
    world.give("users/bob", 1_000_000).await;
    let mut router = Router::start(&world, ids::new(), 1).await;
    let other = wire::RenewLeaseRequest {
        prices_digest: vec![1],
        ..router.renewal(1_000)
    };
    let renewed = world.metering().renew_lease(other).await.expect("answered");
    assert_eq!(renewed.into_inner().granted_nanos, 0);
    assert_eq!(router.renew(1_000).await, 1_000);

    let making = tokio::spawn({
        let mut budgets = world.budgets();
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
        async move { budgets.create_budget(by("bob", budget)).await }
    });
    let call = router.call().await;
    assert_eq!(
        (call.call(), call.account.as_str()),
        (wire::LeaseCall::Recall, &*account())
    );
    assert!(!making.is_finished(), "a budget holds once leases are back");
    router.give_back(1_000, true).await;
    router.done(&call, 0);
    making.await.expect("no panic").expect("made");
    router.lease_id = ids::new_text();
    assert_eq!(router.renew(1_000).await, 0);
}

#[tokio::test]
async fn what_is_lent_is_called_back_before_a_hold_is_refused() {
    let world = World::new().await;
    world.give("users/bob", 2 * PRICE).await;
    let mut router = Router::start(&world, ids::new(), 1).await;
    assert_eq!(router.renew(PRICE).await, PRICE);
    let mut metering = world.metering();
    let placing =
        tokio::spawn(async move { metering.place_hold(by("bob", hold(words(3, 6)))).await });
    let call = router.call().await;
    assert_eq!(call.call(), wire::LeaseCall::Recall);
    router.give_back(PRICE, false).await;
    router.done(&call, 0);
    placing.await.expect("no panic").expect("it was there");
    assert_eq!(router.renew(PRICE + 1).await, 0, "it was short just now");
    let short = world
        .metering()
        .place_hold(by("bob", hold(words(3, 6))))
        .await;
    assert_eq!(refused(short).0, Reason::InsufficientCredits);
}

#[tokio::test]
async fn a_read_waits_for_what_routers_have_not_told_and_counts_what_is_in_flight() {
    let world = World::new().await;
    world.give("users/bob", 1_000_000).await;
    let mut router = Router::start(&world, ids::new(), 1).await;
    router.renew(100_000).await;
    let telling = async {
        let call = router.call().await;
        assert_eq!(call.call(), wire::LeaseCall::Flush);
        router.settle().await;
        router.done(&call, 70);
    };
    let (balance, ()) = tokio::join!(world.balance("bob"), telling);
    assert_eq!(balance, (1_000_000 - PRICE, 70));
}

#[tokio::test]
async fn another_markup_calls_all_leases_back() {
    let world = World::new().await;
    world.give("users/bob", 1_000_000).await;
    let mut router = Router::start(&world, ids::new(), 1).await;
    router.renew(100_000).await;
    let telling = async {
        let call = router.recalled().await;
        router.done(&call, 0);
    };
    let mut pricing = world.pricing();
    let (changed, ()) = tokio::join!(
        pricing.update_tier(by("admin", another_markup(700))),
        telling
    );
    changed.expect("changed");
    assert_eq!(router.renew(200_000).await, 0, "it has the old terms");
    let settled = router.settle().await;
    assert_eq!(settled.charge_nanos, PRICE, "by which it is charged");
}

#[tokio::test]
async fn leases_of_an_earlier_start_end_once_all_of_it_was_told_or_after_long() {
    let world = World::new().await;
    world.give("users/bob", 1_000_000).await;
    let id = ids::new();
    let first = Router::start(&world, id, 1).await;
    first.renew(100_000).await;
    let second = Router::start(&world, id, 2).await;
    let other = Router::start(&world, ids::new(), 1).await;
    second.renew(10_000).await;
    other.renew(1_000).await;
    drop(first);
    let app = world.metering.app();
    assert_eq!(
        app.reclaim_leases().await.expect("works"),
        0,
        "it is not safe"
    );
    let told = wire::WatchLeasesRequest {
        earlier_told: true,
        ..wire::WatchLeasesRequest::default()
    };
    second.answers.unbounded_send(told).expect("heard");
    while leased(&world).await != 11_000 {
        tokio::task::yield_now().await;
    }
    let aged = world
        .store
        .tamper("UPDATE lease SET expire_ms = expire_ms - 14 * 60000 WHERE state = 'open'");
    assert_eq!(aged.await, 2);
    assert_eq!(app.reclaim_leases().await.expect("works"), 0);
    let aged = world
        .store
        .tamper("UPDATE lease SET expire_ms = expire_ms - 2 * 60000 WHERE state = 'open'");
    assert_eq!(aged.await, 2);
    assert_eq!(app.reclaim_leases().await.expect("works"), 2);
    assert_eq!(leased(&world).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_holds_through_four_routers_so_many_stand_as_there_are_credits() {
    const BALANCE: i64 = 500 * PRICE;
    let world = Arc::new(World::new().await);
    world.give("users/bob", BALANCE).await;
    let ended = Arc::new(AtomicBool::new(false));
    let sampling = tokio::spawn(sample(Arc::clone(&world), Arc::clone(&ended), BALANCE));
    let (mut routers, over) = (Vec::new(), Arc::new(Barrier::new(4)));
    for _ in 0..4 {
        let router = Router::start(&world, ids::new(), 1).await;
        let serving = serve(Arc::clone(&world), router, 250, Arc::clone(&over));
        routers.push(tokio::spawn(serving));
    }
    let mut held = (0, 0);
    for router in routers {
        let (leased, placed) = router.await.expect("no panic");
        held = (held.0 + leased, held.1 + placed);
    }
    ended.store(true, Ordering::SeqCst);
    let samples = sampling.await.expect("no panic");
    assert_eq!(held.0 + held.1, 500, "{held:?}");
    assert!(held.0 > 0, "some were taken from leases");
    assert!(samples > 0);
}

/// Whether no more was lent and held than there is, at each moment.
pub(super) async fn sample<S: Store + Clone + 'static>(
    world: Arc<World<S>>,
    ended: Arc<AtomicBool>,
    balance: i64,
) -> usize {
    let mut samples = 0;
    while !ended.load(Ordering::SeqCst) {
        let now = world.store.balance(account_key()).await.expect("works");
        let given = now.held.saturating_add(now.leased);
        assert!(given <= Nanos::new(balance), "{now:?}");
        let leases = world.store.leases_of(account_key()).await.expect("works");
        let holders: HashSet<_> = leases.iter().map(|lease| lease.holder).collect();
        assert!(holders.len() <= 4);
        samples += 1;
        tokio::task::yield_now().await;
    }
    samples
}

/// Has so many requests hold, from a lease as far as it goes and else of metering; says how many of
/// each stood.
pub(super) async fn serve<S: Store + Clone + 'static>(
    world: Arc<World<S>>,
    router: Router,
    requests: usize,
    over: Arc<Barrier>,
) -> (usize, usize) {
    let free = Arc::new(AtomicI64::new(router.renew(60 * PRICE).await));
    let Router {
        lease_id,
        answers,
        mut calls,
        ..
    } = router;
    let returning = tokio::spawn({
        let (world, free) = (Arc::clone(&world), Arc::clone(&free));
        async move {
            let mut returned = 0;
            while let Some(call) = calls.next().await {
                returned += free.swap(0, Ordering::SeqCst);
                let back = wire::ReturnLeaseRequest {
                    request_id: ids::new_text(),
                    lease_id: lease_id.clone(),
                    returned_nanos: returned,
                    closed: false,
                };
                world.metering().return_lease(back).await.expect("taken");
                let done = wire::WatchLeasesRequest {
                    call_id: call.call_id,
                    ..wire::WatchLeasesRequest::default()
                };
                answers.unbounded_send(done).expect("heard");
            }
        }
    });
    let asking = (0..requests).map(|_| {
        let (world, free) = (Arc::clone(&world), Arc::clone(&free));
        tokio::spawn(async move {
            tokio::task::yield_now().await;
            let take = |free: i64| (free >= PRICE).then_some(free - PRICE);
            if free
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
                .is_ok()
            {
                return (1, 0);
            }
            let placed = world
                .metering()
                .place_hold(by("bob", hold(words(3, 3))))
                .await;
            (0, usize::from(placed.is_ok()))
        })
    });
    let mut held = (0, 0);
    for asked in futures::future::join_all(asking).await {
        let (leased, placed) = asked.expect("no panic");
        held = (held.0 + leased, held.1 + placed);
    }
    // Others may be short still.
    over.wait().await;
    returning.abort();
    held
}

#[tokio::test]
async fn a_process_that_stops_ends_the_stream_of_calls() {
    let world = World::new().await;
    let mut router = Router::start(&world, ids::new(), 1).await;
    world.stopping.cancel();
    assert!(router.calls.next().await.is_none());
    let nobody = Request::new(futures::stream::empty());
    assert!(
        world.metering().watch_leases(nobody).await.is_err(),
        "nobody says who it is"
    );
}
