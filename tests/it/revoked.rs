//! Keys that may not serve any more: the next request already goes without them, and needs no consent
//! to do so.

use std::time::{Duration, SystemTime};

use keyward_testkit::{Tenant, Topology, canary, wait};
use serde_json::json;

use crate::served::{MODEL, Served};
use crate::system::{System, both, shared};

async fn a_disabled_key_serves_no_further_request(topology: Topology) {
    let system = shared(topology).await;
    let (tenant, id, key) = served_by_own(&system).await;
    let path = format!("/api/v1/provider-keys/{id}");
    let _ = tenant
        .client
        .patch(&path, json!({"enabled": false}))
        .await
        .ok();
    assert_eq!(tenant.key(&id).await["status"], "disabled");
    served_by_system(&system, &tenant).await;
    let _ = tenant
        .client
        .patch(&path, json!({"enabled": true}))
        .await
        .ok();
    Served::by_own(&key)
        .check(&system.providers, &tenant.client, MODEL)
        .await;
}

async fn a_deleted_key_serves_no_further_request(topology: Topology) {
    let system = shared(topology).await;
    let (tenant, id, _) = served_by_own(&system).await;
    let path = format!("/api/v1/provider-keys/{id}");
    let _ = tenant.client.delete(&path).await.ok();
    served_by_system(&system, &tenant).await;
    assert_eq!(tenant.client.get(&path).await.error(404), "not_found");
}

async fn an_expired_key_serves_no_further_request(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    let key = canary::provider_key("openai");
    let body = json!({"provider": "openai", "key": key, "expires_at": in_seconds(3)});
    let id = tenant.add_key(body).await;
    Served::by_own(&key)
        .check(&system.providers, &tenant.client, MODEL)
        .await;
    wait::until("the key to expire", || async {
        tenant.key(&id).await["status"] == "expired"
    })
    .await;
    served_by_system(&system, &tenant).await;
}

async fn a_rotated_key_serves_with_its_new_secret(topology: Topology) {
    let system = shared(topology).await;
    let (tenant, id, old) = served_by_own(&system).await;
    let new = canary::provider_key("openai");
    let path = format!("/api/v1/provider-keys/{id}/rotate");
    let rotated = tenant
        .client
        .post(&path, json!({"key": new}))
        .await
        .ok()
        .json();
    assert_eq!(rotated["id"], id);
    Served::by_own(&new)
        .check(&system.providers, &tenant.client, MODEL)
        .await;
    assert_ne!(old, new);
}

async fn a_revoked_access_key_calls_nothing(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    let secret = tenant.access_key(json!({"label": "to be revoked"})).await;
    let client = system.gateway.client(&secret);
    let _ = client.chat("sandbox/echo", "hello").await.ok();
    let listed = tenant.client.get("/api/v1/access-keys").await.ok().json();
    let listed = listed["access_keys"].as_array().unwrap().clone();
    let revoked = listed
        .iter()
        .find(|key| key["label"] == "to be revoked")
        .unwrap();
    let path = format!("/api/v1/access-keys/{}", revoked["id"].as_str().unwrap());
    let _ = tenant.client.delete(&path).await.ok();
    let answer = client.chat("sandbox/echo", "hello").await;
    assert_eq!(answer.error(401), "invalid_access_key");
}

/// A tenant with credits whose own key has served and is therefore leased.
async fn served_by_own(system: &System) -> (Tenant, String, String) {
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    let (id, key) = tenant.own_key("openai").await;
    Served::by_own(&key)
        .check(&system.providers, &tenant.client, MODEL)
        .await;
    (tenant, id, key)
}

async fn served_by_system(system: &System, tenant: &Tenant) {
    let key = &system.providers.system_key;
    let served = Served {
        provider: "openai",
        key,
        source: "system",
        attempts: "1",
    };
    served.check(&system.providers, &tenant.client, MODEL).await;
}

/// RFC 3339, so many seconds from now.
fn in_seconds(seconds: u64) -> String {
    let time = SystemTime::now() + Duration::from_secs(seconds);
    prost_types::Timestamp::from(time).to_string()
}

both!(
    a_disabled_key_serves_no_further_request,
    a_deleted_key_serves_no_further_request,
    an_expired_key_serves_no_further_request,
    a_rotated_key_serves_with_its_new_secret,
    a_revoked_access_key_calls_nothing,
);
