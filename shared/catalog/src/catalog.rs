//! The catalogue: finds models by their names, providers by theirs, and prices by both.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use keyward_money::Prices;
use ring::digest;

use crate::data::{CatalogFile, Source};
use crate::model::{Model, Offer};
use crate::provider::ProviderInfo;
use crate::{CatalogError, ModelRef};

/// The provider that resells models of any vendor.
const OPENROUTER: &str = "openrouter";
/// Its models have no bare names: nobody who asks for `echo` or `slow` means the sandbox.
const SANDBOX: &str = "sandbox";
/// What OpenRouter lets callers append to a model's name, after a colon.
const OPENROUTER_SUFFIXES: [&str; 8] = [
    "free", "nitro", "floor", "online", "extended", "thinking", "beta", "exacto",
];

/// Models and providers, as one version of the data file has them.
#[derive(Debug, Clone)]
pub struct Catalog {
    version: u64,
    as_of: String,
    sources: Vec<Source>,
    providers: Vec<ProviderInfo>,
    models: Vec<Model>,
    /// Ids, aliases, bare names and `provider/upstream` names; the latter two only where they mean
    /// one model.
    names: HashMap<String, Name>,
    vendors: HashSet<String>,
    prices_digest: OnceLock<Vec<u8>>,
}

/// What a name in the index means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Name {
    model: usize,
    /// The offer whose provider the name pins.
    pinned_offer: Option<usize>,
}

impl Catalog {
    /// The catalogue that this program was built with: what was generated, and over it what is kept
    /// by hand.
    pub fn embedded() -> Result<Self, CatalogError> {
        Self::of(CatalogFile::embedded()?.under(CatalogFile::hand()?), &[])
    }

    /// A catalogue from the text of one file.
    pub fn parse(json: &str) -> Result<Self, CatalogError> {
        Self::of(CatalogFile::parse(json)?, &[])
    }

    /// A catalogue from a file, or from several laid over one another. Offers of providers that are
    /// neither in it nor among `own_providers`, those of the settings, contradict it.
    pub fn of(file: CatalogFile, own_providers: &[String]) -> Result<Self, CatalogError> {
        let (version, as_of) = (file.version, file.as_of.clone());
        let (providers, sources) = (file.providers.clone(), file.sources.clone());
        let models = crate::build::models(file);
        check(&providers, &models, own_providers)?;
        let names = index(&models)?;
        let vendors = models
            .iter()
            .map(|model| model.vendor().to_owned())
            .chain(providers.iter().map(|provider| provider.name.clone()))
            .collect();
        Ok(Self {
            version,
            as_of,
            sources,
            providers,
            models,
            names,
            vendors,
            prices_digest: OnceLock::new(),
        })
    }

    /// Counts up with every change of the data, as `YYYYMMDDnn`. What lies over the data has no
    /// version; the price book counts for itself.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The day of the data, `YYYY-MM-DD`.
    pub fn as_of(&self) -> &str {
        &self.as_of
    }

    /// What the data was made from.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Every model, those that lists do not show included.
    pub fn all_models(&self) -> impl Iterator<Item = &Model> {
        self.models.iter()
    }

    /// The model at a place among all models.
    pub fn model_at(&self, place: usize) -> Option<&Model> {
        self.models.get(place)
    }

    /// The models that lists show.
    pub fn models(&self) -> impl Iterator<Item = &Model> {
        self.models.iter().filter(|model| model.listed)
    }

    /// Every price there is: provider, model id, prices; models that lists do not show included.
    pub fn all_prices(&self) -> impl Iterator<Item = (&str, &str, &Prices)> {
        self.models.iter().flat_map(|model| {
            model
                .offers
                .iter()
                .filter(|offer| offer.prices.is_priced())
                .map(|offer| (offer.provider.as_str(), model.id.as_str(), &offer.prices))
        })
    }

    /// The SHA-256 of all prices: two catalogues with the same one charge the same for everything,
    /// whatever else differs.
    pub fn prices_digest(&self) -> &[u8] {
        self.prices_digest.get_or_init(|| {
            let mut rows: Vec<_> = self.all_prices().collect();
            rows.sort_by_key(|(provider, model, _)| (*provider, *model));
            // Prices are numbers and names: there is nothing in them that JSON could not hold.
            let text = serde_json::to_vec(&rows).unwrap_or_default();
            digest::digest(&digest::SHA256, &text).as_ref().to_vec()
        })
    }

    /// The providers, in the order of the file.
    pub fn providers(&self) -> &[ProviderInfo] {
        &self.providers
    }

