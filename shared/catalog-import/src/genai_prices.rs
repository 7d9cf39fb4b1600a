//! genai-prices' data: providers, their models, prices in credits per million as decimals, with the
//! days from which they hold, and variants by service tier.

use std::collections::BTreeMap;

use keyward_catalog::Endpoint;
use keyward_money::{LongContextTier, Prices, Rates, ServiceTier};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Row;
use crate::decimal::{Decimal, Per};
use crate::row::Pattern;

#[derive(Deserialize)]
struct Provider {
    id: String,
    models: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
    name: Option<String>,
    #[serde(rename = "match")]
    pattern: Option<Pattern>,
    context_window: Option<i64>,
    #[serde(default)]
    deprecated: Option<bool>,
    prices: Box<RawValue>,
    #[serde(default)]
    price_variants: Option<Vec<Variant>>,
}

/// Prices that always hold, or several with the days or hours in which they do.
enum Priced {
    Dated(Vec<Dated>),
    Always(ModelPrices),
}

#[derive(Deserialize)]
struct Dated {
    #[serde(default)]
    constraint: Option<Constraint>,
    prices: ModelPrices,
}

/// A day from which prices hold, or hours in which they do.
#[derive(Deserialize)]
struct Constraint {
    start_date: Option<String>,
}

#[derive(Deserialize)]
struct Variant {
    when: BTreeMap<String, String>,
    #[serde(default)]
    constraint: Option<Constraint>,
    prices: ModelPrices,
}

type ModelPrices = BTreeMap<String, Box<RawValue>>;

#[derive(Deserialize)]
struct Tiered {
    base: Box<RawValue>,
    tiers: Vec<Tier>,
}

#[derive(Deserialize)]
struct Tier {
    start: i64,
    price: Box<RawValue>,
}

/// Our name of a provider.
fn provider(id: &str) -> Option<&str> {
    Some(match id {
        "x-ai" => "xai",
        "openai" | "anthropic" | "google" | "groq" | "deepseek" | "mistral" | "azure"
        | "together" | "fireworks" | "cerebras" | "perplexity" | "cohere" | "novita"
        | "moonshotai" | "openrouter" => id,
        "zai" => "z-ai",
        _ => return None,
    })
}

/// The rows of the providers known here, with the prices of a day.
pub(crate) fn read(text: &str, day: &str) -> Result<Vec<Row>, serde_json::Error> {
    let providers: Vec<Provider> = serde_json::from_str(text)?;
    let mut rows = Vec::new();
    for listed in &providers {
        if let Some(name) = provider(&listed.id) {
            let rows_of = listed.models.iter().map(|model| row(name, model, day));
            rows.extend(rows_of.filter(|row| !row.endpoints.is_empty()));
        }
    }
    Ok(rows)
}

fn row(provider: &str, model: &Model, day: &str) -> Row {
    let upstream = match provider {
        "fireworks" if !model.id.starts_with("accounts/") => {
            format!("accounts/fireworks/models/{}", model.id)
        }
        _ => model.id.clone(),
    };
    Row {
        provider: provider.to_owned(),
        prices: prices(model, day, is_free(provider, &model.id)),
        upstream,
        name: model.name.clone(),
        endpoints: endpoints(&model.id, &model.prices),
        context_tokens: model.context_window.filter(|tokens| *tokens > 0),
        is_deprecated: model.deprecated == Some(true),
        pattern: model.pattern.clone(),
        ..Row::default()
    }
}

/// OpenRouter says in the name which models cost nothing.
fn is_free(provider: &str, name: &str) -> bool {
    provider == "openrouter" && name.ends_with(":free")
}

/// The list does not say what a model is for. What is paid for tells most of it; models that are
/// paid for neither by answers nor by anything else that is served here are left out.
fn endpoints(name: &str, prices: &RawValue) -> Vec<Endpoint> {
    let pays_for = |kind: &str| prices.get().contains(kind);
    if name.contains("embed") {
        return vec![Endpoint::Embeddings];
    }
    if pays_for("\"output_mtok\"") || prices.get() == "{}" {
        return vec![Endpoint::ChatCompletions];
    }
    match (pays_for("_hours\""), pays_for("\"input_mchars\"")) {
        (true, _) => vec![Endpoint::AudioTranscriptions],
        (_, true) => vec![Endpoint::AudioSpeech],
        _ => Vec::new(),
    }
}

fn prices(model: &Model, day: &str, is_free: bool) -> Option<Prices> {
    if is_free {
        return Some(Prices::per_million(0, 0));
    }
    let priced = priced(&model.prices)?;
    let members = current(&priced, day)?;
    let rates = rates(members, None);
    rates.input?;
    let mut prices = Prices {
        rates,
        long_context: long(members, &rates),
        service_tiers: Vec::new(),
    };
    for variant in model.price_variants.iter().flatten() {
        let Some(name) = service_tier(variant, day) else {
            continue;
        };
        let special = self::rates(&variant.prices, None);
        let is_known = |tier: &ServiceTier| tier.service_tier == name;
        if special.input.is_some() && !prices.service_tiers.iter().any(is_known) {
            let rates = over(special, &rates);
            prices.service_tiers.push(ServiceTier {
                service_tier: name.to_owned(),
                rates,
                long_context: long(&variant.prices, &rates),
            });
        }
    }
    prices
        .service_tiers
        .sort_by(|one, other| one.service_tier.cmp(&other.service_tier));
    Some(prices)
}

