//! One of four processes is away: what does not need it goes on, what does says so, and all is well
//! once it is back.

use keyward_testkit::{Role, Tenant, Topology, wait};

use crate::served::MODEL;
use crate::system::System;

#[tokio::test]
async fn own_keys_serve_while_metering_is_away_and_are_recorded_later() {
    let (mut system, tenant, key) = split().await;
    let _ = tenant.client.chat(MODEL, "before").await.ok();
    system.gateway.terminate(Role::Metering);
    system.gateway.exited(Role::Metering).await;

    let answer = tenant.client.chat(MODEL, "meanwhile").await.ok();
    assert_eq!(answer.header("x-keyward-key-source"), "user");
    let answer = tenant.client.chat("sandbox/echo", "for credits").await;
    assert_eq!(answer.error(503), "overloaded");
    assert_eq!(system.providers.openai.requests_with(&key).len(), 2);
    let metrics = system.gateway.ops(Role::Router, "/metrics").await.ok();
    assert!(
        metrics
            .text()
            .contains("keyward_router_records_waiting 1\n")
    );

    system.gateway.begin_role(Role::Metering).await;
    wait::until("the usage to be recorded", || async {
        tenant.records().await.len() >= 2
    })
    .await;
    wait::until("credits to serve again", || async {
        tenant
            .client
            .chat("sandbox/echo", "for credits")
            .await
            .status
            .is_success()
    })
    .await;
}

#[tokio::test]
async fn an_own_key_that_cannot_be_opened_never_falls_back_to_credits() {
    let (mut system, tenant, key) = split().await;
    let _ = tenant.client.chat(MODEL, "before").await.ok();
    system.gateway.terminate(Role::Vault);
    system.gateway.exited(Role::Vault).await;
    wait::until("the key to be out of use", || async {
        let answer = tenant.client.chat(MODEL, "meanwhile").await;
        match answer.status.as_u16() {
            // Within the bound of revocation what was opened before may serve.
            200 => assert_eq!(answer.header("x-keyward-key-source"), "user"),
            _ => assert!(matches!(
                &*answer.error(503),
                "overloaded" | "provider_key_unavailable"
            )),
        }
        !answer.status.is_success()
    })
    .await;
    let seen = system
        .providers
        .openai
        .requests_with(&system.providers.system_key);
    assert!(seen.is_empty(), "the system key served in its place");

    system.gateway.begin_role(Role::Vault).await;
    wait::until("the key to serve again", || async {
        tenant.client.chat(MODEL, "after").await.status.is_success()
    })
    .await;
    assert!(system.providers.openai.requests_with(&key).len() >= 2);
    assert_eq!(tenant.balance().await, "1.00");
}

#[tokio::test]
async fn the_edge_says_so_while_the_router_is_away() {
    let (mut system, tenant, _) = split().await;
    let _ = tenant.client.chat(MODEL, "before").await.ok();
    system.gateway.terminate(Role::Router);
    system.gateway.exited(Role::Router).await;
    let answer = tenant.client.chat(MODEL, "meanwhile").await;
    assert_eq!(answer.error(503), "overloaded");
    let _ = tenant.client.get("/api/v1/provider-keys").await.ok();
    system.gateway.begin_role(Role::Router).await;
    wait::until("the router to be used again", || async {
        tenant.client.chat(MODEL, "after").await.status.is_success()
    })
    .await;
}

/// Four processes, and a tenant with credits and an OpenAI key of its own.
async fn split() -> (System, Tenant, String) {
    let system = System::own(Topology::Split, |launch| launch).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    let (_, key) = tenant.own_key("openai").await;
    (system, tenant, key)
}
