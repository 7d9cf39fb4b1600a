//! Every provider where it is: what differs between those that speak OpenAI's form is data, Azure has
//! addresses of its own, and any server of that form is added by settings alone.

use keyward_testkit::upstream::Received;
use keyward_testkit::{Gateway, Launch, Script, ScriptedUpstream, Tenant, Topology, canary};
use serde_json::{Value, json};

use crate::system::both;

/// Providers of OpenAI's form (but OpenRouter, which sells what others make), and what of their address
/// stands before the operation. The last three the catalogue does not know.
const PLACES: [(&str, &str); 13] = [
    ("cerebras", "/v1"),
    ("cohere", "/compatibility/v1"),
    ("deepseek", ""),
    ("fireworks", "/inference/v1"),
    ("groq", "/openai/v1"),
    ("mistral", "/v1"),
    ("openai", "/v1"),
    ("perplexity", ""),
    ("together", "/v1"),
    ("xai", "/v1"),
    ("lmstudio", "/v1"),
    ("ollama", "/v1"),
    ("vllm", "/v1"),
];

const EMBEDDED: &str = r#"{"object":"list","data":[{"index":0,"embedding":[0.5]}],"model":"m","usage":{"prompt_tokens":2,"total_tokens":2}}"#;

/// A gateway whose providers are all one upstream, each at its own path.
async fn gateway(topology: Topology, upstream: &ScriptedUpstream) -> Gateway {
    let mut launch = Launch::new(topology).set("providers.allow_private_base_urls", "true");
    for (provider, path) in PLACES {
        let setting = format!("providers.{provider}.base_url");
        launch = launch.set(&setting, &format!("{}{path}", upstream.origin()));
    }
    launch.start().await
}

/// The only request to this address that showed this key.
fn only(upstream: &ScriptedUpstream, key: &str, path: &str) -> Received {
    let mut seen = upstream.requests_with(key);
    seen.retain(|request| request.path == path);
    assert_eq!(seen.len(), 1, "{path}: {:?}", upstream.requests_with(key));
    seen.remove(0)
}

async fn each_is_asked_at_its_own_address(topology: Topology) {
    let upstream = ScriptedUpstream::start();
    let gateway = gateway(topology, &upstream).await;
    let tenant = Tenant::new(&gateway, "trial").await;
    for (provider, path) in PLACES {
        let (_, key) = tenant.own_key(provider).await;
        let model = format!("{provider}/some-model-of-{provider}");
        let answer = tenant.client.chat(&model, "hello").await.ok();
        assert_eq!(answer.content(), "ok");
        assert_eq!(answer.header("x-provider"), provider);
        let sent = only(&upstream, &key, &format!("{path}/chat/completions"));
        assert_eq!(sent.headers["authorization"], format!("Bearer {key}"));
        assert_eq!(sent.json()["model"], format!("some-model-of-{provider}"));

        upstream.script(&key, Script::given(200, "application/json", EMBEDDED));
        let asked = json!({"model": model, "input": "hello"});
        let answer = tenant.client.post("/v1/embeddings", asked).await.ok();
        assert_eq!(answer.text(), EMBEDDED, "{provider}");
        only(&upstream, &key, &format!("{path}/embeddings"));
    }
}

/// A server that asks for no key takes any.
async fn a_server_of_ones_own_takes_whatever_key_is_stored(topology: Topology) {
    let upstream = ScriptedUpstream::start();
    let gateway = gateway(topology, &upstream).await;
    let tenant = Tenant::new(&gateway, "trial").await;
    let _ = tenant
        .add_key(json!({"provider": "ollama", "key": "none"}))
        .await;
    let finished = tenant
        .client
        .chat_stream("ollama/llama3.2:3b", "hi")
        .await
        .finish()
        .await;
    assert_eq!(finished.content(), "ok");
    let record = &tenant.records().await[0];
    assert_eq!(record["provider"], "ollama");
    assert_eq!(record["usage"]["output"], 1);
    // Nobody knows what it costs.
    assert_eq!(record["list_cost"], Value::Null);
}

async fn azure_is_asked_by_deployment_and_version(topology: Topology) {
    let upstream = ScriptedUpstream::start();
    let gateway = gateway(topology, &upstream).await;
    let tenant = Tenant::new(&gateway, "trial").await;
    let key = canary::provider_key("azure");
    let settings = json!({
        "endpoint": upstream.origin(), "api_version": "2025-01-01-preview",
        "deployments": {"gpt-4o": "my gpt"},
    });
    let _ = tenant
        .add_key(json!({"provider": "azure", "key": key, "settings": settings}))
        .await;
    for (model, deployment) in [("gpt-4o", "my%20gpt"), ("gpt-4o-mini", "gpt-4o-mini")] {
        let _ = tenant
            .client
            .chat(&format!("azure/{model}"), "hi")
            .await
            .ok();
        let path = format!(
            "/openai/deployments/{deployment}/chat/completions?api-version=2025-01-01-preview"
        );
        let sent = only(&upstream, &key, &path);
        assert_eq!(sent.headers["api-key"], key);
        assert!(!sent.headers.contains_key("authorization"));
    }
}

both!(
    each_is_asked_at_its_own_address,
    a_server_of_ones_own_takes_whatever_key_is_stored,
    azure_is_asked_by_deployment_and_version,
);
