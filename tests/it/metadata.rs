//! `compat.body_metadata`: key source, provider and charge as top-level fields of JSON answers.

use keyward_testkit::client::ask;
use keyward_testkit::{Tenant, Topology};
use serde_json::{Value, json};

use crate::served::MODEL;
use crate::system::{System, both, shared};

const FIELDS: [&str; 4] = [
    "x-using-byok",
    "x-provider",
    "x-credits-charged",
    "byok_api_key",
];

async fn answers_carry_the_fields_where_that_is_set(topology: Topology) {
    let set = |launch: keyward_testkit::Launch| launch.set("compat.body_metadata", "true");
    let system = System::own(topology, set).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    let answer = tenant
        .client
        .chat("sandbox/echo", "one two three")
        .await
        .ok();
    let json = answer.json();
    assert!(
        FIELDS.iter().all(|field| json.get(field).is_some()),
        "{json}"
    );
    assert_eq!(json["x-using-byok"], false, "{json}");
    assert_eq!(json["x-provider"], "sandbox", "{json}");
    assert_eq!(
        json["x-credits-charged"].to_string().trim_matches('"'),
        "0.00000945"
    );
    assert_eq!(json["choices"][0]["message"]["content"], "one two three");

    let (_, key) = tenant.own_key("openai").await;
    let json = tenant.client.chat(MODEL, "hello").await.ok().json();
    assert_eq!(json["x-using-byok"], true, "{json}");
    assert_eq!(json["x-provider"], "openai", "{json}");
    assert!(
        !json.to_string().contains(&key[16..]),
        "the key is in the answer"
    );

    let mut body = ask("sandbox/echo", "one two three");
    body["stream"] = json!(true);
    body["stream_options"] = json!({"include_usage": true});
    let finished = tenant.client.stream(body).await.finish().await;
    let with_charge = |chunk: &Value| chunk["x-credits-charged"] != Value::Null;
    let chunks = finished.chunks();
    assert!(chunks.iter().any(with_charge), "{chunks:?}");
}

async fn answers_do_not_carry_them_by_default(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    let json = tenant
        .client
        .chat("sandbox/echo", "hello")
        .await
        .ok()
        .json();
    assert!(
        FIELDS.iter().all(|field| json.get(field).is_none()),
        "{json}"
    );
}

both!(
    answers_carry_the_fields_where_that_is_set,
    answers_do_not_carry_them_by_default,
);
