//! `/api/v1/prices[/{model}]`: the price book.

mod view;

use axum::extract::State;
use keyward_proto::metering::v1::ListPricesRequest;
use keyward_runtime::error::Reason;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::view::ModelPricesView;
pub(super) use self::view::PricesView;
use super::location::At;
use super::parameters::{Nothing, PageSize, Query};
use super::reply::{Outcome, Reply};
use crate::caller::Call;
use crate::failure::Failure;
use crate::services::Services;

pub(super) fn router() -> OpenApiRouter<Services> {
    OpenApiRouter::default()
        .routes(routes!(list))
        .routes(routes!(get))
}

/// Which prices, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Only this model, by its id or an alias.
    model: Option<String>,
    /// Only what this provider offers.
    provider: Option<String>,
    /// At most this many models.
    #[serde(default)]
    #[param(inline)]
    page_size: PageSize<1000>,
    /// Where the page before ended: its `next_page_token`.
    #[serde(default)]
    page_token: String,
}

/// A page of the price book.
#[derive(Debug, Serialize, ToSchema)]
struct PriceList {
    /// The models that have prices.
    prices: Vec<ModelPricesView>,
    /// Where the next page starts, for `page_token`; empty on the last.
    next_page_token: String,
}

/// List prices
///
/// What each provider asks for each model. Prices are credits for 1,000,000 units, fees credits for
/// each; the markup of a tier comes on top.
#[utoipa::path(
    get, path = "/api/v1/prices", operation_id = "listPrices", tag = "Tiers and prices",
    params(Which), responses((status = 200, description = "A page, by model.", body = PriceList)),
)]
async fn list(State(services): State<Services>, call: Call, Query(which): Query<Which>) -> Outcome {
    let request = call.request(ListPricesRequest {
        page_size: which.page_size.0,
        page_token: which.page_token,
        model: which.model.unwrap_or_default(),
        provider: which.provider.unwrap_or_default(),
    });
    let answer = services.pricing().list_prices(request).await?.into_inner();
    let version = answer.price_version;
    let models = answer.models.into_iter();
    Reply::ok(&PriceList {
        prices: models
            .map(|model| ModelPricesView::new(version, model))
            .collect(),
        next_page_token: answer.next_page_token,
    })
}

/// Show the prices of a model
///
/// By its id or an alias; slashes in it may stand as they are.
#[utoipa::path(
    get, path = "/api/v1/prices/{*model}", operation_id = "getPrices", tag = "Tiers and prices",
    params(("model" = String, Path, description = "The model.", example = "sandbox/echo")),
    responses((status = 200, description = "Its prices.", body = ModelPricesView)),
)]
async fn get(
    State(services): State<Services>,
    call: Call,
    At(model): At<String>,
    _: Query<Nothing>,
) -> Outcome {
    if model.is_empty() {
        return Err(Failure::new(Reason::ModelNotFound, "no model is named"));
    }
    let request = call.request(ListPricesRequest {
        page_size: 1,
        model,
        ..ListPricesRequest::default()
    });
    let answer = services.pricing().list_prices(request).await?.into_inner();
    let found = answer.models.into_iter().next();
    let found = found
        .ok_or_else(|| Failure::new(Reason::ModelNotFound, "nobody knows a price of this model"))?;
    Reply::ok(&ModelPricesView::new(answer.price_version, found))
}
