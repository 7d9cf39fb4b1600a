//! Tiers, prices, estimates, sums: messages out, JSON back.

use http::Method;
use keyward_proto::metering::v1 as metering;
use keyward_proto::router::v1 as router;
use keyward_proto::vault::v1 as vault;
use keyward_runtime::error::{Reason, metadata, status};
use serde_json::{Value, json};

use crate::fixture::Fixture;

fn starter() -> metering::Tier {
    metering::Tier {
        tier: "starter".to_owned(),
        markup_basis_points: 1250,
        organization_keys: true,
        default_limits: Some(metering::TierLimits {
            concurrency: Some(4),
            ..metering::TierLimits::default()
        }),
        etag: "7".to_owned(),
        ..metering::Tier::default()
    }
}

#[tokio::test]
async fn a_budget_is_shown_with_what_is_left_and_changed_under_its_etag() {
    let fixture = Fixture::start().await;
    let budget = metering::Budget {
        budget_id: "b1".to_owned(),
        account: "users/bob".to_owned(),
        amount_nanos: 500_000_000,
        period: metering::BudgetPeriod::Week.into(),
        time_zone: "Asia/Tokyo".to_owned(),
        action: metering::BudgetAction::Notify.into(),
        tag: "team=red".to_owned(),
        etag: "3".to_owned(),
        spent_nanos: 400_000_000,
        held_nanos: 150_000_000,
        ..metering::Budget::default()
    };
    let answer = metering::UpdateBudgetResponse {
        budget: Some(budget),
    };
    fixture.fakes.answer("update_budget", answer);
    let headers = [("if-match", "\"2\"")];
    let (path, body) = ("/api/v1/budgets/b1", "{\"action\":\"notify\"}");
    let changed = fixture.call_with(Method::PATCH, path, body, &headers).await;
    assert_eq!(changed.headers["etag"], "\"3\"");
    let expect = json!({
        "id": "b1", "account": "users/bob", "amount": "0.50", "period": "week",
        "time_zone": "Asia/Tokyo", "action": "notify", "user": null, "project": null,
        "access_key": null, "model": null, "tag": "team=red", "spent": "0.40", "held": "0.15",
        "left": "-0.05", "period_started_at": null, "period_ends_at": null, "created_at": null,
        "updated_at": null,
    });
    assert_eq!(changed.json(), expect);
    let asked = fixture
        .fakes
        .asked::<metering::UpdateBudgetRequest>("update_budget")
        .message;
    assert_eq!(asked.etag, "2");
    assert_eq!(asked.update_mask.unwrap().paths, ["action"]);
    let refused = fixture.call(Method::PATCH, path, "{}").await;
    assert_eq!(refused.status, 400);
}

#[tokio::test]
async fn a_tier_is_shown_with_its_markup_in_per_cent_and_changed_under_its_etag() {
    let fixture = Fixture::start().await;
    let answer = metering::GetTierResponse {
        tier: Some(starter()),
    };
    fixture.fakes.answer("get_tier", answer);
    let shown = fixture.call(Method::GET, "/api/v1/tiers/starter", "").await;
    assert_eq!(shown.headers["etag"], "\"7\"");
    let expect = json!({
        "tier": "starter", "markup_basis_points": 1250, "markup_percent": "12.5",
        "organization_keys": true, "default_limits": {"concurrency": 4},
        "created_at": null, "updated_at": null,
    });
    assert_eq!(shown.json(), expect);

    let answer = metering::UpdateTierResponse {
        tier: Some(starter()),
    };
    fixture.fakes.answer("update_tier", answer);
    let body = "{\"markup_basis_points\":0,\"default_limits\":null}";
    let headers = [("if-match", "\"7\"")];
    let path = "/api/v1/tiers/starter";
    let changed = fixture.call_with(Method::PATCH, path, body, &headers).await;
    assert_eq!(changed.status, 200);
    let asked = fixture
        .fakes
        .asked::<metering::UpdateTierRequest>("update_tier")
        .message;
    assert_eq!(asked.etag, "7");
    assert_eq!(
        asked.update_mask.unwrap().paths,
        ["markup_basis_points", "default_limits"]
    );
    assert_eq!(asked.tier.unwrap().default_limits, None);
}

