//! What is lent, as stores keep it.

use std::sync::Arc;

use keyward_money::{BasisPoints, Nanos};
use uuid::Uuid;

use super::{account, assert_adds_up, charged, event, give, run, terms, time, wire};
use crate::domain::ledger::{GiveBack, Holder, Lease, LeaseSettlement, Lend, Lent};
use crate::store::{Store, prove};

pub(super) fn lend(id: u128, wanted: i64) -> Lend {
    Lend {
        id: Uuid::from_u128(id),
        account: account(1),
        holder: Holder {
            router: Uuid::from_u128(7),
            start: 3,
        },
        price_version: 1,
        markup: BasisPoints::ZERO,
        wanted: Nanos::new(wanted),
        least: Nanos::new(1),
        most: Nanos::new(1_000),
        parts: 2,
        time: time(1_000),
        expire_time: time(11_000),
    }
}

pub(super) fn lease_settlement(id: u128, lease: u128, tokens: i64) -> LeaseSettlement {
    LeaseSettlement {
        event: event(id, account(1), tokens, wire::AttemptStatus::Ok),
        lease_id: Uuid::from_u128(lease),
        hold_id: Uuid::from_u128(id + 100),
        held: Nanos::new(50),
        terms: terms(None),
        budgets: Vec::new(),
        time: time(2_000),
    }
}

pub(super) async fn lent(store: &impl Store, lend: Lend) -> Lease {
    match run(store, lend).await {
        Lent::Granted(lease) => *lease,
        other => panic!("not lent: {other:?}"),
    }
}

async fn leased(store: &impl Store) -> (i64, i64) {
    let balance = store.balance(account(1)).await.expect("works");
    (balance.balance.get(), balance.leased.get())
}

pub(crate) async fn what_is_lent_comes_back_or_is_charged(store: Arc<impl Store + 'static>) {
    super::proof::install_prices(&*store).await;
    give(&*store, account(1), 1_000, "k").await;
    lent(&*store, lend(2, 300)).await;
    assert_eq!(leased(&*store).await, (1_000, 300));
    let settle = lease_settlement(20, 2, 40);
    assert_eq!(run(&*store, settle.clone()).await, charged(40, false));
    assert_eq!(run(&*store, settle).await, charged(40, true));
    assert_eq!(leased(&*store).await, (960, 260));
    assert_adds_up(&*store).await;
    let proof = prove(&*store, None).await.expect("works");
    assert_eq!((proof.discrepancies, proof.records), (Vec::new(), 1));
    let back = |returned, ends| GiveBack {
        id: Uuid::from_u128(2),
        account: account(1),
        returned: Nanos::new(returned),
        ends,
    };
    assert!(run(&*store, back(100, false)).await);
    assert_eq!(leased(&*store).await, (960, 160));
    assert!(run(&*store, back(100, true)).await);
    assert!(!run(&*store, back(100, true)).await);
    assert_eq!(
        run(&*store, lease_settlement(21, 2, 40)).await,
        charged(40, false)
    );
    assert_eq!(leased(&*store).await, (920, 0));
    assert_adds_up(&*store).await;
    let proof = prove(&*store, None).await.expect("works");
    assert_eq!(proof.discrepancies, []);
}

pub(crate) async fn a_lease_outlives_the_store_that_it_is_read_from(
    store: Arc<impl Store + 'static>,
) {
    give(&*store, account(1), 1_000, "k").await;
    let first = lent(&*store, lend(2, 300)).await;
    let second = lent(&*store, lend(3, 100)).await;
    let of_account = store.leases_of(account(1)).await.expect("works");
    assert_eq!(of_account.len(), 2);
    assert!(of_account.contains(&first) && of_account.contains(&second));
    let found = store.lease_get(first.id).await.expect("works");
    assert_eq!(found, Some(first.clone()));
    let open = |until| store.leases_open(time(until), 10);
    assert_eq!(open(10_999).await.expect("works"), []);
    assert_eq!(open(11_000).await.expect("works").len(), 2);
    assert_eq!(
        store
            .leases_open(time(11_000), 1)
            .await
            .expect("works")
            .len(),
        1
    );
    let end = GiveBack {
        id: first.id,
        account: account(1),
        returned: Nanos::ZERO,
        ends: true,
    };
    run(&*store, end).await;
    assert_eq!(
        open(11_000).await.expect("works"),
        std::slice::from_ref(&second)
    );
    assert_eq!(store.leases_of(account(1)).await.expect("works"), [second]);
    let ended = store.lease_get(first.id).await.expect("works");
    assert!(ended.is_some_and(|lease| !lease.is_open && lease.remaining.is_zero()));
    assert_eq!(store.lease_get(Uuid::nil()).await.expect("works"), None);
}
