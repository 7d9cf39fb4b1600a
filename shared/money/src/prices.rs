//! Prices of a model at a provider, with what an absent one falls back to.
//!
//! Nothing is paid for twice. Where a price by piece, time or length is there and such units were
//! measured, the tokens of the same thing cost nothing: images made (`image_fee`) go before image
//! tokens of the answer, time (`audio_ms`) before audio tokens either way, characters spoken
//! (`characters`) before text tokens of the prompt.

use serde::{Deserialize, Serialize};

use crate::Usage;

/// Prices in nano-credits per 1,000,000 units, and fees in nano-credits each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Rates {
    /// Input tokens; absent means that the model is unpriced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<i64>,
    /// Output tokens; absent where the model's answers have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<i64>,
    /// Cache reads; input where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<i64>,
    /// Cache writes for five minutes; input where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write_5m: Option<i64>,
    /// Cache writes for an hour; five-minute writes where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write_1h: Option<i64>,
    /// Audio input; input where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_audio: Option<i64>,
    /// Image input; input where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_image: Option<i64>,
    /// Reasoning; output where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<i64>,
    /// Audio output; output where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_audio: Option<i64>,
    /// Image output; output where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_image: Option<i64>,
    /// Nano-credits for each web search; nothing where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search_fee: Option<i64>,
    /// Nano-credits for each request; nothing where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_fee: Option<i64>,
    /// Nano-credits for each image made; absent where images are paid for by tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_fee: Option<i64>,
    /// Milliseconds of audio heard or made; absent where audio is paid for by tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio_ms: Option<i64>,
    /// Characters spoken; absent where speech is paid for by tokens or time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub characters: Option<i64>,
}

/// Prices of a model at a provider: the usual ones, those of long prompts, and those of service
/// tiers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(from = "FlatPrices")]
pub struct Prices {
    /// What holds for prompts below every tier's threshold.
    #[serde(flatten)]
    pub rates: Rates,
    /// Other prices for long prompts. The one with the highest threshold that is passed counts, for
    /// the whole request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub long_context: Vec<LongContextTier>,
    /// Other prices for requests that were served in a service tier of the provider's, and for images
    /// of a quality and size.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_tiers: Vec<ServiceTier>,
}

/// [`Prices`] as they are written, member by member: read so, a catalogue of thousands loads in
/// 7 ms instead of 12, because serde keeps flattened members aside one by one first.
#[derive(Default, Deserialize)]
#[serde(default)]
struct FlatPrices {
    input: Option<i64>,
    output: Option<i64>,
    cache_read: Option<i64>,
    cache_write_5m: Option<i64>,
    cache_write_1h: Option<i64>,
    input_audio: Option<i64>,
    input_image: Option<i64>,
    reasoning: Option<i64>,
    output_audio: Option<i64>,
    output_image: Option<i64>,
    search_fee: Option<i64>,
    request_fee: Option<i64>,
    image_fee: Option<i64>,
    audio_ms: Option<i64>,
    characters: Option<i64>,
    long_context: Vec<LongContextTier>,
    service_tiers: Vec<ServiceTier>,
}

impl From<FlatPrices> for Prices {
    fn from(flat: FlatPrices) -> Self {
        let rates = Rates {
            input: flat.input,
            output: flat.output,
            cache_read: flat.cache_read,
            cache_write_5m: flat.cache_write_5m,
            cache_write_1h: flat.cache_write_1h,
            input_audio: flat.input_audio,
            input_image: flat.input_image,
            reasoning: flat.reasoning,
            output_audio: flat.output_audio,
            output_image: flat.output_image,
            search_fee: flat.search_fee,
            request_fee: flat.request_fee,
            image_fee: flat.image_fee,
            audio_ms: flat.audio_ms,
            characters: flat.characters,
        };
        Self {
            rates,
            long_context: flat.long_context,
            service_tiers: flat.service_tiers,
        }
    }
}

/// Prices in a service tier of the provider's; or of images of a quality and size, which are sold by
/// that as others are by tiers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceTier {
    /// Its name, as the provider says it in its answers, such as `batch`, `flex` or `priority`; of
    /// images quality and size as requests say them, such as `hd/1024x1792`.
    pub service_tier: String,
    /// Its prices; where they have no `input`, the usual ones hold. An absent token price falls back
    /// within these; absent fees are the usual ones.
    #[serde(rename = "prices")]
    pub rates: Rates,
    /// Its prices for long prompts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub long_context: Vec<LongContextTier>,
}

/// Prices from a certain length of the prompt on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LongContextTier {
    /// The threshold, in tokens of the whole prompt.
    pub above_tokens: i64,
    /// Whether a prompt of exactly so many tokens is already long.
    #[serde(default)]
    pub inclusive: bool,
    /// Its prices. An absent token price falls back within these; absent fees are the usual ones.
    pub prices: Rates,
}

impl Rates {
    /// Whether there are prices at all.
    pub fn is_priced(&self) -> bool {
        self.input.is_some()
    }

