//! What is shown of prices.

use keyward_proto::metering::v1::{
    LongContextPrices, ModelPrices, Prices, ProviderPrices, ServiceTierPrices,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::rest::values::Amount;

/// What a model costs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ModelPrices)]
pub(crate) struct ModelPricesView {
    /// Its id.
    #[schema(examples("openai/gpt-4o"))]
    model: String,
    /// The version of the price book.
    price_version: u64,
    /// What each provider asks.
    providers: Vec<ProviderPricesView>,
}

impl ModelPricesView {
    pub(super) fn new(price_version: u64, model: ModelPrices) -> Self {
        let providers = model.providers.into_iter();
        Self {
            model: model.model,
            price_version,
            providers: providers.map(ProviderPricesView::from).collect(),
        }
    }
}

/// What a model costs at one provider.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProviderPrices)]
struct ProviderPricesView {
    /// The provider.
    #[schema(examples("openai"))]
    provider: String,
    /// Its list prices.
    prices: PricesView,
}

impl From<ProviderPrices> for ProviderPricesView {
    fn from(offer: ProviderPrices) -> Self {
        Self {
            provider: offer.provider,
            prices: offer.prices.unwrap_or_default().into(),
        }
    }
}

/// Prices in credits for 1,000,000 units, and fees in credits for each; only what has a price of its
/// own.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Prices)]
pub(crate) struct PricesView {
    #[serde(flatten)]
    flat: FlatPrices,
    /// Other prices for long prompts; the highest threshold that is passed counts for all of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    long_context: Vec<LongContext>,
    /// Other prices in a service tier of the provider's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    service_tiers: Vec<ServiceTier>,
}

impl From<Prices> for PricesView {
    fn from(mut prices: Prices) -> Self {
        let long_context = std::mem::take(&mut prices.long_context);
        let service_tiers = std::mem::take(&mut prices.service_tiers);
        Self {
            flat: prices.into(),
            long_context: long_context.into_iter().map(LongContext::from).collect(),
            service_tiers: service_tiers.into_iter().map(ServiceTier::from).collect(),
        }
    }
}

/// Prices from a certain length of the prompt on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LongContextPrices)]
struct LongContext {
    /// The threshold, in tokens of the whole prompt.
    above_tokens: i64,
    /// Whether a prompt of exactly so many tokens is long already.
    inclusive: bool,
    /// Its prices.
    prices: FlatPrices,
}

impl From<LongContextPrices> for LongContext {
    fn from(long: LongContextPrices) -> Self {
        Self {
            above_tokens: long.above_tokens,
            inclusive: long.inclusive,
            prices: long.prices.unwrap_or_default().into(),
        }
    }
}

/// Prices in a service tier of a provider's.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ServiceTierPrices)]
struct ServiceTier {
    /// As the provider names it.
    #[schema(examples("batch"))]
    service_tier: String,
    /// Its prices.
    prices: TierPrices,
}

impl From<ServiceTierPrices> for ServiceTier {
    fn from(tier: ServiceTierPrices) -> Self {
        let mut prices = tier.prices.unwrap_or_default();
        let long_context = std::mem::take(&mut prices.long_context);
        Self {
            service_tier: tier.service_tier,
            prices: TierPrices {
                flat: prices.into(),
                long_context: long_context.into_iter().map(LongContext::from).collect(),
            },
        }
    }
}

/// Prices in a service tier, thresholds included.
#[derive(Debug, Serialize, ToSchema)]
struct TierPrices {
    #[serde(flatten)]
    flat: FlatPrices,
    /// Other prices for long prompts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    long_context: Vec<LongContext>,
}

/// Declares the prices without conditions, named as in the contract.
macro_rules! flat_prices {
    ($($(#[$doc:meta])* $price:ident,)+) => {
        /// Prices without conditions.
        #[derive(Debug, Serialize, ToSchema)]
        struct FlatPrices {
            $($(#[$doc])* #[serde(skip_serializing_if = "Option::is_none")] $price: Option<Amount>,)+
        }

        impl From<Prices> for FlatPrices {
            fn from(prices: Prices) -> Self {
                Self { $($price: prices.$price.map(Amount::new),)+ }
            }
        }
    };
}

flat_prices! {
    /// Input tokens.
    input,
    /// Output tokens.
    output,
    /// Prompt tokens read from the provider's cache.
    cache_read,
    /// Prompt tokens written to a cache that lives five minutes.
    cache_write_5m,
    /// Prompt tokens written to a cache that lives an hour.
    cache_write_1h,
    /// Audio tokens of the prompt.
    input_audio,
    /// Image tokens of the prompt.
    input_image,
    /// Reasoning tokens.
    reasoning,
    /// Audio tokens of the answer.
    output_audio,
    /// Image tokens of the answer.
    output_image,
    /// For each web search.
    search_fee,
    /// For each request.
    request_fee,
    /// For each image made.
    image_fee,
    /// Milliseconds of audio, where they are paid for by time.
    audio_ms,
    /// Characters spoken, where they are paid for by length.
    characters,
}
