//! Providers as a caller sees them, through the contract.

use keyward_proto::router::v1 as proto;
use keyward_proto::router::v1::ProviderHealth;
use keyward_proto::vault::v1::{KeyStatus, OwnerKind};
use keyward_router::domain::providers::ProviderOverride;
use keyward_runtime::error::{Reason, WireError};

use crate::harness::{ANSWER, Harness, PLAIN};
use crate::upstream::Scripted;

impl Harness {
    async fn providers(&self) -> Vec<proto::Provider> {
        let all = proto::ListProvidersRequest::default();
        let listed = self.client.clone().list_providers(all).await.unwrap();
        listed.into_inner().providers
    }

    pub(crate) async fn provider(&self, name: &str) -> Result<proto::Provider, WireError> {
        let request = proto::GetProviderRequest {
            provider: name.to_owned(),
        };
        let found = self.client.clone().get_provider(request).await;
        found
            .map(|found| found.into_inner().provider.unwrap())
            .map_err(|status| WireError::from(&status))
    }
}

fn disabled() -> ProviderOverride {
    ProviderOverride {
        enabled: false,
        ..Default::default()
    }
}

fn own_server(origin: &str) -> ProviderOverride {
    ProviderOverride {
        base_url: Some(origin.parse().unwrap()),
        kind: Some("openai".into()),
        enabled: true,
        ..Default::default()
    }
}

#[tokio::test]
async fn the_catalogues_providers_are_listed_and_those_of_the_settings_after_them() {
    let harness = Harness::with(|config| {
        config.providers.insert("mistral".into(), disabled());
        for name in ["vllm", "acme"] {
            let provider = own_server("http://llm.example/v1");
            config.providers.insert(name.into(), provider);
        }
    })
    .await;
    let listed = harness.providers().await;
    let names: Vec<&str> = listed.iter().map(|p| p.provider.as_str()).collect();
    assert_eq!(names[names.len() - 2..], ["acme", "vllm"]);
    assert!(names.contains(&"openai") && names.contains(&"sandbox"));
    assert!(!names.contains(&"mistral"), "it is switched off");
    for shown in &listed {
        assert_eq!(&harness.provider(&shown.provider).await.unwrap(), shown);
    }
    for hidden in ["mistral", "nobody", ""] {
        let refused = harness.provider(hidden).await.unwrap_err();
        assert_eq!(refused.reason, Reason::NotFound, "{hidden}");
    }
}

#[tokio::test]
async fn providers_page() {
    let harness = Harness::start().await;
    let all = harness.providers().await;
    let mut request = proto::ListProvidersRequest {
        page_size: 4,
        ..Default::default()
    };
    let mut seen = Vec::new();
    loop {
        let page = harness.client.clone().list_providers(request.clone()).await;
        let page = page.unwrap().into_inner();
        seen.extend(page.providers);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, all);
    for (page_size, page_token) in [(201, ""), (0, "junk"), (0, "bm9ib2R5")] {
        let request = proto::ListProvidersRequest {
            page_size,
            page_token: page_token.into(),
        };
        let refused = harness.client.clone().list_providers(request).await;
        let reason = WireError::from(&refused.unwrap_err()).reason;
        assert_eq!(reason, Reason::InvalidRequest, "{page_size} {page_token}");
    }
}

#[tokio::test]
async fn a_provider_says_what_it_offers_and_how_its_keys_look() {
    let harness = Harness::start().await;
    let openai = harness.provider("openai").await.unwrap();
    assert_eq!(openai.display_name, "OpenAI");
    assert_eq!(openai.dialect, "openai");
    assert!(openai.key_form.contains("sk-") && openai.key_url.starts_with("https://"));
    assert!(openai.models.contains(&"openai/gpt-4o".to_owned()));
    assert!(openai.models.is_sorted());
    assert!(openai.endpoints.contains(&"chat.completions".to_owned()));
    assert!(!openai.carries_everything);
    let openrouter = harness.provider("openrouter").await.unwrap();
    assert!(openrouter.carries_everything);
    let sandbox = harness.provider("sandbox").await.unwrap();
    assert_eq!(sandbox.dialect, "sandbox");
}

#[tokio::test]
async fn a_provider_says_whose_keys_there_are_for_it_and_whether_they_work() {
    let harness = Harness::start().await;
    let seen = async |name| {
        let shown = harness.provider(name).await.unwrap();
        (
            shown.configured,
            shown.working,
            shown.problem,
            shown.on_credits,
        )
    };
    assert_eq!(seen("openai").await, (false, false, String::new(), false));
    let own = harness.own_key("openai");
    harness.system_key("groq");
    harness.vault.change(&own, |_| {}).await;
    assert_eq!(seen("openai").await, (true, true, String::new(), false));
    let refused = |key: &mut keyward_proto::vault::v1::ProviderKey| {
        key.status = KeyStatus::Error.into();
        key.status_reason = "Incorrect API key provided".into();
    };
    harness.vault.change(&own, refused).await;
    let problem = "Incorrect API key provided".to_owned();
    assert_eq!(seen("openai").await, (true, false, problem, false));
    harness
        .vault
        .add(OwnerKind::Project, "openai", "of the project");
    harness.vault.change(&own, |_| {}).await;
    assert_eq!(seen("openai").await, (true, true, String::new(), false));
    assert_eq!(seen("groq").await, (false, false, String::new(), true));
}

#[tokio::test]
async fn a_provider_says_how_it_has_fared() {
    let harness = Harness::start().await;
    harness.own_key("openai");
    let health = async || {
        let shown = harness.provider("openai").await.unwrap();
        (shown.health(), shown.health_time.is_some())
    };
    assert_eq!(health().await, (ProviderHealth::Unknown, false));
    let script = |answer| harness.upstream.script("openai", [answer]);
    script(Scripted::json(200, ANSWER));
    harness.call(PLAIN).await.unwrap();
    assert_eq!(health().await, (ProviderHealth::Ok, false));
    script(Scripted::error(429, "slow down").with("retry-after", "60"));
    harness.call(PLAIN).await.unwrap_err();
    assert_eq!(health().await, (ProviderHealth::Degraded, true));
    script(Scripted::error(500, "boom"));
    for _ in 0..3 {
        harness.call(PLAIN).await.unwrap_err();
    }
    assert_eq!(health().await, (ProviderHealth::Down, true));
    script(Scripted::json(200, ANSWER));
    harness.call(PLAIN).await.unwrap();
    assert_eq!(health().await, (ProviderHealth::Ok, false));
    let groq = harness.provider("groq").await.unwrap();
    assert_eq!(groq.health(), ProviderHealth::Unknown);
}
