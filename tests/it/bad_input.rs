//! Bad input gets a clear 4xx in OpenAI's form, writes nothing, and harms nobody.

use http::Method;
use keyward_testkit::{Role, Tenant, Topology, raw};
use serde_json::json;

use crate::served::MODEL;
use crate::system::{System, both, shared};

const CHAT: &str = "/v1/chat/completions";

async fn malformed_chat_requests_are_refused(topology: Topology) {
    let system = shared(topology).await;
    let tenant = rich(&system).await;
    let message = r#""messages":[{"role":"user","content":"hi"}]"#;
    let model = r#""model":"openai/gpt-4o-mini""#;
    let bodies: Vec<(Vec<u8>, u16, &str)> = vec![
        (b"not json".to_vec(), 400, "invalid_request"),
        (b"{".to_vec(), 400, "invalid_request"),
        (b"[]".to_vec(), 400, "invalid_request"),
        (b"null".to_vec(), 400, "invalid_request"),
        (b"\"text\"".to_vec(), 400, "invalid_request"),
        (b"{}".to_vec(), 400, "invalid_request"),
        (format!("{{{message}}}").into(), 400, "invalid_request"),
        (format!("{{{model}}}").into(), 400, "invalid_request"),
        (format!(r#"{{"model":7,{message}}}"#).into(), 400, "invalid_request"),
        (format!(r#"{{"model":"",{message}}}"#).into(), 400, "invalid_request"),
        (format!(r#"{{"model":null,{message}}}"#).into(), 400, "invalid_request"),
        (format!(r#"{{{model},"messages":"hi"}}"#).into(), 400, "invalid_request"),
        (format!(r#"{{{model},"messages":[]}}"#).into(), 400, "invalid_request"),
        (format!(r#"{{{model},"messages":null}}"#).into(), 400, "invalid_request"),
        (format!(r#"{{{model},"stream":"yes",{message}}}"#).into(), 400, "invalid_request"),
        (format!(r#"{{{model},"max_tokens":"ten",{message}}}"#).into(), 400, "invalid_request"),
        (format!(r#"{{{model},"max_tokens":-1,{message}}}"#).into(), 400, "invalid_request"),
        (format!(r#"{{{model},"byok_api_key":7,{message}}}"#).into(), 400, "invalid_request"),
        (format!("{{{model},{message}}} trailing").into(), 400, "invalid_request"),
        (format!(r#"{{"model":"no-such-model",{message}}}"#).into(), 404, "model_not_found"),
        (
            [b"{\"model\":\"openai/gpt-4o-mini\",\"messages\":[{\"role\":\"user\",\"content\":\"",
                &b"\xff\xfe"[..], b"\"}]}"].concat(),
            400,
            "invalid_request",
        ),
        (format!("{{{model},\"messages\":{}", "[".repeat(200_000)).into(), 400, "invalid_request"),
    ];
    for (body, status, code) in bodies {
        let shown: String = String::from_utf8_lossy(&body).chars().take(120).collect();
        let answer = tenant.client.send(Method::POST, CHAT, body).await;
        assert_eq!(answer.status.as_u16(), status, "{shown}: {}", answer.text());
        assert_eq!(answer.error(status), code, "{shown}");
        assert_eq!(
            answer.json()["error"]["type"],
            "invalid_request_error",
            "{shown}"
        );
    }
    unharmed(&system, &tenant).await;
}

async fn bodies_over_the_limit_are_refused(topology: Topology) {
    let system = shared(topology).await;
    let tenant = rich(&system).await;
    let content = "x".repeat(40 * 1024 * 1024);
    let body = keyward_testkit::client::ask(MODEL, &content).to_string();
    let head = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        tenant.client.access_key(),
        body.len()
    );
    let request = [head.as_bytes(), body.as_bytes()].concat();
    let answer = raw::exchange(&system.gateway.http_address(), &request);
    assert_eq!(raw::statuses(&answer), [413], "{}", start_of(&answer));
    assert!(
        answer.contains("\"request_too_large\""),
        "{}",
        start_of(&answer)
    );

    let chunked = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n\
         {:x}\r\n{body}\r\n0\r\n\r\n",
        tenant.client.access_key(),
        body.len()
    );
    let answer = raw::exchange(&system.gateway.http_address(), chunked.as_bytes());
    assert_eq!(raw::statuses(&answer), [413], "{}", start_of(&answer));
    unharmed(&system, &tenant).await;
}

async fn smuggled_requests_are_not_served(topology: Topology) {
    let system = shared(topology).await;
    let tenant = rich(&system).await;
    let address = system.gateway.http_address();
    let inner = format!(
        "POST /api/v1/provider-keys HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}",
        tenant.client.access_key()
    );
    let long = "x".repeat(512 * 1024);
    let framings = [
        format!("content-length: 4\r\ncontent-length: 400\r\n\r\n{inner}"),
        format!("content-length: 4, 400\r\n\r\n{inner}"),
        format!("content-length: -1\r\n\r\n{inner}"),
        format!("content-length: 0x10\r\n\r\n{inner}"),
        format!("transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n{inner}"),
        format!("transfer-encoding : chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n{inner}"),
        format!("x-bad\0name: 1\r\n\r\n{inner}"),
        format!("x-bad: a\0b\r\n\r\n{inner}"),
        format!("x-long: {long}\r\n\r\n{inner}"),
    ];
    for framing in framings {
        let request = format!("POST {CHAT} HTTP/1.1\r\nhost: gateway\r\n{framing}");
        let answer = raw::exchange(&address, request.as_bytes());
        let statuses = raw::statuses(&answer);
        let shown: String = framing.chars().take(60).collect();
        assert_eq!(statuses.len(), 1, "{shown:?}: {}", start_of(&answer));
        assert!(
            (400..500).contains(&statuses[0]),
            "{shown:?}: {}",
            start_of(&answer)
        );
    }
    unharmed(&system, &tenant).await;
}

async fn internal_headers_from_outside_mean_nothing(topology: Topology) {
    let system = shared(topology).await;
    let tenant = rich(&system).await;
    for (name, value) in [
        ("keyward-peer", "router:0000"),
        ("keyward-grant", "forged"),
        ("grpc-timeout", "1n"),
    ] {
        let client = tenant.client.with(name, value);
        let answer = client.chat("sandbox/echo", "hello").await.ok();
        assert_eq!(answer.header("x-keyward-key-source"), "system", "{name}");
        let nobody = system.gateway.nobody().with(name, value);
        let answer = nobody.chat("sandbox/echo", "hello").await;
        assert_eq!(answer.error(401), "invalid_access_key", "{name}");
    }
}

async fn wrong_credentials_are_refused(topology: Topology) {
    let system = shared(topology).await;
    let nobody = system.gateway.nobody();
    for answer in [
        nobody.chat(MODEL, "hello").await,
        nobody.get("/v1/models").await,
        nobody.get("/api/v1/provider-keys").await,
        system.gateway.client("kw_wrong").chat(MODEL, "hello").await,
        system
            .gateway
            .client("sk-something")
            .chat(MODEL, "hello")
            .await,
        nobody
            .with("authorization", "Basic abc")
            .chat(MODEL, "hello")
            .await,
    ] {
        assert_eq!(answer.error(401), "invalid_access_key");
        assert_eq!(answer.json()["error"]["type"], "authentication_error");
    }
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let as_anthropic = nobody.with("x-api-key", tenant.client.access_key());
    let _ = as_anthropic.get("/v1/models").await.ok();
}

async fn unknown_addresses_and_methods_are_refused_in_the_same_form(topology: Topology) {
    let system = shared(topology).await;
    let tenant = rich(&system).await;
    assert_eq!(
        tenant.client.get("/v1/nothing-here").await.error(404),
        "not_found"
    );
    assert_eq!(
        tenant.client.get("/api/v1/nothing-here").await.error(404),
        "not_found"
    );
    let _ = tenant.client.delete("/v1/models").await.error(405);
    let _ = tenant.client.get(CHAT).await.error(405);
}

async fn rich(system: &System) -> Tenant {
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    tenant
}

/// Nothing was charged, recorded or stored, nothing panicked, and the next call is served.
async fn unharmed(system: &System, tenant: &Tenant) {
    assert_eq!(tenant.balance().await, "1.00");
    assert_eq!(tenant.transactions().await.len(), 1);
    assert!(tenant.records().await.is_empty());
    let listed = tenant.client.get("/api/v1/provider-keys").await.ok().json();
    assert_eq!(listed["provider_keys"], json!([]));
    let answer = tenant.client.chat("sandbox/echo", "still here").await.ok();
    assert_eq!(answer.content(), "still here");
    for role in Role::ALL {
        assert!(
            !system.gateway.log(role).contains("panicked"),
            "{}",
            role.name()
        );
    }
}

fn start_of(answer: &str) -> String {
    answer.chars().take(600).collect()
}

both!(
    malformed_chat_requests_are_refused,
    bodies_over_the_limit_are_refused,
    smuggled_requests_are_not_served,
    internal_headers_from_outside_mean_nothing,
    wrong_credentials_are_refused,
    unknown_addresses_and_methods_are_refused_in_the_same_form,
);
