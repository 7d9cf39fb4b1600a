//! Tenancy over time: what is taken, renamed, deleted and made again.

use futures::future::join_all;
use keyward_testkit::{Tenant, Topology, canary, tenancy};
use serde_json::json;

use crate::served::MODEL;
use crate::system::{both, shared};

async fn an_id_is_taken_once_however_many_ask(topology: Topology) {
    let system = shared(topology).await;
    let admin = system.gateway.admin();
    let id = canary::name("user");
    let asked = (0..8).map(|_| admin.post("/api/v1/users", json!({"id": id})));
    let mut statuses: Vec<u16> = join_all(asked)
        .await
        .iter()
        .map(|a| a.status.as_u16())
        .collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409, 409, 409, 409]);
}

async fn a_user_made_again_inherits_nothing(topology: Topology) {
    let system = shared(topology).await;
    let admin = system.gateway.admin();
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    let (id, key) = tenant.own_key("openai").await;
    let _ = tenant.client.chat(MODEL, "hello").await.ok();
    let path = format!("/api/v1/users/{}", tenant.user);
    let _ = admin.delete(&path).await.ok();
    let answer = tenant.client.chat(MODEL, "hello").await;
    assert_eq!(answer.error(401), "invalid_access_key");

    let body = json!({"id": tenant.user, "tier": "professional"});
    let _ = admin.post("/api/v1/users", body).await.ok();
    let again = system.gateway.client(&tenant.access_key(json!({})).await);
    let listed = again.get("/api/v1/provider-keys").await.ok().json();
    assert_eq!(listed["provider_keys"], json!([]));
    let missing = again.get(&format!("/api/v1/provider-keys/{id}")).await;
    assert_eq!(missing.error(404), "not_found");
    let credits = again.get("/api/v1/credits").await.ok().json();
    assert_eq!(credits["balance"], "0.00");
    assert_eq!(
        again.chat(MODEL, "hello").await.error(402),
        "insufficient_credits"
    );
    assert_eq!(system.providers.openai.requests_with(&key).len(), 1);
}

async fn a_change_of_tier_counts_for_the_next_request(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    tenant.grant("1").await;
    let charged = |answer: &keyward_testkit::Answer| answer.header("x-credits-charged").to_owned();
    let answer = tenant
        .client
        .chat("sandbox/echo", "one two three")
        .await
        .ok();
    assert_eq!(charged(&answer), "0.00001035");
    let path = format!("/api/v1/users/{}", tenant.user);
    let body = json!({"tier": "enterprise"});
    let _ = system.gateway.admin().patch(&path, body).await.ok();
    keyward_testkit::wait::until("the new tier to count", || async {
        let answer = tenant
            .client
            .chat("sandbox/echo", "one two three")
            .await
            .ok();
        charged(&answer) == "0.000009"
    })
    .await;
}

async fn lists_page_through_everything_once(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    for _ in 0..7 {
        let _ = tenant.client.chat("sandbox/echo", "hello").await.ok();
        let _ = tenant.own_key("groq").await;
    }
    for (path, member, field, count) in [
        ("/api/v1/usage/records", "records", "request_id", 7),
        ("/api/v1/credits/transactions", "transactions", "id", 8),
        ("/api/v1/provider-keys", "provider_keys", "id", 7),
    ] {
        let small = tenancy::all_by(&tenant.client, path, member, 3).await;
        let whole = tenancy::all(&tenant.client, path, member).await;
        assert_eq!(small, whole, "{path}");
        let mut ids: Vec<_> = whole.iter().map(|row| row[field].to_string()).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count, "{path}: {whole:?}");
    }
}

async fn a_stale_etag_is_refused(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (id, _) = tenant.own_key("openai").await;
    let path = format!("/api/v1/provider-keys/{id}");
    let first = tenant.client.get(&path).await.ok();
    let etag = first.header("etag").to_owned();
    assert_ne!(etag, "", "no etag: {:?}", first.headers);
    let with_etag = tenant.client.with("if-match", &etag);
    let _ = with_etag.patch(&path, json!({"label": "mine"})).await.ok();
    let answer = with_etag.patch(&path, json!({"label": "again"})).await;
    assert_eq!(answer.error(412), "precondition_failed");
    assert_eq!(tenant.key(&id).await["label"], "mine");
}

both!(
    an_id_is_taken_once_however_many_ask,
    a_user_made_again_inherits_nothing,
    a_change_of_tier_counts_for_the_next_request,
    lists_page_through_everything_once,
    a_stale_etag_is_refused,
);
