//! What is lent is there for nobody else, and comes back or is charged.

use super::*;

/// A part of ten of what there is, unless it is said otherwise.
pub(super) fn lend(number: u64, account: AccountKey, wanted: i64) -> Lend {
    Lend {
        id: id(number),
        account,
        holder: holder(1),
        price_version: 1,
        markup: BasisPoints::ZERO,
        wanted: nanos(wanted),
        least: nanos(1),
        most: nanos(i64::MAX),
        parts: 10,
        time: time(0),
        expire_time: time(10),
    }
}

fn holder(start: u64) -> Holder {
    Holder {
        router: id(7_000),
        start,
    }
}

pub(super) fn give_back(number: u64, account: AccountKey, returned: i64, ends: bool) -> GiveBack {
    GiveBack {
        id: id(number),
        account,
        returned: nanos(returned),
        ends,
    }
}

pub(super) fn lease_settlement(
    number: u64,
    lease: u64,
    account: AccountKey,
    (held, tokens): (i64, i64),
) -> LeaseSettlement {
    LeaseSettlement {
        event: event(number, account, tokens),
        lease_id: id(lease),
        hold_id: id(number + 100),
        held: nanos(held),
        terms: terms(),
        budgets: Vec::new(),
        time: time(1),
    }
}

fn granted(lent: &Lent) -> i64 {
    match lent {
        Lent::Granted(lease) => lease.granted.get(),
        other => panic!("not granted: {other:?}"),
    }
}

fn books_with(balance: i64) -> (Books, AccountKey) {
    let (mut books, payer) = (Books::default(), account(1));
    grant(1, payer, balance).apply(&mut books);
    (books, payer)
}

fn left(books: &Books, payer: AccountKey) -> (i64, i64, i64) {
    let account = &books.accounts[&payer];
    let available = account.available(time(1)).get();
    (account.balance.get(), account.leased.get(), available)
}

#[test]
fn what_another_attempt_made_needless_takes_nothing_off_a_lease() {
    let (mut books, payer) = books_with(1_000);
    lend(2, payer, 100).apply(&mut books);
    let mut lost = lease_settlement(20, 2, payer, (50, 45));
    lost.event = hedged(&lost.event);
    assert_eq!(charged(lost.apply(&mut books)), (0, false));
    assert_eq!(left(&books, payer), (1_000, 100, 900));
    assert_eq!(books.leases[&id(2)].remaining, nanos(100));
    assert_eq!(books.platform[&Platform::Absorbed], nanos(-45));
    assert_adds_up(&books);
}

#[test]
fn a_lease_is_a_share_of_what_is_there_and_the_same_again_changes_nothing() {
    let (mut books, payer) = books_with(1_000);
    assert_eq!(granted(&lend(2, payer, 500).apply(&mut books)), 100);
    assert_eq!(left(&books, payer), (1_000, 100, 900));
    assert_eq!(granted(&lend(2, payer, 100).apply(&mut books)), 100);
    assert_eq!(granted(&lend(2, payer, 150).apply(&mut books)), 150);
    assert_eq!(granted(&lend(3, payer, 500).apply(&mut books)), 85);
    assert_eq!(left(&books, payer), (1_000, 235, 765));
    assert_adds_up(&books);
}

#[test]
fn too_little_is_not_lent_and_what_is_needed_is_lent_to_the_last() {
    let (mut books, payer) = books_with(1_000);
    let asked = Lend {
        least: nanos(101),
        ..lend(2, payer, 500)
    };
    let short = Lent::Short {
        available: nanos(1_000),
    };
    assert_eq!(asked.apply(&mut books), short);
    assert!(books.leases.is_empty());
    let needed = Lend {
        least: nanos(1_000),
        parts: 1,
        ..lend(2, payer, 1_000)
    };
    assert_eq!(granted(&needed.apply(&mut books)), 1_000);
    let hold = new_hold(3, payer, 1).apply(&mut books);
    assert_eq!(
        hold,
        Placed::Short {
            available: nanos(0)
        }
    );
    let bounded = Lend {
        most: nanos(1_000),
        ..needed.clone()
    };
    assert_eq!(granted(&bounded.apply(&mut books)), 1_000);
    assert_adds_up(&books);
}

