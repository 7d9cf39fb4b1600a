//! LiteLLM's price map: names to flat objects with up to 250 kinds of members, prices in credits per
//! token as floats.

mod facts;
mod prices;

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::Row;

/// What is said of a name, each member as it is written.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(transparent)]
pub(crate) struct Members(BTreeMap<String, Box<RawValue>>);

impl Members {
    /// A member's text, as it is written.
    fn raw(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.get())
    }

    fn get<T: serde::de::DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.raw(name)?).ok()
    }

    fn is_true(&self, name: &str) -> bool {
        self.get(name) == Some(true)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// Our name of a provider, and what stands before its models' names.
fn provider(litellm: &str) -> Option<(&'static str, &'static str)> {
    Some(match litellm {
        "openai" | "text-completion-openai" => ("openai", "openai/"),
        "anthropic" => ("anthropic", "anthropic/"),
        "gemini" => ("google", "gemini/"),
        "groq" => ("groq", "groq/"),
        "deepseek" => ("deepseek", "deepseek/"),
        "mistral" | "codestral" => ("mistral", "mistral/"),
        "azure" => ("azure", "azure/"),
        "azure_ai" => ("azure", "azure_ai/"),
        "xai" => ("xai", "xai/"),
        "together_ai" => ("together", "together_ai/"),
        "fireworks_ai" | "fireworks_ai-embedding-models" => ("fireworks", "fireworks_ai/"),
        "cerebras" => ("cerebras", "cerebras/"),
        "perplexity" => ("perplexity", "perplexity/"),
        "cohere" | "cohere_chat" => ("cohere", "cohere/"),
        "deepinfra" => ("deepinfra", "deepinfra/"),
        "novita" => ("novita", "novita/"),
        "moonshot" => ("moonshotai", "moonshot/"),
        "zai" => ("z-ai", "zai/"),
        "dashscope" => ("alibaba", "dashscope/"),
        "voyage" => ("voyage", "voyage/"),
        "nebius" => ("nebius", "nebius/"),
        "baseten" => ("baseten", "baseten/"),
        "minimax" => ("minimax", "minimax/"),
        "ai21" => ("ai21", "ai21/"),
        "openrouter" => ("openrouter", "openrouter/"),
        _ => return None,
    })
}

/// The rows of the providers known here.
pub(crate) fn read(text: &str) -> Result<Vec<Row>, serde_json::Error> {
    let map: BTreeMap<String, Members> = serde_json::from_str(text)?;
    let mut rows: BTreeMap<(String, String), Row> = BTreeMap::new();
    for (key, members) in &map {
        if let Some(row) = row(key, members) {
            // Some names are there with and without their prefix; they say the same.
            rows.entry((row.provider.clone(), row.upstream.clone()))
                .or_insert(row);
        }
    }
    Ok(rows.into_values().collect())
}

fn row(key: &str, members: &Members) -> Option<Row> {
    let litellm: String = members.get("litellm_provider")?;
    let (provider, prefix) = provider(&litellm)?;
    let mode: String = members.get("mode").unwrap_or_default();
    let endpoints = facts::endpoints(&mode, provider, members);
    if endpoints.is_empty() {
        return None;
    }
    let upstream = upstream(provider, prefix, key)?;
    let max_output_tokens = members.get("max_output_tokens");
    Some(Row {
        provider: provider.to_owned(),
        input_modalities: facts::input_modalities(&mode, members),
        output_modalities: facts::output_modalities(&mode, members),
        capabilities: facts::capabilities(members),
        context_tokens: members.get("max_input_tokens"),
        max_output_tokens: max_output_tokens.filter(|_| facts::answers_in_tokens(&mode)),
        retirement_date: members.get("deprecation_date"),
        prices: prices::of(provider, &mode, members),
        endpoints,
        upstream,
        ..Row::default()
    })
}

/// The provider's own name for a model; `None` for what is no model of its own: classes of sizes,
/// qualities of images, regions, fine-tunings, others' models.
fn upstream(provider: &str, prefix: &str, key: &str) -> Option<String> {
    let is_prefixed = key.starts_with(prefix);
    let name = key.strip_prefix(prefix).unwrap_or(key);
    match provider {
        "openrouter" => is_prefixed.then(|| name.to_owned()),
        "together" | "deepinfra" | "novita" | "nebius" | "baseten" => {
            (is_prefixed && name.contains('/')).then(|| name.to_owned())
        }
        "fireworks" if !is_prefixed => None,
        "fireworks" if name.starts_with("accounts/") => Some(name.to_owned()),
        "fireworks" => Some(format!("accounts/fireworks/models/{name}")),
        "groq" => Some(name.to_owned()),
        _ if name.contains('/') || name.contains('@') || name.starts_with("ft:") => None,
        _ => Some(name.to_owned()),
    }
}
