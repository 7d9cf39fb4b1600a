//! Usage records, and who sees them.

use std::sync::Arc;

use uuid::Uuid;

use super::samples::{account, assert_balance, give, record, run, run_all};
use crate::domain::filter::Filter;
use crate::domain::ledger::{Posted, QuarantineReason};
use crate::domain::requester::Visibility;
use crate::store::{RecordQuery, Store};

pub(crate) async fn own_key_records_are_stored_once(store: Arc<impl Store + 'static>) {
    let batch = vec![
        record(1, account(1), 5),
        record(2, account(1), 6),
        record(1, account(1), 5),
    ];
    let posted = run_all(&*store, batch).await;
    let duplicates: Vec<_> = posted
        .iter()
        .map(|posted| {
            matches!(
                posted,
                Posted::Recorded {
                    duplicate: true,
                    ..
                }
            )
        })
        .collect();
    assert_eq!(duplicates, [false, false, true]);
    let other = run(&*store, record(1, account(1), 9)).await;
    assert_eq!(other, Posted::Quarantined(QuarantineReason::OtherFigures));
    assert_eq!(list(&*store, 1, None, None).await, [6, 5]);
    assert_balance(&*store, 0, 0).await;
}

/// The input tokens of the records that somebody sees.
async fn list(
    store: &impl Store,
    of: u128,
    user: Option<u128>,
    inference: Option<u128>,
) -> Vec<i64> {
    let query = RecordQuery {
        account: account(of),
        user_uid: user.map(Uuid::from_u128),
        inference_id: inference.map(|id| Uuid::from_u128(id).to_string()),
        filter: Filter::default(),
        before: None,
        limit: 10,
    };
    let records = store.records(query).await.expect("works");
    records
        .iter()
        .map(|record| record.event.usage.input_tokens)
        .collect()
}

pub(crate) async fn records_are_seen_by_their_owners_only(store: Arc<impl Store + 'static>) {
    run(&*store, record(1, account(1), 5)).await;
    run(&*store, record(2, account(2), 6)).await;
    assert_eq!(list(&*store, 2, None, None).await, [6]);
    assert_eq!(list(&*store, 1, None, None).await, [5]);
    assert_eq!(list(&*store, 1, Some(1), None).await, [5]);
    assert_eq!(list(&*store, 1, Some(2), None).await, [0; 0]);
    assert_eq!(list(&*store, 1, None, Some(1)).await, [5]);
    assert_eq!(list(&*store, 1, None, Some(2)).await, [0; 0]);
    let visibility = Visibility {
        account: Some(account(2)),
        user_uid: None,
    };
    let others = store
        .attempts(Uuid::from_u128(1).to_string(), visibility)
        .await;
    assert_eq!(others.expect("works"), []);
}

pub(crate) async fn pages_follow_each_other(store: Arc<impl Store + 'static>) {
    for number in 1..=5 {
        give(&*store, account(1), number, &number.to_string()).await;
    }
    let page = |before| store.transactions(account(1), before, 2);
    let first = page(None).await.expect("works");
    let second = page(Some(first[1].sequence)).await.expect("works");
    let third = page(Some(second[1].sequence)).await.expect("works");
    let amounts: Vec<_> = [first, second, third]
        .concat()
        .iter()
        .map(|r| r.amount.get())
        .collect();
    assert_eq!(amounts, [5, 4, 3, 2, 1]);
}
