//! `/api/v1/requests/{request_id}`: the receipt of one request.

use axum::extract::State;
use http::StatusCode;
use keyward_proto::metering::v1::{GetReceiptRequest, Prices, Receipt, UsageRecord};
use serde_json::{Map, Value, json};

use super::location::At;
use super::reply::{Outcome, Reply};
use super::usage::usage_json;
use super::values::{amount, present, time_text};
use super::words;
use crate::caller::Call;
use crate::failure::Failure;
use crate::services::Services;

pub(crate) async fn receipt(
    State(services): State<Services>,
    call: Call,
    At(inference_id): At<String>,
) -> Outcome {
    let request = call.request(GetReceiptRequest { inference_id });
    let answer = services.usage().get_receipt(request).await?.into_inner();
    let receipt = answer
        .receipt
        .ok_or_else(|| Failure::broken_contract("no receipt in the answer"))?;
    Ok(Reply::json(StatusCode::OK, receipt_json(receipt)))
}

fn receipt_json(receipt: Receipt) -> Value {
    let attempts: Vec<Value> = receipt.attempts.into_iter().map(attempt_json).collect();
    json!({
        "request_id": receipt.inference_id,
        "attempts": attempts,
        "price_version": receipt.price_version,
        "prices": receipt.prices.as_ref().map(prices_json),
        "markup": amount(receipt.markup_nanos),
        "markup_basis_points": receipt.markup_basis_points,
        "charge": amount(receipt.charge_nanos),
        "saved": receipt.saved_nanos.map(amount),
        "usage_source": words::usage_source(receipt.usage_source),
    })
}

fn attempt_json(record: UsageRecord) -> Value {
    let event = record.event.unwrap_or_default();
    json!({
        "attempt": event.attempt,
        "time": time_text(event.start_time.as_ref()),
        "provider": event.provider,
        "model": event.model,
        "upstream_model": event.upstream_model,
        "key_source": words::key_source(event.key_source, &event.provider),
        "key_id": present(event.provider_key_id),
        "status": words::attempt_status(event.status),
        "http_status": Some(event.http_status).filter(|status| *status > 0),
        "reason": present(event.reason),
        "usage": usage_json(&event.usage.unwrap_or_default()),
        "price_version": record.price_version,
        "list_cost": record.list_cost_nanos.map(amount),
        "charge": amount(record.charge_nanos),
        "usage_source": words::usage_source(event.usage_source),
    })
}

/// Credits per million units, and fees per piece; only what has a price of its own.
fn prices_json(prices: &Prices) -> Value {
    let prices: Map<String, Value> = [
        ("input", prices.input),
        ("output", prices.output),
        ("cache_read", prices.cache_read),
        ("cache_write_5m", prices.cache_write_5m),
        ("cache_write_1h", prices.cache_write_1h),
        ("input_audio", prices.input_audio),
        ("input_image", prices.input_image),
        ("reasoning", prices.reasoning),
        ("output_audio", prices.output_audio),
        ("output_image", prices.output_image),
        ("search_fee", prices.search_fee),
        ("request_fee", prices.request_fee),
    ]
    .into_iter()
    .filter_map(|(name, nanos)| Some((name.to_owned(), amount(nanos?).into())))
    .collect();
    Value::Object(prices)
}
