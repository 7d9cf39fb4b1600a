//! Key statistics, savings, statements and re-ratings over the contract.

use keyward_proto::metering::v1 as wire;
use keyward_runtime::error::Reason;
use keyward_runtime::ids;
use tonic::Status;

use super::records::{own_key, record};
use super::world::{World, by, hold, refused, served, settle, words};

/// Two attempts with own keys and one with credits, three words each way: 9,000 nano-credits each, 5 %
/// for Bob. The second own key failed once.
async fn used() -> World {
    let world = World::new().await;
    world.give("users/bob", 1_000_000).await;
    let with_key = |key: &str, status: wire::AttemptStatus| wire::UsageEvent {
        provider_key_id: key.to_owned(),
        status: status.into(),
        ..own_key("bob", None)
    };
    let events = vec![
        with_key("one", wire::AttemptStatus::Ok),
        with_key("two", wire::AttemptStatus::Failed),
        with_key("two", wire::AttemptStatus::Ok),
    ];
    record(&world, events).await;
    let paid = hold(words(3, 3));
    let placing = by("bob", paid.clone());
    world.metering().place_hold(placing).await.expect("placed");
    let event = served(&paid, words(3, 3));
    let asked = settle(&paid, event);
    world.metering().settle_usage(asked).await.expect("settled");
    let refund = wire::RefundChargeRequest {
        request_id: ids::new_text(),
        inference_id: paid.inference_id,
        amount_nanos: Some(450),
        note: String::new(),
    };
    let refunding = by("admin", refund);
    world
        .credits()
        .refund_charge(refunding)
        .await
        .expect("refunded");
    world
}

async fn statement(
    world: &World,
    who: &str,
    account: &str,
    month: &str,
) -> Result<wire::Statement, Status> {
    let asked = wire::GetStatementRequest {
        account: account.to_owned(),
        month: month.to_owned(),
    };
    let answer = world.usage().get_statement(by(who, asked)).await?;
    Ok(answer.into_inner().statement.expect("a statement"))
}

#[tokio::test]
async fn a_statement_adds_up() {
    let world = used().await;
    for (who, account) in [("bob", ""), ("admin", "users/bob")] {
        let statement = statement(&world, who, account, "").await.expect("one");
        assert_eq!(statement.account, "users/bob");
        let credits = statement.credits.expect("credits");
        assert_eq!(credits.opening_balance_nanos, 0);
        assert_eq!(
            (credits.grants_nanos, credits.refunds_nanos),
            (1_000_000, 450)
        );
        assert_eq!((credits.charges_nanos, credits.expiries_nanos), (9_450, 0));
        assert_eq!(credits.closing_balance_nanos, 991_000);
        assert_eq!(credits.closing_balance_nanos, world.balance("bob").await.0);
        let total = statement.total.expect("a total");
        assert_eq!(
            total.charge_nanos + credits.other_months_nanos,
            credits.charges_nanos
        );
        assert_eq!(credits.other_months_nanos, 0);
        let sum = |of: fn(&wire::StatementLine) -> i64| statement.lines.iter().map(of).sum::<i64>();
        assert_eq!(sum(|line| line.charge_nanos), total.charge_nanos);
        assert_eq!(sum(|line| line.list_cost_nanos), total.list_cost_nanos);
        assert_eq!(sum(|line| line.saved_nanos), total.saved_nanos);
        assert_eq!(sum(|line| line.attempts), total.attempts);
        assert_eq!((statement.lines.len(), total.attempts), (2, 4));
        let savings = statement.savings.expect("savings");
        assert_eq!(
            savings.tier, "professional",
            "the account's, not the reader's"
        );
        assert_eq!(savings.saved_nanos, total.saved_nanos);
        assert_eq!(total.saved_nanos, 18_900);
    }
}

#[tokio::test]
async fn a_month_that_was_before_has_nothing_and_one_to_come_is_refused() {
    let world = used().await;
    let before = statement(&world, "bob", "", "2020-02").await.expect("one");
    assert_eq!(before.credits, Some(wire::StatementCredits::default()));
    assert!(before.lines.is_empty());
    for month in ["2999-01", "2026-13", "November"] {
        let refusal = statement(&world, "bob", "", month).await;
        assert_eq!(refused(refusal).0, Reason::InvalidRequest, "{month}");
    }
}

#[tokio::test]
async fn statements_are_for_those_who_may_see_the_whole_account() {
    let world = used().await;
    for (who, account) in [("olga", ""), ("wes", "organizations/acme"), ("vic", "")] {
        let found = statement(&world, who, account, "").await.expect("one");
        assert_eq!(found.account, "organizations/acme", "{who}");
    }
    for who in ["mia", "zed"] {
        let refusal = statement(&world, who, "organizations/acme", "").await;
        assert_eq!(refused(refusal).0, Reason::InsufficientScope, "{who}");
    }
    let others = statement(&world, "eve", "users/bob", "").await;
    assert_eq!(refused(others).0, Reason::NotFound);
}

