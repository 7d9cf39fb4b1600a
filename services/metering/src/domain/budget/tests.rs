//! What counts for which budget, and in which period.

use keyward_money::{BasisPoints, Prices};
use keyward_proto::metering::v1 as wire;

use super::*;
use crate::domain::account::AccountKind;
use crate::domain::calendar::Every;
use crate::domain::charging::Terms;
use crate::domain::event::Event;
use crate::domain::ledger::{
    Books, Command as _, NewGrant, NewHold, Period, Placed, Posted, Settlement,
};

fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// An id that was made at the beginning of 2026.
fn id(number: u64) -> Uuid {
    Uuid::from_u64_pair(0x019b_7000_0000_7000, 0x8000_0000_0000_0000 | number)
}

fn account() -> AccountKey {
    AccountKey::new(AccountKind::Organization, id(1))
}

fn budget(every: Every, zone: &str, scope: BudgetScope) -> Budget {
    let budget = Budget {
        id: id(2),
        account: account(),
        account_name: AccountName::new(AccountKind::Organization, "acme"),
        terms: BudgetTerms {
            amount: Nanos::new(1_000),
            action: BudgetAction::Block,
        },
        calendar: Calendar::new(every, zone).expect("a zone"),
        scope,
        revision: 1,
        create_time: time("2026-01-01T00:00Z"),
        update_time: time("2026-01-01T00:00Z"),
    };
    budget.checked().expect("valid")
}

fn request() -> HoldRequest {
    HoldRequest {
        id: id(3),
        account: account(),
        owner: wire::UsageOwner {
            account: account().to_string(),
            user: "mia".to_owned(),
            project: "atlas".to_owned(),
            access_key_id: "key-1".to_owned(),
            ..wire::UsageOwner::default()
        },
        inference_id: id(4).to_string(),
        provider: "sandbox".to_owned(),
        model: "sandbox/echo".to_owned(),
    }
}

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(own).collect()
}

#[test]
fn a_request_counts_for_the_budgets_that_it_fits_in_all_that_they_name() {
    let cases = [
        ("", true),
        ("user=mia", true),
        ("user=bob", false),
        ("project=atlas", true),
        ("project=zeus", false),
        ("access_key=key-1", true),
        ("access_key=key-2", false),
        ("model=sandbox/echo", true),
        ("model=sandbox/other", false),
        ("tag=team", true),
        ("tag=team=red", true),
        ("tag=team=blue", false),
        ("tag=job", false),
        ("user=mia tag=team=red", true),
        ("user=mia tag=team=blue", false),
    ];
    let tags = tags(&[("team", "red")]);
    let at = time("2026-07-01T12:00Z");
    for (names, counts) in cases {
        let share = budget(Every::Day, "UTC", scope(names)).share(&request(), &tags, at);
        assert_eq!(share.is_some(), counts, "{names}");
    }
    let elsewhere = HoldRequest {
        account: AccountKey::new(AccountKind::Organization, id(9)),
        ..request()
    };
    let budget = budget(Every::Day, "UTC", scope(""));
    assert!(budget.share(&elsewhere, &tags, at).is_none());
}

/// What is named, with spaces between.
fn scope(names: &str) -> BudgetScope {
    let mut scope = BudgetScope::default();
    for (name, value) in names
        .split_whitespace()
        .filter_map(|one| one.split_once('='))
    {
        let value = value.to_owned();
        match name {
            "user" => scope.user = Some(value),
            "project" => scope.project = Some(value),
            "access_key" => scope.access_key = Some(value),
            "model" => scope.model = Some(value),
            "tag" => scope.tag = Some(TagFilter::parse(&value)),
            other => panic!("nothing is called {other}"),
        }
    }
    scope
}

fn hold(budget: &Budget, number: u64, at: Timestamp, amount: i64) -> NewHold {
    let request = HoldRequest {
        id: id(number),
        ..request()
    };
    NewHold {
        budgets: budget.share(&request, &tags(&[]), at).into_iter().collect(),
        request,
        // A token costs a nano-credit.
        terms: Terms {
            price_version: 1,
            prices: Prices::per_million(1_000_000, 1_000_000),
            markup: BasisPoints::ZERO,
            cap: None,
        },
        amount: Nanos::new(amount),
        create_time: at,
        expire_time: at,
    }
}

