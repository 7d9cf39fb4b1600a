//! Models of rows: who offers which, under which names.

use std::collections::{BTreeMap, HashMap, HashSet};

use keyward_catalog::{CatalogFile, ModelEntry, OfferEntry};
use keyward_money::{Prices, ServiceTier};

use crate::Row;
use crate::identity::Names;

/// How names end that point at the latest version of a model.
const LATEST: &str = "-latest";
/// How OpenRouter's names end under which it lists the prices of batches.
const BATCH: &str = ":batch";

/// A row, and where its prices are from.
#[derive(Debug, Clone)]
pub struct Sourced {
    pub(crate) row: Row,
    pub(crate) source: String,
}

impl Sourced {
    pub(crate) fn new(row: Row, source: String) -> Self {
        Self { row, source }
    }

    /// Vendors first, whose names others use; then OpenRouter, whose names are vendors'; then hosts.
    fn rank(&self) -> u8 {
        match self.row.provider.as_str() {
            "openrouter" => 1,
            "azure" | "groq" | "together" | "fireworks" | "cerebras" | "deepinfra" | "novita"
            | "alibaba" | "nebius" | "baseten" => 2,
            _ => 0,
        }
    }
}

/// The models made so far.
pub(crate) struct Builder {
    names: Names,
    models: BTreeMap<String, ModelEntry>,
    /// Whether each offer that a model has is given up.
    deprecated: HashMap<String, bool>,
}

impl Builder {
    pub(crate) fn new(hand: &CatalogFile) -> Self {
        Self {
            names: Names::of(hand),
            models: BTreeMap::new(),
            deprecated: HashMap::new(),
        }
    }

    /// Adds rows in an order of its own, which decides who names a model.
    pub(crate) fn add_all(&mut self, mut rows: Vec<Sourced>) {
        rows.sort_by_cached_key(|it| {
            let name = &it.row.upstream;
            let is_late = name.ends_with(LATEST) || name.ends_with(BATCH);
            let is_version = self.names.is_version(&it.row.provider, name);
            let provider = it.row.provider.clone();
            (it.rank(), is_late || is_version, provider, name.clone())
        });
        for row in rows {
            self.add(row);
        }
    }

    /// The models by id, complete.
    pub(crate) fn finish(mut self) -> Vec<ModelEntry> {
        for (id, is_deprecated) in &self.deprecated {
            if let Some(model) = self.models.get_mut(id).filter(|_| *is_deprecated) {
                model.listed = Some(false);
            }
        }
        let ids: HashSet<String> = self.models.keys().cloned().collect();
        let mut claimed = HashSet::new();
        for model in self.models.values_mut() {
            // A name that two models could have is the first one's, by id.
            model
                .aliases
                .retain(|alias| !ids.contains(alias) && claimed.insert(alias.clone()));
        }
        self.models.into_values().map(tidied).collect()
    }

    fn add(&mut self, sourced: Sourced) {
        let Sourced { row, source } = sourced;
        if let Some(base) = row.upstream.strip_suffix(BATCH) {
            self.add_batch(&row, base);
            return;
        }
        let Some(id) = self.names.id(&row.provider, &row.upstream) else {
            return;
        };
        let id = self.pointed_at(&id, &row).unwrap_or(id);
        self.names.learn(&id);
        let all_deprecated = self.deprecated.entry(id.clone()).or_insert(true);
        *all_deprecated &= row.is_deprecated;
        let model = self.models.entry(id.clone()).or_default();
        model.id = id;
        fill(model, &row);
        let offered = model
            .offers
            .iter_mut()
            .find(|offer| offer.provider == row.provider);
        match offered {
            None => model.offers.push(offer(&row, source)),
            // A version at other prices than its family's is left out: an offer has one price.
            Some(offer) if cost_the_same(offer.prices.as_ref(), row.prices.as_ref()) => {
                offer.versions.push(row.upstream);
            }
            Some(_) => {}
        }
    }

