//! Keys that are for some models, or for some users, from outside.

use keyward_testkit::{Tenant, Topology, canary, tenancy};
use serde_json::{Value, json};

use crate::served::MODEL;
use crate::system::{both, shared};

both! {
    a_key_serves_the_models_that_it_is_for,
    an_organisations_key_serves_the_users_that_it_is_for,
}

async fn a_key_serves_the_models_that_it_is_for(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (_, openai) = tenant.own_key("openai").await;
    let key = canary::provider_key("openrouter");
    let only = json!({"provider": "openrouter", "key": key, "allowed_models": ["anthropic/*"]});
    let id = tenant.add_key(only).await;
    assert_eq!(
        tenant.key(&id).await["allowed_models"],
        json!(["anthropic/*"])
    );
    let _ = tenant.client.chat(MODEL, "hello").await.ok();
    assert_eq!(system.providers.openai.requests_with(&openai).len(), 1);
    let path = format!("/api/v1/provider-keys/{id}");
    let refused = tenant
        .client
        .patch(&path, json!({"allowed_models": []}))
        .await;
    assert_eq!(refused.error(400), "invalid_request");
    assert_eq!(refused.json()["error"]["param"], "allowed_models");
    let any = tenant
        .client
        .patch(&path, json!({"allowed_models": null}))
        .await
        .ok();
    assert_eq!(any.json()["allowed_models"], Value::Null);
    let _ = tenant.client.chat(MODEL, "hello").await.ok();
    assert_eq!(system.providers.openrouter.requests_with(&key).len(), 1);
}

async fn an_organisations_key_serves_the_users_that_it_is_for(topology: Topology) {
    let system = shared(topology).await;
    let gateway = &system.gateway;
    let organization = tenancy::organization(gateway, "enterprise").await;
    let (bob, eve) = (
        Tenant::new(gateway, "trial").await,
        Tenant::new(gateway, "trial").await,
    );
    for member in [&bob, &eve] {
        tenancy::member(gateway, &organization, &member.user, "member").await;
    }
    let key = canary::provider_key("openai");
    let new = json!({
        "provider": "openai", "key": key, "organization": organization,
        "allowed_users": [bob.user],
    });
    let made = gateway
        .admin()
        .post("/api/v1/provider-keys", new)
        .await
        .ok();
    assert_eq!(made.json()["allowed_users"], json!([bob.user]));
    let _ = bob.client.chat(MODEL, "hello").await.ok();
    assert_eq!(system.providers.openai.requests_with(&key).len(), 1);
    let refused = eve.client.chat(MODEL, "hello").await;
    assert!(!refused.status.is_success(), "{}", refused.text());
    assert_eq!(system.providers.openai.requests_with(&key).len(), 1);
    let stranger = json!({"allowed_users": ["nobody-at-all"]});
    let path = format!(
        "/api/v1/provider-keys/{}",
        made.json()["id"].as_str().unwrap()
    );
    assert_eq!(
        gateway.admin().patch(&path, stranger).await.error(400),
        "invalid_request"
    );
}
