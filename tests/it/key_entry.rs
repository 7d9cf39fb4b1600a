//! What is checked when a key is entered: its form, and the address that its owner gives, which is used
//! where the operator allows it and is never a way into the operator's own network.

use keyward_testkit::{ScriptedUpstream, Tenant, Topology, canary};
use serde_json::json;

use crate::served::MODEL;
use crate::system::{System, both, shared};

async fn provider_keys_of_the_wrong_form_are_refused(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let good = canary::provider_key("openrouter");
    for (provider, key) in [
        ("openrouter", "sk-or-v1-short".to_owned()),
        ("openrouter", canary::provider_key("openai")),
        ("openrouter", format!("{} {}", &good[..30], &good[30..])),
        ("openrouter", format!("{}\n{}", &good[..30], &good[30..])),
        ("openai", "sk-short".to_owned()),
        ("openai", String::new()),
        ("openai", "   ".to_owned()),
        ("groq", "not-a-groq-key".to_owned()),
        ("no-such-provider", canary::provider_key("openai")),
    ] {
        let body = json!({"provider": provider, "key": key});
        let answer = tenant.client.post("/api/v1/provider-keys", body).await;
        assert_eq!(answer.error(400), "invalid_request", "{provider}");
        if key.len() > 10 {
            assert!(!answer.text().contains(&key), "the key is in the answer");
        }
    }
    for body in [
        json!({"provider": "openrouter"}),
        json!({"key": good}),
        json!({"provider": 1, "key": good}),
        json!({"provider": "openrouter", "key": good, "colour": "red"}),
        json!({"provider": "openrouter", "key": good, "expires_at": "tomorrow"}),
        json!({"provider": "openai", "key": canary::provider_key("openai"),
            "base_url": "http://127.0.0.1:1/v1"}),
        json!({"provider": "openai", "key": canary::provider_key("openai"),
            "base_url": "https://user:secret@example.com/v1"}),
    ] {
        let answer = tenant
            .client
            .post("/api/v1/provider-keys", body.clone())
            .await;
        assert_eq!(answer.status.as_u16(), 400, "{body}: {}", answer.text());
        let _ = answer.error(400);
    }
    let padded = json!({"provider": "openrouter", "key": format!("  {good}\n")});
    let stored = tenant
        .client
        .post("/api/v1/provider-keys", padded)
        .await
        .ok()
        .json();
    let masked = stored.to_string();
    assert!(
        masked.contains(&format!("sk-or-v1-…{}", &good[good.len() - 4..])),
        "{masked}"
    );
    let again = json!({"provider": "openrouter", "key": good});
    let answer = tenant.client.post("/api/v1/provider-keys", again).await;
    assert_eq!(answer.error(409), "already_exists");
    let listed = tenant.client.get("/api/v1/provider-keys").await.ok().json();
    assert_eq!(listed["provider_keys"].as_array().unwrap().len(), 1);
}

async fn a_key_goes_to_the_address_that_was_given_with_it(topology: Topology) {
    let allow =
        |launch: keyward_testkit::Launch| launch.set("providers.allow_private_base_urls", "true");
    let system = System::own(topology, allow).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let elsewhere = ScriptedUpstream::start();
    let key = canary::provider_key("openai");
    let body = json!({"provider": "openai", "key": key, "base_url": elsewhere.base_url()});
    let _ = tenant.add_key(body).await;
    let answer = tenant.client.chat(MODEL, "hello").await.ok();
    assert_eq!(answer.header("x-keyward-key-source"), "user");
    assert_eq!(elsewhere.requests_with(&key).len(), 1);
    assert!(system.providers.openai.requests_with(&key).is_empty());
}

async fn an_address_that_leads_inside_is_refused_on_entry(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    for base_url in [
        &system.providers.openai.base_url(),
        "http://api.openai.com/v1",
        "https://127.0.0.1/v1",
        "https://169.254.169.254/latest",
        "https://[::1]/v1",
        "https://[::ffff:10.0.0.1]/v1",
        "https://0x7f000001/v1",
        "https://2130706433/v1",
        "https://user:secret@api.openai.com/v1",
        "https://api.openai.com:8443/v1",
        "file:///etc/passwd",
        "not a url",
    ] {
        let key = canary::provider_key("openai");
        let body = json!({"provider": "openai", "key": key, "base_url": base_url});
        let answer = tenant.client.post("/api/v1/provider-keys", body).await;
        assert_eq!(answer.status.as_u16(), 400, "{base_url}: {}", answer.text());
        assert_eq!(answer.error(400), "invalid_request", "{base_url}");
    }
}

async fn a_name_that_leads_inside_is_not_connected_to(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let key = canary::provider_key("openai");
    let body = json!({"provider": "openai", "key": key, "base_url": "https://localhost/v1"});
    let answer = tenant.client.post("/api/v1/provider-keys", body).await;
    if answer.status.is_client_error() {
        assert_eq!(answer.error(400), "invalid_request");
        return;
    }
    let client = tenant.client.with("x-keyward-fallback", "none");
    let answer = client.chat(MODEL, "hello").await;
    assert_eq!(answer.error(502), "upstream_error");
}

both!(
    provider_keys_of_the_wrong_form_are_refused,
    a_key_goes_to_the_address_that_was_given_with_it,
    an_address_that_leads_inside_is_refused_on_entry,
    a_name_that_leads_inside_is_not_connected_to,
);
