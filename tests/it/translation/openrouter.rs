//! What a caller says to OpenRouter beside the conversation reaches it from every form.

use super::{Tenant, Topology, both, json, shared};
use crate::served::MODEL;

async fn what_is_said_of_providers_and_models_reaches_openrouter_from_every_form(
    topology: Topology,
) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (_, key) = tenant.own_key("openrouter").await;
    let turn = json!([{"role": "user", "content": "hello"}]);
    let provider = json!({"data_collection": "deny", "quantizations": ["fp8"]});
    let models = json!([MODEL, "openai/gpt-4o"]);
    let gemini = format!(
        "/v1beta/models/{}:generateContent",
        MODEL.rsplit('/').next().unwrap()
    );
    for (path, mut body) in [
        ("/v1/chat/completions", json!({"messages": turn})),
        ("/v1/messages", json!({"messages": turn, "max_tokens": 64})),
        (
            gemini.as_str(),
            json!({"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}),
        ),
    ] {
        body["provider"] = provider.clone();
        body["models"] = models.clone();
        if path != gemini {
            body["model"] = json!(MODEL);
        }
        let _ = tenant.client.post(path, body).await.ok();
        let sent = system.providers.openrouter.requests_with(&key).pop();
        let sent = sent.unwrap().json();
        assert_eq!(sent["provider"], provider, "{path}");
        assert_eq!(sent["models"], models, "{path}");
        assert_eq!(sent["messages"][0]["role"], "user", "{path}");
    }
}

both!(what_is_said_of_providers_and_models_reaches_openrouter_from_every_form);
