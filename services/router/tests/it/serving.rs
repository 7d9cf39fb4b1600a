//! Answers as callers get them.

use keyward_proto::metering::v1::{AttemptStatus, KeySource, UsageSource};
use keyward_proto::router::v1 as proto;
use keyward_proto::vault::v1::{KeyOutcome, OwnerKind};
use keyward_runtime::error::{Reason, WireError};
use keyward_runtime::private_allow::PrivateAllow;

use crate::harness::{ANSWER, Harness, PLAIN, STREAMED};
use crate::upstream::Scripted;

const CONTENT: &str = r#"{"choices":[{"delta":{"content":"hi"}}],"usage":null}"#;
const FINISH: &str = r#"{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":null}"#;
const USAGE: &str = r#"{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5}}"#;

#[tokio::test]
async fn an_own_key_serves_and_nothing_is_charged() {
    let harness = Harness::start().await;
    let id = harness.own_key("openai");
    harness.upstream.script(
        "openai",
        [Scripted::json(200, ANSWER)
            .with("x-request-id", "req_up")
            .with("x-ratelimit-remaining-requests", "7")
            .with("x-ratelimit-key", "of own-openai")
            .with("set-cookie", "a=b")],
    );
    let answer = harness.call(PLAIN).await.unwrap();
    assert_eq!(answer.body, ANSWER);
    assert_eq!(answer.head.http_status, 200);
    assert_eq!(
        (answer.head.provider.as_str(), answer.head.attempts),
        ("openai", 1)
    );
    assert_eq!(answer.head.key_source(), KeySource::User);
    assert_eq!(answer.head.charge_nanos, Some(0));
    assert_eq!(answer.header("x-provider-request-id"), Some("req_up"));
    assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some("7"));
    assert_eq!(
        answer.header("x-ratelimit-bypass"),
        Some("BYOK API key used")
    );
    assert_eq!(answer.header("set-cookie"), None);
    assert_eq!(answer.header("x-ratelimit-key"), None);
    // 10 × 2.50 + 5 × 10.00 credits a million.
    assert_eq!(answer.summary.list_cost_nanos, Some(75_000));

    let shown = &harness.upstream.shown()[0];
    assert_eq!(
        (shown.key.as_str(), shown.body.as_str()),
        ("own-openai", PLAIN)
    );
    assert_eq!(shown.path, "/openai/v1/chat/completions");
    assert_eq!(shown.headers["content-type"], "application/json");

    let recorded = harness.metering.0.recorded.lock().clone();
    assert_eq!(recorded.len(), 1);
    let event = &recorded[0];
    assert_eq!(event.inference_id, answer.head.inference_id);
    assert_eq!(
        (event.status(), event.usage_source()),
        (AttemptStatus::Ok, UsageSource::Reported)
    );
    assert_eq!(
        (event.provider_key_id.as_str(), event.lease_id.as_str()),
        (id.as_str(), "lease-0")
    );
    assert_eq!(event.owner.as_ref().unwrap().account, "users/uid-bob");
    assert_eq!(
        (
            event.client_request_id.as_str(),
            event.tags["team"].as_str()
        ),
        ("mine", "search")
    );
    assert_eq!(event.model, "openai/gpt-4o");
    assert!(harness.metering.0.holds.lock().is_empty());
    // An untested key that worked is reported, before the answer ended.
    assert_eq!(
        harness.vault.0.outcomes.lock()[0].outcome(),
        KeyOutcome::Accepted
    );
}

