//! One attempt at a provider, as it is shown.

use std::collections::BTreeMap;

use keyward_proto::metering::v1::UsageRecord;
use serde::Serialize;
use utoipa::ToSchema;

use super::csv::Row;
use super::units::UsageView;
use crate::rest::reply::{Resource, page};
use crate::rest::values::{Amount, Time, present};
use crate::rest::words::{self, AttemptStatus, UsageSource};

/// An attempt at a provider, and what it cost.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Attempt)]
pub(crate) struct AttemptView {
    /// Which attempt of its request, from 1.
    attempt: u32,
    /// When it was dispatched.
    #[schema(required)]
    time: Option<Time>,
    /// The provider.
    #[schema(examples("openai"))]
    provider: String,
    /// The model by its id, or as it was named where nobody knows it.
    #[schema(examples("openai/gpt-4o"))]
    model: String,
    /// The model's name at the provider.
    upstream_model: String,
    /// Whose key, as in the header `x-keyward-key-source`.
    #[schema(required, examples("user:openrouter"))]
    key_source: Option<String>,
    /// The provider key; `null` for one sent with the request.
    #[schema(required)]
    key_id: Option<String>,
    /// The provider key, masked; `null` for one sent with the request, and for the platform's.
    #[schema(required, examples("sk-or-v1-…c3f9"))]
    key: Option<String>,
    /// Whose provider key, as `users/anna`; `null` likewise.
    #[schema(required)]
    key_owner: Option<String>,
    /// How it ended.
    status: AttemptStatus,
    /// The provider's HTTP status, where one came.
    #[schema(required)]
    http_status: Option<u32>,
    /// Why it failed, or why this key was chosen.
    #[schema(required)]
    reason: Option<String>,
    /// What was used.
    usage: UsageView,
    /// What that costs at list price; `null` where the price is unknown.
    #[schema(required)]
    list_cost: Option<Amount>,
    /// What was charged for it.
    charge: Amount,
    /// The version of the price book; 0 where unpriced.
    price_version: u64,
    /// Where the figures come from.
    usage_source: UsageSource,
    /// Whether the answer was stored before and came from there: no provider was called. The figures
    /// are those of when it was made, and the list cost is what was spared.
    cached: bool,
}

/// An attempt, with everything that is known about it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsageRecord)]
pub(crate) struct RecordView {
    /// The request, as in its `x-request-id`.
    request_id: String,
    #[serde(flatten)]
    attempt: AttemptView,
    /// The markup it was charged with, in hundredths of a per cent.
    markup_basis_points: u32,
    /// The user in whose name.
    #[schema(required)]
    user: Option<String>,
    /// The project in which.
    #[schema(required)]
    project: Option<String>,
    /// Whether the provider's figures contradicted themselves.
    usage_inconsistent: bool,
    /// The endpoint.
    #[schema(examples("chat.completions"))]
    endpoint: String,
    /// Whether the answer was streamed.
    streamed: bool,
    /// From dispatch to the first byte of the answer.
    first_byte_ms: u32,
    /// From dispatch to the end.
    duration_ms: u32,
    /// The provider's service tier that served, or quality and size of the images that it made, where
    /// they are sold by that (`hd/1024x1792`); `null` for the usual prices.
    #[schema(required)]
    service_tier: Option<String>,
    /// The caller's tags.
    tags: BTreeMap<String, String>,
    /// The caller's own `x-request-id`.
    #[schema(required)]
    client_request_id: Option<String>,
}

page!(
    /// A page of usage records.
    RecordList { records: RecordView }
);

