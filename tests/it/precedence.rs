//! Whose key serves: each line of the table, first match first.

use keyward_testkit::{Tenant, Topology};
use serde_json::json;

use crate::served::{MODEL, Served};
use crate::system::{System, both, shared};

/// A model that Groq offers and OpenRouter carries, and for which the platform has no key.
const GROQ_MODEL: &str = "llama-3.3-70b-versatile";

async fn the_system_key_serves_for_credits(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    for model in [MODEL, "gpt-4o-mini"] {
        served_by_system(&system)
            .check(&system.providers, &tenant.client, model)
            .await;
    }
    assert_eq!(tenant.balance().await, "0.999995592");
}

async fn an_own_provider_key_serves_before_the_system_key(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    let (_, key) = tenant.own_key("openai").await;
    Served::by_own(&key)
        .check(&system.providers, &tenant.client, MODEL)
        .await;
    assert_eq!(tenant.balance().await, "1.00");
}

async fn an_own_key_serves_without_any_credit(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (_, key) = tenant.own_key("groq").await;
    let served = Served {
        provider: "groq",
        key: &key,
        source: "user",
        attempts: "1",
    };
    served
        .check(&system.providers, &tenant.client, GROQ_MODEL)
        .await;
}

async fn an_own_openrouter_key_goes_first_by_default(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let _ = tenant.own_key("openai").await;
    let (_, key) = tenant.own_key("openrouter").await;
    let served = openrouter(&key);
    served.check(&system.providers, &tenant.client, MODEL).await;
    let sent = system.providers.openrouter.requests_with(&key);
    assert!(sent.iter().all(|request| request.json()["model"] == MODEL));
}

async fn an_own_provider_key_goes_first_where_that_is_preferred(topology: Topology) {
    let system = System::own(topology, |launch| launch.set("routing.prefer", "provider")).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (_, openai) = tenant.own_key("openai").await;
    let (_, router) = tenant.own_key("openrouter").await;
    Served::by_own(&openai)
        .check(&system.providers, &tenant.client, MODEL)
        .await;
    openrouter(&router)
        .check(&system.providers, &tenant.client, GROQ_MODEL)
        .await;
}

async fn an_own_openrouter_key_serves_what_others_offer(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (_, key) = tenant.own_key("openrouter").await;
    openrouter(&key)
        .check(&system.providers, &tenant.client, GROQ_MODEL)
        .await;
    let answer = tenant.client.chat(GROQ_MODEL, "hello").await.ok();
    assert_eq!(
        answer.header("x-keyward-model"),
        "meta-llama/llama-3.3-70b-instruct"
    );
    openrouter(&key)
        .check(
            &system.providers,
            &tenant.client,
            "openrouter/some-vendor/some-model",
        )
        .await;
}

async fn a_provider_key_serves_its_own_models_only(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let _ = tenant.own_key("openai").await;
    let answer = tenant.client.chat(GROQ_MODEL, "hello").await;
    assert_eq!(answer.error(404), "no_key_for_model");
    assert!(
        answer.message().to_lowercase().contains("groq"),
        "{}",
        answer.message()
    );
}

async fn explain_shows_what_would_serve_and_what_is_left_out(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (openai, _) = tenant.own_key("openai").await;
    let (openrouter, _) = tenant.own_key("openrouter").await;
    let explained = tenant.explain(MODEL).await;
    let candidates = explained["candidates"].as_array().unwrap();
    assert_eq!(candidates[0]["key_id"], openrouter, "{explained}");
    assert_eq!(candidates[0]["chosen"], true, "{explained}");
    assert_eq!(candidates[1]["key_id"], openai, "{explained}");
    assert!(
        candidates.iter().skip(1).all(|c| c["chosen"] == false),
        "{explained}"
    );
    assert!(
        candidates
            .iter()
            .all(|c| c["reason"].as_str().is_some_and(|r| !r.is_empty()))
    );
    let unknown = json!({"model": "no-such-model-anywhere"});
    let other = Tenant::new(&system.gateway, "trial").await;
    let answer = other.client.post("/api/v1/routes/explain", unknown).await;
    assert_eq!(answer.error(404), "model_not_found");
}

fn openrouter(key: &str) -> Served<'_> {
    Served {
        provider: "openrouter",
        key,
        source: "user:openrouter",
        attempts: "1",
    }
}

pub(crate) fn served_by_system(system: &System) -> Served<'_> {
    let key = &system.providers.system_key;
    Served {
        provider: "openai",
        key,
        source: "system",
        attempts: "1",
    }
}

both!(
    the_system_key_serves_for_credits,
    an_own_provider_key_serves_before_the_system_key,
    an_own_key_serves_without_any_credit,
    an_own_openrouter_key_goes_first_by_default,
    an_own_provider_key_goes_first_where_that_is_preferred,
    an_own_openrouter_key_serves_what_others_offer,
    a_provider_key_serves_its_own_models_only,
    explain_shows_what_would_serve_and_what_is_left_out,
);
