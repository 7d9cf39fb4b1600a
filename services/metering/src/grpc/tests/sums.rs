//! Sums over the contract: who sees what, what is refused, and pages.

use keyward_proto::metering::v1 as wire;
use keyward_runtime::error::Reason;
use keyward_runtime::time;
use tonic::Status;

use super::records::{own_key, record};
use super::world::{World, by, hold, refused, served, settle, words};

fn by_dimensions(by: &[wire::UsageDimension]) -> wire::QueryUsageRequest {
    wire::QueryUsageRequest {
        group_by: by.iter().map(|one| i32::from(*one)).collect(),
        ..wire::QueryUsageRequest::default()
    }
}

async fn query(
    world: &World,
    who: &str,
    asked: wire::QueryUsageRequest,
) -> Result<wire::QueryUsageResponse, Status> {
    let answer = world.usage().query_usage(by(who, asked)).await;
    answer.map(tonic::Response::into_inner)
}

fn of(account: &str) -> wire::QueryUsageRequest {
    wire::QueryUsageRequest {
        account: account.to_owned(),
        ..wire::QueryUsageRequest::default()
    }
}

fn moment(text: &str) -> Option<prost_types::Timestamp> {
    time::from_text(text).map(time::to_proto)
}

async fn attempts(world: &World, who: &str, account: &str) -> i64 {
    let answer = query(world, who, of(account)).await.expect("sums");
    answer.total.expect("a total").attempts
}

#[tokio::test]
async fn own_keys_and_credits_are_summed_with_what_was_charged_and_saved() {
    let world = World::new().await;
    world.give("users/bob", 1_000_000).await;
    record(&world, vec![own_key("bob", None), own_key("bob", None)]).await;
    let paid = hold(words(3, 3));
    world
        .metering()
        .place_hold(by("bob", paid.clone()))
        .await
        .expect("placed");
    let event = served(&paid, words(3, 3));
    for _ in 0..2 {
        let asked = settle(&paid, event.clone());
        world.metering().settle_usage(asked).await.expect("settled");
    }
    let asked = by_dimensions(&[wire::UsageDimension::KeySource, wire::UsageDimension::User]);
    let answer = query(&world, "bob", asked).await.expect("sums");
    let total = answer.total.expect("a total");
    assert_eq!((total.requests, total.attempts), (3, 3));
    assert_eq!(total.usage.map(|usage| usage.output_tokens), Some(9));
    assert_eq!((total.list_cost_nanos, total.charge_nanos), (27_000, 9_450));
    assert_eq!(
        (total.own_key_list_cost_nanos, total.saved_nanos),
        (18_000, 18_900)
    );
    let [own, system] = &*answer.sums else {
        panic!("{:?}", answer.sums)
    };
    assert_eq!(own.key_source(), wire::KeySource::User);
    assert_eq!((own.attempts, own.charge_nanos), (2, 0));
    assert_eq!(system.key_source(), wire::KeySource::System);
    assert_eq!((system.attempts, system.charge_nanos), (1, 9_450));
    assert_eq!((system.saved_nanos, system.user.as_str()), (0, "bob"));
    assert!(own.time.is_none() && own.model.is_empty() && own.tag.is_empty());
}

#[tokio::test]
async fn members_sum_what_is_theirs_and_who_may_see_all_everything() {
    let world = World::new().await;
    let events = ["mia", "olga", "zed"].map(|user| own_key(user, Some("acme")));
    record(&world, events.to_vec()).await;
    for (who, account, seen) in [
        ("mia", "", 1),
        ("olga", "", 3),
        ("vic", "", 3),
        ("acme", "", 3),
        ("admin", "organizations/acme", 3),
        ("olga", "organizations/acme", 3),
        // As themselves, by naming it.
        ("wes", "organizations/acme", 3),
        ("zed", "organizations/acme", 1),
        ("zed", "", 0),
        ("wes", "users/wes", 0),
    ] {
        assert_eq!(
            attempts(&world, who, account).await,
            seen,
            "{who} {account}"
        );
    }
    for (who, account) in [
        ("eve", "organizations/acme"),
        ("bob", "organizations/acme"),
        ("wes", "users/zed"),
        ("wes", "organizations/nobody"),
        ("olga", "users/mia"),
        ("olga", "organizations/beta"),
        ("acme", "organizations/beta"),
    ] {
        let refusal = query(&world, who, of(account)).await;
        assert_eq!(refused(refusal).0, Reason::NotFound, "{who} {account}");
    }
}

