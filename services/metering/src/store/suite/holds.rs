//! Grants, and holds on what they gave.

use std::sync::Arc;

use keyward_money::{BasisPoints, Nanos};
use uuid::Uuid;

use super::samples::{
    account, assert_balance, assert_held, charged, expire, extend, give, hold, place, run, settle,
    time,
};
use crate::domain::ledger::{ExpireLots, Extended, Granted, NewGrant, Placed, TransferKind};
use crate::store::Store;

pub(crate) async fn a_grant_is_posted_once(store: Arc<impl Store + 'static>) {
    let Granted::Posted {
        transfer,
        duplicate: false,
    } = give(&*store, account(1), 70, "k").await
    else {
        panic!("not posted");
    };
    assert_eq!(
        (transfer.kind, transfer.amount.get()),
        (TransferKind::Grant, 70)
    );
    let again = give(&*store, account(1), 70, "k").await;
    assert_eq!(
        again,
        Granted::Posted {
            transfer,
            duplicate: true
        }
    );
    assert_eq!(give(&*store, account(1), 71, "k").await, Granted::Mismatch);
    let other = give(&*store, account(2), 71, "k").await;
    assert!(
        matches!(
            other,
            Granted::Posted {
                duplicate: false,
                ..
            }
        ),
        "keys are per account"
    );
    assert_balance(&*store, 70, 0).await;
}

pub(crate) async fn a_hold_needs_credit_and_is_placed_once(store: Arc<impl Store + 'static>) {
    let short = |available| Placed::Short {
        available: Nanos::new(available),
    };
    assert_eq!(place(&*store, hold(1, account(1), 60)).await, short(0));
    give(&*store, account(1), 100, "k").await;
    let first = place(&*store, hold(1, account(1), 60)).await;
    assert_held(&first);
    assert_eq!(place(&*store, hold(1, account(1), 60)).await, first);
    let mut dearer = hold(1, account(1), 90);
    dearer.terms.markup = BasisPoints::new(500);
    assert_eq!(
        place(&*store, dearer).await,
        first,
        "the same hold keeps what it pinned"
    );
    assert_eq!(
        place(&*store, hold(1, account(2), 60)).await,
        Placed::Conflict
    );
    assert_eq!(place(&*store, hold(2, account(1), 41)).await, short(40));
    assert_held(&place(&*store, hold(2, account(1), 40)).await);
    assert_balance(&*store, 100, 100).await;
}

pub(crate) async fn a_hold_of_nothing_needs_no_credit(store: Arc<impl Store + 'static>) {
    assert_held(&place(&*store, hold(1, account(1), 0)).await);
    assert_eq!(settle(&*store, 10, 1, 0).await, charged(0, false));
    assert_balance(&*store, 0, 0).await;
    assert_eq!(
        store
            .transactions(account(1), None, 9)
            .await
            .expect("works"),
        []
    );
}

pub(crate) async fn an_open_hold_is_raised_where_the_balance_covers_it(
    store: Arc<impl Store + 'static>,
) {
    let extend = async |id, amount| extend(&*store, id, account(1), amount).await;
    let held = |amount| Extended::Held(Nanos::new(amount));
    let short = |available| Extended::Short {
        available: Nanos::new(available),
    };
    give(&*store, account(1), 100, "k").await;
    place(&*store, hold(1, account(1), 30)).await;
    place(&*store, hold(2, account(1), 20)).await;
    assert_eq!(extend(1, 70).await, held(70));
    assert_eq!(extend(1, 70).await, held(70), "the same again");
    assert_eq!(extend(1, 10).await, held(70), "never lowered");
    assert_balance(&*store, 100, 90).await;
    assert_eq!(extend(1, 81).await, short(10));
    assert_eq!(extend(1, 80).await, held(80));
    assert_eq!(extend(3, 1).await, Extended::NotOpen);
    assert_eq!(settle(&*store, 10, 1, 25).await, charged(25, false));
    assert_balance(&*store, 75, 20).await;
    assert_eq!(extend(1, 90).await, Extended::NotOpen);
    expire(&*store, 5_000, 9).await;
    assert_eq!(extend(2, 30).await, Extended::NotOpen);
    assert_balance(&*store, 75, 0).await;
}

pub(crate) async fn credits_that_expire_are_booked_once(store: Arc<impl Store + 'static>) {
    let grant = |key: &str, amount, expires: Option<i64>| NewGrant {
        id: Uuid::now_v7(),
        account: account(1),
        amount: Nanos::new(amount),
        priority: 0,
        expire_time: expires.map(time),
        request_id: key.to_owned(),
        note: String::new(),
        time: time(1_000),
    };
    run(&*store, grant("stays", 10, None)).await;
    run(&*store, grant("goes", 20, Some(5_000))).await;
    place(&*store, hold(1, account(1), 5)).await;
    settle(&*store, 10, 1, 5).await;
    let overdue = |now| store.lots_overdue(time(now), 10);
    assert_eq!(overdue(4_999).await.expect("works"), []);
    assert_eq!(overdue(5_000).await.expect("works"), [account(1)]);
    let expiry = || ExpireLots {
        id: Uuid::now_v7(),
        account: account(1),
        time: time(5_000),
    };
    assert_eq!(run(&*store, expiry()).await.get(), 15);
    assert_eq!(run(&*store, expiry()).await.get(), 0);
    assert_eq!(overdue(9_000).await.expect("works"), []);
    assert_balance(&*store, 10, 0).await;
}
