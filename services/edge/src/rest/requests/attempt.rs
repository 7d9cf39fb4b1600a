//! An attempt as its receipt shows it: with its times.

use keyward_proto::metering::v1::{UsageEvent, UsageRecord};
use keyward_runtime::time;
use serde::Serialize;
use utoipa::ToSchema;

use crate::rest::usage::AttemptView;
use crate::rest::values::{Time, present};

/// An attempt at a provider, what it cost, and when what happened.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReceiptAttempt)]
pub(super) struct AttemptOfReceipt {
    #[serde(flatten)]
    attempt: AttemptView,
    /// When the first byte of its answer came; `null` where none did.
    #[schema(required)]
    first_byte_time: Option<Time>,
    /// When it was over.
    #[schema(required)]
    end_time: Option<Time>,
    /// Whether the answer was streamed.
    streamed: bool,
    /// The provider's service tier that served, or quality and size of the images that it made, where
    /// they are sold by that (`hd/1024x1792`); `null` for the usual prices.
    #[schema(required)]
    service_tier: Option<String>,
}

impl From<UsageRecord> for AttemptOfReceipt {
    fn from(record: UsageRecord) -> Self {
        let event = record.event.as_ref();
        let after = |millis: u32| Time::from_proto(after(event?, millis).as_ref());
        // An answer that came within the millisecond came, too.
        let answered = event.filter(|event| event.first_byte_ms > 0 || event.http_status > 0);
        Self {
            first_byte_time: answered.and_then(|event| after(event.first_byte_ms)),
            end_time: event.and_then(|event| after(event.duration_ms)),
            streamed: event.is_some_and(|event| event.streamed),
            service_tier: event.and_then(|event| present(event.service_tier.clone())),
            attempt: AttemptView::from(record),
        }
    }
}

/// So long after it was dispatched.
fn after(event: &UsageEvent, millis: u32) -> Option<prost_types::Timestamp> {
    let start = time::from_proto(event.start_time.as_ref()?)?;
    let moment = start.checked_add(jiff::SignedDuration::from_millis(millis.into()));
    moment.ok().map(time::to_proto)
}