#[tokio::test]
async fn each_key_has_its_figures_and_when_it_was_last_used() {
    let world = used().await;
    let (mut keys, mut page_token) = (Vec::new(), String::new());
    loop {
        let asked = wire::ListKeyStatisticsRequest {
            page_size: 1,
            page_token,
            ..wire::ListKeyStatisticsRequest::default()
        };
        let page = world.usage().list_key_statistics(by("bob", asked)).await;
        let page = page.expect("keys").into_inner();
        keys.extend(page.keys);
        if page.next_page_token.is_empty() {
            break;
        }
        page_token = page.next_page_token;
    }
    let mut found: Vec<_> = keys
        .iter()
        .map(|key| {
            assert!(key.last_used_time.is_some());
            let sum = key.sum.as_ref().expect("a sum");
            let id = sum.provider_key_id.as_str();
            (id, sum.attempts, sum.failed_attempts, sum.saved_nanos)
        })
        .collect();
    found.sort_unstable();
    assert_eq!(
        found,
        [("", 1, 0, 0), ("one", 1, 0, 9_450), ("two", 2, 1, 9_450)]
    );
}

#[tokio::test]
async fn own_keys_are_held_against_credits_at_the_accounts_tier() {
    let world = used().await;
    for (who, account) in [("bob", ""), ("admin", "users/bob")] {
        let asked = wire::GetSavingsRequest {
            account: account.to_owned(),
            filter: None,
        };
        let answer = world.usage().get_savings(by(who, asked)).await;
        let savings = answer.expect("savings").into_inner().savings;
        let expect = wire::Savings {
            tier: "professional".to_owned(),
            markup_basis_points: 500,
            own_key_attempts: 3,
            own_key_list_cost_nanos: 18_000,
            own_key_credit_cost_nanos: 18_900,
            own_key_charge_nanos: 0,
            saved_nanos: 18_900,
            credit_attempts: 1,
            credit_list_cost_nanos: 9_000,
            credit_charge_nanos: 9_450,
        };
        assert_eq!(savings, Some(expect), "{who}");
    }
}

async fn rerate(
    world: &World,
    who: &str,
    asked: wire::RerateUsageRequest,
) -> Result<wire::RerateUsageResponse, Status> {
    let answer = world.usage().rerate_usage(by(who, asked)).await;
    answer.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn past_usage_is_priced_anew_and_stays_as_it_is() {
    let world = used().await;
    let before = world.balance("bob").await;
    let same = rerate(&world, "bob", wire::RerateUsageRequest::default()).await;
    let same = same.expect("a report");
    let total = same.total.clone().expect("a total");
    assert_eq!((total.records, total.unrated_records), (4, 0));
    assert_eq!(total.rerated_list_cost_nanos, total.list_cost_nanos);
    assert_eq!(total.rerated_charge_nanos, total.charge_nanos);
    assert_eq!(total.charge_nanos, 9_450);
    let [echo] = &*same.models else {
        panic!("{:?}", same.models)
    };
    assert_eq!((&*echo.model, &*echo.provider), ("sandbox/echo", "sandbox"));
    for account in ["-", "users/bob"] {
        let asked = wire::RerateUsageRequest {
            account: account.to_owned(),
            tier: "trial".to_owned(),
            ..wire::RerateUsageRequest::default()
        };
        let dearer = rerate(&world, "admin", asked).await.expect("a report");
        let total = dearer.total.expect("a total");
        assert_eq!(
            (total.charge_nanos, total.rerated_charge_nanos),
            (9_450, 10_350),
            "{account}"
        );
    }
    assert_eq!(world.balance("bob").await, before);
}

#[tokio::test]
async fn a_report_is_of_what_one_may_see_and_of_a_version_that_there_is() {
    let world = used().await;
    let of = |account: &str, price_version, tier: &str| wire::RerateUsageRequest {
        account: account.to_owned(),
        price_version,
        tier: tier.to_owned(),
        ..wire::RerateUsageRequest::default()
    };
    for (who, asked, reason) in [
        ("bob", of("-", 0, ""), Reason::InsufficientScope),
        ("eve", of("users/bob", 0, ""), Reason::NotFound),
        ("bob", of("", 9_999_999_999, ""), Reason::NotFound),
        ("bob", of("", 0, "none"), Reason::NotFound),
    ] {
        let refusal = rerate(&world, who, asked).await;
        assert_eq!(refused(refusal).0, reason, "{who}");
    }
}
