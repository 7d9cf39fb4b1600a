//! What makes the next candidate serve, what does not, and what is then known of the key.

mod rows;
mod table;

use std::sync::atomic::{AtomicU32, Ordering};

use keyward_testkit::{Script, Tenant, Topology};

use crate::served::MODEL;
use crate::system::{both, shared};

async fn a_short_wait_is_waited_too_where_credits_do_not_cover_what_comes_next(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (_, key) = tenant.own_key("openai").await;
    system
        .providers
        .openai
        .script_next(&key, Script::rate_limited(Some(1)));
    let answer = tenant.client.chat(MODEL, "hello").await.ok();
    assert_eq!(answer.header("x-keyward-key-source"), "user");
    assert_eq!(system.providers.openai.requests_with(&key).len(), 2);
}

async fn keys_of_one_provider_stand_in_for_each_other(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (_, first) = tenant.own_key("openai").await;
    let (_, second) = tenant.own_key("openai").await;
    system
        .providers
        .openai
        .script(&first, Script::unauthorized());
    for _ in 0..4 {
        let answer = tenant.client.chat(MODEL, "hello").await.ok();
        assert_eq!(answer.header("x-keyward-key-source"), "user");
    }
    assert!(system.providers.openai.requests_with(&first).len() <= 1);
    assert_eq!(system.providers.openai.requests_with(&second).len(), 4);
}

async fn a_caller_who_leaves_is_metered(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    let text = vec!["word"; 30].join(" ");
    let mut stream = tenant.client.chat_stream("sandbox/slow", &text).await;
    assert!(stream.next_content().await.is_some());
    drop(stream);
    keyward_testkit::wait::until("the request to be settled", || async {
        !tenant.records().await.is_empty()
    })
    .await;
    let records = tenant.records().await;
    assert_eq!(records[0]["status"], "abandoned", "{records:?}");
    assert_ne!(records[0]["charge"], "0.00", "{records:?}");
    assert_eq!(tenant.credits().await["held"], "0.00");
}

/// A model that no other test asks for: failures of many accounts rest a provider for all of them.
fn model_of_its_own() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!(
        "openai/gpt-failing-{}",
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}

both!(
    a_short_wait_is_waited_too_where_credits_do_not_cover_what_comes_next,
    keys_of_one_provider_stand_in_for_each_other,
    a_caller_who_leaves_is_metered,
);
