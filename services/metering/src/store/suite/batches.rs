//! Commands that are committed together.

use std::sync::Arc;

use keyward_proto::metering::v1 as wire;

use super::samples::{
    account, assert_adds_up, assert_balance, assert_held, charged, event, give, hold, place,
    run_all, settle, settlement,
};
use crate::domain::ledger::Placed;
use crate::store::{Batch, Store, Work, shard_of, transact};

pub(crate) async fn concurrent_holds_never_oversell(store: Arc<impl Store + 'static>) {
    give(&*store, account(1), 500, "k").await;
    let mut tasks = tokio::task::JoinSet::new();
    for id in 1..=1_000 {
        let store = Arc::clone(&store);
        tasks.spawn(async move { (id, place(&*store, hold(id, account(1), 1)).await) });
    }
    let placed: Vec<u128> = tasks
        .join_all()
        .await
        .into_iter()
        .filter_map(|(id, placed)| matches!(placed, Placed::Held(_)).then_some(id))
        .collect();
    assert_eq!(placed.len(), 500);
    assert_balance(&*store, 500, 500).await;
    for id in placed {
        settle(&*store, 10_000 + id, id, 1).await;
    }
    assert_balance(&*store, 0, 0).await;
}

pub(crate) async fn holds_of_one_batch_stand_as_far_as_the_balance_goes(
    store: Arc<impl Store + 'static>,
) {
    for (base, size) in [(1_u128, 1), (2, 64), (3, 1_024)] {
        let (who, first) = (account(base), base << 32);
        give(&*store, who, 500, "k").await;
        let holds: Vec<_> = (0..1_000)
            .map(|number| hold(first + number, who, 1))
            .collect();
        let mut placed = Vec::new();
        for batch in holds.chunks(size) {
            placed.extend(run_all(&*store, batch.to_vec()).await);
        }
        let held = placed
            .iter()
            .filter(|placed| matches!(placed, Placed::Held(_)));
        assert_eq!(held.count(), 500, "batches of {size}");
        let balance = store.balance(who).await.expect("works");
        assert_eq!(balance.held.get(), 500);
    }
    assert_adds_up(&*store).await;
}

pub(crate) async fn a_hold_placed_and_settled_in_one_batch_is_whole(
    store: Arc<impl Store + 'static>,
) {
    give(&*store, account(1), 100, "k").await;
    let (place, placed) = Work::new(hold(1, account(1), 60));
    let event = event(10, account(1), 25, wire::AttemptStatus::Ok);
    let (settle, settled) = Work::new(settlement(event, 1));
    transact(
        &*store,
        shard_of(account(1)),
        Batch::new(vec![place, settle]),
    )
    .await;
    assert_held(&placed.await.expect("answered").expect("written"));
    assert_eq!(settled.await.expect("answered"), Ok(charged(25, false)));
    assert_eq!(store.holds_open().await.expect("works"), 0);
    assert_balance(&*store, 75, 0).await;
}
