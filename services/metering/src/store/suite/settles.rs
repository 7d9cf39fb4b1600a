//! What becomes of holds: settles, voids, expiry.

use std::sync::Arc;

use keyward_money::Nanos;
use keyward_proto::metering::v1 as wire;
use uuid::Uuid;

use super::leases::{lease_settlement, lend, lent};
use super::proof::install_prices;
use super::samples::{
    account, assert_adds_up, assert_balance, assert_held, charged, event, expire, give, hold,
    place, run, settle, settlement, terms, void,
};
use crate::domain::charging::Priced;
use crate::domain::ledger::{Granted, LeaseSettlement, NewHold, Placed, Posted, QuarantineReason};
use crate::domain::requester::Visibility;
use crate::store::{SHARDS, Store, prove};

pub(crate) async fn a_settle_charges_what_was_used_and_frees_the_rest(
    store: Arc<impl Store + 'static>,
) {
    give(&*store, account(1), 100, "k").await;
    place(&*store, hold(1, account(1), 60)).await;
    assert_eq!(settle(&*store, 10, 1, 25).await, charged(25, false));
    assert_balance(&*store, 75, 0).await;
    let ledger = store
        .transactions(account(1), None, 9)
        .await
        .expect("works");
    assert_eq!(
        ledger
            .iter()
            .map(|row| row.amount.get())
            .collect::<Vec<_>>(),
        [-25, 100]
    );
    assert_eq!(ledger[0].inference_id, Uuid::from_u128(10).to_string());
}

pub(crate) async fn a_settle_may_take_the_balance_below_zero(store: Arc<impl Store + 'static>) {
    give(&*store, account(1), 50, "k").await;
    place(&*store, hold(1, account(1), 50)).await;
    assert_eq!(settle(&*store, 10, 1, 80).await, charged(80, false));
    assert_balance(&*store, -30, 0).await;
    let refused = place(&*store, hold(2, account(1), 1)).await;
    assert_eq!(
        refused,
        Placed::Short {
            available: Nanos::new(-30)
        }
    );
    give(&*store, account(1), 40, "top-up").await;
    assert_held(&place(&*store, hold(2, account(1), 10)).await);
}

pub(crate) async fn what_no_balance_can_hold_is_put_aside_or_refused(
    store: Arc<impl Store + 'static>,
) {
    give(&*store, account(1), 100, "k").await;
    for id in 1..=3 {
        let terms = if id == 2 {
            terms(Some(20))
        } else {
            terms(None)
        };
        place(
            &*store,
            NewHold {
                terms,
                ..hold(id, account(1), 10)
            },
        )
        .await;
    }
    let most = i64::MAX - 50;
    assert_eq!(
        settle(&*store, 10, 1, most).await,
        charged(most, false),
        "as much as fits"
    );
    // Of 60, 20 would be the account's and 40 the platform's: the revenue has room for each alone.
    for (event, hold) in [(20, 2), (30, 3)] {
        let posted = settle(&*store, event, hold, 60).await;
        let reason = QuarantineReason::Overflow;
        assert_eq!(posted, Posted::Quarantined(reason), "{hold}");
    }
    assert_balance(&*store, 100 - most, 20).await;
    assert_eq!(settle(&*store, 31, 3, 50).await, charged(50, false));

    let granted = give(&*store, account(2), i64::MAX - 100, "k").await;
    assert!(matches!(granted, Granted::Posted { .. }), "{granted:?}");
    // One of the same shard: what was ever granted is counted for each.
    let beyond = give(&*store, account(2 + u128::from(SHARDS)), 102, "k").await;
    assert_eq!(beyond, Granted::Overflow, "grants come from somewhere");
    assert_adds_up(&*store).await;
}

pub(crate) async fn what_is_beyond_the_cap_is_the_platforms(store: Arc<impl Store + 'static>) {
    give(&*store, account(1), 100, "k").await;
    place(
        &*store,
        NewHold {
            terms: terms(Some(30)),
            ..hold(1, account(1), 30)
        },
    )
    .await;
    let expected = Priced {
        list_cost: Some(Nanos::new(80)),
        charge: Nanos::new(30),
        absorbed: Nanos::new(50),
    };
    let posted = settle(&*store, 10, 1, 80).await;
    assert_eq!(
        posted,
        Posted::Recorded {
            priced: expected,
            duplicate: false
        }
    );
    assert_balance(&*store, 70, 0).await;
}

pub(crate) async fn what_another_attempt_made_needless_is_the_platforms(
    store: Arc<impl Store + 'static>,
) {
    install_prices(&*store).await;
    give(&*store, account(1), 1_000, "k").await;
    place(&*store, hold(1, account(1), 60)).await;
    lent(&*store, lend(2, 300)).await;
    let hedged = |id| event(id, account(1), 80, wire::AttemptStatus::Hedged);
    let posted = |duplicate| Posted::Recorded {
        priced: Priced {
            list_cost: Some(Nanos::new(80)),
            charge: Nanos::ZERO,
            absorbed: Nanos::new(80),
        },
        duplicate,
    };
    let leased = LeaseSettlement {
        event: hedged(11),
        ..lease_settlement(11, 2, 80)
    };
    for duplicate in [false, true] {
        let of_hold = run(&*store, settlement(hedged(10), 1)).await;
        assert_eq!(of_hold, posted(duplicate));
        assert_eq!(run(&*store, leased.clone()).await, posted(duplicate));
    }
    let balance = store.balance(account(1)).await.expect("works");
    assert_eq!((balance.balance.get(), balance.leased.get()), (1_000, 300));
    assert_adds_up(&*store).await;
    let proof = prove(&*store, None).await.expect("works");
    assert_eq!((proof.discrepancies, proof.records), (Vec::new(), 2));
}

