//! Credits: held before the call, settled before the last byte, never spent without consent.

use std::sync::Arc;

use keyward_proto::metering::v1::{AttemptStatus, KeySource};
use keyward_proto::router::v1 as proto;
use keyward_proto::vault::v1::OwnerKind;
use keyward_runtime::error::Reason;

use crate::harness::{ANSWER, Harness, PLAIN, STREAMED, until};
use crate::upstream::Scripted;

#[tokio::test]
async fn the_sandbox_holds_exactly_what_it_charges() {
    let harness = Harness::start().await;
    harness
        .vault
        .add(OwnerKind::System, "sandbox", "sk-sandbox-system");
    let answer = harness
        .call(&PLAIN.replace("gpt-4o", "sandbox/echo"))
        .await
        .unwrap();
    assert_eq!(answer.head.charge_nanos, Some(9_450));
    assert_eq!(answer.head.key_source(), KeySource::System);
    assert_eq!(answer.header("x-ratelimit-bypass"), None);
    let hold = harness.metering.0.holds.lock()[0].clone();
    let settled = harness.metering.0.settled.lock().clone();
    assert_eq!((settled.len(), settled[0].usage), (1, hold.estimate));
    assert_eq!(hold.charge_cap_nanos, None);
    assert!(harness.metering.0.recorded.lock().is_empty());

    let streamed = STREAMED.replace("gpt-4o", "sandbox/echo");
    let answer = harness.call(&streamed).await.unwrap();
    assert!(
        answer
            .body
            .ends_with(": x-credits-charged 0.00000315\n\ndata: [DONE]\n\n")
    );
    assert_eq!(answer.summary.charge_nanos, 3_150);
}

#[tokio::test]
async fn a_failing_own_key_falls_back_to_credits_with_consent() {
    let harness = Harness::start().await;
    harness.own_key("openai");
    harness.system_key("openai");
    harness.upstream.script(
        "openai",
        [Scripted::error(401, "wrong"), Scripted::json(200, ANSWER)],
    );
    let answer = harness.call(PLAIN).await.unwrap();
    assert_eq!(
        (answer.head.key_source(), answer.head.attempts),
        (KeySource::System, 2)
    );
    assert_eq!(harness.upstream.keys(), ["own-openai", "system-openai"]);
    // 75,000 and 5 %.
    assert_eq!(answer.head.charge_nanos, Some(78_750));
    assert_eq!(
        harness.metering.0.holds.lock()[0].charge_cap_nanos,
        Some(50_000_000)
    );
    let recorded = harness.metering.0.recorded.lock().clone();
    assert_eq!(
        (recorded.len(), recorded[0].status()),
        (1, AttemptStatus::Failed)
    );
    assert_eq!(harness.metering.0.settled.lock()[0].attempt, 2);
    let text = harness.process.metrics.encode().unwrap();
    for line in [
        r#"keyward_router_attempts_total{provider="openai",key_source="user",outcome="failed"} 1"#,
        r#"keyward_router_attempts_total{provider="openai",key_source="system",outcome="ok"} 1"#,
        "keyward_router_fallbacks_to_credits_total 1",
        "keyward_router_streams_open 0",
    ] {
        assert!(text.lines().any(|known| known == line), "{line}: {text}");
    }
}

#[tokio::test]
async fn without_consent_cap_or_credits_the_own_keys_error_is_told() {
    let forbid = |fallback: proto::Fallback, cap| proto::RoutingOptions {
        fallback: fallback as i32,
        fallback_max_charge_nanos: cap,
        ..Default::default()
    };
    for (options, balance) in [
        (forbid(proto::Fallback::None, None), 1_000_000_000),
        (forbid(proto::Fallback::OwnKeys, None), 1_000_000_000),
        (forbid(proto::Fallback::Credits, Some(1)), 1_000_000_000),
        (forbid(proto::Fallback::Credits, None), 0),
    ] {
        let harness = Harness::start().await;
        harness.own_key("openai");
        harness.system_key("openai");
        *harness.metering.0.balance.lock() = balance;
        harness
            .upstream
            .script("openai", [Scripted::error(401, "wrong")]);
        let error = harness.call_with(PLAIN, options, false).await.unwrap_err();
        assert_eq!(error.reason, Reason::ProviderKeyRejected, "{balance}");
        assert_eq!(harness.upstream.keys(), ["own-openai"]);
        assert!(harness.metering.0.settled.lock().is_empty());
    }
}

