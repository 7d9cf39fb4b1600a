//! Input that is well formed and still not what anybody would send: consistent answers, no overflow,
//! nothing that one part reads differently from the next.

use http::Method;
use keyward_testkit::client::ask;
use keyward_testkit::{Tenant, Topology, canary, raw};
use serde_json::json;

use crate::served::MODEL;
use crate::system::{both, shared};

const CHAT: &str = "/v1/chat/completions";

async fn repeated_members_mean_the_same_to_everybody(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    let (_, key) = tenant.own_key("openai").await;
    let messages = r#""messages":[{"role":"user","content":"hi"}]"#;
    for body in [
        format!(r#"{{"model":"sandbox/echo","model":"{MODEL}",{messages}}}"#),
        format!(r#"{{"model":"{MODEL}","model":"sandbox/echo",{messages}}}"#),
        format!(r#"{{"model":"{MODEL}","mod\u0065l":"gpt-4",{messages}}}"#),
    ] {
        let before = system.providers.openai.requests_with(&key).len();
        let answer = tenant.client.send(Method::POST, CHAT, body.clone()).await;
        if answer.status.is_success() {
            for sent in &system.providers.openai.requests_with(&key)[before..] {
                let text = String::from_utf8_lossy(&sent.body);
                assert_eq!(text.matches("gpt-4o-mini").count(), 1, "{text}");
                assert_eq!(sent.json()["model"], "gpt-4o-mini", "{text}");
            }
        } else {
            assert_eq!(answer.error(400), "invalid_request", "{body}");
        }
    }
}

async fn models_with_odd_names_are_unknown(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    let _ = tenant.own_key("openrouter").await;
    for model in [
        "openrouter/a\r\nx-injected: 1",
        "openrouter/a\u{0}b",
        "openrouter/",
        "/",
        "//",
        " ",
        "sandbox/",
        "sandbox/status-99",
        "sandbox/status-600",
        "sandbox/status-",
        "sandbox/nothing",
        "../../etc/passwd",
        &"m".repeat(100_000),
    ] {
        let answer = tenant.client.chat(model, "hello").await;
        let shown: String = model.chars().take(40).collect();
        assert!(
            answer.status.is_client_error(),
            "{shown:?}: {}",
            answer.text()
        );
        let _ = answer.error(answer.status.as_u16());
        assert!(answer.headers.get("x-injected").is_none(), "{shown:?}");
    }
    assert_eq!(tenant.balance().await, "1.00");
}

async fn amounts_out_of_range_are_refused(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    let admin = system.gateway.admin();
    for amount in [
        json!("0"),
        json!("-1"),
        json!("1e3"),
        json!("0.0000000001"),
        json!("1,5"),
        json!(""),
        json!("99999999999999999999"),
        json!("9223372036.854775808"),
        json!("NaN"),
        json!(1.5),
        json!(null),
    ] {
        let body = json!({
            "account": tenant.account(), "amount": amount, "idempotency_key": canary::name("g"),
        });
        let answer = admin.post("/api/v1/credits/grants", body).await;
        assert_eq!(answer.error(400), "invalid_request", "{amount}");
    }
    let body = json!({"account": "users/nobody-here", "amount": "1", "idempotency_key": "x"});
    assert_eq!(
        admin.post("/api/v1/credits/grants", body).await.error(404),
        "not_found"
    );
    assert_eq!(tenant.balance().await, "0.00");
}

async fn absurd_limits_on_the_answer_do_not_overflow(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    for max_tokens in [
        json!(u64::MAX),
        json!(i64::MAX),
        json!(1e300),
        json!(0),
        json!(1.5),
    ] {
        for model in ["sandbox/lorem", MODEL] {
            let mut body = ask(model, "hello");
            body["max_tokens"] = max_tokens.clone();
            let answer = tenant.client.post(CHAT, body).await;
            assert!(
                answer.status.as_u16() < 500,
                "{model} {max_tokens}: {}",
                answer.text()
            );
        }
    }
    assert_eq!(tenant.credits().await["held"], "0.00");
}

async fn ids_and_pages_out_of_form_are_refused(topology: Topology) {
    let system = shared(topology).await;
    let admin = system.gateway.admin();
    for id in ["", "A", "-a", "a b", "a/b", "ü", "a\u{0}", &"a".repeat(64)] {
        let answer = admin.post("/api/v1/users", json!({"id": id})).await;
        assert_eq!(answer.error(400), "invalid_request", "{id:?}");
    }
    for query in [
        "page_size=-1",
        "page_size=x",
        "page_token=garbage",
        "colour=red",
    ] {
        let answer = admin.get(&format!("/api/v1/users?{query}")).await;
        assert_eq!(answer.error(400), "invalid_request", "{query}");
    }
    for tier in ["platinum", ""] {
        let body = json!({"id": canary::name("user"), "tier": tier});
        let answer = admin.post("/api/v1/users", body).await;
        assert!(answer.status.as_u16() < 500, "{tier:?}: {}", answer.text());
    }
    let not_an_id = admin.get("/api/v1/requests/not-an-id").await;
    assert!(
        matches!(not_an_id.status.as_u16(), 400 | 404),
        "{}",
        not_an_id.text()
    );
}

async fn other_ways_of_speaking_http_are_served_too(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    let body = ask("sandbox/echo", "hello").to_string();
    let head = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {}\r\n",
        tenant.client.access_key()
    );
    let (first, second) = body.split_at(10);
    for request in [
        format!(
            "{head}connection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ),
        format!(
            "{head}connection: close\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{first}\r\n\
             {:x};ext=1\r\n{second}\r\n0\r\ntrailer: 1\r\n\r\n",
            first.len(),
            second.len()
        ),
    ] {
        let answer = raw::exchange(&system.gateway.http_address(), request.as_bytes());
        assert_eq!(raw::statuses(&answer), [200], "{answer}");
        assert!(answer.contains("\"hello\""), "{answer}");
    }
}

both!(
    repeated_members_mean_the_same_to_everybody,
    models_with_odd_names_are_unknown,
    amounts_out_of_range_are_refused,
    absurd_limits_on_the_answer_do_not_overflow,
    ids_and_pages_out_of_form_are_refused,
    other_ways_of_speaking_http_are_served_too,
);