pub(crate) async fn the_same_settle_again_has_no_second_effect(store: Arc<impl Store + 'static>) {
    give(&*store, account(1), 100, "k").await;
    place(&*store, hold(1, account(1), 60)).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let store = Arc::clone(&store);
        tasks.spawn(async move { settle(&*store, 10, 1, 25).await });
    }
    let posted = tasks.join_all().await;
    assert_eq!(
        posted
            .iter()
            .filter(|posted| **posted == charged(25, false))
            .count(),
        1
    );
    assert_eq!(
        posted
            .iter()
            .filter(|posted| **posted == charged(25, true))
            .count(),
        99
    );
    assert_balance(&*store, 75, 0).await;
}

pub(crate) async fn a_settle_with_other_figures_is_put_aside(store: Arc<impl Store + 'static>) {
    give(&*store, account(1), 100, "k").await;
    place(&*store, hold(1, account(1), 60)).await;
    settle(&*store, 10, 1, 25).await;
    let contradiction = settle(&*store, 10, 1, 26).await;
    assert_eq!(
        contradiction,
        Posted::Quarantined(QuarantineReason::OtherFigures)
    );
    assert_balance(&*store, 75, 0).await;
}

pub(crate) async fn a_hold_is_charged_for_one_event_only(store: Arc<impl Store + 'static>) {
    give(&*store, account(1), 100, "k").await;
    place(&*store, hold(1, account(1), 60)).await;
    settle(&*store, 10, 1, 25).await;
    let second = settle(&*store, 11, 1, 25).await;
    assert_eq!(second, Posted::Quarantined(QuarantineReason::HoldSettled));
    assert_balance(&*store, 75, 0).await;
}

pub(crate) async fn a_settle_of_an_unknown_hold_is_put_aside(store: Arc<impl Store + 'static>) {
    let posted = settle(&*store, 10, 1, 25).await;
    assert_eq!(posted, Posted::Quarantined(QuarantineReason::UnknownHold));
    assert_balance(&*store, 0, 0).await;
}

pub(crate) async fn a_void_frees_the_hold_and_records_the_attempt(
    store: Arc<impl Store + 'static>,
) {
    give(&*store, account(1), 100, "k").await;
    place(&*store, hold(1, account(1), 60)).await;
    let failed = event(10, account(1), 7, wire::AttemptStatus::Failed);
    let first = void(&*store, 1, account(1), Some(failed.clone())).await;
    let stored = |duplicate| {
        let priced = Priced {
            list_cost: Some(Nanos::new(7)),
            ..Priced::default()
        };
        Some(Posted::Recorded { priced, duplicate })
    };
    assert_eq!((first.duplicate, first.posted), (false, stored(false)));
    let again = void(&*store, 1, account(1), Some(failed.clone())).await;
    assert_eq!((again.duplicate, again.posted), (true, stored(true)));
    assert_balance(&*store, 100, 0).await;
    let everything = Visibility {
        account: None,
        user_uid: None,
    };
    let records = store
        .attempts(failed.message.inference_id.clone(), everything)
        .await;
    let records = records.expect("works");
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].event, failed);
    assert_eq!(records[0].priced.charge, Nanos::ZERO);
    assert_eq!(
        settle(&*store, 11, 1, 25).await,
        charged(25, false),
        "a late settle posts"
    );
    assert_balance(&*store, 75, 0).await;
    assert!(void(&*store, 99, account(1), None).await.duplicate);
}

pub(crate) async fn an_expired_hold_is_freed_and_still_settles(store: Arc<impl Store + 'static>) {
    give(&*store, account(1), 100, "k").await;
    place(&*store, hold(1, account(1), 60)).await;
    place(&*store, hold(2, account(1), 30)).await;
    assert_eq!(expire(&*store, 1_999, 10).await, 0);
    assert_balance(&*store, 100, 90).await;
    assert_eq!(store.holds_open().await.expect("works"), 2);
    assert_eq!(expire(&*store, 2_000, 1).await, 1);
    assert_eq!(store.holds_open().await.expect("works"), 1);
    assert_eq!(expire(&*store, 2_000, 10).await, 1);
    assert_eq!(expire(&*store, 9_000, 10).await, 0);
    assert_balance(&*store, 100, 0).await;
    assert_eq!(settle(&*store, 10, 1, 25).await, charged(25, false));
    assert_balance(&*store, 75, 0).await;
    assert!(void(&*store, 2, account(1), None).await.duplicate);
    assert_balance(&*store, 75, 0).await;
}
