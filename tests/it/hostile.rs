//! Providers that answer with what no provider should: the gateway says so, or passes it on, and lives.

use bytes::Bytes;
use keyward_testkit::upstream::Step;
use keyward_testkit::{Role, Script, Tenant, Topology};
use serde_json::json;

use crate::served::MODEL;
use crate::system::{System, both, shared};

async fn answers_that_are_none_are_upstream_errors(topology: Topology) {
    let system = shared(topology).await;
    for (name, script) in [
        (
            "a redirect",
            Script::given(302, "text/plain", "").header("location", "/elsewhere"),
        ),
        (
            "a page that says it is an error",
            Script::given(502, "text/html", "<html>bad</html>"),
        ),
        ("an empty error", Script::given(500, "text/plain", "")),
        (
            "a huge error",
            Script::given(500, "text/plain", vec![b'x'; 3_000_000]),
        ),
        (
            "an error within a 200",
            Script::given(
                200,
                "application/json",
                r#"{"error":{"message":"It broke.","code":502}}"#,
            ),
        ),
    ] {
        let (tenant, key) = system.own_key().await;
        system.providers.openai.script(&key, script);
        let answer = tenant.client.chat(MODEL, "hello").await;
        assert_eq!(answer.error(502), "upstream_error", "{name}");
        assert!(
            answer.body.len() < 10_000,
            "{name}: {} bytes",
            answer.body.len()
        );
        assert_eq!(
            system.providers.openai.requests_with(&key).len(),
            1,
            "{name}"
        );
    }
    healthy(&system).await;
}

async fn nothing_that_a_200_holds_harms_the_gateway(topology: Topology) {
    let system = shared(topology).await;
    for (content_type, body) in [
        ("text/html", "<html>a captive portal</html>"),
        ("application/json", "{"),
        ("application/json", ""),
        ("application/json", "null"),
        ("application/json", r#"{"choices":[],"usage":null}"#),
        (
            "application/json",
            r#"{"choices":[],"usage":{"prompt_tokens":-5}}"#,
        ),
        (
            "application/json",
            r#"{"choices":[],"usage":{"prompt_tokens":"many"}}"#,
        ),
        (
            "application/json",
            r#"{"choices":[],"usage":{"prompt_tokens":99999999999999999999}}"#,
        ),
        (
            "application/json",
            r#"{"usage":{"prompt_tokens":9223372036854775807,
            "completion_tokens":9223372036854775807}}"#,
        ),
        (
            "application/json",
            r#"{"usage":{"prompt_tokens":3,"completion_tokens":2,
            "prompt_tokens_details":{"cached_tokens":900}}}"#,
        ),
        ("text/event-stream", "data: not json\n\n"),
        ("text/event-stream", "data: {}\n\ndata: [DONE]\n\n"),
        ("text/event-stream", "\n\n\n\n:\n\n"),
        (
            "text/event-stream",
            "data: {\"choices\":[{\"delta\":{\"content\":\"no end",
        ),
    ] {
        for streamed in [false, true] {
            let (tenant, key) = system.own_key().await;
            system
                .providers
                .openai
                .script(&key, Script::given(200, content_type, body));
            let status = if streamed {
                tenant
                    .client
                    .chat_stream(MODEL, "hello")
                    .await
                    .finish()
                    .await
                    .answer
                    .status
            } else {
                tenant.client.chat(MODEL, "hello").await.status
            };
            assert!(matches!(status.as_u16(), 200 | 502), "{body}: {status}");
            assert_eq!(tenant.records().await.len(), 1, "{body}");
            assert_eq!(tenant.balance().await, "0.00");
        }
    }
    healthy(&system).await;
}

