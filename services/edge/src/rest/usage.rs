//! `/api/v1/usage/records`: one row for each attempt.

use axum::extract::State;
use keyward_proto::metering::v1::{ListUsageRecordsRequest, Usage, UsageRecord};
use serde_json::{Map, Value, json};

use super::parameters::Parameters;
use super::reply::{Outcome, Reply, Resource};
use super::values::{amount, present, time_text};
use super::words;
use crate::caller::Call;
use crate::services::Services;

impl Resource for UsageRecord {
    const LIST: &'static str = "records";

    fn into_json(self) -> Value {
        let event = self.event.unwrap_or_default();
        let time = event.start_time.as_ref().or(self.record_time.as_ref());
        json!({
            "request_id": event.inference_id,
            "attempt": event.attempt,
            "time": time_text(time),
            "provider": event.provider,
            "model": event.model,
            "upstream_model": event.upstream_model,
            "key_source": words::key_source(event.key_source, &event.provider),
            "key_id": present(event.provider_key_id),
            "status": words::attempt_status(event.status),
            "http_status": Some(event.http_status).filter(|status| *status > 0),
            "reason": present(event.reason),
            "usage": usage_json(&event.usage.unwrap_or_default()),
            "list_cost": self.list_cost_nanos.map(amount),
            "charge": amount(self.charge_nanos),
            "price_version": self.price_version,
            "usage_source": words::usage_source(event.usage_source),
            "usage_inconsistent": event.usage_inconsistent,
            "endpoint": event.endpoint,
            "streamed": event.streamed,
            "first_byte_ms": event.first_byte_ms,
            "duration_ms": event.duration_ms,
            "tags": event.tags,
            "client_request_id": present(event.client_request_id),
        })
    }
}

/// The buckets that every text answer has, and the others where something is in them.
pub(super) fn usage_json(usage: &Usage) -> Value {
    let always = [
        ("input", usage.input_tokens),
        ("output", usage.output_tokens),
        ("cache_read", usage.cache_read_tokens),
        ("cache_write_5m", usage.cache_write_5m_tokens),
        ("cache_write_1h", usage.cache_write_1h_tokens),
        ("reasoning", usage.reasoning_tokens),
    ];
    let where_used = [
        ("input_audio", usage.input_audio_tokens),
        ("input_image", usage.input_image_tokens),
        ("output_audio", usage.output_audio_tokens),
        ("output_image", usage.output_image_tokens),
        ("searches", usage.searches),
        ("images", usage.images),
        ("audio_ms", usage.audio_ms),
        ("characters", usage.characters),
    ];
    let used = where_used.into_iter().filter(|(_, units)| *units != 0);
    let buckets: Map<String, Value> = always
        .into_iter()
        .chain(used)
        .map(|(name, units)| (name.to_owned(), units.into()))
        .collect();
    Value::Object(buckets)
}

pub(crate) async fn records(
    State(services): State<Services>,
    call: Call,
    mut parameters: Parameters,
) -> Outcome {
    let account = parameters.account()?;
    let inference_id = parameters.take("request_id")?;
    let page = parameters.page()?;
    parameters.finish()?;
    let request = call.request(ListUsageRecordsRequest {
        account,
        page_size: page.size,
        page_token: page.token,
        inference_id,
        filter: None,
    });
    let answer = services.usage().list_usage_records(request).await?;
    let answer = answer.into_inner();
    Ok(Reply::list(answer.records, answer.next_page_token))
}
