//! OpenRouter's list of models: prices in credits per token or piece, as decimal texts.

use std::collections::BTreeMap;

use keyward_catalog::{Capability, Endpoint, Modality};
use keyward_money::{LongContextTier, Prices, Rates};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Row;
use crate::decimal::{Decimal, Per};
use crate::models_dev::modalities;

#[derive(Deserialize)]
struct List {
    data: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    context_length: Option<i64>,
    #[serde(default)]
    architecture: Architecture,
    #[serde(default)]
    pricing: BTreeMap<String, Box<RawValue>>,
    #[serde(default)]
    top_provider: TopProvider,
    #[serde(default)]
    supported_parameters: Vec<String>,
    #[serde(default)]
    expiration_date: Option<String>,
}

#[derive(Default, Deserialize)]
struct Architecture {
    #[serde(default)]
    input_modalities: Vec<String>,
    #[serde(default)]
    output_modalities: Vec<String>,
}

#[derive(Default, Deserialize)]
struct TopProvider {
    #[serde(default)]
    max_completion_tokens: Option<i64>,
}

/// The rows, all of them OpenRouter's.
pub(crate) fn read(text: &str) -> Result<Vec<Row>, serde_json::Error> {
    let list: List = serde_json::from_str(text)?;
    Ok(list.data.iter().map(row).collect())
}

fn row(model: &Model) -> Row {
    let positive = |tokens: Option<i64>| tokens.filter(|tokens| *tokens > 0);
    let input_modalities = modalities(&model.architecture.input_modalities);
    let takes = |name: &str| model.supported_parameters.iter().any(|taken| taken == name);
    let abilities = [
        (takes("tools"), Capability::Tools),
        (takes("structured_outputs"), Capability::JsonSchema),
        (takes("reasoning"), Capability::Reasoning),
        (
            input_modalities.contains(&Modality::Image),
            Capability::Vision,
        ),
        (
            model.pricing.contains_key("input_cache_read"),
            Capability::PromptCaching,
        ),
    ];
    Row {
        provider: "openrouter".to_owned(),
        upstream: model.id.clone(),
        name: model.name.clone(),
        endpoints: vec![Endpoint::ChatCompletions],
        output_modalities: modalities(&model.architecture.output_modalities),
        capabilities: abilities
            .into_iter()
            .filter_map(|(has, capability)| has.then_some(capability))
            .collect(),
        input_modalities,
        context_tokens: positive(model.context_length),
        max_output_tokens: positive(model.top_provider.max_completion_tokens),
        retirement_date: model.expiration_date.clone(),
        prices: prices(&model.pricing),
        ..Row::default()
    }
}

/// Prices; `None` for those that depend on what a router picks, which are written as `-1`.
fn prices(pricing: &BTreeMap<String, Box<RawValue>>) -> Option<Prices> {
    let usual = rates(pricing);
    usual.input?;
    Some(Prices {
        rates: usual,
        long_context: overrides(pricing, &usual),
        service_tiers: Vec::new(),
    })
}

fn rates(pricing: &BTreeMap<String, Box<RawValue>>) -> Rates {
    let price = |name: &str, per| Decimal::parse(pricing.get(name)?.get())?.nanos(per);
    // Where nothing is charged, a zero is written.
    let fee = |name: &str| price(name, Per::Each).filter(|fee| *fee > 0);
    let token = |name: &str| price(name, Per::Unit);
    Rates {
        input: token("prompt"),
        output: token("completion"),
        cache_read: token("input_cache_read"),
        cache_write_5m: token("input_cache_write"),
        input_audio: token("audio"),
        reasoning: token("internal_reasoning").filter(|price| *price > 0),
        search_fee: fee("web_search"),
        request_fee: fee("request"),
        ..Rates::default()
    }
}

/// Long prompts' prices. Those of certain hours are left out: the usual ones are listed.
fn overrides(pricing: &BTreeMap<String, Box<RawValue>>, usual: &Rates) -> Vec<LongContextTier> {
    let Some(list) = pricing.get("overrides") else {
        return Vec::new();
    };
    let list: Vec<BTreeMap<String, Box<RawValue>>> =
        serde_json::from_str(list.get()).unwrap_or_default();
    let tier = |special: &BTreeMap<String, Box<RawValue>>| {
        let above_tokens = special.get("min_prompt_tokens")?.get().parse().ok()?;
        let rates = rates(special);
        Some(LongContextTier {
            above_tokens,
            inclusive: false,
            prices: Rates {
                input: rates.input.or(usual.input),
                output: rates.output.or(usual.output),
                cache_read: rates.cache_read.or(usual.cache_read),
                cache_write_5m: rates.cache_write_5m.or(usual.cache_write_5m),
                input_audio: rates.input_audio.or(usual.input_audio),
                ..Rates::default()
            },
        })
    };
    list.iter().filter_map(tier).collect()
}