async fn usage_beyond_the_hold_is_charged_in_full(topology: Topology) {
    let system = System::own(topology, |launch| launch).await;
    let key = &system.providers.system_key;
    let script = Script::ok("ok").usage(1_000_000, 2_000_000);
    system.providers.openai.script(key, script);
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    // (1 · 0.15 + 2 · 0.60) credits, and 5 % on it.
    let answer = tenant.client.chat(MODEL, "hello").await.ok();
    assert_eq!(answer.header("x-credits-charged"), "1.4175");
    let credits = tenant.credits().await;
    assert_eq!(credits["balance"], "-0.4175", "{credits}");
    assert_eq!(credits["held"], "0.00", "{credits}");
    let answer = tenant.client.chat(MODEL, "hello").await;
    assert_eq!(answer.error(402), "insufficient_credits");
}

async fn senseless_usage_with_the_platforms_key_charges_nothing_senseless(topology: Topology) {
    let system = System::own(topology, |launch| launch).await;
    let key = &system.providers.system_key;
    for usage in [
        json!({"prompt_tokens": -7, "completion_tokens": -7}),
        json!({"prompt_tokens": 3, "completion_tokens": 0.5}),
        json!({"prompt_tokens": 3, "completion_tokens": 2,
            "prompt_tokens_details": {"cached_tokens": 900}}),
        json!({"prompt_tokens": i64::MAX, "completion_tokens": i64::MAX}),
        json!({"prompt_tokens": 1e30, "completion_tokens": 2}),
        json!("many"),
    ] {
        let tenant = Tenant::new(&system.gateway, "professional").await;
        tenant.grant("1").await;
        let body = json!({"choices": [{"message": {"content": "ok"}}], "usage": usage});
        let script = Script::given(200, "application/json", body.to_string());
        system.providers.openai.script(key, script);
        let _ = tenant.client.chat(MODEL, "hello").await.ok();
        let credits = tenant.credits().await;
        assert_eq!(credits["held"], "0.00", "{usage}: {credits}");
        let records = tenant.records().await;
        assert_eq!(records.len(), 1, "{usage}: {records:?}");
        let charge = records[0]["charge"].as_str().unwrap();
        assert!(!charge.starts_with('-'), "{usage}: {charge}");
        assert!(charge.starts_with("0.00"), "{usage}: {charge}");
    }
    healthy(&system).await;
}

async fn a_line_without_end_is_passed_on_and_held_nowhere(topology: Topology) {
    let system = shared(topology).await;
    let (tenant, key) = system.own_key().await;
    let piece = Bytes::from(vec![b'x'; 256 * 1024]);
    let first = r#"data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}"#;
    let mut steps = vec![Step::Send(format!("{first}\n\ndata: ").into())];
    steps.extend((0..64).map(|_| Step::Send(piece.clone())));
    system.providers.openai.script(&key, Script::Raw(steps));
    let finished = tenant
        .client
        .chat_stream(MODEL, "hello")
        .await
        .finish()
        .await;
    assert_eq!(finished.content(), "hi");
    assert_eq!(tenant.records().await.len(), 1);
    healthy(&system).await;
}

async fn a_large_answer_arrives_whole(topology: Topology) {
    let system = shared(topology).await;
    let (tenant, key) = system.own_key().await;
    let text = "0123456789".repeat(1_200_000);
    system
        .providers
        .openai
        .script(&key, Script::ok(&text).usage(3, 5));
    let answer = tenant.client.chat(MODEL, "hello").await.ok();
    assert_eq!(answer.content().len(), text.len());
    let records = tenant.records().await;
    assert_eq!(records[0]["usage"]["output"], 5, "{records:?}");
}

async fn healthy(system: &System) {
    for role in Role::ALL {
        let _ = system.gateway.ops(role, "/readyz").await.ok();
        assert!(
            !system.gateway.log(role).contains("panicked"),
            "{}",
            role.name()
        );
    }
}

both!(
    answers_that_are_none_are_upstream_errors,
    nothing_that_a_200_holds_harms_the_gateway,
    usage_beyond_the_hold_is_charged_in_full,
    senseless_usage_with_the_platforms_key_charges_nothing_senseless,
    a_line_without_end_is_passed_on_and_held_nowhere,
    a_large_answer_arrives_whole,
);
