//! What rules and the caller's preferences make of one model: who may serve it, and in which order.

use std::sync::Arc;

use keyward_money::Nanos;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::asked::Choice;
use super::reason::Ordered;
use super::target::Target;
use super::{Obstacle, PlanInput};
use crate::domain::policy::{Rule, RuleFacts, Scope};
use crate::domain::preferences::{DataCollection, Sort};
use crate::domain::providers::OPENROUTER;
use crate::domain::task::{self, Fit};

/// The rules and preferences that concern one model of a request.
pub(super) struct Steering<'a> {
    rules: Vec<(Scope, &'a Rule)>,
    order: Order<'a>,
    sort: Option<Sort>,
    /// Whether the model was chosen by price, and so is who serves it.
    is_cheapest: bool,
    /// The most that the request may cost in credits.
    pub(super) max_charge: Option<Nanos>,
}

/// Who goes first, and who says so.
enum Order<'a> {
    Nobody,
    Request(&'a [String]),
    Rule(Scope, &'a Rule),
}

impl<'a> Steering<'a> {
    pub(super) fn of(input: &PlanInput<'a>, choice: &Choice<'a>) -> Self {
        let (request, target) = (input.request, &choice.target);
        let facts = RuleFacts {
            model: target.all_names(input),
            endpoint: request.form.endpoint(),
            task: request.task.map(|choice| choice.task),
            tags: &request.tags,
            prompt_tokens: request.prompt_tokens,
            now: input.now(),
        };
        let layers = input.layers();
        let rules: Vec<(Scope, &Rule)> = layers.rules(&facts).collect();
        let ordering = |(_, rule): &&(Scope, &Rule)| !rule.then.order.is_empty();
        let order = match rules.iter().rev().find(ordering) {
            _ if !request.preferences.order.is_empty() => {
                Order::Request(&request.preferences.order)
            }
            Some((scope, rule)) => Order::Rule(*scope, rule),
            None => Order::Nobody,
        };
        Self {
            max_charge: layers.max_charge(&rules),
            rules,
            order,
            sort: request.preferences.sort.or(target.sort()),
            is_cheapest: choice.is_cheapest(),
        }
    }

    /// Why a provider may not serve the model.
    pub(super) fn obstacle(
        &self,
        input: &PlanInput<'_>,
        target: &Target<'_>,
        provider: &str,
    ) -> Option<Obstacle> {
        if let Some(scope) = input.layers().forbids_provider(provider) {
            return Some(Obstacle::ProviderForbidden(scope));
        }
        let names_others = |rule: &Rule| {
            let named = &rule.then.providers;
            !named.is_empty() && !named.iter().any(|name| name == provider)
        };
        if let Some((scope, rule)) = self.rules.iter().find(|(_, rule)| names_others(rule)) {
            return Some(Obstacle::RuledOut(*scope, Arc::clone(&rule.name)));
        }
        preferred(input, provider).or_else(|| kept_to(input, target, provider))
    }

    /// The place of a provider among those that are otherwise alike, and what put it there.
    pub(super) fn place(
        &self,
        input: &PlanInput<'_>,
        target: &Target<'_>,
        provider: &str,
    ) -> (u16, u64) {
        let named = match self.order {
            Order::Nobody => &[][..],
            Order::Request(names) => names,
            Order::Rule(_, rule) => &rule.then.order,
        };
        let found = named.iter().position(|name| name == provider);
        // With `only`, OpenRouter comes after those that it names.
        let only = &input.request.preferences.only;
        let is_named = only.is_empty() || only.iter().any(|name| name == provider);
        let place = found.unwrap_or(named.len() + usize::from(!is_named));
        let measure = match self.sort {
            Some(sort) => measure(input, target, provider, sort),
            None if self.is_cheapest => weighed_price(input, target, provider),
            None => 0,
        };
        (u16::try_from(place).unwrap_or(u16::MAX), measure)
    }

    /// What put providers where they are.
    pub(super) fn ordered(&self) -> Option<Ordered> {
        match (&self.order, self.sort) {
            (Order::Request(_), _) => Some(Ordered::ByRequest),
            (Order::Rule(scope, rule), _) => Some(Ordered::ByRule(*scope, Arc::clone(&rule.name))),
            (Order::Nobody, Some(sort)) => Some(Ordered::Sorted(sort)),
            (Order::Nobody, None) => None,
        }
    }

    /// The lot of a provider among those that are otherwise alike: by weights where a rule gives
    /// some, else the same for all.
    pub(super) fn lot(&self, affinity: u64, provider: &str) -> u64 {
        let weighing = |(_, rule): &&(Scope, &Rule)| !rule.then.weights.is_empty();
        let Some((_, rule)) = self.rules.iter().rev().find(weighing) else {
            return 0;
        };
        let weight = rule.then.weights.get(provider).copied().unwrap_or(1);
        lot(affinity, provider, weight)
    }
}

/// What `only` and `ignore` say of a provider. A key for OpenRouter comes after those that `only`
/// names, and OpenRouter then keeps to it.
fn preferred(input: &PlanInput<'_>, provider: &str) -> Option<Obstacle> {
    let preferences = &input.request.preferences;
    let named = |names: &[String]| names.iter().any(|name| name == provider);
    if named(&preferences.ignore) {
        return Some(Obstacle::Ignored);
    }
    let is_out = |names: &[String]| !names.is_empty() && !named(names) && provider != OPENROUTER;
    if is_out(&preferences.only) {
        return Some(Obstacle::NotAmongOnly);
    }
    let is_alone = !preferences.allow_fallbacks && is_out(&preferences.order);
    is_alone.then_some(Obstacle::FallbacksOff)
}

/// What only a provider of the caller's choice may do. OpenRouter is told, and keeps to it itself.
fn kept_to(input: &PlanInput<'_>, target: &Target<'_>, provider: &str) -> Option<Obstacle> {
    if provider == OPENROUTER {
        return None;
    }
    let preferences = &input.request.preferences;
    if preferences.data_collection == DataCollection::Deny {
        return Some(Obstacle::Unknowable("data_collection"));
    }
    if preferences.zero_data_retention {
        return Some(Obstacle::Unknowable("zdr"));
    }
    if !preferences.quantizations.is_empty() {
        return Some(Obstacle::Unknowable("quantizations"));
    }
    if preferences.require_parameters
        && let Some(model) = target.model()
        && let Some(lack) = needed(input).lacks(model)
    {
        return Some(Obstacle::Lacks(lack));
    }
    too_dear(input, target, provider)
}

fn needed<'a>(input: &PlanInput<'a>) -> Fit<'a> {
    Fit {
        endpoint: input.request.form.endpoint(),
        needs: &input.request.needs,
        context_tokens: 0,
    }
}

