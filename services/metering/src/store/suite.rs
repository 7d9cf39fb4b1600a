//! What every engine must do, whatever it is. An engine runs all of it with [`conformance!`].

mod budgets;
mod copies;
mod leases;
mod notices;
mod proof;
mod sums;
mod upkeep;

use std::sync::Arc;

use jiff::Timestamp;
use keyward_money::{BasisPoints, Nanos, Prices};
use keyward_proto::metering::v1 as wire;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use uuid::Uuid;

use super::{
    Answer, Balance, Batch, Call, NewAnswer, RecordQuery, SHARDS, Store, Work, shard_of, transact,
};
use crate::domain::account::{AccountKey, AccountKind};
use crate::domain::charging::{HoldRequest, Priced, Terms};
use crate::domain::event::Event;
use crate::domain::filter::Filter;
use crate::domain::ledger::{
    Command, ExpireHold, ExpireLots, Extended, Extension, Granted, NewGrant, NewHold, NewRecord,
    Placed, Posted, QuarantineReason, Settlement, TransferKind, VoidHold, Voided,
};
use crate::domain::prices::PriceRow;
use crate::domain::requester::Visibility;
use crate::domain::tier::{self, Tier};

pub(crate) use budgets::*;
pub(crate) use leases::*;
pub(crate) use notices::*;
pub(crate) use proof::*;
pub(crate) use sums::*;
pub(crate) use upkeep::*;

/// Runs the suite on an engine: `open` makes an empty store, with what must outlive it.
macro_rules! conformance {
    ($open:expr) => {
        $crate::store::suite::conformance!($open;
            a_grant_is_posted_once,
            a_hold_needs_credit_and_is_placed_once,
            a_hold_of_nothing_needs_no_credit,
            an_open_hold_is_raised_where_the_balance_covers_it,
            a_settle_charges_what_was_used_and_frees_the_rest,
            a_settle_may_take_the_balance_below_zero,
            what_no_balance_can_hold_is_put_aside_or_refused,
            what_is_beyond_the_cap_is_the_platforms,
            the_same_settle_again_has_no_second_effect,
            a_settle_with_other_figures_is_put_aside,
            a_hold_is_charged_for_one_event_only,
            a_settle_of_an_unknown_hold_is_put_aside,
            a_void_frees_the_hold_and_records_the_attempt,
            an_expired_hold_is_freed_and_still_settles,
            own_key_records_are_stored_once,
            records_are_seen_by_their_owners_only,
            pages_follow_each_other,
            tiers_are_seeded_and_can_be_changed,
            an_answer_is_kept_with_its_change_until_nobody_can_ask,
            price_books_stay,
            a_version_of_prices_is_put_in_force_and_stays,
            what_moved_a_balance_is_told_by_time_and_kind,
            concurrent_holds_never_oversell,
            holds_of_one_batch_stand_as_far_as_the_balance_goes,
            credits_that_expire_are_booked_once,
            a_hold_placed_and_settled_in_one_batch_is_whole,
            any_history_adds_up,
            books_that_add_up_are_proven,
            what_is_lent_comes_back_or_is_charged,
            a_lease_outlives_the_store_that_it_is_read_from,
            an_account_is_closed_and_opened_again,
            sums_are_what_a_fold_of_the_records_gives,
            too_many_sums_are_refused,
            figures_that_do_not_fit_stop_neither_records_nor_sums,
            records_are_listed_by_what_is_asked_for,
            budgets_are_kept_as_they_were_made,
            a_budget_is_changed_only_by_who_knows_it,
            what_a_budget_has_seen_is_what_its_holds_were_charged,
            an_occasion_has_one_notice_however_often_it_is_found,
            notices_are_listed_newest_first_and_by_account,
            a_webhook_is_kept_changed_and_deleted_as_it_was_seen,
            an_account_has_so_many_webhooks_and_no_more,
            a_webhook_is_tried_out_now_and_then,
            a_notice_goes_to_the_webhooks_of_its_account_that_want_it,
            what_is_taken_is_taken_once_until_the_claim_runs_out,
            of_a_webhook_one_thing_is_under_way_and_the_first_comes_first,
            what_cannot_be_delivered_is_given_up,
            old_notices_are_forgotten_with_what_was_sent_of_them,
            what_is_older_than_is_kept_is_put_aside,
            closed_holds_are_removed_and_charge_nothing_more,
            a_settle_is_known_after_its_hold_is_gone,
            books_are_proven_after_holds_and_periods_are_gone,
            what_the_store_refuses_fails_alone,
        );
    };
    ($open:expr; $($case:ident,)+) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let (store, _keep) = $open;
            $crate::store::suite::$case(std::sync::Arc::new(store)).await;
        })+
    };
}
pub(crate) use conformance;