fn settle(number: u64, at: Timestamp, tokens: i64) -> Settlement {
    let message = wire::UsageEvent {
        inference_id: id(4).to_string(),
        attempt: 1,
        owner: Some(request().owner),
        key_source: wire::KeySource::System.into(),
        status: wire::AttemptStatus::Ok.into(),
        usage: Some(wire::Usage {
            input_tokens: tokens,
            ..wire::Usage::default()
        }),
        ..wire::UsageEvent::default()
    };
    let event = Event::parse(&id(number + 500).to_string(), Some(message), None);
    Settlement {
        event: event.expect("valid"),
        hold_id: id(number),
        time: at,
    }
}

fn funded() -> Books {
    let mut books = Books::default();
    let grant = NewGrant {
        id: id(5),
        account: account(),
        amount: Nanos::new(1_000_000),
        priority: 0,
        expire_time: None,
        request_id: "grant".to_owned(),
        note: String::new(),
        time: time("2026-01-01T00:00Z"),
    };
    grant.apply(&mut books);
    books
}

#[test]
fn what_is_held_in_july_counts_in_july_whenever_it_is_settled_and_nothing_has_to_be_reset() {
    let tokyo = budget(Every::Month, "Asia/Tokyo", BudgetScope::default());
    let (late, midnight) = (
        time("2026-07-31T23:59:59+09:00"),
        time("2026-08-01T00:00:00+09:00"),
    );
    let mut books = funded();
    let place = |books: &mut Books, number, at, amount| {
        let placed = hold(&tokyo, number, at, amount).apply(books);
        matches!(placed, Placed::Held(_))
    };
    assert!(place(&mut books, 10, late, 900));
    assert!(!place(&mut books, 11, late, 101), "July has 100 left");
    assert!(
        place(&mut books, 12, midnight, 1_000),
        "August has all of it"
    );
    let settled = settle(10, midnight, 800).apply(&mut books);
    assert!(matches!(settled, Posted::Recorded { .. }), "{settled:?}");
    let period = |at| books.periods[&tokyo.period_key(at)];
    let (july, august) = (period(late), period(midnight));
    assert_eq!(tokyo.period_key(late).start, time("2026-07-01T00:00+09:00"));
    let expect = |spent, held| Period {
        limit: Nanos::new(1_000),
        spent: Nanos::new(spent),
        held: Nanos::new(held),
    };
    assert_eq!(july, expect(800, 0));
    assert_eq!(august, expect(0, 1_000));
    let notices = books.changes.notices.iter();
    let of_budget = notices.filter(|new| new.occasion.rule == format!("budgets/{}", tokyo.id));
    let reached = of_budget.map(|new| new.occasion.threshold);
    assert_eq!(reached.collect::<Vec<_>>(), [50, 80]);
}

#[test]
fn a_change_counts_for_the_next_hold() {
    let at = time("2026-07-01T12:00Z");
    let daily = budget(Every::Day, "UTC", BudgetScope::default());
    let mut books = funded();
    let place = |books: &mut Books, budget: &Budget, number, amount| {
        let placed = hold(budget, number, at, amount).apply(books);
        matches!(placed, Placed::Held(_))
    };
    assert!(place(&mut books, &daily, 10, 1_000));
    assert!(!place(&mut books, &daily, 11, 1));
    let patch = |amount: Option<i64>, action| BudgetPatch {
        amount: amount.map(Nanos::new),
        action,
    };
    let raised = daily.changed(patch(Some(1_500), None), at).expect("valid");
    assert_ne!(raised.etag(), daily.etag());
    assert!(place(&mut books, &raised, 12, 500));
    let lowered = raised.changed(patch(Some(0), None), at).expect("valid");
    assert!(!place(&mut books, &lowered, 13, 1));
    let telling = lowered.changed(patch(None, Some(BudgetAction::Notify)), at);
    assert!(place(&mut books, &telling.expect("valid"), 14, 1));
    for amount in [-1, i64::MAX] {
        let refused = daily.changed(patch(Some(amount), None), at);
        assert_eq!(refused, Err(InvalidBudget::Amount), "{amount}");
    }
}

#[test]
fn names_that_are_too_long_are_refused_by_their_field() {
    let scope = BudgetScope {
        project: Some("p".repeat(514)),
        ..BudgetScope::default()
    };
    let budget = Budget {
        scope,
        ..budget(Every::Day, "UTC", BudgetScope::default())
    };
    let refused = budget.checked().expect_err("too long");
    assert_eq!(refused.param(), "project");
}
