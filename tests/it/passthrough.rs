//! What a caller sends and a provider answers arrives unharmed.

use http::Method;
use keyward_testkit::{Script, Tenant, Topology};
use serde_json::json;

use crate::system::{both, shared};

/// A body as no serialiser would write it: odd spacing, numbers that a float would change, escapes,
/// unknown and repeated members.
const BODY: &str = r#"{ "zzz" : {"b":1.0e5, "a":[1, 2 ,3],"x":"\u00e9\/"},
  "model": "openai/gpt-4o-mini","seed":18446744073709551615,
	"temperature":0.70,"messages":[{"role":"user","content":"h\u0065llo 東京","name_x":null}] ,
  "metadata":{"one":"1"},"unknown_flag":true }"#;

async fn a_request_reaches_the_provider_byte_for_byte_but_for_the_model(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (_, key) = tenant.own_key("openai").await;
    let path = "/v1/chat/completions";
    let _ = tenant.client.send(Method::POST, path, BODY).await.ok();
    let sent = system.providers.openai.requests_with(&key);
    let expected = BODY.replace("openai/gpt-4o-mini", "gpt-4o-mini");
    assert_eq!(String::from_utf8_lossy(&sent[0].body), expected);
    assert_eq!(sent[0].method, Method::POST);
    assert_eq!(sent[0].path, "/v1/chat/completions");
}

async fn a_streamed_request_changes_in_its_stream_options_only(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (_, key) = tenant.own_key("openai").await;
    let body = BODY.replace(
        r#""temperature":0.70"#,
        r#""stream":true,"stream_options":{"x_unknown":1.50},"temperature":0.70"#,
    );
    let path = "/v1/chat/completions";
    let _ = tenant.client.send(Method::POST, path, body).await.ok();
    let sent = system.providers.openai.requests_with(&key);
    let text = String::from_utf8_lossy(&sent[0].body).into_owned();
    for kept in [
        r#""zzz" : {"b":1.0e5, "a":[1, 2 ,3],"x":"\u00e9\/"}"#,
        r#""seed":18446744073709551615"#,
        r#""temperature":0.70,"messages":[{"role":"user","content":"h\u0065llo 東京","name_x":null}] ,"#,
        r#""x_unknown":1.50"#,
        r#""unknown_flag":true }"#,
    ] {
        assert!(text.contains(kept), "{kept} is not in {text}");
    }
    assert_eq!(sent[0].json()["stream_options"]["include_usage"], true);
}

async fn an_answer_reaches_the_caller_byte_for_byte(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (_, key) = tenant.own_key("openai").await;
    let extra = json!({"x_unknown": {"deep": [1.5, null, "é"]}, "system_fingerprint": "fp_1"});
    system
        .providers
        .openai
        .script(&key, Script::ok("one").extra(extra.clone()));
    let answer = tenant.client.chat("gpt-4o-mini", "hello").await.ok();
    let json = answer.json();
    assert_eq!(json["x_unknown"], extra["x_unknown"]);
    assert_eq!(json["id"], "chatcmpl-scripted");
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("x-ratelimit-remaining-requests"), "41");
    let finished = tenant
        .client
        .chat_stream("gpt-4o-mini", "hello")
        .await
        .finish()
        .await;
    let chunks = finished.chunks();
    assert!(
        chunks
            .iter()
            .all(|chunk| chunk["x_unknown"] == extra["x_unknown"]),
        "{chunks:?}"
    );
}

async fn nothing_of_the_callers_credentials_reaches_the_provider(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (_, key) = tenant.own_key("openai").await;
    let client = tenant.client.with("x-keyward-tags", "team=search,env=test");
    let client = client
        .with("x-request-id", "my-own-id")
        .with("cookie", "session=1");
    let answer = client.chat("gpt-4o-mini", "hello").await.ok();
    assert_eq!(answer.header("x-client-request-id"), "my-own-id");
    crate::served::assert_is_our_id(answer.header("x-request-id"));
    let sent = system.providers.openai.requests_with(&key);
    let headers = format!("{:?}", sent[0].headers);
    assert!(!headers.contains(client.access_key()), "{headers}");
    for name in sent[0].headers.keys() {
        let name = name.as_str();
        assert!(
            !name.starts_with("x-keyward") && name != "cookie",
            "{name} was passed on"
        );
    }
}

async fn tags_request_id_and_trace_of_the_caller_are_kept(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let _ = tenant.own_key("openai").await;
    let client = tenant.client.with("x-keyward-tags", "team=search,env=test");
    let client = client.with("x-request-id", "my-own-id").with(
        "traceparent",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    );
    let answer = client.chat("gpt-4o-mini", "hello").await.ok();
    let trace = answer.header("traceparent");
    assert!(
        trace.starts_with("00-0af7651916cd43dd8448eb211c80319c-"),
        "{trace}"
    );
    let records = tenant.records().await;
    assert_eq!(records[0]["tags"], json!({"team": "search", "env": "test"}));
    assert_eq!(records[0]["client_request_id"], "my-own-id");
    for tags in ["=", "a", "a=1,a=2,", &"x".repeat(20_000)] {
        let answer = client
            .with("x-keyward-tags", tags)
            .chat("gpt-4o-mini", "hello")
            .await;
        assert!(answer.status.as_u16() < 500, "{tags}: {}", answer.text());
    }
}

async fn a_model_that_nobody_listed_works_with_an_own_key(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    let answer = tenant.client.chat("openai/gpt-99-preview", "hello").await;
    assert_eq!(answer.status.as_u16(), 404, "{}", answer.text());
    let (_, key) = tenant.own_key("openai").await;
    for name in ["openai/gpt-99-preview", "gpt-99-preview"] {
        let answer = tenant.client.chat(name, "hello").await.ok();
        assert_eq!(answer.header("x-keyward-model"), "gpt-99-preview");
    }
    assert_eq!(system.providers.openai.requests_with(&key).len(), 2);
    let records = tenant.records().await;
    assert!(records[0]["list_cost"].is_null(), "{records:?}");
}

async fn the_models_are_listed_in_both_places(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    for path in ["/v1/models", "/api/v1/llm/models"] {
        let listed = tenant.client.get(path).await.ok().json();
        assert_eq!(listed["object"], "list");
        let models = listed["data"].as_array().unwrap();
        assert!(models.iter().any(|model| model["id"] == "openai/gpt-4o"));
        let one = tenant
            .client
            .get(&format!("{path}/openai/gpt-4o"))
            .await
            .ok()
            .json();
        assert_eq!(one["id"], "openai/gpt-4o");
        assert_eq!(one["object"], "model");
    }
    let answer = tenant.client.get("/v1/models/no-such-model").await;
    assert_eq!(answer.error(404), "model_not_found");
    let body = keyward_testkit::client::ask("sandbox/echo", "hello");
    tenant.grant("1").await;
    let answer = tenant
        .client
        .post("/api/v1/llm/chat/completions", body)
        .await
        .ok();
    assert_eq!(answer.content(), "hello");
}

both!(
    a_request_reaches_the_provider_byte_for_byte_but_for_the_model,
    a_streamed_request_changes_in_its_stream_options_only,
    an_answer_reaches_the_caller_byte_for_byte,
    nothing_of_the_callers_credentials_reaches_the_provider,
    tags_request_id_and_trace_of_the_caller_are_kept,
    a_model_that_nobody_listed_works_with_an_own_key,
    the_models_are_listed_in_both_places,
);