#[tokio::test]
async fn who_looks_at_an_organization_as_itself_sees_its_credits_as_its_role_lets_it() {
    let world = World::new().await;
    world.give("organizations/acme", 5).await;
    let balance = |who| {
        let request = wire::GetBalanceRequest {
            account: "organizations/acme".to_owned(),
        };
        let mut credits = world.credits();
        async move { credits.get_balance(by(who, request)).await }
    };
    let ledger = |who| {
        let request = wire::ListTransactionsRequest {
            account: "organizations/acme".to_owned(),
            ..wire::ListTransactionsRequest::default()
        };
        let mut credits = world.credits();
        async move { credits.list_transactions(by(who, request)).await }
    };
    for who in ["wes", "zed"] {
        let seen = balance(who).await.expect("a balance").into_inner();
        assert_eq!(seen.balance_nanos, 5, "{who}");
    }
    let seen = ledger("wes").await.expect("the ledger").into_inner();
    assert_eq!(seen.transactions.len(), 1);
    assert_eq!(refused(ledger("zed").await).0, Reason::InsufficientScope);
    assert_eq!(refused(ledger("eve").await).0, Reason::NotFound);
    assert_eq!(refused(balance("eve").await).0, Reason::NotFound);
}

#[tokio::test]
async fn sums_are_of_this_month_or_of_whole_hours_that_are_named() {
    let world = World::new().await;
    let at = |text: &str| wire::UsageEvent {
        start_time: moment(text),
        ..own_key("bob", None)
    };
    let events = vec![
        at("2026-01-31T23:59:59.999Z"),
        at("2026-02-01T00:00:00Z"),
        at("2026-02-01T01:30:00Z"),
        own_key("bob", None),
    ];
    record(&world, events).await;
    let asked = |start: &str, end: &str| wire::QueryUsageRequest {
        filter: Some(wire::UsageFilter {
            start_time: moment(start),
            end_time: moment(end),
            ..wire::UsageFilter::default()
        }),
        ..by_dimensions(&[wire::UsageDimension::Day])
    };
    let february = asked("2026-02-01T00:00:00Z", "2026-02-01T01:30:00Z");
    let found = query(&world, "bob", february).await.expect("sums");
    assert_eq!(found.total.expect("a total").attempts, 2);
    assert_eq!(found.end_time, moment("2026-02-01T02:00:00Z"));
    let both = asked("2026-01-31T00:00:00Z", "2026-03-01T00:00:00Z");
    let found = query(&world, "bob", both).await.expect("sums");
    let days: Vec<_> = found.sums.iter().map(|sum| sum.time).collect();
    let expected = ["2026-02-01T00:00:00Z", "2026-01-31T00:00:00Z"].map(moment);
    assert_eq!(days, expected, "newest first");
    let month = query(&world, "bob", of("")).await.expect("sums");
    let told = (month.start_time, month.end_time);
    assert!(told.0.is_some() && told.1.is_some(), "{told:?}");
    assert_eq!(month.total.expect("a total").attempts, 1);
}

#[tokio::test]
async fn pages_of_sums_follow_each_other_and_the_total_is_of_all() {
    let world = World::new().await;
    let events = (0..5).map(|number| wire::UsageEvent {
        model: format!("model-{number}"),
        ..own_key("bob", None)
    });
    record(&world, events.collect()).await;
    let mut models = Vec::new();
    let mut page_token = String::new();
    loop {
        let asked = wire::QueryUsageRequest {
            page_size: 2,
            page_token,
            ..by_dimensions(&[wire::UsageDimension::Model])
        };
        let page = query(&world, "bob", asked).await.expect("a page");
        assert_eq!(page.total.expect("a total").unpriced_attempts, 5);
        models.extend(page.sums.into_iter().map(|sum| sum.model));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let expected: Vec<_> = (0..5).map(|number| format!("model-{number}")).collect();
    assert_eq!(models, expected);
}

#[tokio::test]
async fn what_cannot_be_summed_is_refused_by_name() {
    let world = World::new().await;
    let hours_and_days = by_dimensions(&[wire::UsageDimension::Hour, wire::UsageDimension::Day]);
    let unknown = wire::QueryUsageRequest {
        group_by: vec![99],
        ..of("")
    };
    let forged = wire::QueryUsageRequest {
        page_token: "eA".to_owned(),
        ..of("")
    };
    let endless = wire::QueryUsageRequest {
        filter: Some(wire::UsageFilter {
            start_time: moment("2020-01-01T00:00:00Z"),
            ..wire::UsageFilter::default()
        }),
        ..of("")
    };
    for (asked, param) in [
        (hours_and_days, "group_by"),
        (unknown, "group_by"),
        (forged, "page_token"),
        (endless, "start_time"),
        (of("bob"), "account"),
    ] {
        let (reason, error) = refused(query(&world, "bob", asked).await);
        assert_eq!(reason, Reason::InvalidRequest);
        assert_eq!(error.fact("param"), Some(param));
    }
}
