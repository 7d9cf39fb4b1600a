//! What things cost, to the nano-credit.

use keyward_testkit::{Tenant, Topology};

use crate::system::{both, shared};

/// Three words in, three out: list 3 · 1000 + 3 · 2000 nano-credits, and 5 % on it.
const WORDS: &str = "one two three";
const CHARGE: &str = "0.00000945";
const LIST_COST: &str = "0.000009";

async fn three_words_for_a_professional_account(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("10.0").await;
    let answer = tenant.client.chat("sandbox/echo", WORDS).await.ok();
    assert_eq!(answer.content(), WORDS);
    assert_eq!(answer.header("x-credits-charged"), CHARGE);
    assert_eq!(answer.header("x-keyward-key-source"), "system");
    assert_eq!(answer.header("x-using-byok"), "false");
    assert_eq!(tenant.balance().await, "9.99999055");

    let receipt = tenant.receipt(answer.header("x-request-id")).await;
    assert_eq!(receipt["charge"], CHARGE, "{receipt}");
    assert_eq!(receipt["attempts"][0]["list_cost"], LIST_COST, "{receipt}");
    assert_eq!(receipt["attempts"][0]["usage"]["input"], 3, "{receipt}");
    assert_eq!(receipt["attempts"][0]["usage"]["output"], 3, "{receipt}");

    let finished = tenant
        .client
        .chat_stream("sandbox/echo", WORDS)
        .await
        .finish()
        .await;
    assert_eq!(finished.content().trim(), WORDS);
    assert_eq!(finished.charged(), CHARGE);
    assert_eq!(tenant.balance().await, "9.9999811");
    let credits = tenant.credits().await;
    assert_eq!(credits["held"], "0.00", "{credits}");
    assert_eq!(credits["available"], "9.9999811", "{credits}");
    let amounts: Vec<String> = tenant
        .transactions()
        .await
        .iter()
        .map(|row| row["amount"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(amounts, ["-0.00000945", "-0.00000945", "10.00"]);
}

async fn the_same_with_an_own_key_is_free_and_keeps_the_list_cost(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    let _ = tenant.own_key("sandbox").await;
    let answer = tenant.client.chat("sandbox/echo", WORDS).await.ok();
    assert_eq!(answer.header("x-credits-charged"), "0.00");
    assert_eq!(answer.header("x-keyward-key-source"), "user");
    assert_eq!(answer.header("x-using-byok"), "true");
    let receipt = tenant.receipt(answer.header("x-request-id")).await;
    assert_eq!(receipt["charge"], "0.00", "{receipt}");
    assert_eq!(receipt["attempts"][0]["list_cost"], LIST_COST, "{receipt}");
    let records = tenant.records().await;
    assert_eq!(records[0]["list_cost"], LIST_COST, "{records:?}");
    assert_eq!(records[0]["charge"], "0.00", "{records:?}");
    assert!(tenant.transactions().await.is_empty());
}

async fn each_tier_has_its_markup(topology: Topology) {
    let system = shared(topology).await;
    for (tier, charge) in [
        ("trial", "0.00001035"),
        ("starter", "0.0000099"),
        ("professional", CHARGE),
        ("enterprise", LIST_COST),
    ] {
        let tenant = Tenant::new(&system.gateway, tier).await;
        tenant.grant("1").await;
        let answer = tenant.client.chat("sandbox/echo", WORDS).await.ok();
        assert_eq!(answer.header("x-credits-charged"), charge, "{tier}");
    }
}

async fn nothing_delivered_is_nothing_charged(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    for model in [
        "sandbox/status-500",
        "sandbox/status-429",
        "sandbox/status-400",
    ] {
        let answer = tenant.client.chat(model, WORDS).await;
        assert!(!answer.status.is_success(), "{model}: {}", answer.text());
        let _ = answer.error(answer.status.as_u16());
    }
    let credits = tenant.credits().await;
    assert_eq!(credits["balance"], "1.00", "{credits}");
    assert_eq!(credits["held"], "0.00", "{credits}");
}

async fn a_grant_counts_once_however_often_it_is_sent(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let admin = system.gateway.admin();
    let body = serde_json::json!({
        "account": tenant.account(), "amount": "2.5", "idempotency_key": tenant.user,
    });
    for _ in 0..3 {
        let _ = admin
            .post("/api/v1/credits/grants", body.clone())
            .await
            .ok();
    }
    assert_eq!(tenant.balance().await, "2.50");
    assert_eq!(tenant.transactions().await.len(), 1);
    let mut other = body;
    other["amount"] = "3".into();
    let answer = admin.post("/api/v1/credits/grants", other).await;
    assert_eq!(answer.error(422), "idempotency_mismatch");
}

async fn the_sandbox_keys_fail_as_named(topology: Topology) {
    let system = shared(topology).await;
    for (key, status, code) in [
        ("sk-sandbox-revoked", 401, "provider_key_rejected"),
        ("sk-sandbox-empty", 402, "provider_quota_exhausted"),
        ("sk-sandbox-limited", 429, "provider_rate_limited"),
    ] {
        let tenant = Tenant::new(&system.gateway, "trial").await;
        let client = tenant.client.with("x-byok-api-key", key);
        let answer = client.chat("sandbox/echo", WORDS).await;
        assert_eq!(answer.error(status), code);
    }
}

both!(
    three_words_for_a_professional_account,
    the_same_with_an_own_key_is_free_and_keeps_the_list_cost,
    each_tier_has_its_markup,
    nothing_delivered_is_nothing_charged,
    a_grant_counts_once_however_often_it_is_sent,
    the_sandbox_keys_fail_as_named,
);