    /// A provider by its name.
    pub fn provider(&self, name: &str) -> Option<&ProviderInfo> {
        self.providers.iter().find(|provider| provider.name == name)
    }

    /// A model by its id, an alias, its bare name, or a provider's prefix and name for it.
    pub fn resolve(&self, name: &str) -> Option<&Model> {
        let found = match name.strip_prefix("openrouter/") {
            Some(rest) => self.names.get(name).or_else(|| self.names.get(rest)),
            None => self.names.get(name),
        };
        found.and_then(|found| self.models.get(found.model))
    }

    /// What a provider offers of a model, by the model's id or another name.
    pub fn offer(&self, provider: &str, model: &str) -> Option<&Offer> {
        self.resolve(model)?.offer(provider)
    }

    /// The prices of a model at a provider; `None` where unpriced.
    pub fn prices(&self, provider: &str, model: &str) -> Option<&Prices> {
        self.offer(provider, model)
            .map(|offer| &offer.prices)
            .filter(|prices| prices.is_priced())
    }

    /// What a caller's name for a model means. `is_configured` knows the names of providers that
    /// the settings add to the catalogue's.
    pub fn reference(&self, name: &str, is_configured: impl Fn(&str) -> bool) -> ModelRef<'_> {
        if let Some(rest) = name.strip_prefix("openrouter/") {
            return self.at_openrouter(name, rest);
        }
        if let Some(found) = self.names.get(name) {
            return self.known(*found, None);
        }
        if let Some(plain) = without_openrouter_suffix(name) {
            return self.variant(name, plain, &is_configured);
        }
        match name.split_once('/') {
            Some((vendor, rest)) if !rest.is_empty() && self.knows(vendor, &is_configured) => {
                self.unlisted(vendor, rest)
            }
            _ => ModelRef::Unknown,
        }
    }

    fn knows(&self, vendor: &str, is_configured: &impl Fn(&str) -> bool) -> bool {
        self.vendors.contains(vendor) || is_configured(vendor) || self.spelled(vendor).is_some()
    }

    /// The provider that OpenRouter spells so.
    fn spelled(&self, vendor: &str) -> Option<&ProviderInfo> {
        self.providers
            .iter()
            .find(|provider| provider.openrouter_vendor.as_deref() == Some(vendor))
    }

    fn known<'a>(&'a self, found: Name, pin: Option<&'a str>) -> ModelRef<'a> {
        match self.models.get(found.model) {
            None => ModelRef::Unknown,
            Some(model) => {
                let offered = found.pinned_offer.and_then(|offer| model.offers.get(offer));
                let pinned_provider = pin.or(offered.map(|offer| offer.provider.as_str()));
                ModelRef::Known {
                    model,
                    pinned_provider,
                }
            }
        }
    }

    /// `openrouter/…`: pinned there, listed or not.
    fn at_openrouter(&self, name: &str, rest: &str) -> ModelRef<'_> {
        let found = self.names.get(rest).or_else(|| self.names.get(name));
        let listed = found.and_then(|found| {
            let model = self.models.get(found.model)?;
            model.offer(OPENROUTER).map(|_| *found)
        });
        match listed {
            Some(found) => self.known(found, Some(OPENROUTER)),
            None if rest.is_empty() => ModelRef::Unknown,
            None => {
                // OpenRouter's own models, such as `openrouter/auto`, have its prefix there too.
                let upstream = if rest.contains('/') { rest } else { name };
                ModelRef::Unlisted {
                    vendor: OPENROUTER.to_owned(),
                    name: upstream.to_owned(),
                    openrouter_name: Some(upstream.to_owned()),
                }
            }
        }
    }

    /// `model:suffix`: OpenRouter's, under the name that it has for the model.
    fn variant(
        &self,
        name: &str,
        plain: &str,
        is_configured: &impl Fn(&str) -> bool,
    ) -> ModelRef<'_> {
        let suffix = &name[plain.len()..];
        let carried = self
            .names
            .get(plain)
            .and_then(|found| self.models.get(found.model)?.offer(OPENROUTER))
            .map(|offer| offer.upstream_for(plain));
        let upstream = match (carried, plain.split_once('/')) {
            (Some(upstream), _) => format!("{upstream}{suffix}"),
            (None, Some((vendor, rest))) if !rest.is_empty() => {
                if !self.knows(vendor, is_configured) {
                    return ModelRef::Unknown;
                }
                let vendor = self.openrouter_vendor(vendor).unwrap_or(vendor);
                format!("{vendor}/{rest}{suffix}")
            }
            (None, _) => return ModelRef::Unknown,
        };
        ModelRef::Unlisted {
            vendor: OPENROUTER.to_owned(),
            name: upstream.clone(),
            openrouter_name: Some(upstream),
        }
    }

    fn unlisted(&self, vendor: &str, rest: &str) -> ModelRef<'_> {
        let own_name = self
            .spelled(vendor)
            .map_or(vendor, |provider| provider.name.as_str());
        ModelRef::Unlisted {
            vendor: own_name.to_owned(),
            name: rest.to_owned(),
            openrouter_name: self
                .openrouter_vendor(vendor)
                .map(|spelling| format!("{spelling}/{rest}")),
        }
    }

    /// How OpenRouter spells a vendor; `None` for those that only sell others' models, and for
    /// providers that only the settings know.
    fn openrouter_vendor<'a>(&'a self, vendor: &'a str) -> Option<&'a str> {
        match self.provider(vendor) {
            Some(provider) => provider.openrouter_vendor.as_deref(),
            None if self.vendors.contains(vendor) || self.spelled(vendor).is_some() => Some(vendor),
            None => None,
        }
    }
}

