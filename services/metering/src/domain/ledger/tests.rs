//! The rules tried on books that hold everything: what each command does, and that any history of
//! them adds up.

mod history;
mod leases;

use std::sync::Arc;

use jiff::Timestamp;
use keyward_money::{BasisPoints, Nanos, Prices};
use keyward_proto::metering::v1 as wire;
use uuid::Uuid;

use super::oracle::assert_adds_up;
use super::*;
use crate::domain::account::{AccountKey, AccountKind};
use crate::domain::charging::{HoldRequest, HoldState, Terms};
use crate::domain::event::Event;

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).expect("in range")
}

fn id(number: u64) -> Uuid {
    Uuid::from_u64_pair(0x0190_0000_0000_7000, 0x8000_0000_0000_0000 | number)
}

fn account(number: u64) -> AccountKey {
    AccountKey::new(AccountKind::User, id(number))
}

fn nanos(amount: i64) -> Nanos {
    Nanos::new(amount)
}

/// A token costs a nano-credit.
fn terms() -> Terms {
    Terms {
        price_version: 1,
        prices: Prices::per_million(1_000_000, 1_000_000),
        markup: BasisPoints::ZERO,
        cap: None,
    }
}

fn owner(account: AccountKey) -> wire::UsageOwner {
    wire::UsageOwner {
        account: account.to_string(),
        ..wire::UsageOwner::default()
    }
}

fn new_hold(number: u64, account: AccountKey, amount: i64) -> NewHold {
    NewHold {
        request: HoldRequest {
            id: id(number),
            account,
            owner: owner(account),
            inference_id: id(number).to_string(),
            provider: "p".to_owned(),
            model: "m".to_owned(),
        },
        terms: terms(),
        amount: nanos(amount),
        budgets: Vec::new(),
        create_time: time(0),
        expire_time: time(600),
    }
}

fn event(number: u64, account: AccountKey, tokens: i64) -> Event {
    let message = wire::UsageEvent {
        inference_id: id(number).to_string(),
        attempt: 1,
        owner: Some(owner(account)),
        key_source: wire::KeySource::System.into(),
        status: wire::AttemptStatus::Ok.into(),
        usage: Some(wire::Usage {
            input_tokens: tokens,
            ..wire::Usage::default()
        }),
        ..wire::UsageEvent::default()
    };
    Event::parse(&id(number).to_string(), Some(message), None).expect("valid")
}

/// The same of an attempt that another one made needless.
fn hedged(event: &Event) -> Event {
    let mut message = wire::UsageEvent::clone(&event.message);
    message.status = wire::AttemptStatus::Hedged.into();
    Event::parse(&event.id.to_string(), Some(message), None).expect("valid")
}

fn settlement(number: u64, hold: u64, account: AccountKey, tokens: i64) -> Settlement {
    Settlement {
        event: event(number, account, tokens),
        hold_id: id(hold),
        time: time(1),
    }
}

fn grant(number: u64, account: AccountKey, amount: i64) -> NewGrant {
    NewGrant {
        id: id(number),
        account,
        amount: nanos(amount),
        priority: 0,
        expire_time: None,
        request_id: number.to_string(),
        note: String::new(),
        time: time(0),
    }
}

fn charged(posted: Posted) -> (i64, bool) {
    match posted {
        Posted::Recorded { priced, duplicate } => (priced.charge.get(), duplicate),
        other => panic!("not recorded: {other:?}"),
    }
}

#[test]
fn a_guess_gives_way_to_what_was_measured_and_to_nothing_else() {
    let payer = account(1);
    let guess = |tokens| {
        let mut settlement = settlement(20, 10, payer, tokens);
        let message = Arc::make_mut(&mut settlement.event.message);
        message.usage_source = wire::UsageSource::Recovered.into();
        settlement
    };
    let measured = |tokens| settlement(20, 10, payer, tokens);
    for (first, then, stays) in [
        (measured(40), guess(7), true),
        (guess(7), guess(7), true),
        (guess(7), guess(8), false),
        (guess(7), measured(40), false),
        (measured(40), measured(41), false),
    ] {
        let mut books = Books::default();
        grant(1, payer, 100).apply(&mut books);
        new_hold(10, payer, 60).apply(&mut books);
        let posted = first.apply(&mut books);
        let again = then.apply(&mut books);
        match stays {
            true => assert_eq!(charged(again), (charged(posted).0, true)),
            false => assert_eq!(again, Posted::Quarantined(QuarantineReason::OtherFigures)),
        }
        assert_eq!(books.changes.rejects.is_empty(), stays);
        assert_adds_up(&books);
    }
}

