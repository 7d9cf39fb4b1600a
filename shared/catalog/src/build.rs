//! From a file, in which much may be left open, to models that are complete.

use std::collections::HashMap;

use crate::data::{CatalogFile, ModelEntry, Numbers, OfferEntry};
use crate::model::{Endpoint, Model, Offer};

/// The provider that resells models of any vendor; direct ones come before it.
const OPENROUTER: &str = "openrouter";

/// The models that a file stands for, their offers in order.
pub(crate) fn models(file: CatalogFile) -> Vec<Model> {
    let ranks: HashMap<String, usize> = file
        .providers
        .iter()
        .enumerate()
        .map(|(rank, provider)| (provider.name.clone(), rank))
        .collect();
    let day = file.as_of;
    file.models
        .into_iter()
        .flat_map(|entry| expand(entry, &day))
        .map(|mut model| {
            sort_offers(&mut model, &ranks);
            model
        })
        .collect()
}

fn expand(entry: ModelEntry, day: &str) -> Vec<Model> {
    match entry.numbered {
        None => vec![complete(entry, day)],
        Some(Numbers { from, to }) => {
            let mut model = complete(entry, day);
            model.listed = false;
            (from..=to)
                .map(|number| with_number(&model, number))
                .collect()
        }
    }
}

fn complete(entry: ModelEntry, day: &str) -> Model {
    let bare = entry
        .id
        .split_once('/')
        .map_or(entry.id.as_str(), |(_, name)| name)
        .to_owned();
    let offers: Vec<Offer> = entry
        .offers
        .into_iter()
        .map(|offer| complete_offer(offer, &bare))
        .collect();
    let is_sold = offers.is_empty() || offers.iter().any(|offer| !offer.is_retired_by(day));
    Model {
        id: entry.id,
        display_name: entry.name.unwrap_or(bare),
        aliases: entry.aliases,
        endpoints: match entry.endpoints.is_empty() {
            true => vec![Endpoint::ChatCompletions],
            false => entry.endpoints,
        },
        input_modalities: entry.input_modalities,
        output_modalities: entry.output_modalities,
        capabilities: entry.capabilities,
        thinking: entry.thinking.unwrap_or_default(),
        context_tokens: entry.context_tokens,
        // Layers know limits by halves; an answer never is longer than prompt and answer together.
        max_output_tokens: entry.max_output_tokens.filter(|tokens| {
            entry
                .context_tokens
                .is_none_or(|context| *tokens <= context)
        }),
        release_date: entry.release_date,
        offers,
        listed: entry.listed.unwrap_or(is_sold),
    }
}

fn complete_offer(offer: OfferEntry, bare: &str) -> Offer {
    Offer {
        provider: offer.provider,
        upstream: offer.upstream.unwrap_or_else(|| bare.to_owned()),
        versions: offer.versions,
        prices: offer.prices.unwrap_or_default(),
        retirement_date: offer.retirement_date,
        source: offer.source,
    }
}

fn with_number(model: &Model, number: u16) -> Model {
    let mut numbered = model.clone();
    numbered.id.push_str(&number.to_string());
    for offer in &mut numbered.offers {
        offer.upstream.push_str(&number.to_string());
    }
    numbered
}

/// The vendor first, then direct providers in the order of the file, then those that only the
/// settings know, OpenRouter last.
fn sort_offers(model: &mut Model, ranks: &HashMap<String, usize>) {
    let vendor = model.vendor().to_owned();
    model.offers.sort_by_key(|offer| {
        let rank = ranks.get(&offer.provider).copied().unwrap_or(usize::MAX);
        (offer.provider == OPENROUTER, offer.provider != vendor, rank)
    });
}
