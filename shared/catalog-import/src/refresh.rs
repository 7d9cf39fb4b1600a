//! A newly read list over the data in use: what it says of a price holds, what it does not say stays,
//! and what is not plausible is held back.

use std::collections::{HashMap, HashSet};

use keyward_catalog::{CatalogFile, ModelEntry, OfferEntry};
use keyward_money::{Rates, ServiceTier};

use crate::Form;
use crate::diff::{Change, Kind, diff};
use crate::merge::Merged;

/// By how much a price may change before it is held back: tenfold, either way.
const CHANGE_MAX: i64 = 10;

/// The smallest part of a provider's offers that has to be left, in percent.
const LEFT_MIN: usize = 50;

/// Why a change is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
pub enum Doubt {
    /// A price rose or fell more than tenfold.
    #[error("changes more than tenfold")]
    Tenfold,
    /// A price became zero.
    #[error("becomes free")]
    Free,
    /// A price went away.
    #[error("loses its price")]
    Unpriced,
    /// Most of a provider's models are gone.
    #[error("most of the provider's models are missing")]
    ProviderMissing,
}

/// A change that was held back, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldBack {
    /// The change.
    pub change: Change,
    /// Why.
    pub doubt: Doubt,
}

/// The data with the new list in it.
#[derive(Debug, Clone)]
pub struct Refreshed {
    /// The data to apply.
    pub file: CatalogFile,
    /// What is different from the data in use.
    pub changes: Vec<Change>,
    /// How many more models are different in what they are called, what they can do, how long their
    /// prompts may be, or when they retire.
    pub other_models: usize,
    /// What was left as it is.
    pub held_back: Vec<HeldBack>,
}

/// Puts what was read over the data in use. With `accept_implausible` nothing is held back.
pub fn refresh(current: &CatalogFile, read: &Merged, accept_implausible: bool) -> Refreshed {
    let new = over(current, read);
    let wanted = diff(current, &new);
    let held_back = match accept_implausible {
        true => Vec::new(),
        false => doubtful(current, read, &wanted),
    };
    let file = without(new, current, &held_back);
    let changes = diff(current, &file);
    Refreshed {
        other_models: models_changed_otherwise(current, &file, &changes),
        file,
        changes,
        held_back,
    }
}

/// How many models are different though no offer came or went and no price changed.
fn models_changed_otherwise(
    current: &CatalogFile,
    file: &CatalogFile,
    changes: &[Change],
) -> usize {
    let old = by_id(current);
    let told: HashSet<&str> = changes.iter().map(|change| change.model.as_str()).collect();
    let models = file.models.iter();
    models
        .filter(|model| !told.contains(model.id.as_str()))
        .filter(|model| old.get(model.id.as_str()).is_none_or(|old| *old != *model))
        .count()
}

/// The data in use with the new list over it. Offers that the same list had and has no more go away;
/// those of other lists stay.
fn over(current: &CatalogFile, read: &Merged) -> CatalogFile {
    let lists = names_of(read);
    let new: HashSet<(&str, &str)> = keys(&read.file).collect();
    let mut old = current.clone();
    for model in &mut old.models {
        let id = model.id.clone();
        model.offers.retain(|offer| {
            !is_from(offer, &lists) || new.contains(&(id.as_str(), offer.provider.as_str()))
        });
    }
    old.models.retain(|model| !model.offers.is_empty());
    let upper = layer(&old, &read.file, &lists);
    let mut file = CatalogFile {
        version: read.file.version,
        as_of: read.file.as_of.clone(),
        sources: read.file.sources.clone(),
        ..old.under(upper)
    };
    for source in &current.sources {
        if !file.sources.iter().any(|known| known.name == source.name) {
            file.sources.push(source.clone());
        }
    }
    sorted(file)
}

/// The lists that were read.
fn names_of(read: &Merged) -> HashSet<&str> {
    let sources = read.file.sources.iter();
    sources.map(|source| source.name.as_str()).collect()
}

/// Whether an offer's prices are from these lists alone.
fn is_from(offer: &OfferEntry, lists: &HashSet<&str>) -> bool {
    let source = offer.source.as_deref().unwrap_or_default();
    !source.is_empty() && source.split('+').all(|name| lists.contains(name))
}

/// Whether one of these lists knew an offer.
fn was_in(offer: &OfferEntry, lists: &HashSet<&str>) -> bool {
    let source = offer.source.as_deref().unwrap_or_default();
    source.split('+').any(|name| lists.contains(name))
}

/// What the new list changes. Prices of another list's offers are completed, not replaced, where the
/// main ones are the same; and what a model is, other lists than LiteLLM's say of new ones only.
fn layer(old: &CatalogFile, new: &CatalogFile, lists: &HashSet<&str>) -> CatalogFile {
    let known = by_id(old);
    let mut layer = new.clone();
    for model in &mut layer.models {
        let Some(before) = known.get(model.id.as_str()) else {
            continue;
        };
        for offer in &mut model.offers {
            let old = before
                .offers
                .iter()
                .find(|old| old.provider == offer.provider);
            if let Some(old) = old.filter(|old| !is_from(old, lists)) {
                complete(offer, old);
            }
        }
        if !lists.contains(Form::LiteLlm.name()) {
            *model = ModelEntry {
                id: std::mem::take(&mut model.id),
                aliases: std::mem::take(&mut model.aliases),
                offers: std::mem::take(&mut model.offers),
                ..ModelEntry::default()
            };
        }
    }
    layer
}