impl From<UsageRecord> for AttemptView {
    fn from(record: UsageRecord) -> Self {
        let event = record.event.unwrap_or_default();
        let time = event.start_time.as_ref().or(record.record_time.as_ref());
        Self {
            attempt: event.attempt,
            time: Time::from_proto(time),
            key_source: words::key_source(event.key_source, &event.provider),
            provider: event.provider,
            model: event.model,
            upstream_model: event.upstream_model,
            key_id: present(event.provider_key_id),
            key: present(event.key_masked),
            key_owner: present(event.key_owner),
            status: AttemptStatus::of(event.status),
            http_status: Some(event.http_status).filter(|status| *status > 0),
            reason: present(event.reason),
            usage: event.usage.unwrap_or_default().into(),
            list_cost: record.list_cost_nanos.map(Amount::new),
            charge: Amount::new(record.charge_nanos),
            price_version: record.price_version,
            usage_source: UsageSource::of(event.usage_source),
            cached: event.cached,
        }
    }
}

impl Resource for UsageRecord {
    type View = RecordView;

    fn into_view(mut self) -> RecordView {
        let mut event = self.event.take().unwrap_or_default();
        let owner = event.owner.take().unwrap_or_default();
        RecordView {
            request_id: std::mem::take(&mut event.inference_id),
            markup_basis_points: self.markup_basis_points,
            user: present(owner.user),
            project: present(owner.project),
            usage_inconsistent: event.usage_inconsistent,
            endpoint: std::mem::take(&mut event.endpoint),
            streamed: event.streamed,
            first_byte_ms: event.first_byte_ms,
            duration_ms: event.duration_ms,
            service_tier: present(std::mem::take(&mut event.service_tier)),
            tags: std::mem::take(&mut event.tags).into_iter().collect(),
            client_request_id: present(std::mem::take(&mut event.client_request_id)),
            attempt: AttemptView::from(Self {
                event: Some(event),
                ..self
            }),
        }
    }
}

/// The columns of records before their units.
const BEFORE: [&str; 13] = [
    "request_id",
    "attempt",
    "time",
    "provider",
    "model",
    "upstream_model",
    "key_source",
    "key_id",
    "user",
    "project",
    "status",
    "http_status",
    "reason",
];

/// The columns of records after their units.
const AFTER: [&str; 14] = [
    "list_cost",
    "charge",
    "markup_basis_points",
    "price_version",
    "usage_source",
    "usage_inconsistent",
    "endpoint",
    "streamed",
    "first_byte_ms",
    "duration_ms",
    "service_tier",
    "tags",
    "client_request_id",
    "cached",
];

/// The columns of records.
pub(super) fn record_columns() -> Vec<String> {
    let columns = BEFORE.iter().chain(&UsageView::COLUMNS).chain(&AFTER);
    columns.map(|column| (*column).to_owned()).collect()
}

/// A record as a line.
pub(super) fn record_row(record: UsageRecord) -> Row {
    let record = record.into_view();
    let attempt = &record.attempt;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let mut row = Row::default();
    row.text(&record.request_id);
    row.value(&attempt.attempt);
    row.maybe(attempt.time.as_ref());
    row.text(&attempt.provider);
    row.text(&attempt.model);
    row.text(&attempt.upstream_model);
    row.text(&text(&attempt.key_source));
    row.text(&text(&attempt.key_id));
    row.text(&text(&record.user));
    row.text(&text(&record.project));
    row.value(&attempt.status.as_str());
    row.maybe(attempt.http_status.as_ref());
    row.text(&text(&attempt.reason));
    attempt.usage.write(&mut row);
    row.maybe(attempt.list_cost.as_ref());
    row.value(&attempt.charge);
    row.value(&record.markup_basis_points);
    row.value(&attempt.price_version);
    row.value(&attempt.usage_source.as_str());
    row.value(&record.usage_inconsistent);
    row.text(&record.endpoint);
    row.value(&record.streamed);
    row.value(&record.first_byte_ms);
    row.value(&record.duration_ms);
    row.text(&text(&record.service_tier));
    row.text(&tags(&record.tags));
    row.text(&text(&record.client_request_id));
    row.value(&attempt.cached);
    row
}

/// Tags in one cell, as in the header `x-keyward-tags`.
fn tags(tags: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = tags
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join(",")
}