fn time(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).expect("in range")
}

fn account(number: u128) -> AccountKey {
    AccountKey::new(AccountKind::User, Uuid::from_u128(number))
}

fn owner(account: AccountKey) -> wire::UsageOwner {
    wire::UsageOwner {
        account: account.to_string(),
        user_uid: account.uid.to_string(),
        ..wire::UsageOwner::default()
    }
}

/// One nano-credit a token, without markup.
fn terms(cap: Option<i64>) -> Terms {
    Terms {
        price_version: 1,
        prices: Prices::per_million(1_000_000, 1_000_000),
        markup: BasisPoints::ZERO,
        cap: cap.map(Nanos::new),
    }
}

fn hold(id: u128, account: AccountKey, amount: i64) -> NewHold {
    NewHold {
        request: HoldRequest {
            id: Uuid::from_u128(id),
            account,
            owner: owner(account),
            inference_id: Uuid::from_u128(id).to_string(),
            provider: "sandbox".to_owned(),
            model: "sandbox/echo".to_owned(),
        },
        terms: terms(None),
        amount: Nanos::new(amount),
        budgets: Vec::new(),
        create_time: time(1_000),
        expire_time: time(2_000),
    }
}

fn event(id: u128, account: AccountKey, tokens: i64, status: wire::AttemptStatus) -> Event {
    let id = Uuid::from_u128(id).to_string();
    let message = wire::UsageEvent {
        event_id: id.clone(),
        inference_id: id.clone(),
        attempt: 1,
        owner: Some(owner(account)),
        provider: "sandbox".to_owned(),
        model: "sandbox/echo".to_owned(),
        key_source: wire::KeySource::System.into(),
        status: status.into(),
        usage: Some(wire::Usage {
            input_tokens: tokens,
            ..wire::Usage::default()
        }),
        tags: [("a", "1"), ("b", "2"), ("c", "3")]
            .map(|(k, v)| (k.into(), v.into()))
            .into(),
        ..wire::UsageEvent::default()
    };
    Event::parse(&id, Some(message), None).expect("valid")
}

fn settlement(event: Event, hold: u128) -> Settlement {
    Settlement {
        event,
        hold_id: Uuid::from_u128(hold),
        time: time(1_500),
    }
}

/// Runs commands as one batch, all of the first one's shard.
async fn run_all<C: Command>(store: &impl Store, commands: Vec<C>) -> Vec<C::Answer> {
    let Some(first) = commands.first() else {
        return Vec::new();
    };
    let shard = shard_of(first.account());
    let (works, answers): (Vec<_>, Vec<_>) = commands.into_iter().map(Work::new).unzip();
    transact(store, shard, Batch::new(works)).await;
    let mut answered = Vec::new();
    for answer in answers {
        answered.push(answer.await.expect("answered").expect("written"));
    }
    answered
}

async fn run<C: Command>(store: &impl Store, command: C) -> C::Answer {
    let mut answers = run_all(store, vec![command]).await;
    answers.pop().expect("one answer")
}

async fn settle(store: &impl Store, id: u128, hold: u128, tokens: i64) -> Posted {
    let event = event(id, account(1), tokens, wire::AttemptStatus::Ok);
    run(store, settlement(event, hold)).await
}

async fn void(store: &impl Store, hold: u128, who: AccountKey, event: Option<Event>) -> Voided {
    let void = VoidHold {
        id: Uuid::from_u128(hold),
        account: who,
        event,
        time: time(1_500),
    };
    run(store, void).await
}

