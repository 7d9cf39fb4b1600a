//! What some usage would cost. Nothing is booked, and no limit of a model's counts.

use keyward_catalog::{Model, ModelRef};
use keyward_money::{BasisPoints, Charge, MoneyError, Nanos, Prices, Rates, Usage};

use super::App;
use super::pricing::Book;
use crate::MeteringError;
use crate::domain::requester::Requester;

/// The service tier that providers call the usual one.
const DEFAULT_SERVICE_TIER: &str = "default";

/// Usage whose cost is asked for.
#[derive(Debug, Clone)]
pub(crate) struct EstimateRequest {
    pub(crate) model: String,
    /// The first that has a price where empty, the vendor before resellers.
    pub(crate) provider: String,
    pub(crate) usage: Usage,
    /// The caller's own where empty.
    pub(crate) tier: String,
    /// The usual one where empty.
    pub(crate) service_tier: String,
}

/// What it would cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Estimate {
    pub(crate) model: String,
    pub(crate) provider: String,
    pub(crate) price_version: u64,
    /// The prices that hold for it.
    pub(crate) rates: Rates,
    pub(crate) list_cost: Nanos,
    /// In the tier that was asked for.
    pub(crate) cost: TierCost,
    /// In every tier, by name.
    pub(crate) tiers: Vec<TierCost>,
}

/// What it would be charged in a tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TierCost {
    pub(crate) tier: String,
    pub(crate) markup: BasisPoints,
    pub(crate) charge: Charge,
}

impl App {
    /// Says what some usage would cost by the prices in force.
    pub(crate) fn estimate(
        &self,
        requester: &Requester,
        asked: &EstimateRequest,
    ) -> Result<Estimate, MeteringError> {
        let book = self.book();
        let offer = find(&book, &asked.model, &asked.provider)?;
        let rates = rates(&offer, asked)?;
        let tiers = self.current_tiers();
        let name = if asked.tier.is_empty() {
            &requester.tier
        } else {
            let known = tiers.get(&asked.tier);
            &known.ok_or(MeteringError::NotFound("tier"))?.name
        };
        let in_tier = |name: &str| {
            let markup = tiers.markup(name);
            let charge = Charge::by_rates(&asked.usage, &rates, markup);
            let tier = name.to_owned();
            charge.map(|charge| TierCost {
                tier,
                markup,
                charge,
            })
        };
        let cost = in_tier(name).map_err(too_large)?;
        let in_all = tiers.iter().map(|tier| in_tier(&tier.name));
        Ok(Estimate {
            model: offer.model.id.clone(),
            provider: offer.provider.to_owned(),
            price_version: book.prices.version,
            rates,
            list_cost: cost.charge.list_cost,
            cost,
            tiers: in_all.collect::<Result<_, _>>().map_err(too_large)?,
        })
    }
}

/// A model at a provider, priced.
struct Offer<'a> {
    model: &'a Model,
    provider: &'a str,
    prices: &'a Prices,
}

fn find<'a>(book: &'a Book, model: &str, provider: &str) -> Result<Offer<'a>, MeteringError> {
    let ModelRef::Known {
        model: known,
        pinned_provider,
    } = book.catalog.reference(model, |_| false)
    else {
        return Err(MeteringError::model_unknown("", model));
    };
    let only = Some(provider)
        .filter(|provider| !provider.is_empty())
        .or(pinned_provider);
    if let Some(only) = only
        && known.offer(only).is_none()
    {
        return Err(MeteringError::model_unknown(only, model));
    }
    let offered = known.offers.iter().map(|offer| offer.provider.as_str());
    let mut priced = offered
        .filter(|provider| only.is_none_or(|only| only == *provider))
        .filter_map(|provider| Some((provider, book.prices.get(provider, &known.id)?)));
    let (provider, prices) = priced.next().ok_or_else(|| unpriced(&known.id, only))?;
    Ok(Offer {
        model: known,
        provider,
        prices,
    })
}

fn rates(offer: &Offer<'_>, asked: &EstimateRequest) -> Result<Rates, MeteringError> {
    let tier = asked.service_tier.as_str();
    let tiers = &offer.prices.service_tiers;
    let is_usual = tier.is_empty() || tier == DEFAULT_SERVICE_TIER;
    if !is_usual && !tiers.iter().any(|known| known.service_tier == tier) {
        let known: Vec<_> = tiers.iter().map(|tier| &*tier.service_tier).collect();
        let known = match known.as_slice() {
            [] => "none".to_owned(),
            known => known.join(", "),
        };
        let (model, provider) = (&offer.model.id, offer.provider);
        let message = format!("{model} has no such service tier at {provider}; it has: {known}");
        return Err(MeteringError::invalid("service_tier", message));
    }
    Ok(offer.prices.rates_for(asked.usage.prompt_tokens(), tier))
}

fn unpriced(model: &str, provider: Option<&str>) -> MeteringError {
    let place = provider.map_or_else(String::new, |provider| format!(" at {provider}"));
    let message = format!("{model} has no list price{place}, so its cost is not known");
    MeteringError::invalid("model", message)
}

fn too_large(error: MoneyError) -> MeteringError {
    match error {
        MoneyError::Overflow => {
            MeteringError::invalid("usage", "so much usage costs more than can be counted")
        }
        MoneyError::Unpriced => MeteringError::invalid("model", "the model has no list price"),
    }
}
