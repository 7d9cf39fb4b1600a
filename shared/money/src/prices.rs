//! Prices of a model at a provider, with what an absent one falls back to.

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
}

/// Prices of a model at a provider: the usual ones, and those of long prompts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Prices {
    /// What holds for prompts below every tier's threshold.
    #[serde(flatten)]
    pub rates: Rates,
    /// Other prices for long prompts. The one with the highest threshold that is passed counts, for
    /// the whole request.
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

    /// Each priced bucket of a usage with its price; `None` where unpriced.
    pub(crate) fn token_lines(&self, usage: &Usage) -> Option<[(i64, i64); 10]> {
        let input = self.input?;
        let output = self.output.unwrap_or(0);
        let cache_write_5m = self.cache_write_5m.unwrap_or(input);
        Some([
            (usage.input_tokens, input),
            (usage.cache_read_tokens, self.cache_read.unwrap_or(input)),
            (usage.cache_write_5m_tokens, cache_write_5m),
            (
                usage.cache_write_1h_tokens,
                self.cache_write_1h.unwrap_or(cache_write_5m),
            ),
            (usage.input_audio_tokens, self.input_audio.unwrap_or(input)),
            (usage.input_image_tokens, self.input_image.unwrap_or(input)),
            (usage.output_tokens, output),
            (usage.reasoning_tokens, self.reasoning.unwrap_or(output)),
            (
                usage.output_audio_tokens,
                self.output_audio.unwrap_or(output),
            ),
            (
                usage.output_image_tokens,
                self.output_image.unwrap_or(output),
            ),
        ])
    }

    /// Each counted fee of a usage with its amount.
    pub(crate) fn fee_lines(&self, usage: &Usage) -> [(i64, i64); 2] {
        [
            (usage.searches, self.search_fee.unwrap_or(0)),
            (1, self.request_fee.unwrap_or(0)),
        ]
    }
}

impl From<Rates> for Prices {
    fn from(rates: Rates) -> Self {
        Self {
            rates,
            long_context: Vec::new(),
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

    /// The prices that hold for a prompt of so many tokens.
    pub fn rates_for(&self, prompt_tokens: i64) -> Rates {
        let reached = |tier: &&LongContextTier| {
            prompt_tokens > tier.above_tokens
                || (tier.inclusive && prompt_tokens == tier.above_tokens)
        };
        match self
            .long_context
            .iter()
            .filter(reached)
            .max_by_key(|tier| tier.above_tokens)
        {
            Some(tier) => Rates {
                search_fee: tier.prices.search_fee.or(self.rates.search_fee),
                request_fee: tier.prices.request_fee.or(self.rates.request_fee),
                ..tier.prices
            },
            None => self.rates,
        }
    }
}
