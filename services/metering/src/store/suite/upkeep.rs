//! What is too old, what is let go of, and what the store refuses.

use std::sync::Arc;

use keyward_money::Nanos;
use uuid::Uuid;

use super::{
    account, assert_adds_up, assert_balance, charged, event, expire, give, hold, place, run,
    settle, settlement, some_books, time, void, wire,
};
use crate::domain::account::AccountKey;
use crate::domain::day::{Retention, first_id};
use crate::domain::ledger::{
    Books, Command, Needs, NewRecord, Posted, QuarantineReason, Transfer, TransferKind,
};
use crate::store::{Batch, NotWritten, Store, Work, prove, shard_of, transact};

const DAY_MS: i64 = 86_400_000;

/// An own-key record with an id of that day.
fn record_of(day: i64, number: u128, recorded: i64) -> NewRecord {
    let id = first_id(time(day * DAY_MS)).as_u128() | 7 << 76 | 2 << 62 | number;
    NewRecord {
        event: event(id, account(1), 5, wire::AttemptStatus::Ok),
        priced: crate::domain::charging::Priced::default(),
        price_version: 0,
        time: time(recorded * DAY_MS),
    }
}

/// The engine keeps [`Retention::DAYS`].
pub(crate) async fn what_is_older_than_is_kept_is_put_aside(store: Arc<impl Store + 'static>) {
    let kept = i64::from(Retention::DAYS);
    let today = 20_000;
    let young = record_of(today - kept, 1, today);
    assert_eq!(run(&*store, young.clone()).await, charged_nothing(false));
    let old = record_of(today - kept - 1, 2, today);
    let too_old = Posted::Quarantined(QuarantineReason::TooOld);
    assert_eq!(run(&*store, old).await, too_old);
    let known = NewRecord {
        time: time((today + 9) * DAY_MS),
        ..young
    };
    assert_eq!(run(&*store, known).await, charged_nothing(true), "known");

    give(&*store, account(1), 100, "k").await;
    place(&*store, hold(1, account(1), 60)).await;
    let late = record_of(today - kept - 1, 3, today);
    let mut late = settlement(late.event, 1);
    late.time = time(today * DAY_MS);
    assert_eq!(run(&*store, late).await, too_old);
    assert_balance(&*store, 100, 60).await;
}

fn charged_nothing(duplicate: bool) -> Posted {
    Posted::Recorded {
        priced: crate::domain::charging::Priced::default(),
        duplicate,
    }
}

pub(crate) async fn closed_holds_are_removed_and_charge_nothing_more(
    store: Arc<impl Store + 'static>,
) {
    give(&*store, account(1), 1_000, "k").await;
    for number in 1..=4 {
        place(&*store, hold(number, account(1), 60)).await;
    }
    let mut long = hold(5, account(1), 60);
    long.expire_time = time(9_000);
    place(&*store, long).await;
    assert_eq!(settle(&*store, 10, 1, 25).await, charged(25, false));
    void(&*store, 2, account(1), None).await;
    void(&*store, 5, account(1), None).await;
    assert_eq!(expire(&*store, 2_000, 1).await, 1, "one of the two");
    let forget = async |before, limit| {
        let removed = store.holds_forget(time(before), limit).await;
        removed.expect("works")
    };
    assert_eq!(forget(2_000, 10).await, 0, "they expired then");
    assert_eq!(forget(2_001, 2).await, 2, "in pieces");
    assert_eq!(forget(2_001, 2).await, 1);
    assert_eq!(forget(2_001, 2).await, 0, "one is open, one expires later");
    assert_balance(&*store, 975, 60).await;

    assert_eq!(settle(&*store, 10, 1, 25).await, charged(25, true), "known");
    let unknown = Posted::Quarantined(QuarantineReason::UnknownHold);
    assert_eq!(settle(&*store, 11, 1, 25).await, unknown, "another event");
    assert_eq!(settle(&*store, 12, 2, 25).await, unknown, "it was void");
    assert_balance(&*store, 975, 60).await;
}

/// Whoever placed a hold stays the owner of what was recorded, whatever an event says.
pub(crate) async fn a_settle_is_known_after_its_hold_is_gone(store: Arc<impl Store + 'static>) {
    give(&*store, account(1), 100, "k").await;
    place(&*store, hold(1, account(1), 60)).await;
    let mut used = event(10, account(1), 25, wire::AttemptStatus::Ok);
    let owner = wire::UsageOwner {
        account: account(1).to_string(),
        ..wire::UsageOwner::default()
    };
    Arc::make_mut(&mut used.message).owner = Some(owner);
    let again = settlement(used.clone(), 1);
    assert_eq!(run(&*store, settlement(used, 1)).await, charged(25, false));
    assert_eq!(store.holds_forget(time(5_000), 9).await.expect("works"), 1);
    assert_eq!(run(&*store, again).await, charged(25, true));
    assert_balance(&*store, 75, 0).await;
}

pub(crate) async fn books_are_proven_after_holds_and_periods_are_gone(
    store: Arc<impl Store + 'static>,
) {
    some_books(&*store).await;
    assert_eq!(store.holds_forget(time(5_000), 99).await.expect("works"), 3);
    let proof = prove(&*store, None).await.expect("works");
    assert_eq!(proof.discrepancies, []);
    let periods = async || store.periods_forget(time(1), 99).await.expect("works");
    assert_eq!(periods().await, 0, "something is held in it");
    expire(&*store, 5_000, 9).await;
    assert_eq!(periods().await, 1);
    let proof = prove(&*store, None).await.expect("works");
    assert_eq!(proof.discrepancies, []);
}

/// Moves less than nothing, which every engine refuses.
#[derive(Debug)]
struct Poison(Uuid);

impl Command for Poison {
    type Answer = ();

    fn account(&self) -> AccountKey {
        account(1)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.accounts.insert(account(1));
    }

    fn apply(&self, books: &mut Books) {
        books.changes.transfers.push(Transfer {
            id: self.0,
            kind: TransferKind::Expiry,
            account: account(1),
            amount: Nanos::new(-1),
            overrun: Nanos::ZERO,
            late: false,
            event_id: None,
            inference_id: String::new(),
            request_id: None,
            note: String::new(),
            time: time(1_000),
        });
    }
}

pub(crate) async fn what_the_store_refuses_fails_alone(store: Arc<impl Store + 'static>) {
    give(&*store, account(1), 1_000, "k").await;
    let (mut works, mut placed, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for number in 1..=11 {
        let (work, answer) = Work::new(hold(number, account(1), 10));
        works.push(work);
        placed.push(answer);
        if [1, 7, 11].contains(&number) {
            let (work, answer) = Work::new(Poison(Uuid::from_u128(number)));
            works.push(work);
            refused.push(answer);
        }
    }
    transact(&*store, shard_of(account(1)), Batch::new(works)).await;
    for answer in placed {
        super::assert_held(&answer.await.expect("answered").expect("written"));
    }
    for answer in refused {
        assert_eq!(answer.await.expect("answered"), Err(NotWritten::Refused));
    }
    assert_balance(&*store, 1_000, 110).await;
    assert_adds_up(&*store).await;
}
