//! `/api/v1/costs/estimate`: the cost calculator. Nothing is booked.

use axum::extract::State;
use keyward_proto::metering::v1::{EstimateCostRequest, EstimateCostResponse, TierCost, Usage};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::Given;
use super::parameters::{Nothing, Query};
use super::prices::PricesView;
use super::reply::{Outcome, Reply};
use super::values::{Amount, Units};
use crate::caller::Call;
use crate::failure::Failure;
use crate::services::Services;

pub(super) fn router() -> OpenApiRouter<Services> {
    OpenApiRouter::default().routes(routes!(estimate))
}

/// Declares the question with its units, named as in the contract.
macro_rules! question {
    ($($(#[$doc:meta])* $units:ident,)+) => {
        /// What would be used, by one request.
        #[derive(Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        #[schema(as = CostQuestion)]
        struct Question {
            /// The model, as a request would name it.
            #[schema(examples("openai/gpt-4o"))]
            model: String,
            /// The provider; the first that has a price where absent.
            provider: Option<String>,
            /// The tier; the caller's own where absent.
            #[schema(examples("starter"))]
            tier: Option<String>,
            /// The provider's service tier, such as `batch`; the usual one where absent.
            service_tier: Option<String>,
            $($(#[$doc])* #[schema(inline)] $units: Option<Units>,)+
        }

        impl Question {
            fn usage(&self) -> Usage {
                Usage { $($units: self.$units.map_or(0, |units| units.0),)+ }
            }
        }
    };
}

question! {
    /// Text tokens of the prompt that are not read from or written to a cache.
    input_tokens,
    /// Text tokens of the answer, without reasoning.
    output_tokens,
    /// Prompt tokens read from the provider's cache.
    cache_read_tokens,
    /// Prompt tokens written to a cache that lives five minutes.
    cache_write_5m_tokens,
    /// Prompt tokens written to a cache that lives an hour.
    cache_write_1h_tokens,
    /// Audio tokens of the prompt.
    input_audio_tokens,
    /// Image tokens of the prompt.
    input_image_tokens,
    /// Reasoning tokens of the answer.
    reasoning_tokens,
    /// Audio tokens of the answer.
    output_audio_tokens,
    /// Image tokens of the answer.
    output_image_tokens,
    /// Web searches.
    searches,
    /// Images made.
    images,
    /// Milliseconds of audio heard or made.
    audio_ms,
    /// Characters spoken.
    characters,
}

/// What some usage would cost.
#[derive(Debug, Serialize, ToSchema)]
struct CostEstimate {
    /// The model by its id.
    #[schema(examples("openai/gpt-4o"))]
    model: String,
    /// The provider.
    #[schema(examples("openai"))]
    provider: String,
    /// The version of the price book.
    price_version: u64,
    /// The prices that hold for this usage.
    prices: PricesView,
    /// What it costs at list price.
    list_cost: Amount,
    #[serde(flatten)]
    cost: TierCharge,
    /// The same with an own key.
    own_key: OwnKeyCost,
    /// The same in every tier.
    tiers: Vec<TierCharge>,
}

/// What some usage is charged in a tier.
#[derive(Debug, Serialize, ToSchema)]
struct TierCharge {
    /// The tier.
    #[schema(examples("starter"))]
    tier: String,
    /// Its markup on list price, in hundredths of a per cent.
    markup_basis_points: u32,
    /// The markup in credits.
    markup: Amount,
    /// What is charged.
    charge: Amount,
}

impl From<TierCost> for TierCharge {
    fn from(cost: TierCost) -> Self {
        Self {
            tier: cost.tier,
            markup_basis_points: cost.markup_basis_points,
            markup: Amount::new(cost.markup_nanos),
            charge: Amount::new(cost.charge_nanos),
        }
    }
}

/// What some usage costs with an own key.
#[derive(Debug, Serialize, ToSchema)]
struct OwnKeyCost {
    /// What is charged here: nothing.
    charge: Amount,
    /// What the provider asks of the key's owner.
    list_cost: Amount,
    /// What would be charged here without an own key.
    saved: Amount,
}

/// Estimate a cost
///
/// What one request with this usage would cost, in the tier asked for, in every other, and with an
/// own key. It is not bound by what the model can read or write, and nothing is booked.
#[utoipa::path(
    post, path = "/api/v1/costs/estimate", operation_id = "estimateCost", tag = "Tiers and prices",
    request_body = Question,
    responses((status = 200, description = "What it would cost.", body = CostEstimate)),
)]
async fn estimate(
    State(services): State<Services>,
    call: Call,
    _: Query<Nothing>,
    Given(question): Given<Question>,
) -> Outcome {
    let request = call.request(EstimateCostRequest {
        usage: Some(question.usage()),
        model: question.model,
        provider: question.provider.unwrap_or_default(),
        tier: question.tier.unwrap_or_default(),
        service_tier: question.service_tier.unwrap_or_default(),
    });
    let answer = services.usage().estimate_cost(request).await?;
    Reply::ok(&view(answer.into_inner())?)
}

fn view(answer: EstimateCostResponse) -> Result<CostEstimate, Failure> {
    let cost = answer
        .cost
        .ok_or_else(|| Failure::broken_contract("no cost in the answer"))?;
    Ok(CostEstimate {
        model: answer.model,
        provider: answer.provider,
        price_version: answer.price_version,
        prices: answer.prices.unwrap_or_default().into(),
        list_cost: Amount::new(answer.list_cost_nanos),
        own_key: OwnKeyCost {
            charge: Amount::new(0),
            list_cost: Amount::new(answer.list_cost_nanos),
            saved: Amount::new(cost.charge_nanos),
        },
        cost: cost.into(),
        tiers: answer.tiers.into_iter().map(TierCharge::from).collect(),
    })
}