    /// The id of the model that a name with `-latest` points at: the same without it, sold by the
    /// same provider at the same prices.
    fn pointed_at(&self, id: &str, row: &Row) -> Option<String> {
        if self.names.is_set(&row.provider, &row.upstream) {
            return None;
        }
        let model = self.models.get(id.strip_suffix(LATEST)?)?;
        let offer = model.offers.iter().find(|it| it.provider == row.provider)?;
        cost_the_same(offer.prices.as_ref(), row.prices.as_ref()).then(|| model.id.clone())
    }

    /// OpenRouter lists the prices of batches as models of their own.
    fn add_batch(&mut self, row: &Row, base: &str) {
        let Some(id) = self.names.id(&row.provider, base) else {
            return;
        };
        let offers = self.models.get_mut(&id).map(|model| &mut model.offers);
        let offer = offers.and_then(|offers| {
            offers
                .iter_mut()
                .find(|offer| offer.provider == row.provider)
        });
        let usual = offer.and_then(|offer| offer.prices.as_mut());
        if let Some((usual, batch)) = usual.zip(row.prices.as_ref()) {
            usual.service_tiers.push(ServiceTier {
                service_tier: "batch".to_owned(),
                rates: batch.rates,
                long_context: batch.long_context.clone(),
            });
        }
    }
}

/// Whether two prices are the same as far as both say.
fn cost_the_same(one: Option<&Prices>, other: Option<&Prices>) -> bool {
    let (Some(one), Some(other)) = (one, other) else {
        return one.is_none() == other.is_none();
    };
    let same = |one: Option<i64>, other: Option<i64>| one.zip(other).is_none_or(|(a, b)| a == b);
    let (one, other) = (&one.rates, &other.rates);
    one.input == other.input
        && one.output == other.output
        && one.audio_ms == other.audio_ms
        && one.image_fee == other.image_fee
        && same(one.cache_read, other.cache_read)
        && same(one.input_audio, other.input_audio)
        && same(one.output_image, other.output_image)
}

/// What is not said of a model yet.
fn fill(model: &mut ModelEntry, row: &Row) {
    fn either<T: Clone>(known: &mut Vec<T>, said: &[T]) {
        if known.is_empty() {
            *known = said.to_vec();
        }
    }
    either(&mut model.endpoints, &row.endpoints);
    either(&mut model.input_modalities, &row.input_modalities);
    either(&mut model.output_modalities, &row.output_modalities);
    either(&mut model.capabilities, &row.capabilities);
    model.name = model.name.take().or_else(|| row.name.clone());
    model.context_tokens = model.context_tokens.or(row.context_tokens);
    model.max_output_tokens = model.max_output_tokens.or(row.max_output_tokens);
    model.release_date = model
        .release_date
        .take()
        .or_else(|| row.release_date.clone());
    let is_spelled_otherwise = row.upstream.contains('/') && !row.upstream.starts_with("accounts/");
    if is_spelled_otherwise && row.upstream != model.id {
        model.aliases.push(row.upstream.clone());
    }
}

fn offer(row: &Row, source: String) -> OfferEntry {
    OfferEntry {
        provider: row.provider.clone(),
        upstream: Some(row.upstream.clone()),
        versions: Vec::new(),
        source: row.prices.is_some().then_some(source),
        prices: row.prices.clone(),
        retirement_date: row.retirement_date.clone(),
    }
}

/// The same model with its lists in order, and without limits that contradict each other.
fn tidied(mut model: ModelEntry) -> ModelEntry {
    model.aliases.sort_unstable();
    model.aliases.dedup();
    for offer in &mut model.offers {
        offer.versions.sort_unstable();
        offer.versions.dedup();
    }
    model
        .offers
        .sort_by(|one, other| one.provider.cmp(&other.provider));
    model.context_tokens = model.context_tokens.filter(|tokens| *tokens > 0);
    let limit = model.context_tokens.unwrap_or(i64::MAX);
    model.max_output_tokens = model
        .max_output_tokens
        .filter(|tokens| (1..=limit).contains(tokens));
    model
}
