//! Streams pass as they come, whatever the provider's way of cutting them; what we ask for ourselves
//! is withheld from those who did not.

use std::time::Duration;

use keyward_testkit::client::ask;
use keyward_testkit::{Script, Tenant, Topology};
use serde_json::json;

use crate::served::MODEL;
use crate::system::{both, shared};

async fn content_survives_every_way_of_cutting(topology: Topology) {
    let system = shared(topology).await;
    let text = "Grüße aus 東京 und mehr 🚀 end";
    for script in [
        Script::ok(text),
        Script::ok(text).crlf(),
        Script::ok(text).frames_of(1),
        Script::ok(text).frames_of(7).crlf(),
        Script::ok(text).frames_of(100_000),
        Script::ok(text).comments(2),
        Script::ok(text).without_usage(),
    ] {
        let (tenant, key) = system.own_key().await;
        let shape = format!("{script:?}");
        system.providers.openai.script(&key, script);
        let finished = tenant
            .client
            .chat_stream(MODEL, "hello")
            .await
            .finish()
            .await;
        assert_eq!(finished.content(), text, "{shape}");
        assert!(finished.is_done() && !finished.broken, "{shape}");
        assert_eq!(finished.charged(), "0.00", "{shape}");
    }
}

async fn usage_is_asked_for_and_withheld_from_who_did_not_ask(topology: Topology) {
    let system = shared(topology).await;
    let (tenant, key) = system.own_key().await;
    system
        .providers
        .openai
        .script(&key, Script::ok("one two").usage(11, 7));
    let finished = tenant
        .client
        .chat_stream(MODEL, "hello")
        .await
        .finish()
        .await;
    assert!(
        finished
            .chunks()
            .iter()
            .all(|chunk| chunk["usage"].is_null())
    );
    assert!(
        finished
            .chunks()
            .iter()
            .all(|chunk| !chunk["choices"][0].is_null())
    );
    let sent = system.providers.openai.requests_with(&key);
    assert_eq!(sent[0].json()["stream_options"]["include_usage"], true);
    let records = tenant.records().await;
    assert_eq!(records[0]["usage"]["input"], 11, "{records:?}");
    assert_eq!(records[0]["usage"]["output"], 7, "{records:?}");
    assert_eq!(records[0]["usage_source"], "reported", "{records:?}");
}

async fn usage_is_passed_on_to_who_asked(topology: Topology) {
    let system = shared(topology).await;
    let (tenant, key) = system.own_key().await;
    system
        .providers
        .openai
        .script(&key, Script::ok("one two").usage(11, 7));
    let mut body = ask(MODEL, "hello");
    body["stream"] = json!(true);
    body["stream_options"] = json!({"include_usage": true});
    let finished = tenant.client.stream(body).await.finish().await;
    let chunks = finished.chunks();
    assert_eq!(
        chunks.last().unwrap()["usage"]["total_tokens"],
        18,
        "{chunks:?}"
    );
    assert!(finished.is_done());
}

async fn what_arrives_is_passed_on_before_the_rest_is_there(topology: Topology) {
    let system = shared(topology).await;
    let (tenant, key) = system.own_key().await;
    system
        .providers
        .openai
        .script(&key, Script::ok("first second").hang_after(1));
    let mut stream = tenant.client.chat_stream(MODEL, "hello").await;
    let first = tokio::time::timeout(Duration::from_secs(10), stream.next_content()).await;
    assert_eq!(first.unwrap().as_deref(), Some("first "));
}

async fn comments_and_role_only_deltas_do_not_commit(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (_, first) = tenant.own_key("openrouter").await;
    let (_, second) = tenant.own_key("openai").await;
    let broken = Script::ok("never seen").comments(5).cut_after(0);
    system.providers.openrouter.script(&first, broken);
    system
        .providers
        .openai
        .script(&second, Script::ok("served"));
    let finished = tenant
        .client
        .chat_stream(MODEL, "hello")
        .await
        .finish()
        .await;
    assert_eq!(finished.content(), "served");
    assert!(
        !finished
            .events
            .iter()
            .any(|event| event.contains("OPENROUTER PROCESSING"))
    );
}

async fn a_stream_without_usage_is_estimated(topology: Topology) {
    let system = shared(topology).await;
    let (tenant, key) = system.own_key().await;
    system
        .providers
        .openai
        .script(&key, Script::ok("one two three").without_usage());
    let _ = tenant
        .client
        .chat_stream(MODEL, "hello")
        .await
        .finish()
        .await;
    let records = tenant.records().await;
    assert_eq!(records[0]["usage_source"], "estimated", "{records:?}");
    assert!(
        records[0]["usage"]["output"].as_i64().unwrap() > 0,
        "{records:?}"
    );
}

both!(
    content_survives_every_way_of_cutting,
    usage_is_asked_for_and_withheld_from_who_did_not_ask,
    usage_is_passed_on_to_who_asked,
    what_arrives_is_passed_on_before_the_rest_is_there,
    comments_and_role_only_deltas_do_not_commit,
    a_stream_without_usage_is_estimated,
);