#[tokio::test]
async fn a_stream_passes_untouched_but_for_the_charge_and_the_withheld_usage() {
    let harness = Harness::start().await;
    harness.own_key("openai");
    harness.upstream.script(
        "openai",
        [Scripted::stream(&[CONTENT, FINISH, USAGE, "[DONE]"])],
    );
    let answer = harness.call(STREAMED).await.unwrap();
    let expect = format!(
        "data: {CONTENT}\n\ndata: {FINISH}\n\n: x-credits-charged 0.00\n\ndata: [DONE]\n\n"
    );
    assert_eq!(answer.body, expect);
    assert_eq!(answer.head.charge_nanos, None);
    assert_eq!(answer.summary.usage.unwrap().input_tokens, 10);
    assert!(
        harness.upstream.shown()[0]
            .body
            .contains(r#""stream_options":{"include_usage":true}"#)
    );

    let asks = STREAMED.replace("true,", r#"true,"stream_options":{"include_usage":true},"#);
    let answer = harness
        .call_with(&asks, proto::RoutingOptions::default(), true)
        .await
        .unwrap();
    let members = r#","x-using-byok":true,"x-provider":"openai","x-credits-charged":"0.00","byok_api_key":true}"#;
    let usage = format!("{}{members}", &USAGE[..USAGE.len() - 1]);
    assert!(answer.body.contains(&format!(
        "data: {usage}\n\n: x-credits-charged 0.00\n\ndata: [DONE]"
    )));
}

#[tokio::test]
async fn body_metadata_is_added_to_a_plain_answer() {
    let harness = Harness::start().await;
    harness.own_key("openai");
    harness
        .upstream
        .script("openai", [Scripted::json(200, ANSWER)]);
    let answer = harness
        .call_with(PLAIN, proto::RoutingOptions::default(), true)
        .await
        .unwrap();
    let json: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(json["x-using-byok"], true);
    assert_eq!(json["x-credits-charged"], "0.00");
    assert_eq!(json["id"], "a");
}

#[tokio::test]
async fn an_inline_key_is_used_once_and_never_reported() {
    let harness = Harness::start().await;
    harness.own_key("openai");
    harness.upstream.script(
        "openai",
        [Scripted::error(401, "bad key sk-canary-inline-key")],
    );
    let body = PLAIN.replacen('{', r#"{"byok_api_key":"sk-canary-inline-key","#, 1);
    let error = harness.call(&body).await.unwrap_err();
    assert_eq!(error.reason, Reason::ProviderKeyRejected);
    assert!(!error.message.contains("canary"), "{}", error.message);
    assert_eq!(error.fact("key_source"), Some("inline"));
    let shown = harness.upstream.shown();
    assert_eq!(shown.len(), 1);
    assert_eq!(
        (shown[0].key.as_str(), shown[0].body.as_str()),
        ("sk-canary-inline-key", PLAIN)
    );
    assert!(harness.vault.0.outcomes.lock().is_empty());
    let recorded = format!("{:?}", harness.metering.0.recorded.lock());
    assert!(!recorded.contains("canary"), "{recorded}");
}

#[tokio::test]
async fn the_callers_own_error_is_passed_on_and_nothing_else_is_tried() {
    let harness = Harness::start().await;
    harness.own_key("openai");
    harness.system_key("openai");
    let refusal =
        r#"{"error":{"message":"max_tokens is too large","type":"invalid_request_error"}}"#;
    harness
        .upstream
        .script("openai", [Scripted::json(400, refusal)]);
    let answer = harness.call(PLAIN).await.unwrap();
    assert_eq!(
        (answer.head.http_status, answer.body.as_str()),
        (400, refusal)
    );
    assert_eq!(answer.summary.charge_nanos, 0);
    assert_eq!(harness.upstream.keys(), ["own-openai"]);
    assert!(harness.vault.0.outcomes.lock().is_empty());
}

#[tokio::test]
async fn bad_requests_are_refused_before_anything_is_asked() {
    let harness = Harness::start().await;
    for (body, reason) in [
        ("not json", Reason::InvalidRequest),
        (r#"{"model":"gpt-4o"}"#, Reason::InvalidRequest),
        (
            &PLAIN.replace("gpt-4o", "no-such-model"),
            Reason::ModelNotFound,
        ),
        (PLAIN, Reason::NoKeyForModel),
    ] {
        let error = harness.call(body).await.unwrap_err();
        assert_eq!(error.reason, reason, "{body}");
        assert!(error.fact("inference_id").is_some(), "{body}");
    }
    let large = "x".repeat(33 * 1024 * 1024);
    let error = harness.call(&large).await.unwrap_err();
    assert_eq!(error.reason, Reason::RequestTooLarge);
    assert!(harness.upstream.shown().is_empty() && harness.metering.0.recorded.lock().is_empty());
}

#[tokio::test]
async fn a_key_owners_address_is_guarded_and_the_operators_is_not() {
    let harness = Harness::start().await;
    let id = harness.own_key("openai");
    let private = format!("{}/openai/v1", harness.upstream.origin);
    harness
        .vault
        .change(&id, |key| key.base_url = private)
        .await;
    let error = harness.call(PLAIN).await.unwrap_err();
    assert_eq!(error.reason, Reason::UpstreamError);
    assert!(harness.upstream.shown().is_empty());
}

#[tokio::test]
async fn an_excepted_address_of_a_key_owner_is_reached() {
    let allow = PrivateAllow::read(&["127.0.0.0/8"]).unwrap();
    let harness = Harness::with(|config| config.private_allow = allow).await;
    let id = harness.own_key("openai");
    let private = format!("{}/openai/v1", harness.upstream.origin);
    harness
        .vault
        .change(&id, |key| key.base_url = private)
        .await;
    harness
        .upstream
        .script("openai", [Scripted::json(200, ANSWER)]);
    assert_eq!(harness.call(PLAIN).await.unwrap().body, ANSWER);
}

#[tokio::test]
async fn routes_are_shown_without_a_call() {
    let harness = Harness::start().await;
    let unknown = proto::ResolveRouteRequest {
        model: "nonsense".into(),
        ..Default::default()
    };
    let unknown = harness
        .client
        .clone()
        .resolve_route(unknown)
        .await
        .unwrap_err();
    assert_eq!(unknown.code(), tonic::Code::NotFound);
    let harness = Harness::start().await;
    harness.own_key("openai");
    harness.system_key("openai");
    let ask = |model: &str| proto::ResolveRouteRequest {
        model: model.into(),
        ..Default::default()
    };
    let response = harness
        .client
        .clone()
        .resolve_route(ask("gpt-4o"))
        .await
        .unwrap()
        .into_inner();
    let rows: Vec<_> = response
        .candidates
        .iter()
        .map(|row| {
            (
                row.provider.as_str(),
                row.key_source(),
                row.chosen,
                row.eligible,
            )
        })
        .collect();
    assert_eq!(rows[0], ("openai", KeySource::User, true, true));
    assert_eq!(rows[1], ("openai", KeySource::System, false, true));
    assert!(rows[2..].iter().all(|row| !row.2 && !row.3));
    assert!(harness.upstream.shown().is_empty());
}

#[tokio::test]
async fn a_route_is_shown_for_a_request_as_it_would_be_sent() {
    let harness = Harness::start().await;
    let first = harness.own_key("openai");
    let second = harness.vault.add(OwnerKind::User, "openai", "own-second");
    let answer = Scripted::json(200, ANSWER);
    harness.upstream.script("openai", [answer]);
    let mut chosen = Vec::new();
    // Which key of a pool goes first is drawn by how a conversation begins.
    for number in 0..16 {
        let content = format!("conversation {number}");
        let body = PLAIN.replace("one two three", &content);
        let question = proto::ResolveRouteRequest {
            body: body.clone().into(),
            ..Default::default()
        };
        let route = harness.client.clone().resolve_route(question).await;
        let route = route.unwrap().into_inner();
        assert!(route.candidates[0].chosen);
        harness.call(&body).await.unwrap();
        let shown = harness.upstream.keys().pop().unwrap();
        let id = route.candidates[0].provider_key_id.clone();
        assert_eq!(harness.vault.0.secrets.lock()[&id], shown);
        chosen.push(id);
    }
    assert!(chosen.contains(&first) && chosen.contains(&second));
    let twice = proto::ResolveRouteRequest {
        model: "gpt-4o".into(),
        body: PLAIN.into(),
        ..Default::default()
    };
    let refused = harness.client.clone().resolve_route(twice).await;
    let error = WireError::from(&refused.unwrap_err());
    assert_eq!(error.fact("param"), Some("model"));
}

#[tokio::test]
async fn models_are_listed_in_pages_and_found_by_alias() {
    let harness = Harness::start().await;
    let mut client = harness.client.clone();
    let all = client
        .list_models(proto::ListModelsRequest::default())
        .await
        .unwrap()
        .into_inner();
    let mut paged = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = proto::ListModelsRequest {
            page_size: 7,
            page_token,
        };
        let page = client.list_models(request).await.unwrap().into_inner();
        paged.extend(page.models);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(all.models, paged);
    let get = |name: &str| proto::GetModelRequest { model: name.into() };
    let model = client
        .get_model(get("gpt-4o"))
        .await
        .unwrap()
        .into_inner()
        .model
        .unwrap();
    assert_eq!(model.model_id, "openai/gpt-4o");
    assert!(client.get_model(get("nonsense")).await.is_err());
}
