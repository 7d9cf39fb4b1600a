//! `/api/v1/requests/{request_id}`: the receipt of one request.

mod attempt;
mod candidate;

use axum::extract::State;
use keyward_proto::metering::v1::{GetReceiptRequest, Receipt};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::attempt::AttemptOfReceipt;
use self::candidate::CandidateView;
use super::location::At;
use super::parameters::{Nothing, Query};
use super::prices::PricesView;
use super::reply::{Outcome, Reply};
use super::values::Amount;
use super::words::UsageSource;
use crate::caller::Call;
use crate::failure::Failure;
use crate::services::Services;

pub(super) fn router() -> OpenApiRouter<Services> {
    OpenApiRouter::default().routes(routes!(receipt))
}

/// Everything about one request.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Receipt)]
struct ReceiptView {
    /// The request, as in its `x-request-id`.
    request_id: String,
    /// The model as the caller named it; empty in receipts of versions before 0.6.
    requested_model: String,
    /// Who might have served, in order, then who was left out and why: as it stood when the request
    /// came.
    candidates: Vec<CandidateView>,
    /// How many more there were than are shown.
    candidates_omitted: u32,
    /// Its attempts, in order.
    attempts: Vec<AttemptOfReceipt>,
    /// The version of the price book; 0 where unpriced.
    price_version: u64,
    /// The prices that it was charged by; `null` where unpriced.
    #[schema(required)]
    prices: Option<PricesView>,
    /// The markup in credits.
    markup: Amount,
    /// The markup on list price, in hundredths of a per cent.
    markup_basis_points: u32,
    /// What was charged.
    charge: Amount,
    /// What the same would have cost in credits, less what was charged; `null` where the price is
    /// unknown.
    #[schema(required)]
    saved: Option<Amount>,
    /// Where the figures of the attempt that served come from.
    usage_source: UsageSource,
}

impl From<Receipt> for ReceiptView {
    fn from(receipt: Receipt) -> Self {
        Self {
            request_id: receipt.inference_id,
            requested_model: receipt.requested_model,
            candidates: receipt.candidates.into_iter().map(Into::into).collect(),
            candidates_omitted: receipt.candidates_omitted,
            attempts: receipt.attempts.into_iter().map(Into::into).collect(),
            price_version: receipt.price_version,
            prices: receipt.prices.map(PricesView::from),
            markup: Amount::new(receipt.markup_nanos),
            markup_basis_points: receipt.markup_basis_points,
            charge: Amount::new(receipt.charge_nanos),
            saved: receipt.saved_nanos.map(Amount::new),
            usage_source: UsageSource::of(receipt.usage_source),
        }
    }
}

/// Show a receipt
///
/// Who might have served one request and why, every attempt, the prices and the markup that it was
/// charged by, and the charge. There is one from the first attempt on, whatever became of it.
#[utoipa::path(
    get, path = "/api/v1/requests/{request_id}", operation_id = "getReceipt", tag = "Usage",
    params(("request_id" = String, Path, description = "The request, as in its `x-request-id`.")),
    responses((status = 200, description = "The receipt.", body = ReceiptView)),
)]
async fn receipt(
    State(services): State<Services>,
    call: Call,
    At(inference_id): At<String>,
    _: Query<Nothing>,
) -> Outcome {
    let request = call.request(GetReceiptRequest { inference_id });
    let answer = services.usage().get_receipt(request).await?.into_inner();
    let receipt = answer
        .receipt
        .ok_or_else(|| Failure::broken_contract("no receipt in the answer"))?;
    Reply::ok(&ReceiptView::from(receipt))
}
