//! Every provider's models by price, so that the cheapest that fit a request are found without
//! looking at the whole catalogue each time.

use std::collections::HashMap;

use keyward_catalog::{Capability, Catalog, Endpoint, Model, Offer};

use crate::domain::health::Seen;

/// A usual request has so many tokens of prompt to one of the answer.
const PROMPT_SHARE: i64 = 3;
/// To wait for so long weighs as much as the price.
const WAIT_LIKE_PRICE_MS: u64 = 10_000;
/// Whoever waits for longer has left.
const WAIT_MS_MAX: u64 = 60_000;
/// What fails more often than this is left to its breaker.
const FAILED_OF_10_000_MAX: u64 = 9_500;
/// A model for trying things out is nobody's choice.
const SANDBOX: &str = "sandbox";

/// What a request needs of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fit<'a> {
    /// What is asked for.
    pub endpoint: Endpoint,
    /// What the model has to be able to do.
    pub needs: &'a [Capability],
    /// Tokens of prompt and answer together.
    pub context_tokens: u64,
}

impl Fit<'_> {
    /// Why a model does not fit, where it does not.
    pub fn lacks(&self, model: &Model) -> Option<Lack> {
        if !model.supports(self.endpoint) {
            return Some(Lack::Endpoint(self.endpoint));
        }
        let missing = |need: &&Capability| !model.capabilities.contains(need);
        if let Some(missing) = self.needs.iter().find(missing) {
            return Some(Lack::Capability(*missing));
        }
        let context = model
            .context_tokens
            .and_then(|tokens| u64::try_from(tokens).ok());
        let is_short = context.is_some_and(|context| context > 0 && context < self.context_tokens);
        is_short.then_some(Lack::Context)
    }
}

/// What a model has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// It cannot be asked for this.
    Endpoint(Endpoint),
    /// It is not known to be able to do this.
    Capability(Capability),
    /// Prompt and answer are longer than it takes.
    Context,
}

/// A model at a provider.
#[derive(Debug)]
struct Entry {
    /// Nano-credits for a million tokens of a usual request.
    price: i64,
    /// Its place in the catalogue.
    model: usize,
}

/// The models of each provider, the cheapest first. Of one version of the catalogue.
#[derive(Debug, Default)]
pub struct Cheapest {
    by_provider: HashMap<String, Vec<Entry>>,
}

impl Cheapest {
    /// Of a catalogue.
    pub fn of(catalog: &Catalog) -> Self {
        let mut by_provider: HashMap<String, Vec<Entry>> = HashMap::new();
        for (place, model) in catalog.all_models().enumerate() {
            if !model.is_listed() || model.vendor() == SANDBOX {
                continue;
            }
            for offer in &model.offers {
                let Some(price) = blended(offer) else {
                    continue;
                };
                let entries = by_provider.entry(offer.provider.clone()).or_default();
                entries.push(Entry {
                    price,
                    model: place,
                });
            }
        }
        for entries in by_provider.values_mut() {
            entries.sort_by_key(|entry| (entry.price, entry.model));
        }
        Self { by_provider }
    }

    /// The cheapest of a provider's models for which something holds, each with its price.
    pub fn find<'c>(
        &self,
        catalog: &'c Catalog,
        provider: &str,
        holds: impl Fn(&Model) -> bool,
    ) -> impl Iterator<Item = (i64, &'c Model)> {
        let entries = self
            .by_provider
            .get(provider)
            .map_or(&[][..], Vec::as_slice);
        entries.iter().filter_map(move |entry| {
            let model = catalog.model_at(entry.model)?;
            holds(model).then_some((entry.price, model))
        })
    }
}

/// A price with what was seen of the model: it is asked again as often as it fails, and waited for. Of
/// whom nothing is known, nothing is held against.
pub(crate) fn weighed(price: i64, seen: Option<Seen>) -> i64 {
    let Some(seen) = seen else {
        return price;
    };
    let served = 10_000 - seen.failed_of_10_000.min(FAILED_OF_10_000_MAX);
    let waited_ms = seen.first_byte_ms.min(WAIT_MS_MAX);
    let tries = i128::from(price) * 10_000 / i128::from(served);
    let waits = tries * i128::from(WAIT_LIKE_PRICE_MS + waited_ms) / i128::from(WAIT_LIKE_PRICE_MS);
    i64::try_from(waits).unwrap_or(i64::MAX)
}

/// Nothing for models without a price and for those that cost nothing, which are limited so that
/// nobody would choose them unasked.
fn blended(offer: &Offer) -> Option<i64> {
    let rates = &offer.prices.rates;
    let (input, output) = (rates.input?, rates.output.unwrap_or(0));
    let price = input.saturating_mul(PROMPT_SHARE).saturating_add(output) / (PROMPT_SHARE + 1);
    (price > 0).then_some(price)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: Fit<'_> = Fit {
        endpoint: Endpoint::ChatCompletions,
        needs: &[],
        context_tokens: 2_000,
    };

    #[test]
    fn the_cheapest_that_fit_come_first() {
        let catalog = Catalog::embedded().unwrap();
        let cheapest = Cheapest::of(&catalog);
        for fit in [
            CHAT,
            Fit {
                needs: &[Capability::Tools, Capability::Vision],
                context_tokens: 200_000,
                ..CHAT
            },
        ] {
            let fits = |model: &Model| fit.lacks(model).is_none();
            let found: Vec<_> = cheapest.find(&catalog, "openai", fits).take(5).collect();
            assert_eq!(found.len(), 5);
            assert!(found.is_sorted_by_key(|(price, _)| *price));
            assert!(found.iter().all(|(_, model)| fit.lacks(model).is_none()));
        }
    }

    #[test]
    fn failures_and_waits_weigh_like_money() {
        let seen = |first_byte_ms, failed_of_10_000| {
            Some(Seen {
                first_byte_ms,
                tokens_per_second: None,
                failed_of_10_000,
            })
        };
        for (seen, expect) in [
            (None, 100),
            (seen(0, 0), 100),
            (seen(0, 5_000), 200),
            (seen(0, 10_000), 2_000),
            (seen(1_000, 0), 110),
            (seen(10_000, 0), 200),
            (seen(10_000, 5_000), 400),
            (seen(u64::MAX, 0), 700),
        ] {
            assert_eq!(weighed(100, seen), expect, "{seen:?}");
        }
        assert_eq!(weighed(i64::MAX, seen(1, 0)), i64::MAX);
    }

    #[test]
    fn what_a_model_lacks_is_told() {
        let catalog = Catalog::embedded().unwrap();
        let model = catalog.resolve("openai/gpt-4o").unwrap();
        let embeddings = Fit {
            endpoint: Endpoint::Embeddings,
            ..CHAT
        };
        let long = Fit {
            context_tokens: 10_000_000,
            ..CHAT
        };
        assert_eq!(CHAT.lacks(model), None);
        let lacks = Some(Lack::Endpoint(Endpoint::Embeddings));
        assert_eq!(embeddings.lacks(model), lacks);
        assert_eq!(long.lacks(model), Some(Lack::Context));
    }
}
