//! Books that add up are proven to; what closes them keeps all out.

use std::sync::Arc;

use keyward_money::{BasisPoints, Nanos, Prices};
use uuid::Uuid;

use super::{
    account, charged, event, give, hold, place, record, run, settle, settlement, time, void, wire,
};
use crate::domain::charging::Terms;
use crate::domain::filter::Hour;
use crate::domain::ledger::{
    BudgetShare, Freeze, NewHold, NewRecord, NewRefund, PeriodKey, Placed, Posted,
};
use crate::domain::prices::{Difference, PriceRow};
use crate::domain::statement::{LedgerSums, Movements};
use crate::store::{Store, prove};

/// The prices by which the suite's holds are placed, as a version of the book.
pub(crate) async fn install_prices(store: &impl Store) {
    let row = PriceRow {
        provider: "sandbox".to_owned(),
        model: "sandbox/echo".to_owned(),
        prices: Prices::per_million(1_000_000, 1_000_000),
    };
    let installed = store.price_book_install(1, vec![row], time(1)).await;
    assert_eq!(installed.expect("works").active, 1);
}

/// Books with something of everything in them; says how many records.
pub(crate) async fn some_books(store: &impl Store) -> u64 {
    install_prices(store).await;
    give(store, account(1), 1_000, "k").await;
    let share = BudgetShare {
        period: PeriodKey {
            budget_id: Uuid::from_u128(0xabc),
            start: time(0),
        },
        limit: Nanos::new(500),
        blocks: true,
    };
    let terms = Terms {
        cap: Some(Nanos::new(70)),
        markup: BasisPoints::new(500),
        ..super::terms(None)
    };
    for number in 1..=4 {
        let placed = NewHold {
            budgets: vec![share],
            terms: terms.clone(),
            ..hold(number, account(1), 60)
        };
        assert!(matches!(place(store, placed).await, Placed::Held(_)));
    }
    let used = event(10, account(1), 90, wire::AttemptStatus::Ok);
    run(store, settlement(used, 1)).await;
    let failed = event(11, account(1), 90, wire::AttemptStatus::Failed);
    void(store, 2, account(1), Some(failed)).await;
    let used = event(12, account(1), 40, wire::AttemptStatus::Ok);
    run(store, settlement(used, 3)).await;
    run(store, record(13, account(2), 7)).await;
    4
}

pub(crate) async fn books_that_add_up_are_proven(store: Arc<impl Store + 'static>) {
    let records = some_books(&*store).await;
    let proof = prove(&*store, None).await.expect("works");
    assert_eq!(proof.discrepancies, []);
    assert_eq!(proof.records, records);
}

pub(crate) async fn records_from_before_a_time_are_not_priced_anew(
    store: Arc<impl Store + 'static>,
) {
    install_prices(&*store).await;
    for number in 1..=20 {
        let new = NewRecord {
            time: time(1_000 * i64::try_from(number).expect("small")),
            ..record(number, account(2), 7)
        };
        run(&*store, new).await;
    }
    for (since, expect) in [(0, 20), (1_000, 20), (1_001, 19), (13_500, 7), (20_001, 0)] {
        let proof = prove(&*store, Some(time(since))).await.expect("works");
        assert_eq!(proof.records, expect, "since {since}");
    }
}

pub(crate) async fn an_account_is_closed_and_opened_again(store: Arc<impl Store + 'static>) {
    give(&*store, account(1), 100, "k").await;
    place(&*store, hold(1, account(1), 10)).await;
    let freeze = |frozen| Freeze {
        account: account(1),
        frozen,
    };
    assert!(run(&*store, freeze(true)).await);
    assert!(!run(&*store, freeze(true)).await, "it is closed");
    assert_eq!(store.frozen().await.expect("works"), [account(1)]);
    assert_eq!(place(&*store, hold(2, account(1), 1)).await, Placed::Frozen);
    assert_eq!(settle(&*store, 10, 1, 5).await, Posted::Frozen);
    assert!(run(&*store, freeze(false)).await);
    assert_eq!(settle(&*store, 10, 1, 5).await, charged(5, false));
    assert_eq!(store.frozen().await.expect("works"), []);
}

/// What the ledger says of the time from `start` to `end`, and what the account had then.
async fn ledger(store: &impl Store, start: i64, end: i64) -> (LedgerSums, i64, i64) {
    let sums = store.ledger_sums(account(1), time(start), time(end));
    let sums = sums.await.expect("works");
    (sums, sums.opening().get(), sums.closing().get())
}

