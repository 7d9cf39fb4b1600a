//! What makes the next candidate serve, what does not, and what is then known of the key.

use std::sync::atomic::{AtomicU32, Ordering};

use keyward_testkit::{Script, Tenant, Topology};
use serde_json::json;

use crate::known::two_keys;
use crate::served::MODEL;
use crate::system::{System, both, shared};

async fn failures_before_the_first_content_are_hidden_by_the_next_key(topology: Topology) {
    let system = shared(topology).await;
    let failures = [
        ("429", Script::rate_limited(None)),
        ("429 quota", Script::insufficient_quota()),
        ("401", Script::unauthorized()),
        (
            "402",
            Script::status(402, "insufficient_credits", "Insufficient credits."),
        ),
        (
            "403",
            Script::status(403, "forbidden", "The key may not do this."),
        ),
        ("404", Script::no_such_model()),
        ("408", Script::status(408, "timeout", "Timed out.")),
        ("500", Script::status(500, "server_error", "It broke.")),
        ("503", Script::status(503, "overloaded", "Overloaded.")),
        ("529", Script::status(529, "overloaded", "Overloaded.")),
        ("reset", Script::Reset),
    ];
    for (name, failure) in failures {
        for streamed in [false, true] {
            hidden(&system, name, failure.clone(), streamed).await;
        }
    }
}

async fn streams_that_fail_before_the_first_content_are_hidden_too(topology: Topology) {
    let system = shared(topology).await;
    let error = json!({"code": 502, "message": "Provider returned error"});
    let failures = [
        ("cut at once", Script::ok("never seen").cut_after(0)),
        (
            "cut after comments",
            Script::ok("never seen").comments(3).cut_after(0),
        ),
        (
            "error at once",
            Script::ok("never seen").error_after(0, error.clone()),
        ),
        (
            "error after comments",
            Script::ok("never").comments(3).error_after(0, error),
        ),
    ];
    for (name, failure) in failures {
        hidden(&system, name, failure, true).await;
    }
}

async fn the_callers_own_error_is_passed_on(topology: Topology) {
    let system = shared(topology).await;
    for status in [400, 413, 422] {
        for streamed in [false, true] {
            let (tenant, first, second) = two_keys(&system).await;
            let model = &model_of_its_own();
            let script = Script::status(status, "scripted_code", "Your temperature is too high.");
            system.providers.openrouter.script(&first, script);
            let answer = match streamed {
                false => tenant.client.chat(model, "hello").await,
                true => {
                    tenant
                        .client
                        .chat_stream(model, "hello")
                        .await
                        .finish()
                        .await
                        .answer
                }
            };
            assert_eq!(answer.error(status), "scripted_code");
            assert_eq!(answer.message(), "Your temperature is too high.");
            assert_eq!(answer.header("x-keyward-attempts"), "1");
            assert_eq!(answer.header("x-keyward-key-source"), "user:openrouter");
            assert!(system.providers.openai.requests_with(&second).is_empty());
        }
    }
}

async fn a_stream_cut_after_content_ends_with_an_error_and_is_metered(topology: Topology) {
    let system = shared(topology).await;
    let error = json!({"code": 502, "message": "Provider returned error"});
    for script in [
        Script::ok("one two three four").cut_after(2),
        Script::ok("one two three four").error_after(2, error),
    ] {
        let (tenant, first, second) = two_keys(&system).await;
        let model = &model_of_its_own();
        system.providers.openrouter.script(&first, script);
        let finished = tenant
            .client
            .chat_stream(model, "hello")
            .await
            .finish()
            .await;
        assert_eq!(finished.answer.status.as_u16(), 200);
        assert_eq!(finished.content(), "one two ");
        let errors: Vec<_> = finished.chunks();
        let error = errors.iter().find(|chunk| chunk["error"].is_object());
        let error = error.unwrap_or_else(|| panic!("no error event: {:?}", finished.events));
        assert!(error["error"]["message"].is_string(), "{error}");
        assert!(system.providers.openai.requests_with(&second).is_empty());
        let records = tenant.records().await;
        assert_eq!(records.len(), 1, "{records:?}");
        assert_eq!(records[0]["charge"], "0.00");
        assert_eq!(records[0]["request_id"], finished.header("x-request-id"));
    }
}