#[tokio::test]
async fn a_tier_that_does_not_exist_is_given_to_nobody() {
    let fixture = Fixture::start().await;
    let gone: Result<metering::GetTierResponse, _> = Err(tonic::Status::not_found("no such tier"));
    fixture.fakes.outcome("get_tier", gone);
    for (method, path, body) in [
        (
            Method::POST,
            "/api/v1/users",
            "{\"id\":\"bob\",\"tier\":\"gold\"}",
        ),
        (Method::PATCH, "/api/v1/users/bob", "{\"tier\":\"gold\"}"),
        (
            Method::POST,
            "/api/v1/organizations",
            "{\"id\":\"acme\",\"tier\":\"gold\"}",
        ),
        (
            Method::PATCH,
            "/api/v1/organizations/acme",
            "{\"tier\":\"gold\"}",
        ),
    ] {
        let answered = fixture.call(method, path, body).await;
        let param = Some("tier".to_owned());
        assert_eq!(
            answered.error(),
            (400, "invalid_request".to_owned(), param),
            "{path}"
        );
        let asked = fixture.fakes.asked::<metering::GetTierRequest>("get_tier");
        assert_eq!(asked.message.tier, "gold");
    }
    for method in [
        "create_user",
        "update_user",
        "create_organization",
        "update_organization",
    ] {
        assert!(!fixture.fakes.was_asked(method), "{method}");
    }
}

fn prices() -> metering::Prices {
    let flat = metering::Prices {
        input: Some(2_500_000_000),
        cache_write_5m: Some(3_125_000_000),
        search_fee: Some(10_000_000),
        ..metering::Prices::default()
    };
    metering::Prices {
        long_context: vec![metering::LongContextPrices {
            above_tokens: 200_000,
            inclusive: false,
            prices: Some(metering::Prices {
                input: Some(5_000_000_000),
                ..metering::Prices::default()
            }),
        }],
        service_tiers: vec![metering::ServiceTierPrices {
            service_tier: "batch".to_owned(),
            prices: Some(metering::Prices {
                input: Some(1_250_000_000),
                ..metering::Prices::default()
            }),
        }],
        ..flat
    }
}

fn prices_json() -> Value {
    json!({
        "input": "2.50", "cache_write_5m": "3.125", "search_fee": "0.01",
        "long_context": [{"above_tokens": 200_000, "inclusive": false, "prices": {"input": "5.00"}}],
        "service_tiers": [{"service_tier": "batch", "prices": {"input": "1.25"}}],
    })
}

#[tokio::test]
async fn prices_are_credits_for_a_million_by_model_and_provider() {
    let fixture = Fixture::start().await;
    let answer = metering::ListPricesResponse {
        price_version: 3,
        models: vec![metering::ModelPrices {
            model: "openai/gpt-4o".to_owned(),
            providers: vec![metering::ProviderPrices {
                provider: "openai".to_owned(),
                prices: Some(prices()),
            }],
        }],
        next_page_token: "next".to_owned(),
    };
    fixture.fakes.answer("list_prices", answer);
    let expect = json!({
        "model": "openai/gpt-4o", "price_version": 3,
        "providers": [{"provider": "openai", "prices": prices_json()}],
    });
    let path = "/api/v1/prices?provider=openai&page_size=1000";
    let listed = fixture.call(Method::GET, path, "").await.json();
    assert_eq!(
        listed,
        json!({"prices": [expect], "next_page_token": "next"})
    );
    let asked = fixture
        .fakes
        .asked::<metering::ListPricesRequest>("list_prices")
        .message;
    assert_eq!((asked.page_size, asked.provider.as_str()), (1000, "openai"));
    for path in [
        "/api/v1/prices/openai/gpt-4o",
        "/api/v1/prices/openai%2Fgpt-4o",
    ] {
        assert_eq!(fixture.call(Method::GET, path, "").await.json(), expect);
        let asked = fixture
            .fakes
            .asked::<metering::ListPricesRequest>("list_prices");
        assert_eq!(asked.message.model, "openai/gpt-4o");
    }
}

#[tokio::test]
async fn a_model_that_nobody_prices_is_not_found() {
    let fixture = Fixture::start().await;
    fixture
        .fakes
        .answer("list_prices", metering::ListPricesResponse::default());
    let answered = fixture.call(Method::GET, "/api/v1/prices/none", "").await;
    assert_eq!(answered.error(), (404, "model_not_found".to_owned(), None));
}