pub(crate) async fn what_moved_a_balance_is_told_by_time_and_kind(
    store: Arc<impl Store + 'static>,
) {
    // Credits are given at 1,000, charges posted at 1,500, refunds at 1,700.
    give(&*store, account(1), 100, "k").await;
    give(&*store, account(2), 999, "k").await;
    place(&*store, hold(1, account(1), 50)).await;
    settle(&*store, 10, 1, 30).await;
    let refund = NewRefund {
        id: Uuid::from_u128(99),
        account: account(1),
        event_id: Uuid::from_u128(10),
        amount: Some(Nanos::new(5)),
        request_id: "back".to_owned(),
        note: String::new(),
        time: time(1_700),
    };
    run(&*store, refund).await;
    let moved = |grants: i64, charges: i64, refunds: i64| Movements {
        grants: Nanos::new(grants),
        charges: Nanos::new(charges),
        refunds: Nanos::new(refunds),
        expiries: Nanos::ZERO,
    };
    for (start, end, during, opening, closing) in [
        (0, 1_000, moved(0, 0, 0), 0, 0),
        (0, 1_001, moved(100, 0, 0), 0, 100),
        (1_001, 1_501, moved(0, 30, 0), 100, 70),
        (1_500, 1_700, moved(0, 30, 0), 100, 70),
        (1_501, 2_000, moved(0, 0, 5), 70, 75),
        (0, 2_000, moved(100, 30, 5), 0, 75),
        (2_000, 3_000, moved(0, 0, 0), 75, 75),
    ] {
        let (sums, opened, closed) = ledger(&*store, start, end).await;
        assert_eq!(sums.during, during, "{start} to {end}");
        assert_eq!((opened, closed), (opening, closing), "{start} to {end}");
        assert_eq!(sums.kept_from, None);
    }
    let nobody = store.ledger_sums(account(7), time(0), time(9)).await;
    assert_eq!(nobody.expect("works"), LedgerSums::default());
    let used = store.accounts_used(Hour::new(0), Hour::new(1)).await;
    assert_eq!(used.expect("works"), [account(1)]);
    let used = store.accounts_used(Hour::new(24), Hour::new(48)).await;
    assert_eq!(used.expect("works"), []);
}

pub(crate) async fn a_version_of_prices_is_put_in_force_and_stays(
    store: Arc<impl Store + 'static>,
) {
    let row = |model: &str, price| PriceRow {
        provider: "p".to_owned(),
        model: model.to_owned(),
        prices: Prices::per_million(price, price),
    };
    let install = async |rows| {
        let installed = store.price_book_install(1, rows, time(1)).await;
        let installed = installed.expect("works");
        (installed.active, installed.catalog)
    };
    let activation = async || {
        let found = store.price_activation().await.expect("works");
        found.map(|found| (found.active, found.catalog))
    };
    assert_eq!(activation().await, None);
    assert!(!store.price_activate(1, None).await.expect("works"));
    let first = || vec![row("a", 1), row("b", 2)];
    let second = || vec![row("a", 1), row("b", 3), row("c", 4)];
    assert_eq!(install(first()).await, (1, 1));
    assert_eq!(install(second()).await, (2, 2));
    assert!(!store.price_activate(3, None).await.expect("works"));
    assert!(store.price_activate(1, None).await.expect("works"));
    assert_eq!(activation().await, Some((1, 2)));
    assert_eq!(install(second()).await, (1, 2), "a restart");
    assert!(store.price_activate(2, None).await.expect("works"));
    assert_eq!(install(second()).await, (2, 2));
    assert!(store.price_activate(1, None).await.expect("works"));
    assert_eq!(install(vec![row("c", 4)]).await, (3, 3), "other prices");
    let versions = store.price_versions(u64::MAX, 10).await.expect("works");
    let brief: Vec<_> = versions
        .iter()
        .map(|version| {
            let Difference {
                added,
                removed,
                changed,
            } = version.difference;
            (version.version, version.prices, [added, removed, changed])
        })
        .collect();
    assert_eq!(
        brief,
        [(3, 1, [0, 2, 0]), (2, 3, [1, 0, 1]), (1, 2, [2, 0, 0])]
    );
    let page = store.price_versions(3, 1).await.expect("works");
    assert_eq!(page, versions[1..2]);
    assert_eq!(store.price_rows(2).await.expect("works"), second());
    assert_eq!(store.price_rows(9).await.expect("works"), []);
}
