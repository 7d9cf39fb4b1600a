//! Between rows and what they mean.

use keyward_money::{BasisPoints, Nanos, Prices};
use prost::Message as _;
use uuid::Uuid;

use super::super::StoreError;
use crate::domain::event::Event;

pub(super) fn corrupt(what: &'static str) -> StoreError {
    StoreError::Corrupt { what }
}

pub(super) fn uuid(text: &str) -> Result<Uuid, StoreError> {
    Uuid::parse_str(text).map_err(|_| corrupt("id"))
}

pub(super) fn unsigned(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| corrupt("number"))
}

pub(super) fn signed(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| corrupt("number"))
}

pub(super) fn markup(number: i64) -> Result<BasisPoints, StoreError> {
    u32::try_from(number)
        .map(BasisPoints::new)
        .map_err(|_| corrupt("markup"))
}

pub(super) fn amount(nanos: Option<i64>) -> Option<Nanos> {
    nanos.map(Nanos::new)
}

pub(super) fn prices_text(prices: &Prices) -> Result<String, StoreError> {
    serde_json::to_string(prices).map_err(|_| corrupt("price"))
}

pub(super) fn prices(text: &str) -> Result<Prices, StoreError> {
    serde_json::from_str(text).map_err(|_| corrupt("price"))
}

pub(super) fn event_bytes(event: &Event) -> Vec<u8> {
    event.message.encode_to_vec()
}

/// The tags of an event as a JSON object.
pub(super) fn tags_text(event: &Event) -> Result<String, StoreError> {
    serde_json::to_string(&event.tags()).map_err(|_| corrupt("tag"))
}

pub(super) fn event(bytes: &[u8]) -> Result<Event, StoreError> {
    let message = keyward_proto::metering::v1::UsageEvent::decode(bytes)
        .map_err(|_| corrupt("usage event"))?;
    let id = message.event_id.clone();
    Event::parse(&id, Some(message), None).map_err(|_| corrupt("usage event"))
}
