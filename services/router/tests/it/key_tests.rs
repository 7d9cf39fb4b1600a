//! Tests of keys, with a provider that answers as scripted.

use std::time::Duration;

use keyward_proto::router::v1 as proto;
use keyward_proto::router::v1::KeyFinding;
use keyward_proto::vault::v1::{KeyOutcome, KeyStatus, ProviderKeySettings};
use keyward_router::domain::providers::ProviderOverride;
use keyward_runtime::error::{Reason, WireError, metadata};

use crate::harness::{ANSWER, Harness, PLAIN, until};
use crate::upstream::Scripted;

const MODELS: &str = r#"{"data":[{"id":"gpt-4o"},{"id":"o3"}]}"#;

impl Harness {
    async fn test(
        &self,
        request: proto::TestProviderKeyRequest,
    ) -> Result<proto::TestProviderKeyResponse, WireError> {
        let tested = self.client.clone().test_provider_key(request).await;
        tested
            .map(tonic::Response::into_inner)
            .map_err(|status| WireError::from(&status))
    }

    pub(crate) async fn test_stored(&self, id: &str) -> proto::TestProviderKeyResponse {
        let request = proto::TestProviderKeyRequest {
            provider_key_id: id.to_owned(),
            unsaved: None,
        };
        self.test(request).await.unwrap()
    }

    async fn test_unsaved(&self, provider: &str, key: &str) -> proto::TestProviderKeyResponse {
        self.test(unsaved(provider, key)).await.unwrap()
    }

    fn outcomes(&self) -> Vec<(KeyOutcome, String)> {
        let outcomes = self.vault.0.outcomes.lock();
        let told = outcomes.iter().filter(|report| report.tested);
        told.map(|report| (report.outcome(), report.reason.clone()))
            .collect()
    }
}

fn unsaved(provider: &str, key: &str) -> proto::TestProviderKeyRequest {
    proto::TestProviderKeyRequest {
        provider_key_id: String::new(),
        unsaved: Some(proto::UnsavedKey {
            provider: provider.to_owned(),
            key: key.to_owned(),
            ..Default::default()
        }),
    }
}

/// Names a scripted provider that speaks another form.
fn speaking(origin: &str, kind: &str) -> ProviderOverride {
    ProviderOverride {
        base_url: Some(origin.parse().unwrap()),
        kind: Some(kind.to_owned()),
        enabled: true,
        ..Default::default()
    }
}

#[tokio::test]
async fn a_good_key_is_told_and_reported_with_what_it_reaches() {
    let harness = Harness::start().await;
    let id = harness.own_key("openai");
    harness
        .upstream
        .script_at("/openai/v1/models", [Scripted::json(200, MODELS)]);
    let tested = harness.test_stored(&id).await;
    assert!(tested.valid, "{tested:?}");
    assert_eq!(tested.message, "API key is valid");
    assert_eq!(tested.status(), KeyStatus::Connected);
    assert_eq!(tested.models, ["gpt-4o", "o3"]);
    assert_eq!(harness.outcomes(), [(KeyOutcome::Accepted, String::new())]);
    let shown = harness.upstream.shown();
    assert_eq!((shown.len(), shown[0].key.as_str()), (1, "own-openai"));
    assert!(shown[0].body.is_empty());
}

