//! Prices that cannot be: for another unit than they are said to be for, negative, or a mistake that
//! two lists together give away.

use keyward_catalog::Endpoint;
use keyward_money::{Prices, Rates};

use crate::Row;

/// The dearest plausible price of a million tokens or characters: 1,000 credits. The dearest there
/// is costs 600; what is above has been entered per thousand as per one.
pub const TOKENS_MAX: i64 = 1_000_000_000_000;

/// The dearest plausible million milliseconds of audio: a hundred credits, 360 an hour.
pub const AUDIO_MAX: i64 = 100_000_000_000;

/// The dearest plausible fee for a piece: ten credits.
pub const FEE_MAX: i64 = 10_000_000_000;

/// How far two lists may be apart before neither is believed.
pub const FACTOR_MAX: i64 = 100;

/// Why a price was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
pub enum Implausible {
    /// Tokens above [`TOKENS_MAX`].
    #[error("more than 1,000 credits per million: a price for another unit")]
    Tokens,
    /// Audio above [`AUDIO_MAX`].
    #[error("more than 360 credits an hour: a price for another unit")]
    Audio,
    /// A fee above [`FEE_MAX`].
    #[error("a fee of more than 10 credits: a price for another unit")]
    Fee,
    /// A model that answers in text, with a price for prompts only.
    #[error("a price for prompts and none for answers")]
    NoOutput,
    /// Two lists are more than [`FACTOR_MAX`] apart.
    #[error("the lists are more than a hundredfold apart")]
    Factor,
}

/// Removes what is impossible from a row, and says why where that was all of its prices. A cache read
/// that is dearer than the input that it spares is dropped alone.
pub fn check(row: &mut Row) -> Option<Implausible> {
    let prices = row.prices.as_mut()?;
    for rates in all_rates(prices) {
        if rates.cache_read > rates.input {
            rates.cache_read = None;
        }
        // Nobody writes caches for nothing; a zero means that no such price was looked up.
        let is_paid = rates.input > Some(0);
        for write in [&mut rates.cache_write_5m, &mut rates.cache_write_1h] {
            *write = write.filter(|price| *price > 0 || !is_paid);
        }
    }
    let answers = row.endpoints.contains(&Endpoint::ChatCompletions)
        || row.endpoints.contains(&Endpoint::Responses);
    let is_silent = answers && prices.rates.output.is_none();
    let found = all_rates(prices)
        .find_map(|rates| implausible(rates))
        .or(is_silent.then_some(Implausible::NoOutput));
    if found.is_some() {
        row.prices = None;
    }
    found
}

/// Whether two lists are so far apart that one of them has taken a price for another unit.
pub fn are_worlds_apart(one: &Prices, other: &Prices) -> bool {
    let pairs = [
        (one.rates.input, other.rates.input),
        (one.rates.output, other.rates.output),
    ];
    pairs.into_iter().any(|pair| match pair {
        (Some(one), Some(other)) if one > 0 && other > 0 => {
            one / other >= FACTOR_MAX || other / one >= FACTOR_MAX
        }
        _ => false,
    })
}

fn all_rates(prices: &mut Prices) -> impl Iterator<Item = &mut Rates> {
    let long = prices.long_context.iter_mut().map(|tier| &mut tier.prices);
    let tiers = prices.service_tiers.iter_mut().flat_map(|tier| {
        let long = tier.long_context.iter_mut().map(|long| &mut long.prices);
        std::iter::once(&mut tier.rates).chain(long)
    });
    std::iter::once(&mut prices.rates).chain(long).chain(tiers)
}

fn implausible(rates: &Rates) -> Option<Implausible> {
    let tokens = [
        rates.input,
        rates.output,
        rates.cache_read,
        rates.cache_write_5m,
        rates.cache_write_1h,
        rates.input_audio,
        rates.input_image,
        rates.reasoning,
        rates.output_audio,
        rates.output_image,
        rates.characters,
    ];
    let fees = [rates.search_fee, rates.request_fee, rates.image_fee];
    let above = |prices: &[Option<i64>], max| prices.iter().flatten().any(|price| *price > max);
    if above(&tokens, TOKENS_MAX) {
        return Some(Implausible::Tokens);
    }
    if above(&[rates.audio_ms], AUDIO_MAX) {
        return Some(Implausible::Audio);
    }
    above(&fees, FEE_MAX).then_some(Implausible::Fee)
}