#[test]
fn what_is_beyond_the_hold_is_charged_and_may_take_the_balance_below_zero() {
    let (mut books, payer) = (Books::default(), account(1));
    grant(1, payer, 10_000_000).apply(&mut books);
    assert!(matches!(
        new_hold(2, payer, 7_875_000).apply(&mut books),
        Placed::Held(_)
    ));
    let settled = settlement(3, 2, payer, 12_075_000).apply(&mut books);
    assert_eq!(charged(settled), (12_075_000, false));
    let charge = books.changes.transfers.last().expect("a charge");
    assert_eq!((charge.overrun, charge.late), (nanos(4_200_000), false));
    assert_eq!(books.accounts[&payer].balance, nanos(-2_075_000));
    assert_eq!(
        new_hold(4, payer, 1).apply(&mut books),
        Placed::Short {
            available: nanos(-2_075_000)
        }
    );
    grant(5, payer, 1_000_000_000).apply(&mut books);
    assert_eq!(books.accounts[&payer].balance, nanos(997_925_000));
    assert!(matches!(
        new_hold(6, payer, 1).apply(&mut books),
        Placed::Held(_)
    ));
    assert_adds_up(&books);
}

#[test]
fn what_another_attempt_made_needless_moves_money_of_the_platforms_alone() {
    let (mut books, payer) = (Books::default(), account(1));
    grant(1, payer, 100).apply(&mut books);
    new_hold(2, payer, 60).apply(&mut books);
    let mut lost = settlement(3, 2, payer, 45);
    lost.event = hedged(&lost.event);
    assert_eq!(charged(lost.apply(&mut books)), (0, false));
    assert_eq!(charged(lost.apply(&mut books)), (0, true));
    let account = &books.accounts[&payer];
    assert_eq!((account.balance, account.held), (nanos(100), nanos(0)));
    assert_eq!(books.platform[&Platform::Absorbed], nanos(-45));
    assert_eq!(books.platform[&Platform::Revenue], nanos(45));
    assert_eq!(books.holds[&id(2)].state, HoldState::Settled);
    assert_adds_up(&books);
}

#[test]
fn of_holds_that_arrive_together_so_many_stand_as_the_balance_covers() {
    let (mut books, payer) = (Books::default(), account(1));
    grant(1, payer, 500).apply(&mut books);
    let placed = (0..1000).map(|number| new_hold(10 + number, payer, 1).apply(&mut books));
    let held = placed
        .filter(|placed| matches!(placed, Placed::Held(_)))
        .count();
    assert_eq!(held, 500);
    assert_eq!(books.available(payer, time(1)), nanos(0));
    assert_adds_up(&books);
}

#[test]
fn the_tightest_of_balance_and_budgets_binds_and_a_refusal_touches_neither() {
    let (mut books, payer) = (Books::default(), account(1));
    grant(1, payer, 1000).apply(&mut books);
    let share = |budget, limit, blocks| BudgetShare {
        period: PeriodKey {
            budget_id: id(budget),
            start: time(0),
        },
        limit: nanos(limit),
        blocks,
    };
    let mut hold = new_hold(2, payer, 600);
    hold.budgets = vec![
        share(90, 700, true),
        share(91, 500, true),
        share(92, 1, false),
    ];
    let refused = Placed::OverBudget {
        budget_id: id(91),
        available: nanos(500),
    };
    assert_eq!(hold.apply(&mut books), refused);
    assert!(books.periods.is_empty(), "no budget holds anything");
    assert_eq!(books.accounts[&payer].held, nanos(0));
    hold.amount = nanos(400);
    assert!(matches!(hold.apply(&mut books), Placed::Held(_)));
    settlement(3, 2, payer, 450).apply(&mut books);
    let spent = |budget| books.periods[&share(budget, 0, true).period].spent.get();
    assert_eq!((spent(90), spent(91), spent(92)), (450, 450, 450));
    let reached = |budget| {
        let notices = books.changes.notices.iter();
        let of_budget =
            notices.filter(|new| new.occasion.rule == format!("budgets/{}", id(budget)));
        of_budget
            .map(|new| new.occasion.threshold)
            .collect::<Vec<_>>()
    };
    assert_eq!((reached(90), reached(91)), (vec![50], vec![50, 80]));
    assert_eq!(reached(92), [50, 80, 100], "one that only tells is passed");
    assert_adds_up(&books);
}