#[tokio::test]
async fn an_estimate_tells_every_tier_and_the_own_key() {
    let fixture = Fixture::start().await;
    let cost = |tier: &str, markup: i64| metering::TierCost {
        tier: tier.to_owned(),
        markup_basis_points: u32::try_from(markup * 100).unwrap(),
        markup_nanos: markup * 30_000_000_000,
        charge_nanos: (100 + markup) * 30_000_000_000,
    };
    let answer = metering::EstimateCostResponse {
        model: "openai/gpt-4".to_owned(),
        provider: "openai".to_owned(),
        price_version: 3,
        prices: Some(prices()),
        list_cost_nanos: 3_000_000_000_000,
        cost: Some(cost("starter", 10)),
        tiers: vec![cost("enterprise", 0), cost("starter", 10)],
    };
    fixture.fakes.answer("estimate_cost", answer);
    let path = "/api/v1/costs/estimate";
    let body = "{\"model\":\"gpt-4\",\"tier\":\"starter\",\"input_tokens\":100000000}";
    let estimate = fixture.call(Method::POST, path, body).await;
    assert_eq!(estimate.status, 200);
    let expect = json!({
        "model": "openai/gpt-4", "provider": "openai", "price_version": 3, "prices": prices_json(),
        "list_cost": "3000.00", "tier": "starter", "markup_basis_points": 1000,
        "markup": "300.00", "charge": "3300.00",
        "own_key": {"charge": "0.00", "list_cost": "3000.00", "saved": "3300.00"},
        "tiers": [
            {"tier": "enterprise", "markup_basis_points": 0, "markup": "0.00", "charge": "3000.00"},
            {"tier": "starter", "markup_basis_points": 1000, "markup": "300.00", "charge": "3300.00"},
        ],
    });
    assert_eq!(estimate.json(), expect);
    let asked = fixture
        .fakes
        .asked::<metering::EstimateCostRequest>("estimate_cost")
        .message;
    assert_eq!(asked.usage.unwrap().input_tokens, 100_000_000);
    for body in [
        "{\"model\":\"gpt-4\",\"input_tokens\":-1}",
        "{\"model\":\"gpt-4\",\"input_tokens\":9223372036854775808}",
        "{\"model\":\"gpt-4\",\"input_tokens\":\"5\"}",
    ] {
        let param = Some("input_tokens".to_owned());
        let answered = fixture.call(Method::POST, path, body).await;
        assert_eq!(
            answered.error(),
            (400, "invalid_request".to_owned(), param),
            "{body}"
        );
    }
}

#[tokio::test]
async fn sums_have_the_members_that_were_asked_for() {
    let fixture = Fixture::start().await;
    let sum = metering::UsageSum {
        time: Some(prost_types::Timestamp {
            seconds: 1_795_276_800,
            nanos: 0,
        }),
        model: "openai/gpt-4o".to_owned(),
        requests: 2,
        list_cost_nanos: 1_000_000_000,
        saved_nanos: 1_150_000_000,
        ..metering::UsageSum::default()
    };
    let answer = metering::QueryUsageResponse {
        sums: vec![sum.clone()],
        total: Some(sum),
        ..metering::QueryUsageResponse::default()
    };
    fixture.fakes.answer("query_usage", answer);
    let path = "/api/v1/usage?group_by=model,day,project&from=2026-11-01&source=user\
                &organization=acme&user=bob&tag=team%3Dsearch";
    let sums = fixture.call(Method::GET, path, "").await.json();
    let sum = &sums["usage"][0];
    assert_eq!(sum["day"], "2026-11-21");
    assert_eq!(
        (&sum["model"], &sum["project"]),
        (&json!("openai/gpt-4o"), &Value::Null)
    );
    assert!(sum.as_object().unwrap().contains_key("project"));
    for absent in ["hour", "provider", "key", "user", "tag", "source"] {
        assert!(!sum.as_object().unwrap().contains_key(absent), "{absent}");
    }
    assert_eq!(
        (&sum["requests"], &sum["saved"]),
        (&json!(2), &json!("1.15"))
    );
    assert_eq!(sums["total"]["list_cost"], "1.00");
    assert!(!sums["total"].as_object().unwrap().contains_key("model"));
    let asked = fixture
        .fakes
        .asked::<metering::QueryUsageRequest>("query_usage")
        .message;
    assert_eq!(asked.account, "organizations/acme");
    assert_eq!(asked.group_by, [3, 2, 7]);
    let filter = asked.filter.unwrap();
    assert_eq!(
        (filter.user.as_str(), filter.tag.as_str()),
        ("bob", "team=search")
    );
    assert_eq!(filter.key_source(), metering::KeySource::User);
    assert_eq!(filter.start_time.unwrap().seconds, 1_793_491_200);
    for (query, param) in [
        ("group_by=days", "group_by"),
        ("source=mine", "source"),
        ("from=x", "from"),
    ] {
        let path = format!("/api/v1/usage?{query}");
        let answered = fixture.call(Method::GET, &path, "").await;
        let param = Some(param.to_owned());
        assert_eq!(answered.error(), (400, "invalid_request".to_owned(), param));
    }
}