#[tokio::test]
async fn the_own_keys_error_is_told_whatever_became_of_the_platforms() {
    // Both fail, the platform's key first: the own one is cooling down.
    let harness = Harness::start().await;
    harness.own_key("openai");
    let limited = Scripted::error(429, "slow down").with("retry-after", "600");
    harness.upstream.script("openai", [limited.clone()]);
    harness.call(PLAIN).await.unwrap_err();
    harness.system_key("openai");
    harness
        .vault
        .change("OWNER_KIND_SYSTEM:openai:1", |_| {})
        .await;
    harness
        .upstream
        .script("openai", [Scripted::error(500, "oops"), limited]);
    let error = harness.call(PLAIN).await.unwrap_err();
    assert_eq!(
        harness.upstream.keys()[1..],
        ["system-openai", "own-openai"]
    );
    assert_eq!(error.reason, Reason::ProviderRateLimited);

    // The own key was refused earlier.
    let harness = Harness::start().await;
    let id = harness.own_key("openai");
    harness.system_key("openai");
    let refuse = |key: &mut keyward_proto::vault::v1::ProviderKey| {
        key.status = keyward_proto::vault::v1::KeyStatus::Error as i32;
    };
    harness.vault.change(&id, refuse).await;
    harness
        .upstream
        .script("openai", [Scripted::error(500, "oops")]);
    let error = harness.call(PLAIN).await.unwrap_err();
    assert_eq!(harness.upstream.keys(), ["system-openai"]);
    assert_eq!(error.reason, Reason::ProviderKeyRejected);

    // The platform's key cannot be had.
    let harness = Harness::start().await;
    harness.own_key("openai");
    harness.system_key("openai");
    harness.upstream.script(
        "openai",
        [Scripted::json(200, ANSWER), Scripted::error(401, "wrong")],
    );
    harness.call(PLAIN).await.unwrap();
    *harness.vault.0.broken.lock() = Some(Reason::Overloaded);
    let error = harness.call(PLAIN).await.unwrap_err();
    assert_eq!(error.reason, Reason::ProviderKeyRejected);
}

#[tokio::test]
async fn a_hold_whose_answer_was_lost_is_given_back() {
    let harness = Harness::start().await;
    harness.system_key("openai");
    harness
        .metering
        .0
        .loses_holds
        .store(true, std::sync::atomic::Ordering::SeqCst);
    let error = harness.call(PLAIN).await.unwrap_err();
    assert_eq!(error.reason, Reason::Overloaded);
    let state = &harness.metering.0;
    until(|| !state.given_back.lock().is_empty()).await;
    assert_eq!(
        *state.given_back.lock(),
        [state.holds.lock()[0].request_id.clone()]
    );
    assert!(harness.upstream.shown().is_empty() && state.voided.lock().is_empty());
}

#[tokio::test]
async fn a_fault_of_ours_leaves_one_record_and_an_answer() {
    let harness = Harness::start().await;
    harness.own_key("openai");
    harness
        .upstream
        .script("openai", [Scripted::error(401, "wrong")]);
    harness
        .vault
        .0
        .panics
        .store(true, std::sync::atomic::Ordering::SeqCst);
    let error = harness.call(PLAIN).await.unwrap_err();
    assert_eq!(error.reason, Reason::Internal);
    let state = Arc::clone(&harness.metering.0);
    harness.stop().await;
    assert_eq!(state.recorded.lock().len(), 1);
}