#[test]
fn what_an_account_should_know_of_is_written_with_what_caused_it() {
    use crate::domain::notice::NoticeKind::{FallbackToCredits, LowBalance};
    let (mut books, payer) = (Books::default(), account(1));
    grant(1, payer, 100).apply(&mut books);
    let kinds = |books: &Books| {
        let notices = books.changes.notices.iter();
        notices.map(|new| new.notice.kind).collect::<Vec<_>>()
    };
    new_hold(2, payer, 10).apply(&mut books);
    settlement(3, 2, payer, 10).apply(&mut books);
    let mut capped = new_hold(6, payer, 10);
    capped.terms.cap = Some(nanos(10));
    capped.apply(&mut books);
    settlement(7, 6, payer, 10).apply(&mut books);
    assert_eq!(kinds(&books), [], "a cap is no fallback");
    new_hold(4, payer, 80).apply(&mut books);
    let mut fallback = settlement(5, 4, payer, 80);
    std::sync::Arc::make_mut(&mut fallback.event.message).fallback = true;
    fallback.clone().apply(&mut books);
    assert_eq!(kinds(&books), [LowBalance, FallbackToCredits]);
    fallback.apply(&mut books);
    assert_eq!(kinds(&books).len(), 2, "the same again tells of nothing");
}

#[test]
fn credits_burn_by_priority_then_by_expiry() {
    let (mut books, payer) = (Books::default(), account(1));
    for (number, priority, expires) in [
        (1, 5, None),
        (2, 0, Some(900)),
        (3, 0, Some(100)),
        (4, -1, None),
    ] {
        let lot = NewGrant {
            priority,
            expire_time: expires.map(time),
            ..grant(number, payer, 10)
        };
        lot.apply(&mut books);
    }
    new_hold(10, payer, 0).apply(&mut books);
    settlement(11, 10, payer, 25).apply(&mut books);
    let mut left: Vec<_> = books.accounts[&payer].lots.iter().collect();
    left.sort_by_key(|lot| lot.id);
    let left: Vec<_> = left.iter().map(|lot| lot.remaining.get()).collect();
    assert_eq!(left, [10, 5, 0, 0], "first -1, then what expires first");
    let expire = |books: &mut Books, now: u64| {
        let expiry = ExpireLots {
            id: id(50 + now),
            account: payer,
            time: time(i64::try_from(now).expect("in range")),
        };
        expiry.apply(books).get()
    };
    assert_eq!(expire(&mut books, 899), 0);
    assert_eq!(
        books.available(payer, time(900)),
        nanos(10),
        "not to be spent any more"
    );
    assert_eq!(expire(&mut books, 900), 5);
    assert_eq!(expire(&mut books, 901), 0, "once");
    assert_adds_up(&books);
}

#[test]
fn expiry_leaves_what_an_open_hold_may_need() {
    let (mut books, payer) = (Books::default(), account(1));
    let lot = NewGrant {
        expire_time: Some(time(100)),
        ..grant(1, payer, 10)
    };
    lot.apply(&mut books);
    new_hold(2, payer, 6).apply(&mut books);
    let expiry = |number| ExpireLots {
        id: id(number),
        account: payer,
        time: time(100),
    };
    assert_eq!(expiry(3).apply(&mut books), nanos(4));
    settlement(4, 2, payer, 5).apply(&mut books);
    assert_eq!(books.accounts[&payer].balance, nanos(1));
    assert_eq!(expiry(5).apply(&mut books), nanos(1));
    assert_adds_up(&books);
}

#[test]
fn a_hold_that_expired_stays_so_and_its_settle_is_late_and_counted_once() {
    let (mut books, payer) = (Books::default(), account(1));
    grant(1, payer, 100).apply(&mut books);
    new_hold(2, payer, 60).apply(&mut books);
    let expiry = |now| ExpireHold {
        id: id(2),
        account: payer,
        time: now,
    };
    let just_before = time(600)
        .checked_sub(jiff::SignedDuration::from_millis(1))
        .expect("in range");
    assert!(!expiry(just_before).apply(&mut books));
    assert!(expiry(time(600)).apply(&mut books));
    assert_eq!(
        charged(settlement(3, 2, payer, 30).apply(&mut books)),
        (30, false)
    );
    assert_eq!(
        charged(settlement(3, 2, payer, 30).apply(&mut books)),
        (30, true)
    );
    assert_eq!(books.holds[&id(2)].state, HoldState::Expired);
    assert!(books.changes.transfers.last().expect("a charge").late);
    assert_eq!(
        settlement(4, 2, payer, 30).apply(&mut books),
        Posted::Quarantined(QuarantineReason::HoldSettled)
    );
    assert_adds_up(&books);
}