async fn extend(store: &impl Store, hold: u128, who: AccountKey, amount: i64) -> Extended {
    let extension = Extension {
        id: Uuid::from_u128(hold),
        account: who,
        amount: Nanos::new(amount),
        time: time(1_500),
    };
    run(store, extension).await
}

/// Frees what is overdue, as who sweeps does.
async fn expire(store: &impl Store, now: i64, limit: u32) -> usize {
    let overdue = store.holds_overdue(time(now), limit).await;
    let mut freed = 0;
    for hold in overdue.expect("the store works") {
        let expiry = ExpireHold {
            id: hold.id,
            account: hold.account,
            time: time(now),
        };
        freed += usize::from(run(store, expiry).await);
    }
    freed
}

fn charged(amount: i64, duplicate: bool) -> Posted {
    let amount = Nanos::new(amount);
    let priced = Priced {
        list_cost: Some(amount),
        charge: amount,
        absorbed: Nanos::ZERO,
    };
    Posted::Recorded { priced, duplicate }
}

async fn give(store: &impl Store, account: AccountKey, amount: i64, key: &str) -> Granted {
    let grant = NewGrant {
        id: Uuid::now_v7(),
        account,
        amount: Nanos::new(amount),
        priority: 0,
        expire_time: None,
        request_id: key.to_owned(),
        note: "note".to_owned(),
        time: time(1_000),
    };
    run(store, grant).await
}

async fn place(store: &impl Store, hold: NewHold) -> Placed {
    run(store, hold).await
}

#[track_caller]
fn assert_held(placed: &Placed) {
    assert!(matches!(placed, Placed::Held(_)), "{placed:?}");
}

async fn assert_balance(store: &impl Store, balance: i64, held: i64) {
    let expected = Balance {
        balance: Nanos::new(balance),
        held: Nanos::new(held),
        leased: Nanos::ZERO,
    };
    assert_eq!(
        store.balance(account(1)).await.expect("the store works"),
        expected
    );
    assert_adds_up(store).await;
}

async fn assert_adds_up(store: &impl Store) {
    let totals = store.totals().await.expect("the store works");
    assert_eq!(totals.balances, Nanos::ZERO, "{totals:?}");
    assert_eq!(totals.balances_off, 0, "{totals:?}");
    assert_eq!(totals.lots_off, 0, "{totals:?}");
    assert_eq!(totals.held, totals.open_holds, "{totals:?}");
    assert_eq!(totals.leased, totals.open_leases, "{totals:?}");
    assert_eq!(totals.record_charges, totals.transfer_charges, "{totals:?}");
}

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

fn record(id: u128, account: AccountKey, tokens: i64) -> NewRecord {
    NewRecord {
        event: event(id, account, tokens, wire::AttemptStatus::Ok),
        priced: Priced {
            list_cost: Some(Nanos::new(tokens)),
            ..Priced::default()
        },
        price_version: 1,
        time: time(1_500),
    }
}

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

pub(crate) async fn tiers_are_seeded_and_can_be_changed(store: Arc<impl Store + 'static>) {
    let tiers = || async { store.tiers().await.expect("works") };
    let seeded: Vec<_> = tiers()
        .await
        .into_iter()
        .map(|tier| {
            let tier::Terms {
                markup,
                organization_keys,
                ..
            } = tier.terms;
            (tier.name, markup.get(), organization_keys)
        })
        .collect();
    let expected = [
        ("enterprise", 0, true),
        ("professional", 500, false),
        ("starter", 1_000, false),
        ("trial", 1_500, false),
    ];
    assert_eq!(
        seeded,
        expected.map(|(name, markup, keys)| (name.to_owned(), markup, keys))
    );
    let terms = tier::Terms {
        markup: BasisPoints::new(900),
        organization_keys: true,
        limits: tier::TierLimits {
            requests_per_minute: Some(60),
            tokens_per_minute: Some(u64::MAX >> 1),
            concurrency: None,
        },
    };
    let gold = Tier::new("gold", terms, time(5_000)).expect("valid");
    let patch = tier::TermsPatch {
        organization_keys: Some(false),
        ..tier::TermsPatch::default()
    };
    for tier in [
        gold.clone(),
        gold.changed(patch, time(6_000)).expect("valid"),
    ] {
        store.tier_put(tier.clone(), None).await.expect("works");
        let now = tiers().await;
        assert_eq!(now.len(), 5);
        assert!(now.contains(&tier), "{now:?}");
    }
}

