//! Budgets, and what they have seen.

use std::sync::Arc;

use keyward_money::Nanos;
use uuid::Uuid;

use super::samples::*;
use crate::domain::account::AccountKey;
use crate::domain::account::AccountName;
use crate::domain::budget::{Budget, BudgetAction, BudgetPatch, BudgetScope, BudgetTerms};
use crate::domain::calendar::{Calendar, Every};
use crate::domain::filter::TagFilter;
use crate::domain::ledger::{NewHold, Period, Placed};
use crate::store::{Answer, Call, NewAnswer, Store};

pub(crate) fn budget(number: u128, account: AccountKey) -> Budget {
    Budget {
        id: Uuid::from_u128(number),
        account,
        account_name: AccountName::new(account.kind, "bob"),
        terms: BudgetTerms {
            amount: Nanos::new(50),
            action: BudgetAction::Block,
        },
        calendar: Calendar::new(Every::Day, "Asia/Tokyo").expect("a zone"),
        scope: BudgetScope::default(),
        revision: 1,
        create_time: time(1_000),
        update_time: time(1_000),
    }
}

fn narrow(number: u128, account: AccountKey) -> Budget {
    Budget {
        calendar: Calendar::new(Every::Month, "UTC").expect("a zone"),
        terms: BudgetTerms {
            amount: Nanos::ZERO,
            action: BudgetAction::Notify,
        },
        scope: BudgetScope {
            user: Some("bob".to_owned()),
            project: Some("atlas".to_owned()),
            access_key: Some("key".to_owned()),
            model: Some("sandbox/echo".to_owned()),
            tag: Some(TagFilter::parse("team=a=b")),
        },
        ..budget(number, account)
    }
}

fn answer(request_id: &str) -> NewAnswer {
    NewAnswer {
        call: Call {
            caller: "bob".to_owned(),
            method: "Method",
            request_id: request_id.to_owned(),
        },
        answer: Answer {
            request: vec![1],
            answer: vec![2],
        },
        time: time(1_000),
        forget_before: time(0),
    }
}

async fn make(store: &impl Store, budget: &Budget) -> bool {
    let made = store.budget_put(budget.clone(), None, None).await;
    made.expect("the store works")
}

async fn is_kept(store: &impl Store, request_id: &str) -> bool {
    let kept = store.answer(answer(request_id).call, time(0)).await;
    kept.expect("the store works").is_some()
}

pub(crate) async fn budgets_are_kept_as_they_were_made(store: Arc<impl Store + 'static>) {
    let (first, second) = (budget(1, account(1)), narrow(2, account(1)));
    let other = budget(3, account(2));
    for one in [&second, &first, &other] {
        assert!(make(&*store, one).await);
    }
    assert!(!make(&*store, &first).await, "ids are unique");
    let listed = |who| store.budgets(who);
    let of_first = listed(account(1)).await.expect("the store works");
    assert_eq!(of_first, [first.clone(), second.clone()]);
    let of_third = listed(account(3)).await.expect("the store works");
    assert_eq!(of_third, []);
    let found = store.budget(second.id).await.expect("the store works");
    assert_eq!(found, Some(second));
    let found = store.budget(Uuid::from_u128(9)).await;
    assert_eq!(found.expect("the store works"), None);
}

pub(crate) async fn a_budget_is_changed_only_by_who_knows_it(store: Arc<impl Store + 'static>) {
    let first = budget(1, account(1));
    assert!(make(&*store, &first).await);
    let patch = BudgetPatch {
        amount: Some(Nanos::new(70)),
        action: Some(BudgetAction::Notify),
    };
    let second = first.changed(patch, time(2_000)).expect("valid");
    let change = |before, name| store.budget_put(second.clone(), Some(before), Some(answer(name)));
    assert!(!change(2, "early").await.expect("the store works"));
    assert!(change(1, "in time").await.expect("the store works"));
    assert!(!change(1, "late").await.expect("the store works"));
    let found = store.budget(first.id).await.expect("the store works");
    assert_eq!(found, Some(second));

    let delete = |before, name| store.budget_delete(first.id, before, Some(answer(name)));
    assert!(!delete(1, "stale").await.expect("the store works"));
    assert!(delete(2, "gone").await.expect("the store works"));
    assert!(!delete(2, "again").await.expect("the store works"));
    let left = store.budgets(account(1)).await.expect("the store works");
    assert_eq!(left, []);
    for (name, kept) in [
        ("early", false),
        ("in time", true),
        ("late", false),
        ("stale", false),
        ("gone", true),
        ("again", false),
    ] {
        assert_eq!(is_kept(&*store, name).await, kept, "{name}");
    }
}

pub(crate) async fn what_a_budget_has_seen_is_what_its_holds_were_charged(
    store: Arc<impl Store + 'static>,
) {
    give(&*store, account(1), 1_000, "k").await;
    let budget = budget(1, account(1));
    let place_one = async |id, amount| {
        let new = hold(id, account(1), amount);
        let share = budget.share(&new.request, &[].into(), time(1_000));
        let budgets = share.into_iter().collect();
        place(&*store, NewHold { budgets, ..new }).await
    };
    let key = budget.period_key(time(1_000));
    let seen = || store.budget_periods(vec![key, budget.period_key(time(200_000_000))]);
    assert_eq!(seen().await.expect("the store works"), [None, None]);
    assert_held(&place_one(1, 30).await);
    let refused = Placed::OverBudget {
        budget_id: budget.id,
        available: Nanos::new(20),
    };
    assert_eq!(place_one(2, 21).await, refused);
    assert_balance(&*store, 1_000, 30).await;
    assert_held(&place_one(3, 20).await);
    settle(&*store, 101, 1, 25).await;
    void(&*store, 3, account(1), None).await;
    let expect = Period {
        limit: Nanos::new(50),
        spent: Nanos::new(25),
        held: Nanos::ZERO,
    };
    assert_eq!(seen().await.expect("the store works"), [Some(expect), None]);
    assert_balance(&*store, 975, 0).await;
}
