//! Tenants cannot see, use or change each other's things, nor learn that they exist.

use keyward_testkit::{Answer, Client, Tenant, Topology, canary, tenancy};
use serde_json::json;

use crate::served::MODEL;
use crate::system::{both, shared};

async fn another_tenants_provider_key_does_not_exist(topology: Topology) {
    let system = shared(topology).await;
    let owner = Tenant::new(&system.gateway, "trial").await;
    let (id, key) = owner.own_key("openai").await;
    let other = Tenant::new(&system.gateway, "trial").await.client;
    let path = format!("/api/v1/provider-keys/{id}");
    let new = json!({"key": canary::provider_key("openai")});
    let missing = format!("/api/v1/provider-keys/{}", uuid::Uuid::now_v7());
    for path in [&path, &missing] {
        not_there(&other.get(path).await);
        not_there(&other.patch(path, json!({"enabled": false})).await);
        not_there(&other.delete(path).await);
        not_there(&other.post(&format!("{path}/rotate"), new.clone()).await);
    }
    let listed = other.get("/api/v1/provider-keys").await.ok().json();
    assert_eq!(listed["provider_keys"], json!([]));
    let _ = owner.client.chat(MODEL, "hello").await.ok();
    assert_eq!(system.providers.openai.requests_with(&key).len(), 1);
    assert_eq!(owner.key(&id).await["enabled"], true);
}

async fn another_tenants_receipts_and_usage_do_not_exist(topology: Topology) {
    let system = shared(topology).await;
    let owner = Tenant::new(&system.gateway, "trial").await;
    let _ = owner.own_key("openai").await;
    let answer = owner.client.chat(MODEL, "hello").await.ok();
    let id = answer.header("x-request-id").to_owned();
    let other = Tenant::new(&system.gateway, "trial").await;
    not_there(&other.client.get(&format!("/api/v1/requests/{id}")).await);
    for path in [
        "/api/v1/usage/records",
        "/api/v1/credits",
        "/api/v1/credits/transactions",
    ] {
        not_there(
            &other
                .client
                .get(&format!("{path}?account={}", owner.account()))
                .await,
        );
    }
    not_there(
        &other
            .client
            .get(&format!("/api/v1/users/{}", owner.user))
            .await,
    );
    not_there(
        &other
            .client
            .get(&format!("/api/v1/provider-keys?user={}", owner.user))
            .await,
    );
    assert!(other.records().await.is_empty());
    let of_owner = format!("/api/v1/usage/records?account={}", owner.account());
    assert_eq!(
        tenancy::all(&system.gateway.admin(), &of_owner, "records")
            .await
            .len(),
        1
    );
}

async fn an_organisation_is_closed_to_strangers_and_to_those_who_left(topology: Topology) {
    let system = shared(topology).await;
    let gateway = &system.gateway;
    let organization = tenancy::organization(gateway, "enterprise").await;
    let leaver = Tenant::new(gateway, "trial").await;
    tenancy::member(gateway, &organization, &leaver.user, "admin").await;
    let acting = leaver.client.with("x-keyward-organization", &organization);
    let body = json!({
        "provider": "openai", "key": canary::provider_key("openai"), "owner": "organization",
    });
    let stored = acting.post("/api/v1/provider-keys", body).await.ok().json();
    let path = format!("/api/v1/provider-keys/{}", stored["id"].as_str().unwrap());
    let _ = acting.get(&path).await.ok();
    let _ = acting.chat(MODEL, "hello").await.ok();

    let stranger = Tenant::new(gateway, "trial").await.client;
    not_there(&stranger.get(&path).await);
    not_there(
        &stranger
            .get(&format!("/api/v1/organizations/{organization}"))
            .await,
    );
    let members = format!("/api/v1/organizations/{organization}/members");
    not_there(&stranger.get(&members).await);

    let membership = format!("{members}/{}", leaver.user);
    let _ = gateway.admin().delete(&membership).await.ok();
    let answer = acting.chat(MODEL, "hello").await;
    assert!(answer.status.is_client_error(), "{}", answer.text());
    not_there(&leaver.client.get(&path).await);
}

async fn a_member_cannot_do_what_admins_do(topology: Topology) {
    let system = shared(topology).await;
    let gateway = &system.gateway;
    let organization = tenancy::organization(gateway, "enterprise").await;
    let member = Tenant::new(gateway, "trial").await;
    tenancy::member(gateway, &organization, &member.user, "member").await;
    let acting = member.client.with("x-keyward-organization", &organization);
    let body = json!({
        "provider": "openai", "key": canary::provider_key("openai"), "owner": "organization",
    });
    let answer = acting.post("/api/v1/provider-keys", body).await;
    assert_eq!(answer.error(403), "insufficient_scope");
    forbidden(&acting, &organization).await;
}

async fn scopes_bound_what_an_access_key_may_do(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    tenant.grant("1").await;
    let only = |scope: &'static str| json!({"scopes": [scope]});
    let inference = system
        .gateway
        .client(&tenant.access_key(only("inference")).await);
    let _ = inference.chat("sandbox/echo", "hello").await.ok();
    let answer = inference.get("/api/v1/provider-keys").await;
    assert_eq!(answer.error(403), "insufficient_scope");
    let keys = system
        .gateway
        .client(&tenant.access_key(only("keys")).await);
    let _ = keys.get("/api/v1/provider-keys").await.ok();
    let answer = keys.chat("sandbox/echo", "hello").await;
    assert_eq!(answer.error(403), "insufficient_scope");
    let grant = json!({"account": tenant.account(), "amount": "5", "idempotency_key": "mine"});
    let answer = tenant.client.post("/api/v1/credits/grants", grant).await;
    assert_eq!(answer.error(403), "insufficient_scope");
    let system_key = json!({
        "provider": "openai", "key": canary::provider_key("openai"), "owner": "system",
    });
    let answer = tenant
        .client
        .post("/api/v1/provider-keys", system_key)
        .await;
    assert_eq!(answer.error(404), "not_found");
    let body = json!({"allowed_models": ["sandbox/lorem"]});
    let narrow = system.gateway.client(&tenant.access_key(body).await);
    let _ = narrow.chat("sandbox/lorem", "hello").await.ok();
    let answer = narrow.chat("sandbox/echo", "hello").await;
    assert_eq!(answer.error(403), "model_not_allowed");
}

async fn forbidden(client: &Client, organization: &str) {
    let members = format!("/api/v1/organizations/{organization}/members");
    let body = json!({"user": "admin", "role": "owner"});
    assert_eq!(
        client.post(&members, body).await.error(403),
        "insufficient_scope"
    );
    let users = json!({"id": canary::name("user")});
    assert_eq!(
        client.post("/api/v1/users", users).await.error(403),
        "insufficient_scope"
    );
}

#[track_caller]
fn not_there(answer: &Answer) {
    assert_eq!(answer.error(404), "not_found");
}

both!(
    another_tenants_provider_key_does_not_exist,
    another_tenants_receipts_and_usage_do_not_exist,
    an_organisation_is_closed_to_strangers_and_to_those_who_left,
    a_member_cannot_do_what_admins_do,
    scopes_bound_what_an_access_key_may_do,
);