#[test]
fn a_refund_is_given_once_and_never_more_than_the_charge() {
    let (mut books, payer) = (Books::default(), account(1));
    grant(1, payer, 10_000_000).apply(&mut books);
    new_hold(2, payer, 7_875_000).apply(&mut books);
    settlement(3, 2, payer, 4_462_500).apply(&mut books);
    let refund = |number: u64, key: &str, amount| NewRefund {
        id: id(number),
        account: payer,
        event_id: id(3),
        amount: Some(nanos(amount)),
        request_id: key.to_owned(),
        note: String::new(),
        time: time(2),
    };
    let posted = |refunded| match refunded {
        Refunded::Posted {
            transfer,
            duplicate,
        } => Some((transfer.amount.get(), duplicate)),
        _ => None,
    };
    let too_much = refund(4, "a", 4_462_501).apply(&mut books);
    assert_eq!(
        too_much,
        Refunded::TooMuch {
            left: nanos(4_462_500)
        }
    );
    assert_eq!(
        posted(refund(5, "a", 4_462_500).apply(&mut books)),
        Some((4_462_500, false))
    );
    assert_eq!(
        posted(refund(6, "a", 4_462_500).apply(&mut books)),
        Some((4_462_500, true))
    );
    assert_eq!(
        refund(7, "b", 1).apply(&mut books),
        Refunded::TooMuch { left: nanos(0) }
    );
    assert_eq!(books.accounts[&payer].balance, nanos(10_000_000));
    assert_adds_up(&books);
}

#[test]
fn an_extension_is_held_where_it_is_covered_and_changes_nothing_where_not() {
    let (mut books, payer) = (Books::default(), account(1));
    grant(1, payer, 100).apply(&mut books);
    new_hold(2, payer, 60).apply(&mut books);
    let extend = |amount| Extension {
        id: id(2),
        account: payer,
        amount: nanos(amount),
        time: time(1),
    };
    assert_eq!(extend(90).apply(&mut books), Extended::Held(nanos(90)));
    assert_eq!(
        extend(80).apply(&mut books),
        Extended::Held(nanos(90)),
        "never less"
    );
    assert_eq!(
        extend(101).apply(&mut books),
        Extended::Short {
            available: nanos(10)
        }
    );
    assert_adds_up(&books);
    settlement(3, 2, payer, 90).apply(&mut books);
    assert_eq!(extend(95).apply(&mut books), Extended::NotOpen);
    assert_adds_up(&books);
}

#[test]
fn a_frozen_account_takes_nothing_and_loses_nothing() {
    let (mut books, payer) = (Books::default(), account(1));
    grant(1, payer, 100).apply(&mut books);
    new_hold(2, payer, 60).apply(&mut books);
    books.account(payer).frozen = true;
    assert_eq!(new_hold(3, payer, 1).apply(&mut books), Placed::Frozen);
    assert_eq!(settlement(4, 2, payer, 5).apply(&mut books), Posted::Frozen);
    assert_eq!(grant(5, payer, 1).apply(&mut books), Granted::Frozen);
    assert!(
        books.changes.rejects.is_empty(),
        "to be told again, not put aside"
    );
    books.account(payer).frozen = false;
    assert_eq!(
        charged(settlement(4, 2, payer, 5).apply(&mut books)),
        (5, false)
    );
    assert_adds_up(&books);
}

#[test]
fn an_event_belongs_in_the_books_of_who_placed_its_hold() {
    let (mut books, payer) = (Books::default(), account(1));
    grant(1, payer, 100).apply(&mut books);
    new_hold(2, payer, 60).apply(&mut books);
    let told = settlement(3, 2, account(9), 5).apply(&mut books);
    assert_eq!(told, Posted::Elsewhere(payer));
    assert_eq!(books.accounts[&payer].balance, nanos(100));
}