pub(crate) async fn an_answer_is_kept_with_its_change_until_nobody_can_ask(
    store: Arc<impl Store + 'static>,
) {
    let call = |caller: &str, method, request_id: &str| Call {
        caller: caller.to_owned(),
        method,
        request_id: request_id.to_owned(),
    };
    let tier = Tier::new("gold", tier::Terms::default(), time(1_000)).expect("valid");
    let put = |call, at, forget_before| {
        let answer = NewAnswer {
            call,
            answer: Answer {
                request: vec![1],
                answer: vec![2],
            },
            time: time(at),
            forget_before: time(forget_before),
        };
        store.tier_put(tier.clone(), Some(answer))
    };
    let first = call("users/a", "CreateTier", "r");
    put(first.clone(), 1_000, 0).await.expect("works");
    let kept = |call: &Call, since| store.answer(call.clone(), time(since));
    let found = kept(&first, 1_000).await.expect("works").expect("kept");
    assert_eq!((found.request, found.answer), (vec![1], vec![2]));
    assert_eq!(kept(&first, 1_001).await.expect("works"), None, "too old");
    for other in [
        call("users/b", "CreateTier", "r"),
        call("users/a", "UpdateTier", "r"),
        call("users/a", "CreateTier", "s"),
    ] {
        assert_eq!(kept(&other, 0).await.expect("works"), None, "{other:?}");
    }
    assert!(
        put(first.clone(), 1_500, 0).await.is_err(),
        "never replaced"
    );
    let later = call("users/a", "CreateTier", "later");
    put(later, 9_000, 1_001).await.expect("works");
    assert_eq!(kept(&first, 0).await.expect("works"), None, "forgotten");
}

pub(crate) async fn price_books_stay(store: Arc<impl Store + 'static>) {
    let row = |model: &str, price| PriceRow {
        provider: "p".to_owned(),
        model: model.to_owned(),
        prices: Prices::per_million(price, price),
    };
    let install = async |version, rows| {
        let installed = store.price_book_install(version, rows, time(1)).await;
        installed.map(|installed| installed.active)
    };
    assert_eq!(
        install(3, vec![row("a", 1), row("b", 2)])
            .await
            .expect("works"),
        3
    );
    assert_eq!(
        install(3, vec![row("a", 1), row("b", 2)])
            .await
            .expect("works"),
        3
    );
    assert_eq!(
        install(3, vec![row("a", 5)]).await.expect("works"),
        4,
        "a version never changes"
    );
    assert_eq!(install(9, vec![row("a", 6)]).await.expect("works"), 9);
    let price = |version, model: &str| store.prices(version, "p".to_owned(), model.to_owned());
    assert_eq!(
        price(3, "a").await.expect("works"),
        Some(Prices::per_million(1, 1))
    );
    assert_eq!(
        price(4, "a").await.expect("works"),
        Some(Prices::per_million(5, 5))
    );
    assert_eq!(price(4, "b").await.expect("works"), None);
    assert_eq!(price(5, "a").await.expect("works"), None);
}

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

/// What may happen, with small numbers so that things meet.
#[derive(Debug, Clone)]
enum Step {
    Grant(i64),
    Place(u128, i64),
    Extend(u128, i64),
    Settle(u128, u128, i64),
    Void(u128),
    Expire,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        1 => (1..200_i64).prop_map(Step::Grant),
        4 => (1..12_u128, 0..60_i64).prop_map(|(id, amount)| Step::Place(id, amount)),
        2 => (1..14_u128, 0..90_i64).prop_map(|(id, amount)| Step::Extend(id, amount)),
        4 => (1..16_u128, 1..14_u128, 0..80_i64)
            .prop_map(|(event, hold, tokens)| Step::Settle(event, hold, tokens)),
        2 => (1..14_u128).prop_map(Step::Void),
        1 => Just(Step::Expire),
    ];
    prop::collection::vec(step, 1..40)
}

