//! Receipts from outside: who might have served and why, each attempt with its times and its key, for
//! whatever became of the request.

use keyward_testkit::{Script, Tenant, Topology};
use serde_json::Value;

use crate::known::two_keys;
use crate::served::{CHARGE, MODEL};
use crate::system::{both, shared};

async fn a_receipt_tells_who_might_have_served_and_what_became_of_each(topology: Topology) {
    let system = shared(topology).await;
    let (tenant, first, second) = two_keys(&system).await;
    system
        .providers
        .openrouter
        .script(&first, Script::status(503, "overloaded", "Overloaded."));
    let answer = tenant.client.chat(MODEL, "hello").await.ok();
    let receipt = tenant.receipt(answer.header("x-request-id")).await;
    assert_eq!(receipt["requested_model"], MODEL, "{receipt}");
    let candidates = receipt["candidates"].as_array().unwrap();
    assert_eq!(candidates[0]["provider"], "openrouter", "{receipt}");
    assert_eq!(candidates[0]["key_source"], "user:openrouter");
    assert_eq!(candidates[1]["provider"], "openai");
    for candidate in candidates {
        assert_ne!(candidate["reason"], "", "{candidate}");
    }
    assert_eq!(receipt["candidates_omitted"], 0);
    let attempts = receipt["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 2, "{receipt}");
    assert_eq!(
        (&attempts[0]["status"], &attempts[0]["http_status"]),
        (&"failed".into(), &503.into())
    );
    assert_eq!(attempts[1]["status"], "ok");
    for attempt in attempts {
        assert_in_order(attempt);
        assert_eq!(attempt["key_owner"], tenant.account(), "{attempt}");
        assert_eq!(attempt["cached"], false);
    }
    let masked = attempts[1]["key"].as_str().unwrap();
    assert!(masked.ends_with(&second[second.len() - 4..]), "{masked}");
    assert!(masked.len() < second.len(), "{masked}");
    let text = receipt.to_string();
    assert!(!text.contains(&first) && !text.contains(&second), "{text}");
}

async fn a_failed_request_has_a_receipt_from_its_first_attempt_on(topology: Topology) {
    let system = shared(topology).await;
    let (tenant, key) = own_key(&system, "trial").await;
    system.providers.openai.script(&key, Script::unauthorized());
    let client = tenant.client.with("x-keyward-fallback", "none");
    let answer = client.chat(MODEL, "hello").await;
    assert_eq!(answer.error(401), "provider_key_rejected");
    let receipt = tenant.receipt(answer.header("x-request-id")).await;
    assert_eq!(receipt["charge"], "0.00", "{receipt}");
    assert_eq!(receipt["attempts"][0]["status"], "failed", "{receipt}");
    assert_eq!(receipt["attempts"][0]["http_status"], 401);
    let candidates = receipt["candidates"].as_array().unwrap();
    let is_left_out = |candidate: &&Value| candidate["eligible"] == false;
    let left = candidates.iter().find(is_left_out).unwrap();
    assert_ne!(left["reason"], "", "{receipt}");
}

async fn an_aborted_stream_has_a_receipt(topology: Topology) {
    let system = shared(topology).await;
    let (tenant, key) = own_key(&system, "trial").await;
    system
        .providers
        .openai
        .script(&key, Script::ok("one two three").cut_after(1));
    let finished = tenant
        .client
        .chat_stream(MODEL, "hello")
        .await
        .finish()
        .await;
    let receipt = tenant.receipt(finished.header("x-request-id")).await;
    let attempt = &receipt["attempts"][0];
    assert_eq!(attempt["status"], "cut", "{receipt}");
    assert_eq!(attempt["streamed"], true);
    assert_in_order(attempt);
    assert_eq!(receipt["candidates"][0]["eligible"], true, "{receipt}");
}

async fn a_receipt_of_the_platforms_key_shows_its_charge_and_not_its_key(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1.00").await;
    let answer = tenant.client.chat(MODEL, "hello").await.ok();
    let receipt = tenant.receipt(answer.header("x-request-id")).await;
    assert_eq!(receipt["charge"], CHARGE, "{receipt}");
    let attempt = &receipt["attempts"][0];
    assert_eq!(attempt["key_source"], "system");
    assert_eq!(
        (&attempt["key"], &attempt["key_owner"]),
        (&Value::Null, &Value::Null)
    );
    // Lists of records have no candidates: they are the receipt's.
    let records = tenant.records().await;
    assert!(records[0].get("candidates").is_none(), "{records:?}");
}

fn assert_in_order(attempt: &Value) {
    let time = |name: &str| -> String { attempt[name].as_str().unwrap_or_default().to_owned() };
    let moment = |name: &str| -> jiff::Timestamp {
        let text = time(name);
        text.parse().unwrap_or_else(|_| panic!("{name}: {attempt}"))
    };
    assert!(moment("time") <= moment("first_byte_time"), "{attempt}");
    assert!(moment("first_byte_time") <= moment("end_time"), "{attempt}");
}

async fn own_key(system: &crate::system::System, tier: &str) -> (Tenant, String) {
    let tenant = Tenant::new(&system.gateway, tier).await;
    let (_, key) = tenant.own_key("openai").await;
    (tenant, key)
}

both!(
    a_receipt_tells_who_might_have_served_and_what_became_of_each,
    a_failed_request_has_a_receipt_from_its_first_attempt_on,
    an_aborted_stream_has_a_receipt,
    a_receipt_of_the_platforms_key_shows_its_charge_and_not_its_key,
);