#[test]
fn what_is_settled_under_a_lease_leaves_what_is_there_for_others_as_it_was() {
    let (mut books, payer) = books_with(1_000);
    lend(2, payer, 100).apply(&mut books);
    let settle = lease_settlement(20, 2, payer, (60, 40));
    assert_eq!(charged(settle.apply(&mut books)), (40, false));
    assert_eq!(left(&books, payer), (960, 60, 900));
    assert_eq!(charged(settle.apply(&mut books)), (40, true));
    assert_eq!(left(&books, payer), (960, 60, 900));
    let charge = books.changes.transfers.last().expect("a charge");
    assert_eq!((charge.overrun, charge.late), (nanos(0), false));
    let over = lease_settlement(21, 2, payer, (50, 80));
    assert_eq!(charged(over.apply(&mut books)), (80, false));
    assert_eq!(
        left(&books, payer),
        (880, 0, 880),
        "the rest is the balance's"
    );
    let charge = books.changes.transfers.last().expect("a charge");
    assert_eq!(charge.overrun, nanos(30));
    assert_adds_up(&books);
}

#[test]
fn a_hold_under_a_lease_is_charged_for_one_event() {
    let (mut books, payer) = books_with(1_000);
    lend(2, payer, 100).apply(&mut books);
    lease_settlement(20, 2, payer, (60, 40)).apply(&mut books);
    let other = LeaseSettlement {
        hold_id: id(120),
        ..lease_settlement(21, 2, payer, (60, 40))
    };
    let posted = other.apply(&mut books);
    assert_eq!(posted, Posted::Quarantined(QuarantineReason::HoldSettled));
    let unknown = lease_settlement(22, 9, payer, (60, 40)).apply(&mut books);
    assert_eq!(unknown, Posted::Quarantined(QuarantineReason::UnknownLease));
    let another = lease_settlement(23, 2, account(2), (60, 40)).apply(&mut books);
    assert_eq!(another, Posted::Quarantined(QuarantineReason::UnknownLease));
    assert_eq!(left(&books, payer), (960, 60, 900));
    assert_adds_up(&books);
}

#[test]
fn what_is_given_back_counts_once_and_what_ends_is_over() {
    let (mut books, payer) = books_with(1_000);
    lend(2, payer, 100).apply(&mut books);
    assert!(give_back(2, payer, 30, false).apply(&mut books));
    assert!(give_back(2, payer, 30, false).apply(&mut books));
    assert_eq!(left(&books, payer), (1_000, 70, 930));
    assert!(!give_back(2, account(2), 70, true).apply(&mut books));
    assert!(give_back(2, payer, 30, true).apply(&mut books));
    assert_eq!(left(&books, payer), (1_000, 0, 1_000));
    assert!(!give_back(2, payer, 90, false).apply(&mut books));
    assert_eq!(lend(2, payer, 100).apply(&mut books), Lent::Ended);
    let late = lease_settlement(20, 2, payer, (60, 40));
    assert_eq!(charged(late.apply(&mut books)), (40, false));
    assert!(books.changes.transfers.last().expect("a charge").late);
    assert_eq!(left(&books, payer), (960, 0, 960));
    assert_adds_up(&books);
}

#[test]
fn nothing_is_lent_of_closed_books_or_to_another_start() {
    let (mut books, payer) = books_with(1_000);
    lend(2, payer, 100).apply(&mut books);
    let other = Lend {
        holder: holder(2),
        ..lend(2, payer, 200)
    };
    assert_eq!(other.apply(&mut books), Lent::Ended);
    let freeze = Freeze {
        account: payer,
        frozen: true,
    };
    freeze.apply(&mut books);
    assert_eq!(lend(3, payer, 100).apply(&mut books), Lent::Frozen);
}

#[test]
fn what_leases_may_need_does_not_expire() {
    let (mut books, payer) = (Books::default(), account(1));
    let expiring = NewGrant {
        expire_time: Some(time(5)),
        ..grant(1, payer, 1_000)
    };
    expiring.apply(&mut books);
    lend(2, payer, 100).apply(&mut books);
    let expire = ExpireLots {
        id: id(9),
        account: payer,
        time: time(6),
    };
    expire.apply(&mut books);
    assert_eq!(left(&books, payer).0, 100);
    assert_adds_up(&books);
}

#[test]
fn budgets_count_what_is_settled_under_a_lease() {
    let (mut books, payer) = books_with(1_000);
    lend(2, payer, 100).apply(&mut books);
    let share = BudgetShare {
        period: PeriodKey {
            budget_id: id(90),
            start: time(0),
        },
        limit: nanos(70),
        blocks: false,
    };
    let settle = LeaseSettlement {
        budgets: vec![share],
        ..lease_settlement(20, 2, payer, (60, 40))
    };
    settle.apply(&mut books);
    let period = books.periods[&share.period];
    assert_eq!((period.spent, period.held), (nanos(40), nanos(0)));
    assert_eq!(period.limit, nanos(70));
    assert_adds_up(&books);
}