/// What the store should hold after a history, as simple as can be.
#[derive(Debug, Default)]
struct Model {
    balance: i64,
    /// Amount, and whether it is still held.
    holds: std::collections::HashMap<u128, (i64, bool)>,
    settled: std::collections::HashMap<u128, u128>,
    events: std::collections::HashMap<u128, i64>,
}

impl Model {
    fn held(&self) -> i64 {
        self.holds
            .values()
            .filter(|(_, open)| *open)
            .map(|(amount, _)| amount)
            .sum()
    }

    fn place(&mut self, id: u128, amount: i64) -> bool {
        if self.holds.contains_key(&id) {
            return true;
        }
        let covered = amount == 0 || self.balance - self.held() >= amount;
        if covered {
            self.holds.insert(id, (amount, true));
        }
        covered
    }

    fn extend(&mut self, id: u128, amount: i64) -> bool {
        let free = self.balance - self.held();
        match self.holds.get_mut(&id) {
            Some((held, true)) if amount <= *held => true,
            Some((held, true)) if free >= amount - *held => {
                *held = amount;
                true
            }
            _ => false,
        }
    }

    fn settle(&mut self, event: u128, hold: u128, tokens: i64) -> Option<(i64, bool)> {
        if let Some(stored) = self.events.get(&event) {
            return (*stored == tokens).then_some((tokens, true));
        }
        let (_, open) = self.holds.get_mut(&hold)?;
        if self.settled.contains_key(&hold) {
            return None;
        }
        *open = false;
        self.settled.insert(hold, event);
        self.events.insert(event, tokens);
        self.balance -= tokens;
        Some((tokens, false))
    }

    fn close(&mut self, id: u128) {
        if let Some((_, open)) = self.holds.get_mut(&id) {
            *open = false;
        }
    }
}

pub(crate) async fn any_history_adds_up(store: Arc<impl Store + 'static>) {
    let mut runner = TestRunner::new(Config::with_cases(1));
    // Each history has accounts and ids of its own in the one store.
    for number in 0..60_u128 {
        let history = steps().new_tree(&mut runner).expect("a history").current();
        let base = (number + 1) << 32;
        run_history(&*store, base, &history).await;
    }
    assert_adds_up(&*store).await;
}

async fn run_history(store: &impl Store, base: u128, history: &[Step]) {
    let mut model = Model::default();
    let who = account(base);
    for (number, step) in history.iter().enumerate() {
        match *step {
            Step::Grant(amount) => {
                give(store, who, amount, &number.to_string()).await;
                model.balance += amount;
            }
            Step::Place(id, amount) => {
                let placed = place(store, hold(base + id, who, amount)).await;
                let expected = model.place(id, amount);
                assert_eq!(
                    matches!(placed, Placed::Held(_)),
                    expected,
                    "{step:?} of {history:?}"
                );
            }
            Step::Extend(id, amount) => {
                let extended = extend(store, base + id, who, amount).await;
                assert_eq!(
                    matches!(extended, Extended::Held(_)),
                    model.extend(id, amount),
                    "{step:?} of {history:?}"
                );
            }
            Step::Settle(id, of, tokens) => {
                let event = event(base + 1_000 + id, who, tokens, wire::AttemptStatus::Ok);
                let posted = run(store, settlement(event, base + of)).await;
                let actual = match posted {
                    Posted::Recorded { priced, duplicate } => {
                        Some((priced.charge.get(), duplicate))
                    }
                    _ => None,
                };
                assert_eq!(
                    actual,
                    model.settle(id, of, tokens),
                    "{step:?} of {history:?}"
                );
            }
            Step::Void(id) => {
                void(store, base + id, who, None).await;
                model.close(id);
            }
            Step::Expire => {
                expire(store, 5_000, 10_000).await;
                model.holds.values_mut().for_each(|(_, open)| *open = false);
            }
        }
        let balance = store.balance(who).await.expect("works");
        let expected = (model.balance, model.held());
        assert_eq!(
            (balance.balance.get(), balance.held.get()),
            expected,
            "{step:?} of {history:?}"
        );
    }
    assert_adds_up(store).await;
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