/// Adds what another list knew besides to prices that are otherwise the same.
fn complete(offer: &mut OfferEntry, old: &OfferEntry) {
    let (Some(new), Some(old)) = (offer.prices.as_mut(), old.prices.as_ref()) else {
        return;
    };
    if (new.rates.input, new.rates.output) != (old.rates.input, old.rates.output) {
        return;
    }
    new.rates = filled(new.rates, &old.rates);
    if new.long_context.is_empty() {
        new.long_context.clone_from(&old.long_context);
    }
    for tier in &old.service_tiers {
        let has = |known: &ServiceTier| known.service_tier == tier.service_tier;
        if !new.service_tiers.iter().any(has) {
            new.service_tiers.push(tier.clone());
        }
    }
    new.service_tiers
        .sort_by(|one, other| one.service_tier.cmp(&other.service_tier));
}

fn filled(new: Rates, old: &Rates) -> Rates {
    Rates {
        input: new.input.or(old.input),
        output: new.output.or(old.output),
        cache_read: new.cache_read.or(old.cache_read),
        cache_write_5m: new.cache_write_5m.or(old.cache_write_5m),
        cache_write_1h: new.cache_write_1h.or(old.cache_write_1h),
        input_audio: new.input_audio.or(old.input_audio),
        input_image: new.input_image.or(old.input_image),
        reasoning: new.reasoning.or(old.reasoning),
        output_audio: new.output_audio.or(old.output_audio),
        output_image: new.output_image.or(old.output_image),
        search_fee: new.search_fee.or(old.search_fee),
        request_fee: new.request_fee.or(old.request_fee),
        image_fee: new.image_fee.or(old.image_fee),
        audio_ms: new.audio_ms.or(old.audio_ms),
        characters: new.characters.or(old.characters),
    }
}

fn sorted(mut file: CatalogFile) -> CatalogFile {
    file.models.sort_by(|one, other| one.id.cmp(&other.id));
    for model in &mut file.models {
        model
            .offers
            .sort_by(|one, other| one.provider.cmp(&other.provider));
    }
    file
}

fn by_id(file: &CatalogFile) -> HashMap<&str, &ModelEntry> {
    let models = file.models.iter();
    models.map(|model| (model.id.as_str(), model)).collect()
}

fn keys(file: &CatalogFile) -> impl Iterator<Item = (&str, &str)> {
    file.models.iter().flat_map(|model| {
        model
            .offers
            .iter()
            .map(|offer| (model.id.as_str(), offer.provider.as_str()))
    })
}

/// The changes that are not plausible.
fn doubtful(current: &CatalogFile, read: &Merged, changes: &[Change]) -> Vec<HeldBack> {
    let missing = missing_providers(current, read);
    let doubt = |change: &Change| match &change.kind {
        Kind::Removed if missing.contains(change.provider.as_str()) => Some(Doubt::ProviderMissing),
        Kind::Price { before, after, .. } => price_doubt(*before, *after),
        Kind::Removed | Kind::Added { .. } => None,
    };
    changes
        .iter()
        .filter_map(|change| {
            Some(HeldBack {
                change: change.clone(),
                doubt: doubt(change)?,
            })
        })
        .collect()
}

/// What is doubtful about a price, were it to change so. One that goes away changes what its
/// use costs: to nothing, or to another price, such as that of input for what comes from a cache.
pub fn price_doubt(before: Option<i64>, after: Option<i64>) -> Option<Doubt> {
    match (before, after) {
        (Some(before), Some(0)) if before > 0 => Some(Doubt::Free),
        (Some(before), Some(after)) if before > 0 => {
            let limit = |price: i64| price.saturating_mul(CHANGE_MAX);
            (after > limit(before) || before > limit(after)).then_some(Doubt::Tenfold)
        }
        (Some(before), None) if before > 0 => Some(Doubt::Unpriced),
        _ => None,
    }
}

/// The providers of which the lists lack most of what they had: one that was cut off, one of a few
/// models, or a name that changed. What other lists know too counts, though it stays in any case:
/// else the few that one list alone knows would look like all.
fn missing_providers<'a>(current: &'a CatalogFile, read: &Merged) -> HashSet<&'a str> {
    let (lists, new) = (names_of(read), keys(&read.file).collect::<HashSet<_>>());
    let mut counts: HashMap<&str, (usize, usize)> = HashMap::new();
    for model in &current.models {
        for offer in model.offers.iter().filter(|it| was_in(it, &lists)) {
            let (had, left) = counts.entry(offer.provider.as_str()).or_default();
            *had += 1;
            *left += usize::from(new.contains(&(model.id.as_str(), offer.provider.as_str())));
        }
    }
    counts
        .into_iter()
        .filter(|(_, (had, left))| left * 100 < had * LEFT_MIN)
        .map(|(provider, _)| provider)
        .collect()
}

/// The new data with the offers as they were of which anything is held back.
fn without(new: CatalogFile, current: &CatalogFile, held_back: &[HeldBack]) -> CatalogFile {
    let held: HashSet<(&str, &str)> = held_back
        .iter()
        .map(|held| (held.change.model.as_str(), held.change.provider.as_str()))
        .collect();
    let mut old = CatalogFile::new(0, "");
    for model in &current.models {
        let is_held =
            |offer: &&OfferEntry| held.contains(&(model.id.as_str(), offer.provider.as_str()));
        let offers: Vec<OfferEntry> = model.offers.iter().filter(is_held).cloned().collect();
        if !offers.is_empty() {
            old.models.push(ModelEntry {
                offers,
                ..model.clone()
            });
        }
    }
    sorted(new.under(old))
}