#[tokio::test]
async fn only_the_model_that_was_priced_is_served_with_the_platforms_key() {
    let harness = Harness::start().await;
    harness.system_key("openrouter");
    harness
        .upstream
        .script("openrouter", [Scripted::json(200, ANSWER)]);
    let body = PLAIN.replace(
        r#""messages""#,
        r#""models":["dearer"],"provider":{},"messages""#,
    );
    harness.call(&body).await.unwrap();
    let shown = harness.upstream.shown()[0].body.clone();
    assert!(!shown.contains("dearer") && shown.contains(r#""provider":{}"#));
    harness.own_key("openrouter");
    harness
        .vault
        .change("OWNER_KIND_USER:openrouter:1", |_| {})
        .await;
    harness.call(&body).await.unwrap();
    assert!(harness.upstream.shown()[1].body.contains("dearer"));
}

#[tokio::test]
async fn an_empty_balance_blocks_credits_and_never_an_own_key() {
    let harness = Harness::start().await;
    *harness.metering.0.balance.lock() = 0;
    harness.system_key("openai");
    harness.own_key("groq");
    harness
        .upstream
        .script("groq", [Scripted::json(200, ANSWER)]);
    let error = harness.call(PLAIN).await.unwrap_err();
    assert_eq!(error.reason, Reason::InsufficientCredits);
    let own = harness
        .call(&PLAIN.replace("gpt-4o", "groq/some-model"))
        .await
        .unwrap();
    assert_eq!(own.head.charge_nanos, Some(0));
}

#[tokio::test]
async fn a_failed_attempt_with_credits_gives_its_hold_back() {
    let harness = Harness::start().await;
    harness.system_key("openai");
    harness
        .upstream
        .script("openai", [Scripted::error(500, "oops")]);
    let error = harness.call(PLAIN).await.unwrap_err();
    assert_eq!(error.reason, Reason::UpstreamError);
    let voided = harness.metering.0.voided.lock().clone();
    assert_eq!(
        (voided.len(), voided[0].status()),
        (1, AttemptStatus::Failed)
    );
    // What is wrong with the platform's key is not the caller's business.
    harness.upstream.script(
        "openai",
        [Scripted::error(401, "the platform's secret reason")],
    );
    let error = harness.call(PLAIN).await.unwrap_err();
    assert_eq!(error.reason, Reason::UpstreamError);
    assert!(
        !error.message.contains("secret reason"),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn every_attempt_has_exactly_one_event_with_an_id_of_its_own() {
    let harness = Harness::start().await;
    harness.own_key("openrouter");
    harness.own_key("openai");
    harness.system_key("openai");
    harness
        .upstream
        .script("openrouter", [Scripted::error(500, "oops")]);
    harness.upstream.script(
        "openai",
        [Scripted::error(500, "oops"), Scripted::json(200, ANSWER)],
    );
    harness.call(PLAIN).await.unwrap();
    let state = &harness.metering.0;
    let events = [state.recorded.lock().clone(), state.settled.lock().clone()].concat();
    let attempts: Vec<u32> = events.iter().map(|event| event.attempt).collect();
    assert_eq!(attempts, [1, 2, 3]);
    let ids: std::collections::HashSet<_> = events.iter().map(|event| &event.event_id).collect();
    assert_eq!(ids.len(), 3);
    assert!(state.voided.lock().is_empty());
}

#[tokio::test]
async fn a_record_that_metering_refuses_holds_up_no_other() {
    let harness = Harness::start().await;
    harness.own_key("groq");
    harness
        .upstream
        .script("groq", [Scripted::json(200, ANSWER)]);
    for model in ["groq/one", "groq/poison", "groq/two", "groq/three"] {
        let body = PLAIN.replace("gpt-4o", model);
        assert_eq!(harness.call(&body).await.unwrap().body, ANSWER, "{model}");
    }
    let recorded = harness.metering.0.recorded.lock().clone();
    let models: Vec<&str> = recorded.iter().map(|event| event.model.as_str()).collect();
    assert_eq!(models, ["groq/one", "groq/two", "groq/three"]);
}

#[tokio::test]
async fn nobody_takes_the_sandboxs_key_from_the_others() {
    let harness = Harness::start().await;
    harness
        .vault
        .add(OwnerKind::System, "sandbox", "sk-sandbox-system");
    for status in [401, 402, 403, 429, 500] {
        let model = format!("sandbox/status-{status}");
        harness
            .call(&PLAIN.replace("gpt-4o", &model))
            .await
            .unwrap_err();
    }
    assert!(harness.vault.0.outcomes.lock().is_empty());
    assert!(
        harness
            .call(&PLAIN.replace("gpt-4o", "sandbox/echo"))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn the_service_tier_that_served_is_recorded_and_the_one_asked_for_held() {
    let harness = Harness::start().await;
    harness.system_key("openai");
    let asking =
        |body: &str, tier: &str| body.replacen('{', &format!(r#"{{"service_tier":"{tier}","#), 1);
    let answering = |tier: &str| {
        let answer = ANSWER.replacen('{', &format!(r#"{{"service_tier":"{tier}","#), 1);
        Scripted::json(200, &answer)
    };
    let hello = r#"{"service_tier":"flex","choices":[{"delta":{"content":"hi"}}]}"#;
    let usage =
        r#"{"service_tier":"flex","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;
    for (body, answer, held, served) in [
        (PLAIN.to_owned(), answering("default"), "", ""),
        (asking(PLAIN, "auto"), answering("priority"), "", "priority"),
        (
            asking(PLAIN, "priority"),
            answering("default"),
            "priority",
            "",
        ),
        (
            asking(PLAIN, "flex"),
            Scripted::json(200, ANSWER),
            "flex",
            "",
        ),
        (
            asking(STREAMED, "flex"),
            Scripted::stream(&[hello, usage, "[DONE]"]),
            "flex",
            "flex",
        ),
    ] {
        harness.upstream.script("openai", [answer]);
        harness.call(&body).await.unwrap();
        let hold = harness.metering.0.holds.lock().last().unwrap().clone();
        assert_eq!(hold.service_tier, held, "{body}");
        let event = harness.metering.0.settled.lock().last().unwrap().clone();
        assert_eq!(event.service_tier, served, "{body}");
        let shown = harness.upstream.shown().last().unwrap().body.clone();
        let asked = body.contains("service_tier");
        assert_eq!(shown.contains("service_tier"), asked, "it is passed on");
    }
}