fn without_openrouter_suffix(name: &str) -> Option<&str> {
    let (plain, suffix) = name.rsplit_once(':')?;
    OPENROUTER_SUFFIXES.contains(&suffix).then_some(plain)
}

fn check(
    providers: &[ProviderInfo],
    models: &[Model],
    own_providers: &[String],
) -> Result<(), CatalogError> {
    let contradiction = |name: &str, problem| {
        Err(CatalogError::Contradiction {
            name: name.to_owned(),
            problem,
        })
    };
    let mut names = HashSet::new();
    for provider in providers {
        if !names.insert(provider.name.as_str()) {
            return contradiction(&provider.name, "two providers have this name");
        }
    }
    names.extend(own_providers.iter().map(String::as_str));
    for model in models {
        if model.vendor().is_empty() || model.bare_name().is_empty() {
            return contradiction(&model.id, "the id is not vendor/name");
        }
        let mut offering = HashSet::new();
        for offer in &model.offers {
            if !names.contains(offer.provider.as_str()) {
                return Err(CatalogError::UnknownProvider {
                    model: model.id.clone(),
                    provider: offer.provider.clone(),
                });
            }
            if !offering.insert(offer.provider.as_str()) {
                return contradiction(&model.id, "a provider offers it twice");
            }
            if has_negative(&offer.prices) {
                return contradiction(&model.id, "a price is negative");
            }
        }
    }
    Ok(())
}

fn has_negative(prices: &Prices) -> bool {
    let mut all = prices.all_rates().flat_map(keyward_money::Rates::named);
    all.any(|(_, price)| price.is_some_and(|price| price < 0))
}

/// All names, the explicit ones first: an id or alias that two models claim is an error, a derived
/// name that two models could have means neither.
fn index(models: &[Model]) -> Result<HashMap<String, Name>, CatalogError> {
    let mut names: HashMap<String, Name> = HashMap::new();
    for (position, model) in models.iter().enumerate() {
        for name in std::iter::once(&model.id).chain(&model.aliases) {
            let meaning = Name {
                model: position,
                pinned_offer: None,
            };
            if names.insert(name.clone(), meaning).is_some() {
                return Err(CatalogError::Contradiction {
                    name: name.clone(),
                    problem: "two models claim this name",
                });
            }
        }
    }
    let mut derived: HashMap<String, Option<Name>> = HashMap::new();
    for (position, model) in models.iter().enumerate() {
        for (name, pinned_offer) in derived_names(model) {
            let meaning = Name {
                model: position,
                pinned_offer,
            };
            derived
                .entry(name)
                .and_modify(|known| {
                    if known.is_some_and(|known| known.model != position) {
                        *known = None;
                    }
                })
                .or_insert(Some(meaning));
        }
    }
    for (name, meaning) in derived {
        if let Some(meaning) = meaning {
            names.entry(name).or_insert(meaning);
        }
    }
    Ok(names)
}

/// Bare names, and each provider's own names with its prefix. A reseller's prefix pins it.
fn derived_names(model: &Model) -> Vec<(String, Option<usize>)> {
    if model.vendor() == SANDBOX {
        return Vec::new();
    }
    let mut names = vec![(model.bare_name().to_owned(), None)];
    for (position, offer) in model.offers.iter().enumerate() {
        let is_vendor = offer.provider == model.vendor();
        for upstream in std::iter::once(&offer.upstream).chain(&offer.versions) {
            if is_vendor {
                names.push((upstream.clone(), None));
            }
            let pinned_offer = (!is_vendor).then_some(position);
            names.push((format!("{}/{upstream}", offer.provider), pinned_offer));
        }
    }
    names
}
