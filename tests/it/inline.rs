//! A provider key that comes with a request: used for it and nothing else.

use keyward_testkit::client::ask;
use keyward_testkit::{Client, Script, Tenant, Topology, canary};
use serde_json::json;

use crate::served::{MODEL, Served};
use crate::system::{both, shared};

async fn an_inline_key_serves_before_everything_else(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    let _ = tenant.own_key("openai").await;
    let _ = tenant.own_key("openrouter").await;
    let key = canary::provider_key("openai");
    let served = Served {
        provider: "openai",
        key: &key,
        source: "inline",
        attempts: "1",
    };
    let client = with_key(&tenant.client, &key);
    served.check(&system.providers, &client, MODEL).await;
    assert_eq!(tenant.balance().await, "1.00");
}

async fn an_inline_key_in_the_body_never_reaches_the_provider_as_a_field(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let key = canary::provider_key("openai");
    let mut body = ask(MODEL, "hello");
    body["byok_api_key"] = json!(key);
    let answer = tenant.client.post("/v1/chat/completions", body).await.ok();
    assert_eq!(answer.header("x-keyward-key-source"), "inline");
    let sent = system.providers.openai.requests_with(&key);
    assert_eq!(sent.len(), 1);
    assert!(sent[0].json().get("byok_api_key").is_none());
    for name in sent[0].headers.keys() {
        assert!(!name.as_str().contains("byok"), "{name} was passed on");
    }
}

async fn an_inline_key_of_another_provider_serves_where_its_provider_is_named(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let key = canary::provider_key("openrouter");
    let client = with_key(&tenant.client, &key).with("x-byok-provider", "openrouter");
    let served = Served {
        provider: "openrouter",
        key: &key,
        source: "inline:openrouter",
        attempts: "1",
    };
    served.check(&system.providers, &client, MODEL).await;
}

async fn an_inline_key_that_does_not_fit_the_model_is_refused(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    let key = canary::provider_key("groq");
    let client = with_key(&tenant.client, &key).with("x-byok-provider", "groq");
    let answer = client.chat(MODEL, "hello").await;
    assert_eq!(answer.error(400), "provider_key_mismatch");
    assert!(system.providers.groq.requests_with(&key).is_empty());
    assert_eq!(tenant.balance().await, "1.00");
}

async fn nothing_else_is_tried_when_an_inline_key_fails_unless_allowed(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    let (_, own) = tenant.own_key("openai").await;
    let key = canary::provider_key("openai");
    system.providers.openai.script(&key, Script::unauthorized());
    let client = with_key(&tenant.client, &key);
    let answer = client.chat(MODEL, "hello").await;
    assert_eq!(answer.error(401), "provider_key_rejected");
    assert_eq!(answer.header("x-keyward-key-source"), "inline");
    assert!(system.providers.openai.requests_with(&own).is_empty());

    let widened = client.with("x-keyward-fallback", "own-keys");
    let answer = widened.chat(MODEL, "hello").await.ok();
    assert_eq!(answer.header("x-keyward-key-source"), "user");
    assert_eq!(answer.header("x-keyward-attempts"), "2");
    assert_eq!(tenant.balance().await, "1.00");
}

async fn an_inline_key_is_not_stored(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let key = canary::provider_key("openai");
    let _ = with_key(&tenant.client, &key)
        .chat(MODEL, "hello")
        .await
        .ok();
    let listed = tenant.client.get("/api/v1/provider-keys").await.ok().json();
    assert_eq!(listed["provider_keys"], json!([]));
    let answer = tenant.client.chat(MODEL, "hello").await;
    assert_eq!(answer.error(402), "insufficient_credits");
    canary::assert_absent(&key, system.gateway.logs().as_bytes(), "the log");
    for (path, bytes) in system.gateway.data_files() {
        canary::assert_absent(&key, &bytes, &path.display().to_string());
    }
}

fn with_key(client: &Client, key: &str) -> Client {
    client.with("x-byok-api-key", key)
}

both!(
    an_inline_key_serves_before_everything_else,
    an_inline_key_in_the_body_never_reaches_the_provider_as_a_field,
    an_inline_key_of_another_provider_serves_where_its_provider_is_named,
    an_inline_key_that_does_not_fit_the_model_is_refused,
    nothing_else_is_tried_when_an_inline_key_fails_unless_allowed,
    an_inline_key_is_not_stored,
);
