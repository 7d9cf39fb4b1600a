//! Errors in the form that the caller speaks, whoever made them.

use keyward_testkit::{Answer, Script, Tenant, Topology};
use serde_json::{Value, json};

use super::{Row, rows};
use crate::system::{both, shared};

/// Nobody has it, and nobody resells it.
const UNKNOWN: &str = "nobody-knows-this-1";

/// An error of ours: its kind as each form has it.
struct Ours {
    status: u16,
    code: &'static str,
    anthropic: &'static str,
    google: &'static str,
}

impl Ours {
    fn check(&self, row: &Row, answer: &Answer) {
        assert_eq!(answer.status, self.status, "{}: {answer:?}", row.path);
        let error = &answer.json()["error"];
        assert!(error["message"].is_string(), "{}: {error}", row.path);
        match row.provider {
            "anthropic" => {
                assert_eq!(answer.json()["type"], "error");
                assert_eq!(error["type"], self.anthropic, "{}: {error}", row.path);
            }
            "google" => {
                assert_eq!(error["code"], self.status, "{}: {error}", row.path);
                assert_eq!(error["status"], self.google, "{}: {error}", row.path);
            }
            _ => assert_eq!(error["code"], self.code, "{}: {error}", row.path),
        }
    }
}

async fn who_is_not_known_is_told_so_in_its_own_form(topology: Topology) {
    let system = shared(topology).await;
    let stranger = system.gateway.client("kw_nobodyhasthiskeyofalltheoneshere");
    let expected = Ours {
        status: 401,
        code: "invalid_access_key",
        anthropic: "authentication_error",
        google: "UNAUTHENTICATED",
    };
    for row in rows() {
        expected.check(&row, &row.call(&stranger).await);
    }
}

async fn a_model_that_is_not_there_is_told_in_the_callers_form(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let expected = Ours {
        status: 404,
        code: "model_not_found",
        anthropic: "not_found_error",
        google: "NOT_FOUND",
    };
    for row in rows() {
        let row = row.of_model(UNKNOWN);
        expected.check(&row, &row.call(&tenant.client).await);
    }
}

async fn a_providers_own_400_passes_as_it_is(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    for provider in ["openai", "anthropic", "google"] {
        let (_, key) = tenant.own_key(provider).await;
        let body = refusal(provider).to_string();
        let script = Script::given(400, "application/json", body.clone());
        system.providers.named(provider).script(&key, script);
        for row in rows().into_iter().filter(|row| row.provider == provider) {
            let answer = row.call(&tenant.client).await;
            assert_eq!(answer.status, 400, "{}", row.path);
            assert_eq!(answer.text(), body, "{}", row.path);
            assert_eq!(answer.header("x-provider"), provider);
            assert_eq!(answer.header("x-credits-charged"), "0.00");
        }
    }
}

fn refusal(provider: &str) -> Value {
    match provider {
        "anthropic" => json!({
            "type": "error", "request_id": "req_1",
            "error": {"type": "invalid_request_error", "message": "x_new: not permitted"},
        }),
        "google" => json!({"error": {
            "code": 400, "message": "Unknown name \"x_new\"", "status": "INVALID_ARGUMENT",
        }}),
        _ => json!({"error": {
            "message": "Unknown parameter: 'x_new'.", "type": "invalid_request_error",
            "param": "x_new", "code": "unknown_parameter",
        }}),
    }
}

both!(
    who_is_not_known_is_told_so_in_its_own_form,
    a_model_that_is_not_there_is_told_in_the_callers_form,
    a_providers_own_400_passes_as_it_is,
);