async fn every_attempt_has_a_usage_record(topology: Topology) {
    let system = shared(topology).await;
    let (tenant, first, _) = two_keys(&system).await;
    let model = &model_of_its_own();
    system
        .providers
        .openrouter
        .script(&first, Script::status(500, "x", "It broke."));
    let answer = tenant.client.chat(model, "hello").await.ok();
    let receipt = tenant.receipt(answer.header("x-request-id")).await;
    let attempts = receipt["attempts"].as_array().unwrap();
    let providers: Vec<_> = attempts.iter().map(|a| &a["provider"]).collect();
    assert_eq!(providers, ["openrouter", "openai"], "{receipt}");
    assert_eq!(receipt["charge"], "0.00");
    assert_eq!(tenant.records().await.len(), 2);
}

async fn a_short_wait_that_the_provider_asks_for_is_waited_where_nothing_else_serves(
    topology: Topology,
) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (_, key) = tenant.own_key("openai").await;
    system
        .providers
        .openai
        .script_next(&key, Script::rate_limited(Some(1)));
    let client = tenant.client.with("x-keyward-fallback", "own-keys");
    let answer = client.chat(MODEL, "hello").await.ok();
    assert_eq!(answer.header("x-keyward-key-source"), "user");
    assert_eq!(system.providers.openai.requests_with(&key).len(), 2);
}

async fn a_short_wait_is_waited_too_where_credits_do_not_cover_what_comes_next(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (_, key) = tenant.own_key("openai").await;
    system
        .providers
        .openai
        .script_next(&key, Script::rate_limited(Some(1)));
    let answer = tenant.client.chat(MODEL, "hello").await.ok();
    assert_eq!(answer.header("x-keyward-key-source"), "user");
    assert_eq!(system.providers.openai.requests_with(&key).len(), 2);
}

async fn keys_of_one_provider_stand_in_for_each_other(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (_, first) = tenant.own_key("openai").await;
    let (_, second) = tenant.own_key("openai").await;
    system
        .providers
        .openai
        .script(&first, Script::unauthorized());
    for _ in 0..4 {
        let answer = tenant.client.chat(MODEL, "hello").await.ok();
        assert_eq!(answer.header("x-keyward-key-source"), "user");
    }
    assert!(system.providers.openai.requests_with(&first).len() <= 1);
    assert_eq!(system.providers.openai.requests_with(&second).len(), 4);
}

async fn a_caller_who_leaves_is_metered(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    let text = vec!["word"; 30].join(" ");
    let mut stream = tenant.client.chat_stream("sandbox/slow", &text).await;
    assert!(stream.next_content().await.is_some());
    drop(stream);
    keyward_testkit::wait::until("the request to be settled", || async {
        !tenant.records().await.is_empty()
    })
    .await;
    let records = tenant.records().await;
    assert_eq!(records[0]["status"], "abandoned", "{records:?}");
    assert_ne!(records[0]["charge"], "0.00", "{records:?}");
    assert_eq!(tenant.credits().await["held"], "0.00");
}

/// The first key fails so, the second serves, and the caller notices nothing but the headers.
/// A model that no other test asks for: failures of many accounts rest a provider for all of them.
fn model_of_its_own() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!(
        "openai/gpt-failing-{}",
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}

async fn hidden(system: &System, name: &str, failure: Script, streamed: bool) {
    let (tenant, first, second) = two_keys(system).await;
    let model = &model_of_its_own();
    system.providers.openrouter.script(&first, failure);
    system
        .providers
        .openai
        .script(&second, Script::ok("from the second"));
    let (answer, content) = if streamed {
        let finished = tenant
            .client
            .chat_stream(model, "hello")
            .await
            .finish()
            .await;
        assert!(finished.is_done(), "{name}: {finished:?}");
        let content = finished.content();
        (finished.answer, content)
    } else {
        let answer = tenant.client.chat(model, "hello").await;
        assert!(answer.status.is_success(), "{name}: {}", answer.text());
        let content = answer.content();
        (answer, content)
    };
    assert_eq!(content, "from the second", "{name}");
    assert_eq!(answer.header("x-keyward-attempts"), "2", "{name}");
    assert_eq!(answer.header("x-provider"), "openai", "{name}");
    assert_eq!(answer.header("x-keyward-key-source"), "user", "{name}");
}

both!(
    failures_before_the_first_content_are_hidden_by_the_next_key,
    streams_that_fail_before_the_first_content_are_hidden_too,
    the_callers_own_error_is_passed_on,
    a_stream_cut_after_content_ends_with_an_error_and_is_metered,
    every_attempt_has_a_usage_record,
    a_short_wait_that_the_provider_asks_for_is_waited_where_nothing_else_serves,
    a_short_wait_is_waited_too_where_credits_do_not_cover_what_comes_next,
    keys_of_one_provider_stand_in_for_each_other,
    a_caller_who_leaves_is_metered,
);
