//! Marks, as several meterings leave and take them.

use std::collections::BTreeSet;
use std::time::Duration;

use keyward_money::Nanos;
use uuid::Uuid;

use super::super::PostgresStore;
use super::super::tests::open;
use crate::domain::account::{AccountKey, AccountKind};
use crate::domain::errand::Errand;
use crate::domain::ledger::Holder;
use crate::store::{CrossingStore as _, Mark};

const LONG: Duration = Duration::from_mins(1);

fn holder(start: u64) -> Holder {
    Holder {
        router: Uuid::from_u128(7),
        start,
    }
}

fn metering(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn mark(id: u128, start: u64, errand: Errand) -> Mark {
    Mark {
        id: Uuid::from_u128(id),
        holder: holder(start),
        errand,
    }
}

async fn elsewhere(store: &PostgresStore, from: u128, age: Duration) -> BTreeSet<Holder> {
    let found = store.watched_elsewhere(metering(from), age).await;
    found.expect("works").into_iter().collect()
}

async fn taken(store: &PostgresStore, by: u128, start: u64) -> Vec<Uuid> {
    let taken = store.marks_take(metering(by), vec![holder(start)]).await;
    taken.expect("works").iter().map(|mark| mark.id).collect()
}

#[tokio::test]
async fn who_is_connected_is_what_each_metering_stated_last_and_lately() {
    let (store, _keep) = open().await;
    let state = async |by, starts: &[u64]| {
        let holders = starts.iter().copied().map(holder).collect();
        let stated = store.watch_put(metering(by), holders).await;
        stated.expect("works");
    };
    state(1, &[1, 2]).await;
    state(2, &[2, 3]).await;
    assert_eq!(elsewhere(&store, 1, LONG).await, [2, 3].map(holder).into());
    let all = [1, 2, 3].map(holder).into();
    assert_eq!(elsewhere(&store, 3, LONG).await, all);
    state(2, &[4]).await;
    assert_eq!(elsewhere(&store, 1, LONG).await, [holder(4)].into());
    assert!(elsewhere(&store, 1, Duration::ZERO).await.is_empty());
    state(2, &[]).await;
    assert!(elsewhere(&store, 1, LONG).await.is_empty());
}

#[tokio::test]
async fn a_mark_is_taken_once_by_each_who_has_its_router_until_it_is_done() {
    let (store, _keep) = open().await;
    let account = AccountKey::new(AccountKind::User, Uuid::from_u128(9));
    let marks = vec![
        mark(10, 1, Errand::recall(Some(account))),
        mark(11, 2, Errand::flush(None)),
    ];
    store.marks_put(marks.clone()).await.expect("left");
    let of_both = store
        .marks_take(metering(1), vec![holder(1), holder(2), holder(3)])
        .await;
    let mut of_both = of_both.expect("taken");
    of_both.sort_unstable_by_key(|mark| mark.id);
    assert_eq!(of_both, marks, "as they were left");
    assert!(taken(&store, 1, 1).await.is_empty(), "once");
    assert!(taken(&store, 2, 3).await.is_empty(), "not another's");
    assert_eq!(taken(&store, 2, 1).await, [marks[0].id], "it went there");
    let ids: Vec<Uuid> = marks.iter().map(|mark| mark.id).collect();
    assert_eq!(store.marks_done(ids.clone()).await.expect("read"), []);
    let done = store.mark_done(marks[0].id, Nanos::new(5)).await;
    done.expect("said");
    let said = store.marks_done(ids.clone()).await.expect("read");
    assert_eq!(said, [Nanos::new(5)]);
    assert!(taken(&store, 3, 1).await.is_empty(), "it is done");
    store.marks_remove(ids.clone()).await.expect("removed");
    assert_eq!(store.marks_done(ids).await.expect("read"), []);
    assert!(taken(&store, 3, 2).await.is_empty(), "nobody waits for it");
}

#[tokio::test]
async fn what_a_lost_metering_left_behind_goes() {
    let (store, _keep) = open().await;
    store
        .watch_put(metering(1), vec![holder(1)])
        .await
        .expect("stated");
    let left = vec![mark(10, 1, Errand::flush(None))];
    store.marks_put(left).await.expect("left");
    let session = store.session().await.expect("a session");
    for age in [
        "UPDATE lease_mark SET asked = asked - interval '2 minutes'",
        "UPDATE lease_watch SET stated = stated - interval '2 minutes'",
    ] {
        assert_eq!(session.execute(age, &[]).await.expect("works"), 1);
    }
    store
        .watch_put(metering(2), Vec::new())
        .await
        .expect("stated");
    assert!(taken(&store, 2, 1).await.is_empty());
    let all = Duration::from_hours(1);
    assert!(elsewhere(&store, 2, all).await.is_empty());
}
