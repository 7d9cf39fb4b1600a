//! What a provider's answer says about a key, and what follows from it for later requests.

use keyward_testkit::{Script, Tenant, Topology};

use crate::served::MODEL;
use crate::system::{System, both, shared};

async fn a_rejected_key_is_marked_and_not_used_again(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (id, key) = tenant.own_key("openrouter").await;
    let (_, second) = tenant.own_key("openai").await;
    assert_eq!(tenant.key(&id).await["status"], "untested");
    system
        .providers
        .openrouter
        .script(&key, Script::unauthorized());
    let _ = tenant.client.chat(MODEL, "hello").await.ok();
    // What an answer says about a key is stored before the caller's answer ends.
    let stored = tenant.key(&id).await;
    assert_eq!(stored["status"], "error", "{stored}");
    assert!(
        stored.to_string().contains("Incorrect API key provided."),
        "{stored}"
    );
    let answer = tenant.client.chat(MODEL, "hello").await.ok();
    assert_eq!(answer.header("x-keyward-attempts"), "1");
    assert_eq!(system.providers.openrouter.requests_with(&key).len(), 1);
    assert_eq!(system.providers.openai.requests_with(&second).len(), 2);
}

async fn a_key_that_works_is_marked_connected(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (id, _) = tenant.own_key("openai").await;
    let _ = tenant.client.chat(MODEL, "hello").await.ok();
    assert_eq!(tenant.key(&id).await["status"], "connected");
}

async fn a_limited_key_goes_last_until_its_time_is_over(topology: Topology) {
    let system = shared(topology).await;
    let (tenant, first, second) = two_keys(&system).await;
    system
        .providers
        .openrouter
        .script_next(&first, Script::rate_limited(Some(60)));
    let answer = tenant.client.chat(MODEL, "hello").await.ok();
    assert_eq!(answer.header("x-keyward-attempts"), "2");
    let answer = tenant.client.chat(MODEL, "hello").await.ok();
    assert_eq!(answer.header("x-keyward-attempts"), "1");
    assert_eq!(system.providers.openrouter.requests_with(&first).len(), 1);
    assert_eq!(system.providers.openai.requests_with(&second).len(), 2);
}

async fn a_model_that_a_key_lacks_is_asked_for_elsewhere_first(topology: Topology) {
    let system = shared(topology).await;
    let (tenant, first, _) = two_keys(&system).await;
    system
        .providers
        .openrouter
        .script(&first, Script::no_such_model());
    for attempts in ["2", "1"] {
        let answer = tenant.client.chat(MODEL, "hello").await.ok();
        assert_eq!(answer.header("x-keyward-attempts"), attempts);
    }
    assert_eq!(system.providers.openrouter.requests_with(&first).len(), 1);
}

async fn a_key_without_credit_at_its_provider_is_marked(topology: Topology) {
    let system = shared(topology).await;
    for script in [
        Script::insufficient_quota(),
        Script::status(402, "insufficient_credits", "Insufficient credits."),
    ] {
        let tenant = Tenant::new(&system.gateway, "trial").await;
        let (id, key) = tenant.own_key("openai").await;
        system.providers.openai.script(&key, script);
        let answer = tenant.client.chat(MODEL, "hello").await;
        assert_eq!(answer.error(402), "provider_quota_exhausted");
        assert_eq!(tenant.key(&id).await["status"], "error");
    }
}

/// A tenant with an OpenRouter key, which goes first, and an OpenAI key.
pub(crate) async fn two_keys(system: &System) -> (Tenant, String, String) {
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (_, first) = tenant.own_key("openrouter").await;
    let (_, second) = tenant.own_key("openai").await;
    (tenant, first, second)
}

both!(
    a_rejected_key_is_marked_and_not_used_again,
    a_key_that_works_is_marked_connected,
    a_limited_key_goes_last_until_its_time_is_over,
    a_model_that_a_key_lacks_is_asked_for_elsewhere_first,
    a_key_without_credit_at_its_provider_is_marked,
);