fn too_dear(input: &PlanInput<'_>, target: &Target<'_>, provider: &str) -> Option<Obstacle> {
    let max = input.request.preferences.max_price;
    if [max.prompt, max.completion, max.request, max.image] == [None; 4] {
        return None;
    }
    let Some(prices) = input.catalog.prices(provider, target.id()) else {
        return Some(Obstacle::PriceUnknown);
    };
    let rates = &prices.rates;
    let exceeds = |max: Option<Nanos>, price: Option<i64>| {
        max.is_some_and(|max| price.unwrap_or(0) > max.get())
    };
    let is_dear = exceeds(max.prompt, rates.input)
        || exceeds(max.completion, rates.output)
        || exceeds(max.request, rates.request_fee)
        || exceeds(max.image, rates.input_image);
    is_dear.then_some(Obstacle::TooDear)
}

/// What a provider is sorted by, the least first; what is not known comes last.
fn measure(input: &PlanInput<'_>, target: &Target<'_>, provider: &str, sort: Sort) -> u64 {
    let seen = || input.health.seen(provider, target.id(), input.now_ms);
    match sort {
        Sort::Price => price(input, target, provider).unwrap_or(u64::MAX),
        Sort::Latency => seen().map_or(u64::MAX, |seen| seen.first_byte_ms),
        Sort::Throughput => seen()
            .and_then(|seen| seen.tokens_per_second)
            .map_or(u64::MAX, |tokens| u64::MAX - 1 - tokens),
    }
}

/// A price as models are chosen by it: with how often the provider fails, and how long it takes.
fn weighed_price(input: &PlanInput<'_>, target: &Target<'_>, provider: &str) -> u64 {
    let seen = input.health.seen(provider, target.id(), input.now_ms);
    let price = price(input, target, provider).and_then(|price| i64::try_from(price).ok());
    let weighed = price.map(|price| task::weighed(price, seen));
    weighed.map_or(u64::MAX, i64::unsigned_abs)
}

/// What the request would cost at list price, in parts of a nano-credit.
fn price(input: &PlanInput<'_>, target: &Target<'_>, provider: &str) -> Option<u64> {
    let prices = input.catalog.prices(provider, target.id())?;
    let request = input.request;
    let rate = |rate: Option<i64>| u64::try_from(rate.unwrap_or(0)).unwrap_or(0);
    let prompt = rate(prices.rates.input).saturating_mul(request.prompt_tokens.max(1));
    let answer = rate(prices.rates.output).saturating_mul(request.output_tokens.max(1));
    Some(prompt.saturating_add(answer))
}

/// Draws lots by weight, the same for the same number: of things with weights `w`, one has the least
/// lot as often as its weight is of all (weighted rendezvous hashing, Schindelhauer and Schomaker
/// 2005: `-ln(h) / w`, with `h` a hash in `(0, 1]`). The hash is a specified one, so that routers of
/// different builds draw the same.
pub(super) fn lot(affinity: u64, name: &str, weight: u32) -> u64 {
    let hash = xxh3_64_with_seed(name.as_bytes(), affinity);
    // The upper 53 bits are as many as a double tells apart.
    let hash = (hash >> 11) + 1;
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    let share = hash as f64 / (1_u64 << 53) as f64;
    let lot = -share.ln() / f64::from(weight.max(1));
    // Doubles that are not negative are in the order of their bits.
    lot.abs().to_bits()
}

#[cfg(test)]
mod tests {
    use super::lot;

    #[test]
    fn lots_fall_by_weight_and_stay_where_they_fell() {
        let first = |affinity| {
            let keys = [("a", 1), ("b", 3)];
            let drawn = keys
                .into_iter()
                .min_by_key(|(name, weight)| lot(affinity, name, *weight));
            drawn.unwrap().0
        };
        let of_b = (0..10_000)
            .filter(|affinity| first(*affinity) == "b")
            .count();
        assert!((7_300..7_700).contains(&of_b), "{of_b}");
        assert_eq!(first(17), first(17));
    }
}