#[tokio::test]
async fn what_an_answer_says_of_a_key_is_reported_and_nothing_else_is() {
    let harness = Harness::start().await;
    let id = harness.own_key("openai");
    let cases = [
        (
            401,
            "Incorrect API key provided: own-openai",
            "Invalid API key",
            Some(KeyOutcome::Rejected),
        ),
        (
            402,
            "Nothing left",
            "Insufficient credits",
            Some(KeyOutcome::QuotaExhausted),
        ),
        (429, "Slow down", "Rate limit exceeded", None),
        (
            404,
            "No such page",
            "The provider's answer says nothing about the key",
            None,
        ),
        (
            500,
            "Oh",
            "The provider failed; nothing is known of the key",
            None,
        ),
    ];
    for (status, said, message, outcome) in cases {
        harness.vault.0.outcomes.lock().clear();
        harness
            .upstream
            .script_at("/openai/v1/models", [Scripted::error(status, said)]);
        let tested = harness.test_stored(&id).await;
        assert!(!tested.valid);
        assert_eq!(tested.message, message, "{status}");
        assert!(!tested.detail.contains("own-openai"), "{}", tested.detail);
        let outcomes = harness.outcomes();
        assert_eq!(outcomes.first().map(|told| told.0), outcome, "{status}");
        assert!(
            outcomes
                .iter()
                .all(|(_, reason)| !reason.contains("own-openai"))
        );
        let expect = match outcome {
            Some(_) => KeyStatus::Error,
            None => KeyStatus::Untested,
        };
        assert_eq!(tested.status(), expect, "{status}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_says_nothing_of_the_key() {
    let harness = Harness::with(|config| {
        let gone = "http://127.0.0.1:1/v1";
        config
            .providers
            .insert("gone".into(), speaking(gone, "openai"));
    })
    .await;
    let unreachable = harness.test_unsaved("gone", "k").await;
    assert_eq!(unreachable.finding(), KeyFinding::Unreachable);
    assert_eq!(unreachable.status(), KeyStatus::Untested);
    let huge = format!(r#"{{"data":"{}"}}"#, "x".repeat(1024 * 1024));
    let cut = Scripted::json(200, r#"{"data":["#).cut();
    for (answer, finding) in [
        (Scripted::json(200, &huge), KeyFinding::NotTold),
        (Scripted::json(200, "<html>"), KeyFinding::NotTold),
        (
            Scripted::json(302, "").with("location", "https://evil.example"),
            KeyFinding::NotTold,
        ),
        (cut, KeyFinding::ProviderFailed),
    ] {
        harness.upstream.script_at("/openai/v1/models", [answer]);
        let tested = harness.test_unsaved("openai", "k").await;
        assert_eq!((tested.valid, tested.finding()), (false, finding));
    }
}

#[tokio::test]
async fn openrouter_tells_the_balance() {
    let harness = Harness::start().await;
    let key = r#"{"data":{"limit":50,"limit_remaining":20.5,"is_free_tier":false}}"#;
    let credits = r#"{"data":{"total_credits":100,"total_usage":49.75}}"#;
    harness
        .upstream
        .script_at("/openrouter/v1/key", [Scripted::json(200, key)]);
    harness
        .upstream
        .script_at("/openrouter/v1/credits", [Scripted::json(200, credits)]);
    let balance = harness
        .test_unsaved("openrouter", "k")
        .await
        .balance
        .unwrap();
    assert_eq!(
        (balance.amount_nanos, balance.currency.as_str()),
        (50_250_000_000, "USD")
    );
    // Accounts that do not let this key ask still tell of the key.
    harness
        .upstream
        .script_at("/openrouter/v1/credits", [Scripted::error(403, "no")]);
    let tested = harness.test_unsaved("openrouter", "k").await;
    assert!(tested.valid);
    let balance = tested.balance.unwrap();
    assert_eq!(
        (balance.amount_nanos, balance.limit_nanos),
        (20_500_000_000, Some(50_000_000_000))
    );
    let spent = r#"{"data":{"total_credits":100,"total_usage":100}}"#;
    harness
        .upstream
        .script_at("/openrouter/v1/credits", [Scripted::json(200, spent)]);
    let tested = harness.test_unsaved("openrouter", "k").await;
    assert_eq!(tested.message, "Insufficient credits");
}

#[tokio::test]
async fn a_key_is_shown_in_its_providers_own_header_and_in_no_address() {
    let harness = Harness::with(|config| {
        config.private_allow = keyward_runtime::private_allow::PrivateAllow::everything();
    })
    .await;
    let upstream = &harness.upstream;
    for (provider, path, header) in [
        ("anthropic", "/anthropic/v1/models", "x-api-key"),
        ("google", "/google/v1beta/models", "x-goog-api-key"),
        ("azure", "/azure/openai/models", "api-key"),
    ] {
        let mut request = unsaved(provider, "sk-canary");
        if let Some(unsaved) = &mut request.unsaved {
            unsaved.base_url = format!("{}/{provider}", upstream.origin);
            unsaved.settings = Some(ProviderKeySettings {
                api_version: "2024-10-21".to_owned(),
                ..Default::default()
            });
        }
        upstream.script_at(
            "/azure/openai/deployments",
            [Scripted::error(404, "no such resource")],
        );
        upstream.script_at(path, [Scripted::json(200, MODELS)]);
        let tested = harness.test(request).await.unwrap();
        assert!(tested.valid, "{provider}: {tested:?}");
        let shown = upstream.shown().pop().unwrap();
        assert_eq!(
            (shown.path.as_str(), shown.key.as_str()),
            (path, "sk-canary")
        );
        assert!(shown.headers.contains_key(header), "{provider}");
        assert_eq!(
            shown.headers.contains_key("anthropic-version"),
            provider == "anthropic"
        );
    }
}

#[tokio::test]
async fn azures_deployments_are_the_models_that_a_key_reaches() {
    let harness = Harness::with(|config| {
        config.private_allow = keyward_runtime::private_allow::PrivateAllow::everything();
    })
    .await;
    let mut request = unsaved("azure", "sk-canary");
    if let Some(unsaved) = &mut request.unsaved {
        unsaved.base_url = format!("{}/azure", harness.upstream.origin);
        unsaved.settings = Some(ProviderKeySettings {
            api_version: "2022-12-01".to_owned(),
            ..Default::default()
        });
    }
    let deployments = r#"{"data":[{"id":"ours","model":"gpt-4o"},{"id":"small","model":"o3"}]}"#;
    for (path, answer) in [("deployments", deployments), ("models", MODELS)] {
        let path = format!("/azure/openai/{path}");
        harness
            .upstream
            .script_at(&path, [Scripted::json(200, answer)]);
    }
    let tested = harness.test(request).await.unwrap();
    assert!(tested.valid, "{tested:?}");
    assert_eq!(tested.models, ["ours", "small"]);
}

#[tokio::test]
async fn the_sandbox_is_asked_in_process() {
    let harness = Harness::start().await;
    for (key, message) in [
        ("sk-sandbox-mine", "API key is valid"),
        ("sk-sandbox-revoked", "Invalid API key"),
        ("sk-sandbox-empty", "Insufficient credits"),
        ("sk-sandbox-limited", "Rate limit exceeded"),
    ] {
        assert_eq!(harness.test_unsaved("sandbox", key).await.message, message);
    }
    let models = harness
        .test_unsaved("sandbox", "sk-sandbox-mine")
        .await
        .models;
    assert!(models.contains(&"sandbox/echo".to_owned()));
}

#[tokio::test]
async fn a_good_test_ends_what_was_held_against_a_key() {
    let harness = Harness::start().await;
    let (first, _) = (harness.own_key("openrouter"), harness.own_key("openai"));
    let limited = Scripted::error(429, "slow").with("retry-after", "600");
    harness
        .upstream
        .script("openrouter", [limited, Scripted::json(200, ANSWER)]);
    harness
        .upstream
        .script("openai", [Scripted::json(200, ANSWER)]);
    assert_eq!(harness.call(PLAIN).await.unwrap().head.provider, "openai");
    assert_eq!(harness.call(PLAIN).await.unwrap().head.provider, "openai");
    harness.upstream.script_at(
        "/openrouter/v1/key",
        [Scripted::json(200, r#"{"data":{}}"#)],
    );
    harness
        .upstream
        .script_at("/openrouter/v1/credits", [Scripted::json(200, "{}")]);
    assert!(harness.test_stored(&first).await.valid);
    assert_eq!(
        harness.call(PLAIN).await.unwrap().head.provider,
        "openrouter"
    );
}

#[tokio::test]
async fn a_caller_tests_few_keys_a_minute() {
    let harness = Harness::start().await;
    for _ in 0..10 {
        harness.test_unsaved("sandbox", "sk-sandbox-mine").await;
    }
    let refused = harness
        .test(unsaved("sandbox", "sk-sandbox-mine"))
        .await
        .unwrap_err();
    assert_eq!(refused.reason, Reason::RateLimitExceeded);
    let wait: u64 = refused
        .fact(metadata::RETRY_AFTER_MS)
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=6_000).contains(&wait), "{wait}");
}

#[tokio::test]
async fn a_test_names_one_key() {
    let harness = Harness::start().await;
    let nothing = proto::TestProviderKeyRequest::default();
    let mut both = unsaved("sandbox", "sk-sandbox-mine");
    both.provider_key_id = harness.own_key("sandbox");
    for request in [nothing, both] {
        let refused = harness.test(request).await.unwrap_err();
        assert_eq!(refused.reason, Reason::InvalidRequest);
    }
    let unknown = harness.test(unsaved("nobody", "k")).await.unwrap_err();
    assert_eq!(unknown.fact(metadata::PARAM), Some("provider"));
    let request = proto::TestProviderKeyRequest {
        provider_key_id: "01900000-0000-7000-8000-000000000000".to_owned(),
        unsaved: None,
    };
    assert_eq!(
        harness.test(request).await.unwrap_err().reason,
        Reason::NotFound
    );
}

#[tokio::test]
async fn keys_that_are_due_are_tested_by_themselves() {
    let harness = Harness::with(|config| {
        config.key_test_interval = Some(Duration::from_millis(500));
    })
    .await;
    let (good, bad) = (harness.own_key("openai"), harness.own_key("sandbox"));
    harness
        .vault
        .0
        .secrets
        .lock()
        .insert(bad.clone(), "sk-sandbox-revoked".into());
    harness
        .upstream
        .script_at("/openai/v1/models", [Scripted::json(200, MODELS)]);
    *harness.vault.0.due_tests.lock() = vec![good.clone(), "no-such-key".into(), bad.clone()];
    until(|| harness.outcomes().len() == 2).await;
    let outcomes = harness.vault.0.outcomes.lock().clone();
    let outcome = |id: &str| outcomes.iter().find(|told| told.provider_key_id == id);
    assert_eq!(outcome(&good).unwrap().outcome(), KeyOutcome::Accepted);
    assert_eq!(outcome(&bad).unwrap().outcome(), KeyOutcome::Rejected);
    harness.stop().await;
}

#[tokio::test]
async fn a_key_serves_only_the_models_that_it_is_for() {
    let harness = Harness::start().await;
    let (first, _) = (harness.own_key("openrouter"), harness.own_key("openai"));
    harness.vault.change_unheard(&first, |key| {
        key.allowed_models = vec!["anthropic/*".into()];
    });
    harness
        .upstream
        .script("openai", [Scripted::json(200, ANSWER)]);
    assert_eq!(harness.call(PLAIN).await.unwrap().head.provider, "openai");
}