fn priced(text: &RawValue) -> Option<Priced> {
    match text.get().starts_with('[') {
        true => serde_json::from_str(text.get()).ok().map(Priced::Dated),
        false => serde_json::from_str(text.get()).ok().map(Priced::Always),
    }
}

/// The latest of the prices that hold on a day; where they depend on the hour, the dearest.
fn current<'a>(prices: &'a Priced, day: &str) -> Option<&'a ModelPrices> {
    let dated = match prices {
        Priced::Always(prices) => return Some(prices),
        Priced::Dated(dated) => dated,
    };
    let start = |dated: &Dated| -> Option<Option<String>> {
        match &dated.constraint {
            None => Some(None),
            Some(constraint) => constraint.start_date.clone().map(Some),
        }
    };
    let latest = dated
        .iter()
        .filter_map(|dated| Some((start(dated)?, &dated.prices)))
        .filter(|(start, _)| start.as_deref().is_none_or(|start| start <= day))
        .max_by(|one, other| one.0.cmp(&other.0))
        .map(|(_, prices)| prices);
    let hourly = dated.iter().filter(|dated| start(dated).is_none());
    hourly
        .map(|dated| &dated.prices)
        .chain(latest)
        .max_by_key(|prices| rates(prices, None).input)
}

fn service_tier<'a>(variant: &'a Variant, day: &str) -> Option<&'a str> {
    let constraint = variant.constraint.as_ref();
    let start = constraint.and_then(|constraint| constraint.start_date.as_deref());
    if variant.when.len() != 1 || start.is_some_and(|start| start > day) {
        return None;
    }
    let (key, value) = variant.when.iter().next()?;
    match (key.as_str(), value.as_str()) {
        ("processing" | "service_tier", "batch") => Some("batch"),
        ("service_tier", "flex") => Some("flex"),
        ("service_tier", "priority") => Some("priority"),
        _ => None,
    }
}

/// A price below the first threshold, or from `above` on.
fn price(members: &ModelPrices, name: &str, per: Per, above: Option<i64>) -> Option<i64> {
    let text = members.get(name)?.get();
    let plain = |text: &str| Decimal::parse(text)?.nanos(per);
    match (serde_json::from_str::<Tiered>(text), above) {
        (Ok(tiered), None) => plain(tiered.base.get()),
        (Ok(tiered), Some(above)) => tiered
            .tiers
            .iter()
            .filter(|tier| tier.start <= above)
            .max_by_key(|tier| tier.start)
            .map_or_else(|| plain(tiered.base.get()), |tier| plain(tier.price.get())),
        (Err(_), _) => plain(text),
    }
}

fn rates(members: &ModelPrices, above: Option<i64>) -> Rates {
    let million = |name: &str| price(members, name, Per::Million, above);
    let mut rates = Rates {
        input: million("input_mtok"),
        output: million("output_mtok"),
        cache_read: million("cache_read_mtok"),
        cache_write_5m: million("cache_write_5m_mtok").or_else(|| million("cache_write_mtok")),
        cache_write_1h: million("cache_write_1h_mtok"),
        input_audio: million("input_audio_mtok"),
        input_image: million("input_image_mtok"),
        reasoning: million("output_reasoning_mtok"),
        output_audio: million("output_audio_mtok"),
        output_image: million("output_image_mtok"),
        search_fee: price(members, "web_searches_kcount", Per::Thousand, above),
        request_fee: price(members, "requests_kcount", Per::Thousand, above),
        audio_ms: price(members, "audio_hours", Per::Hour, above)
            .or_else(|| price(members, "input_audio_hours", Per::Hour, above)),
        characters: million("input_mchars"),
        ..Rates::default()
    };
    if rates.input.is_none() && (rates.audio_ms.is_some() || rates.characters.is_some()) {
        rates.input = Some(0);
    }
    rates
}

fn long(members: &ModelPrices, base: &Rates) -> Vec<LongContextTier> {
    let mut starts: Vec<i64> = members
        .values()
        .filter_map(|value| serde_json::from_str::<Tiered>(value.get()).ok())
        .flat_map(|tiered| tiered.tiers)
        .map(|tier| tier.start)
        .collect();
    starts.sort_unstable();
    starts.dedup();
    let tier = |start: i64| LongContextTier {
        above_tokens: start,
        inclusive: false,
        prices: over(rates(members, Some(start)), base),
    };
    starts.into_iter().map(tier).collect()
}

/// Special token prices, and the usual ones where nothing special is said; fees stay the usual ones.
pub(crate) fn over(special: Rates, base: &Rates) -> Rates {
    Rates {
        input: special.input.or(base.input),
        output: special.output.or(base.output),
        cache_read: special.cache_read.or(base.cache_read),
        cache_write_5m: special.cache_write_5m.or(base.cache_write_5m),
        cache_write_1h: special.cache_write_1h.or(base.cache_write_1h),
        input_audio: special.input_audio.or(base.input_audio),
        input_image: special.input_image.or(base.input_image),
        reasoning: special.reasoning.or(base.reasoning),
        output_audio: special.output_audio.or(base.output_audio),
        output_image: special.output_image.or(base.output_image),
        ..Rates::default()
    }
}
