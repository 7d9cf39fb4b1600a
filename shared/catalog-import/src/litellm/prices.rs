//! LiteLLM's prices: a base name for each kind, and suffixes for long prompts and service tiers.

use keyward_money::{LongContextTier, Prices, Rates, ServiceTier};

use super::Members;
use crate::decimal::{Decimal, Per};

/// Our names of service tiers, and the suffixes of their prices.
const SERVICE_TIERS: [(&str, &str); 3] = [
    ("batch", "_batches"),
    ("flex", "_flex"),
    ("priority", "_priority"),
];

/// The providers that count a prompt of exactly the threshold as long.
const INCLUSIVE: [&str; 1] = ["xai"];

/// The prices of a model; `None` where there are none that are understood here.
pub(super) fn of(provider: &str, mode: &str, members: &Members) -> Option<Prices> {
    let reader = Reader {
        provider,
        mode,
        members,
    };
    let mut rates = reader.rates("");
    reader.add_fees(&mut rates);
    if rates.input.is_none() && is_paid_otherwise(&rates) {
        rates.input = Some(0);
    }
    rates.input?;
    let thresholds = reader.thresholds();
    Some(Prices {
        rates,
        long_context: reader.long(&rates, &thresholds, ""),
        service_tiers: SERVICE_TIERS
            .into_iter()
            .filter_map(|(name, suffix)| reader.service_tier(&rates, &thresholds, name, suffix))
            .collect(),
    })
}

/// Whether something else than tokens is paid for.
fn is_paid_otherwise(rates: &Rates) -> bool {
    rates.image_fee.is_some()
        || rates.audio_ms.is_some()
        || rates.characters.is_some()
        || rates.request_fee.is_some()
}

struct Reader<'a> {
    provider: &'a str,
    mode: &'a str,
    members: &'a Members,
}

impl Reader<'_> {
    fn price(&self, name: &str, suffix: &str, per: Per) -> Option<i64> {
        Decimal::parse(self.members.raw(&format!("{name}{suffix}"))?)?.nanos(per)
    }

    fn rates(&self, suffix: &str) -> Rates {
        let token = |name: &str| self.price(name, suffix, Per::Unit);
        Rates {
            input: token("input_cost_per_token"),
            output: token("output_cost_per_token"),
            cache_read: token("cache_read_input_token_cost")
                .or_else(|| token("input_cost_per_token_cache_hit")),
            cache_write_5m: token("cache_creation_input_token_cost"),
            cache_write_1h: token("cache_creation_input_token_cost_above_1hr"),
            input_audio: token("input_cost_per_audio_token"),
            input_image: token("input_cost_per_image_token"),
            reasoning: token("output_cost_per_reasoning_token"),
            output_audio: token("output_cost_per_audio_token"),
            output_image: token("output_cost_per_image_token"),
            ..Rates::default()
        }
    }

    fn add_fees(&self, rates: &mut Rates) {
        let each = |name: &str| self.price(name, "", Per::Each);
        rates.request_fee = each("input_cost_per_request").or_else(|| each("input_cost_per_query"));
        // Sonar searches with every request, others when they are told to.
        match (self.provider, self.mode) {
            ("perplexity", "chat") => {
                rates.request_fee = rates.request_fee.or_else(|| self.search_fee());
            }
            _ => rates.search_fee = self.search_fee(),
        }
        if self.mode.starts_with("image") && rates.output_image.is_none() {
            rates.image_fee =
                each("output_cost_per_image").or_else(|| each("input_cost_per_image"));
        }
        if self.mode.starts_with("audio") && rates.input_audio.is_none() {
            let second = |name: &str| self.price(name, "", Per::Second);
            rates.audio_ms = second("input_cost_per_second").max(second("output_cost_per_second"));
            rates.characters = self.price("input_cost_per_character", "", Per::Unit);
        }
    }

    /// The dearest of the sizes of a search's context: nobody says which one was used.
    fn search_fee(&self) -> Option<i64> {
        let sizes: std::collections::BTreeMap<String, Box<serde_json::value::RawValue>> =
            self.members.get("search_context_cost_per_query")?;
        sizes
            .values()
            .filter_map(|size| Decimal::parse(size.get())?.nanos(Per::Each))
            .max()
    }

    /// The lengths of prompts, in thousands of tokens, from which other prices hold.
    fn thresholds(&self) -> Vec<i64> {
        let mut thresholds: Vec<i64> = self
            .members
            .names()
            .filter_map(|name| name.strip_prefix("input_cost_per_token_above_"))
            .filter_map(|rest| rest.split_once("k_tokens")?.0.parse().ok())
            .collect();
        thresholds.sort_unstable();
        thresholds.dedup();
        thresholds
    }

    fn long(&self, base: &Rates, thresholds: &[i64], tier: &str) -> Vec<LongContextTier> {
        let long = |thousands: &i64| {
            let prices = self.rates(&format!("_above_{thousands}k_tokens{tier}"));
            prices.input?;
            Some(LongContextTier {
                above_tokens: thousands * 1_000,
                inclusive: INCLUSIVE.contains(&self.provider),
                prices: filled(prices, base),
            })
        };
        thresholds.iter().filter_map(long).collect()
    }

    fn service_tier(
        &self,
        base: &Rates,
        thresholds: &[i64],
        name: &str,
        suffix: &str,
    ) -> Option<ServiceTier> {
        let rates = self.rates(suffix);
        rates.input?;
        let rates = filled(rates, base);
        let tier = ServiceTier {
            service_tier: name.to_owned(),
            rates,
            long_context: self.long(&rates, thresholds, suffix),
        };
        Some(tier)
    }
}

/// Prices of a tier with the usual ones where the list is silent; a cache read is never dearer than
/// the input that it spares.
fn filled(tier: Rates, base: &Rates) -> Rates {
    let cache_read = tier.cache_read.or(base.cache_read);
    Rates {
        output: tier.output.or(base.output),
        cache_read: match (cache_read, tier.input) {
            (Some(read), Some(input)) => Some(read.min(input)),
            (read, _) => read,
        },
        cache_write_5m: tier.cache_write_5m.or(base.cache_write_5m),
        cache_write_1h: tier.cache_write_1h.or(base.cache_write_1h),
        input_audio: tier.input_audio.or(base.input_audio),
        input_image: tier.input_image.or(base.input_image),
        reasoning: tier.reasoning.or(base.reasoning),
        output_audio: tier.output_audio.or(base.output_audio),
        output_image: tier.output_image.or(base.output_image),
        ..tier
    }
}