#[tokio::test]
async fn a_period_that_metering_refuses_is_told_by_the_parameter_s_name() {
    let fixture = Fixture::start().await;
    let facts = vec![(metadata::PARAM, "start_time".to_owned())];
    let refused: Result<metering::QueryUsageResponse, _> = Err(status(
        Reason::InvalidRequest,
        "the period is too long",
        facts,
    ));
    fixture.fakes.outcome("query_usage", refused);
    let path = "/api/v1/usage?from=2020-01-01";
    let answered = fixture.call(Method::GET, path, "").await;
    let param = Some("from".to_owned());
    assert_eq!(answered.error(), (400, "invalid_request".to_owned(), param));
}

#[tokio::test]
async fn what_a_service_of_an_older_version_does_not_know_may_work_later() {
    let fixture = Fixture::start().await;
    let unknown: Result<metering::ListTiersResponse, _> = Err(tonic::Status::unimplemented(""));
    fixture.fakes.outcome("list_tiers", unknown);
    let answered = fixture.call(Method::GET, "/api/v1/tiers", "").await;
    assert_eq!(answered.error(), (503, "overloaded".to_owned(), None));
    assert_eq!(answered.headers["retry-after"], "1");
}

#[tokio::test]
async fn an_idempotency_key_alone_becomes_the_call_s_request_id() {
    let fixture = Fixture::start().await;
    let answer = vault::CreateUserResponse {
        user: Some(vault::User::default()),
    };
    fixture.fakes.answer("create_user", answer);
    let asked = || {
        let asked = fixture
            .fakes
            .asked::<vault::CreateUserRequest>("create_user");
        asked.message.request_id
    };
    let (path, body) = ("/api/v1/users", "{\"id\":\"bob\"}");
    let keyed = [("idempotency-key", "my key")];
    let answered = fixture.call_with(Method::POST, path, body, &keyed).await;
    assert_eq!(
        (answered.status.as_u16(), asked().as_str()),
        (201, "my key")
    );
    // Without one nobody asks again, and no service need remember the answer.
    fixture.call(Method::POST, path, body).await;
    assert_eq!(asked(), "");
    for wrong in ["", " ", &"k".repeat(256)] {
        let keyed = [("idempotency-key", wrong)];
        let answered = fixture.call_with(Method::POST, path, body, &keyed).await;
        let param = Some("idempotency-key".to_owned());
        assert_eq!(answered.error(), (400, "invalid_request".to_owned(), param));
    }
}

#[tokio::test]
async fn a_grant_has_one_idempotency_key_in_its_body_or_its_header() {
    let fixture = Fixture::start().await;
    let answer = metering::GrantCreditsResponse {
        transaction: Some(metering::Transaction::default()),
        duplicate: false,
    };
    fixture.fakes.answer("grant_credits", answer);
    for (field, header, expect) in [
        (Some("a"), None, Some("a")),
        (None, Some("b"), Some("b")),
        (Some("c"), Some("c"), Some("c")),
        (Some("a"), Some("b"), None),
        (Some(""), None, None),
        (None, None, None),
    ] {
        let mut body = json!({"account": "users/bob", "amount": "1"});
        if let Some(field) = field {
            body["idempotency_key"] = field.into();
        }
        let headers: Vec<_> = header
            .map(|key| ("idempotency-key", key))
            .into_iter()
            .collect();
        let path = "/api/v1/credits/grants";
        let answered = fixture
            .call_with(Method::POST, path, &body.to_string(), &headers)
            .await;
        let Some(expect) = expect else {
            let param = Some("idempotency_key".to_owned());
            assert_eq!(answered.error(), (400, "invalid_request".to_owned(), param));
            continue;
        };
        assert_eq!(answered.status, 201);
        let asked = fixture
            .fakes
            .asked::<metering::GrantCreditsRequest>("grant_credits");
        assert_eq!(asked.message.request_id, expect);
    }
}

#[tokio::test]
async fn providers_tell_how_the_caller_stands_with_them() {
    let fixture = Fixture::start().await;
    let provider = router::Provider {
        provider: "sandbox".to_owned(),
        dialect: "sandbox".to_owned(),
        on_credits: true,
        ..router::Provider::default()
    };
    let answer = router::GetProviderResponse {
        provider: Some(provider),
    };
    fixture.fakes.answer("get_provider", answer);
    let shown = fixture
        .call(Method::GET, "/api/v1/providers/sandbox", "")
        .await;
    let expect = json!({
        "provider": "sandbox", "display_name": "", "key_form": null, "key_url": null,
        "dialect": "sandbox", "endpoints": [], "capabilities": [], "models": [],
        "carries_everything": false, "configured": false, "working": false, "problem": null,
        "on_credits": true, "health": "unknown", "health_since": null,
        "breaker": "closed", "latency_ms": null, "tokens_per_second": null, "error_rate": null,
    });
    assert_eq!(shown.json(), expect);
}