    /// Each price with its name in the catalogue's files.
    pub fn named(&self) -> [(&'static str, Option<i64>); 15] {
        [
            ("input", self.input),
            ("output", self.output),
            ("cache_read", self.cache_read),
            ("cache_write_5m", self.cache_write_5m),
            ("cache_write_1h", self.cache_write_1h),
            ("input_audio", self.input_audio),
            ("input_image", self.input_image),
            ("reasoning", self.reasoning),
            ("output_audio", self.output_audio),
            ("output_image", self.output_image),
            ("search_fee", self.search_fee),
            ("request_fee", self.request_fee),
            ("image_fee", self.image_fee),
            ("audio_ms", self.audio_ms),
            ("characters", self.characters),
        ]
    }

    /// Each priced quantity of a usage with its price per 1,000,000; `None` where unpriced.
    pub(crate) fn unit_lines(&self, usage: &Usage) -> Option<[(i64, i64); 12]> {
        let usage = self.counted_once(usage);
        let input = self.input?;
        let output = self.output.unwrap_or(0);
        let cache_write_5m = self.cache_write_5m.unwrap_or(input);
        let or = |price: Option<i64>, usual: i64| price.unwrap_or(usual);
        Some([
            (usage.input_tokens, input),
            (usage.cache_read_tokens, or(self.cache_read, input)),
            (usage.cache_write_5m_tokens, cache_write_5m),
            (
                usage.cache_write_1h_tokens,
                or(self.cache_write_1h, cache_write_5m),
            ),
            (usage.input_audio_tokens, or(self.input_audio, input)),
            (usage.input_image_tokens, or(self.input_image, input)),
            (usage.output_tokens, output),
            (usage.reasoning_tokens, or(self.reasoning, output)),
            (usage.output_audio_tokens, or(self.output_audio, output)),
            (usage.output_image_tokens, or(self.output_image, output)),
            (usage.audio_ms, or(self.audio_ms, 0)),
            (usage.characters, or(self.characters, 0)),
        ])
    }

    /// Each counted fee of a usage with its amount.
    pub(crate) fn fee_lines(&self, usage: &Usage) -> [(i64, i64); 3] {
        [
            (usage.searches, self.search_fee.unwrap_or(0)),
            (usage.images, self.image_fee.unwrap_or(0)),
            (1, self.request_fee.unwrap_or(0)),
        ]
    }

    /// The usage without the tokens of what is paid for by piece, time or length.
    fn counted_once(&self, usage: &Usage) -> Usage {
        let mut counted = *usage;
        if self.image_fee.is_some() && usage.images > 0 {
            counted.output_image_tokens = 0;
        }
        if self.audio_ms.is_some() && usage.audio_ms > 0 {
            counted.input_audio_tokens = 0;
            counted.output_audio_tokens = 0;
        }
        if self.characters.is_some() && usage.characters > 0 {
            counted.input_tokens = 0;
        }
        counted
    }

    /// The same with the fees of `usual` where these have none. Prices of time and length are like
    /// fees in this: no other price stands in for them.
    fn with_fees_of(self, usual: &Self) -> Self {
        Self {
            search_fee: self.search_fee.or(usual.search_fee),
            request_fee: self.request_fee.or(usual.request_fee),
            image_fee: self.image_fee.or(usual.image_fee),
            audio_ms: self.audio_ms.or(usual.audio_ms),
            characters: self.characters.or(usual.characters),
            ..self
        }
    }
}

impl From<Rates> for Prices {
    fn from(rates: Rates) -> Self {
        Self {
            rates,
            ..Self::default()
        }
    }
}

impl Prices {
    /// Plain prices for input and output, in nano-credits per 1,000,000 tokens.
    pub fn per_million(input: i64, output: i64) -> Self {
        Rates {
            input: Some(input),
            output: Some(output),
            ..Rates::default()
        }
        .into()
    }

    /// Whether there are prices at all.
    pub fn is_priced(&self) -> bool {
        self.rates.is_priced()
    }

    /// All of its rates: the usual ones, those of long prompts, those of service tiers.
    pub fn all_rates(&self) -> impl Iterator<Item = &Rates> {
        let long = self.long_context.iter().map(|long| &long.prices);
        let tiers = self.service_tiers.iter().flat_map(|tier| {
            let long = tier.long_context.iter().map(|long| &long.prices);
            std::iter::once(&tier.rates).chain(long)
        });
        std::iter::once(&self.rates).chain(long).chain(tiers)
    }

    /// The prices that hold for a prompt of so many tokens, served in a service tier. A tier that
    /// has no prices here, such as `default` or an empty name, costs the usual ones.
    pub fn rates_for(&self, prompt_tokens: i64, service_tier: &str) -> Rates {
        let tier = self
            .service_tiers
            .iter()
            .find(|tier| tier.service_tier == service_tier && tier.rates.is_priced());
        match tier {
            Some(tier) => {
                let rates = tier.rates.with_fees_of(&self.rates);
                rates_at(&rates, &tier.long_context, prompt_tokens)
            }
            None => rates_at(&self.rates, &self.long_context, prompt_tokens),
        }
    }
}

/// The prices of the highest threshold that a prompt passes, else the usual ones.
fn rates_at(usual: &Rates, long_context: &[LongContextTier], prompt_tokens: i64) -> Rates {
    let reached = |tier: &&LongContextTier| {
        prompt_tokens > tier.above_tokens || (tier.inclusive && prompt_tokens == tier.above_tokens)
    };
    long_context
        .iter()
        .filter(reached)
        .max_by_key(|tier| tier.above_tokens)
        .map_or(*usual, |tier| tier.prices.with_fees_of(usual))
}
