//! models.dev's `api.json`: providers, their models, prices in credits per million tokens.

use std::collections::BTreeMap;

use keyward_catalog::{Capability, Endpoint, Modality};
use keyward_money::{LongContextTier, Prices, Rates};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Row;
use crate::decimal::{Decimal, Per};
use crate::genai_prices::over;

/// From how many tokens on `context_over_200k` holds.
const LONG: i64 = 200_000;

#[derive(Deserialize)]
struct Provider {
    models: BTreeMap<String, Model>,
}

#[derive(Deserialize)]
struct Model {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    reasoning: bool,
    #[serde(default)]
    tool_call: bool,
    #[serde(default)]
    structured_output: bool,
    #[serde(default)]
    release_date: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    modalities: Modalities,
    #[serde(default)]
    limit: Limit,
    #[serde(default)]
    cost: Option<BTreeMap<String, Box<RawValue>>>,
}

#[derive(Default, Deserialize)]
struct Modalities {
    #[serde(default)]
    input: Vec<String>,
    #[serde(default)]
    output: Vec<String>,
}

#[derive(Default, Deserialize)]
struct Limit {
    context: Option<i64>,
    output: Option<i64>,
}

/// Our name of a provider.
fn provider(id: &str) -> Option<&str> {
    Some(match id {
        "togetherai" => "together",
        "fireworks-ai" => "fireworks",
        "openai" | "anthropic" | "google" | "openrouter" | "groq" | "deepseek" | "mistral"
        | "azure" | "xai" | "cerebras" | "perplexity" | "cohere" | "deepinfra" | "moonshotai"
        | "nebius" | "baseten" | "minimax" | "alibaba" => id,
        "novita-ai" => "novita",
        "zai" => "z-ai",
        _ => return None,
    })
}

/// The rows of the providers known here.
pub(crate) fn read(text: &str) -> Result<Vec<Row>, serde_json::Error> {
    let providers: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text)?;
    let mut rows = Vec::new();
    for (id, listed) in &providers {
        if let Some(name) = provider(id) {
            let listed: Provider = serde_json::from_str(listed.get())?;
            rows.extend(listed.models.iter().map(|(id, model)| row(name, id, model)));
        }
    }
    Ok(rows)
}

fn row(provider: &str, id: &str, model: &Model) -> Row {
    let positive = |tokens: Option<i64>| tokens.filter(|tokens| *tokens > 0);
    let output_modalities = modalities(&model.modalities.output);
    Row {
        provider: provider.to_owned(),
        upstream: id.to_owned(),
        name: model.name.clone(),
        endpoints: vec![endpoint(id, &output_modalities)],
        input_modalities: modalities(&model.modalities.input),
        output_modalities,
        capabilities: capabilities(model),
        context_tokens: positive(model.limit.context),
        max_output_tokens: positive(model.limit.output),
        // Some days are months only.
        release_date: model.release_date.clone().filter(|day| day.len() == 10),
        prices: model.cost.as_ref().and_then(prices),
        is_deprecated: model.status.as_deref() == Some("deprecated"),
        ..Row::default()
    }
}

fn endpoint(id: &str, output: &[Modality]) -> Endpoint {
    match output {
        _ if id.contains("embed") => Endpoint::Embeddings,
        [Modality::Image] => Endpoint::ImagesGenerations,
        [Modality::Audio] => Endpoint::AudioSpeech,
        _ => Endpoint::ChatCompletions,
    }
}

fn capabilities(model: &Model) -> Vec<Capability> {
    let looks = model.modalities.input.iter().any(|name| name == "image");
    let caches = model
        .cost
        .as_ref()
        .is_some_and(|cost| cost.contains_key("cache_read"));
    [
        (model.tool_call, Capability::Tools),
        (model.structured_output, Capability::JsonSchema),
        (model.reasoning, Capability::Reasoning),
        (looks, Capability::Vision),
        (caches, Capability::PromptCaching),
    ]
    .into_iter()
    .filter_map(|(has, capability)| has.then_some(capability))
    .collect()
}

/// Modalities by their names; `pdf` is what we call a file.
pub(crate) fn modalities(names: &[String]) -> Vec<Modality> {
    let mut modalities: Vec<Modality> = names
        .iter()
        .filter_map(|name| match name.as_str() {
            "text" => Some(Modality::Text),
            "image" => Some(Modality::Image),
            "audio" => Some(Modality::Audio),
            "video" => Some(Modality::Video),
            "pdf" | "file" => Some(Modality::File),
            "embedding" | "embeddings" => Some(Modality::Embedding),
            _ => None,
        })
        .collect();
    modalities.sort_unstable();
    modalities.dedup();
    modalities
}

fn prices(cost: &BTreeMap<String, Box<RawValue>>) -> Option<Prices> {
    let usual = rates(cost);
    usual.input?;
    let listed: Option<BTreeMap<String, Box<RawValue>>> = cost
        .get("context_over_200k")
        .and_then(|value| serde_json::from_str(value.get()).ok());
    let long = listed.map(|cost| rates(&cost)).filter(Rates::is_priced);
    Some(Prices {
        rates: usual,
        long_context: long
            .map(|prices| LongContextTier {
                above_tokens: LONG,
                inclusive: false,
                prices: over(prices, &usual),
            })
            .into_iter()
            .collect(),
        service_tiers: Vec::new(),
    })
}

fn rates(cost: &BTreeMap<String, Box<RawValue>>) -> Rates {
    let price = |name: &str| Decimal::parse(cost.get(name)?.get())?.nanos(Per::Million);
    Rates {
        input: price("input"),
        output: price("output"),
        cache_read: price("cache_read"),
        cache_write_5m: price("cache_write"),
        input_audio: price("input_audio"),
        output_audio: price("output_audio"),
        reasoning: price("reasoning"),
        ..Rates::default()
    }
}
