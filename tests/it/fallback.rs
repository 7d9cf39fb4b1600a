//! From an own key that fails to the platform's key for credits: only with consent, only within the
//! cap, and otherwise the own key's own error.

use keyward_testkit::client::ask;
use keyward_testkit::{Answer, Client, Script, Tenant, Topology};
use serde_json::json;

use crate::served::MODEL;
use crate::system::{System, both, shared};

async fn a_request_can_forbid_the_fallback(topology: Topology) {
    let system = shared(topology).await;
    for header in ["none", "own-keys"] {
        for streamed in [false, true] {
            let (tenant, _) = failing(&system, "1", Script::rate_limited(Some(30))).await;
            let client = tenant.client.with("x-keyward-fallback", header);
            let answer = call(&client, streamed).await;
            assert_eq!(answer.error(429), "provider_rate_limited");
            assert_own_key_failed(&answer);
            assert_eq!(answer.header("retry-after"), "30");
            assert!(
                answer.message().contains("Rate limit reached."),
                "{}",
                answer.message()
            );
            assert_eq!(tenant.balance().await, "1.00");
        }
    }
}

async fn the_platform_can_forbid_the_fallback(topology: Topology) {
    let off = |launch: keyward_testkit::Launch| launch.set("routing.fallback_to_credits", "false");
    let system = System::own(topology, off).await;
    let (tenant, _) = failing(&system, "1", Script::unauthorized()).await;
    let asking = tenant.client.with("x-keyward-fallback", "credits");
    let answer = call(&asking, false).await;
    assert_eq!(answer.error(401), "provider_key_rejected");
    assert_own_key_failed(&answer);
    assert_eq!(answer.header("x-should-retry"), "false");
    assert_eq!(tenant.balance().await, "1.00");
}

async fn a_refused_key_is_tried_for_no_other_model(topology: Topology) {
    let system = shared(topology).await;
    for script in [Script::unauthorized(), Script::insufficient_quota()] {
        let tenant = Tenant::new(&system.gateway, "professional").await;
        tenant.grant("1").await;
        // It carries every model that the task may be given to, and comes before all credits.
        let (_, key) = tenant.own_key("openrouter").await;
        system.providers.named("openrouter").script(&key, script);
        let client = tenant.client.with("x-keyward-fallback", "credits;max=1");
        let mut body = ask("auto", "hello");
        body["reasoning_effort"] = json!("low");
        let answer = client.post("/v1/chat/completions", body).await.ok();
        assert_eq!(answer.header("x-keyward-key-source"), "system");
        let tried = system.providers.named("openrouter").requests_with(&key);
        assert_eq!(tried.len(), 1);
    }
}

async fn a_fallback_over_the_cap_gives_the_own_keys_error(topology: Topology) {
    let system = shared(topology).await;
    for streamed in [false, true] {
        let (tenant, _) = failing(&system, "1", Script::rate_limited(None)).await;
        let client = tenant
            .client
            .with("x-keyward-fallback", "credits;max=0.000000001");
        let answer = call(&client, streamed).await;
        assert_eq!(answer.error(429), "provider_rate_limited");
        assert_own_key_failed(&answer);
        assert_eq!(tenant.balance().await, "1.00");
    }
}

async fn the_default_cap_holds_where_the_request_names_none(topology: Topology) {
    let system = shared(topology).await;
    let (tenant, key) = failing(&system, "1", Script::rate_limited(None)).await;
    let mut body = ask("openai/gpt-4", "hello");
    body["max_tokens"] = json!(4000);
    let answer = tenant.client.post("/v1/chat/completions", body).await;
    assert_eq!(answer.error(429), "provider_rate_limited");
    assert_eq!(system.providers.openai.requests_with(&key).len(), 1);
    assert_eq!(tenant.balance().await, "1.00");
}

async fn a_request_cannot_raise_the_cap(topology: Topology) {
    let system = shared(topology).await;
    let (tenant, _) = failing(&system, "1", Script::rate_limited(None)).await;
    let client = tenant.client.with("x-keyward-fallback", "credits;max=10");
    let mut body = ask("openai/gpt-4", "hello");
    body["max_tokens"] = json!(4000);
    let answer = client.post("/v1/chat/completions", body).await;
    assert_eq!(answer.error(429), "provider_rate_limited");
    assert_eq!(tenant.balance().await, "1.00");
}

async fn without_credits_the_own_keys_error_is_told(topology: Topology) {
    let system = shared(topology).await;
    for (failure, status, code) in [
        (Script::unauthorized(), 401, "provider_key_rejected"),
        (Script::rate_limited(None), 429, "provider_rate_limited"),
        (
            Script::status(500, "oops", "It broke."),
            502,
            "upstream_error",
        ),
    ] {
        for streamed in [false, true] {
            let (tenant, _) = failing(&system, "0", failure.clone()).await;
            let answer = call(&tenant.client, streamed).await;
            assert_eq!(answer.error(status), code);
            assert_own_key_failed(&answer);
        }
    }
}

async fn without_an_own_key_missing_credits_are_a_402(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    let answer = tenant.client.chat(MODEL, "hello").await;
    assert_eq!(answer.error(402), "insufficient_credits");
    assert_eq!(answer.json()["error"]["type"], "insufficient_quota");
    assert_eq!(answer.header("x-should-retry"), "false");
    assert!(system.providers.openai.keys_seen(&tenant.user).is_empty());
}

async fn a_malformed_fallback_header_is_refused(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    for header in [
        "sometimes",
        "credits;max=much",
        "credits;max=-1",
        "credits;least=1",
    ] {
        let client = tenant.client.with("x-keyward-fallback", header);
        let answer = client.chat(MODEL, "hello").await;
        assert_eq!(answer.error(400), "invalid_request", "{header}");
    }
}

/// A tenant with so much credit, whose own OpenAI key fails like this.
async fn failing(system: &System, credits: &str, failure: Script) -> (Tenant, String) {
    let tenant = Tenant::new(&system.gateway, "professional").await;
    if credits != "0" {
        tenant.grant(credits).await;
    }
    let (_, key) = tenant.own_key("openai").await;
    system.providers.openai.script(&key, failure);
    (tenant, key)
}

/// Calls; a stream is read to its end.
async fn call(client: &Client, streamed: bool) -> Answer {
    match streamed {
        false => client.chat(MODEL, "hello").await,
        true => {
            client
                .chat_stream(MODEL, "hello")
                .await
                .finish()
                .await
                .answer
        }
    }
}

/// The headers say that the own key was tried last, and that nothing was charged.
fn assert_own_key_failed(answer: &Answer) {
    for (name, value) in [
        ("x-provider", "openai"),
        ("x-keyward-key-source", "user"),
        ("x-using-byok", "true"),
        ("x-keyward-attempts", "1"),
        ("x-credits-charged", "0.00"),
    ] {
        assert_eq!(answer.header(name), value, "{name}: {:?}", answer.headers);
    }
    crate::served::assert_is_our_id(answer.header("x-request-id"));
}

both!(
    a_request_can_forbid_the_fallback,
    the_platform_can_forbid_the_fallback,
    a_refused_key_is_tried_for_no_other_model,
    a_fallback_over_the_cap_gives_the_own_keys_error,
    the_default_cap_holds_where_the_request_names_none,
    a_request_cannot_raise_the_cap,
    without_credits_the_own_keys_error_is_told,
    without_an_own_key_missing_credits_are_a_402,
    a_malformed_fallback_header_is_refused,
);
