//! Books that add up are proven to; what closes them keeps all out.

use std::sync::Arc;

use keyward_money::{BasisPoints, Nanos, Prices};
use uuid::Uuid;

use super::{
    account, charged, event, give, hold, place, record, run, settle, settlement, time, void, wire,
};
use crate::domain::charging::Terms;
use crate::domain::ledger::{BudgetShare, Freeze, NewHold, PeriodKey, Placed, Posted};
use crate::domain::prices::PriceRow;
use crate::store::{Store, prove};

/// The prices by which the suite's holds are placed, as a version of the book.
pub(super) async fn install_prices(store: &impl Store) {
    let row = PriceRow {
        provider: "sandbox".to_owned(),
        model: "sandbox/echo".to_owned(),
        prices: Prices::per_million(1_000_000, 1_000_000),
    };
    let installed = store.price_book_install(1, vec![row], time(1)).await;
    assert_eq!(installed.expect("works"), 1);
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
    let proof = prove(&*store).await.expect("works");
    assert_eq!(proof.discrepancies, []);
    assert_eq!(proof.records, records);
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
