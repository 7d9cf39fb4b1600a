//! What a caller may say of how its request is taken: settings left out, tiers of service, thought by
//! the model's own judgement.

use keyward_proto::router::v1 as proto;
use keyward_runtime::error::Reason;
use serde_json::{Value, json};

use super::sent::{ANTHROPIC, sent};
use super::{CLAUDE, GPT, MESSAGES, chat, hello, serving};
use crate::harness::Harness;
use crate::upstream::Scripted;

/// Asks Claude for what it has not.
fn seeded(drop_params: Option<bool>) -> proto::ChatRequest {
    proto::ChatRequest {
        sampling: Some(proto::ChatSampling {
            seed: Some(7),
            ..proto::ChatSampling::default()
        }),
        choices: Some(2),
        whole: true,
        drop_params,
        ..hello(CLAUDE)
    }
}

#[tokio::test]
async fn what_a_provider_lacks_is_left_out_where_somebody_says_so_and_the_head_names_it() {
    for (by_operator, by_caller, left_out) in [
        (false, None, false),
        (false, Some(true), true),
        (true, None, true),
        (true, Some(false), false),
    ] {
        let harness = Harness::with(|config| config.drop_params = by_operator).await;
        harness.own_key("anthropic");
        let answer = Scripted::json(200, ANTHROPIC);
        harness.upstream.script_at(MESSAGES, [answer]);
        let told = chat(&harness, seeded(by_caller)).await;
        if !left_out {
            assert_eq!(told.unwrap_err().reason, Reason::UnsupportedParameter);
            continue;
        }
        let head = told.unwrap().head;
        assert_eq!(head.dropped_fields, ["choices", "sampling.seed"]);
        let body = harness.upstream.shown().pop().unwrap().body;
        assert!(
            !body.contains("seed") && !body.contains("drop_params"),
            "{body}"
        );
    }
    let harness = serving().await;
    let request = proto::ChatRequest {
        drop_params: Some(true),
        ..hello(GPT)
    };
    let stream = Scripted::stream(&[r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#]);
    harness.upstream.script("openai", [stream]);
    let told = chat(&harness, request).await.unwrap();
    assert!(told.head.dropped_fields.is_empty());
}

#[tokio::test]
async fn a_service_tier_is_held_and_asked_for_and_the_summary_says_which_one_served() {
    let harness = Harness::start().await;
    harness.system_key("openai");
    let tier = |tier: &str, model: &str| proto::ChatRequest {
        service_tier: tier.to_owned(),
        whole: true,
        ..hello(model)
    };
    let answer = r#"{"id":"a","service_tier":"priority","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5}}"#;
    harness
        .upstream
        .script("openai", [Scripted::json(200, answer)]);
    let told = chat(&harness, tier("flex", GPT)).await.unwrap();
    let body: Value = serde_json::from_str(&harness.upstream.shown()[0].body).unwrap();
    assert_eq!(body["service_tier"], "flex");
    assert_eq!(harness.metering.0.holds.lock()[0].service_tier, "flex");
    assert_eq!(told.summary.unwrap().service_tier, "priority");
    assert_eq!(
        harness.metering.0.settled.lock()[0].service_tier,
        "priority"
    );

    let harness = serving().await;
    let body = sent(&harness, tier("auto", CLAUDE)).await;
    assert_eq!(body.get("service_tier"), None);
    let error = chat(&harness, tier("flex", CLAUDE)).await.unwrap_err();
    assert_eq!(error.reason, Reason::UnsupportedParameter);
    assert_eq!(error.fact("param"), Some("service_tier"));
}

#[tokio::test]
async fn a_model_judges_itself_how_much_it_thinks_where_it_can() {
    let harness = serving().await;
    let judging = |model: &str, effort: proto::ChatEffort| proto::ChatRequest {
        thought: Some(proto::ChatThought {
            adaptive: true,
            effort: effort.into(),
            ..proto::ChatThought::default()
        }),
        whole: true,
        ..hello(model)
    };
    let unsaid = proto::ChatEffort::Unspecified;
    let adaptive = json!({"type": "adaptive", "display": "summarized"});
    // One that the catalogue does not know is a newer one.
    for model in ["claude-sonnet-5", "anthropic/claude-next"] {
        let body = sent(&harness, judging(model, unsaid)).await;
        assert_eq!(body["thinking"], adaptive, "{model}");
        assert_eq!(body.get("output_config"), None);
    }
    let body = sent(
        &harness,
        judging("claude-sonnet-5", proto::ChatEffort::High),
    )
    .await;
    assert_eq!(
        (&body["thinking"], &body["output_config"]["effort"]),
        (&adaptive, &json!("high"))
    );
    let body = sent(&harness, judging(CLAUDE, unsaid)).await;
    let budget = json!({"type": "enabled", "budget_tokens": 8_192});
    assert_eq!(body["thinking"], budget);
    let body = sent(&harness, judging(GPT, unsaid)).await;
    assert_eq!(body.get("reasoning"), None);
    assert_eq!(body.get("reasoning_effort"), None);
}
