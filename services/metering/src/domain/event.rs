//! Usage events: what the router reports of one attempt, checked.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use keyward_money::Usage;
use keyward_proto::metering::v1 as wire;
use keyward_runtime::time;
use ring::digest;
use uuid::Uuid;

use super::account::AccountKey;

/// The most bytes of an event that is kept; larger ones are made by nobody honest.
pub(crate) const EVENT_BYTES_MAX: usize = 64 * 1024;

/// One attempt, as reported. The message is kept whole, so that what later versions of the router
/// add is not lost; what decides money is read from it once, here. Clones share it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    pub(crate) id: Uuid,
    /// The account it belongs to.
    pub(crate) account: AccountKey,
    pub(crate) usage: Usage,
    pub(crate) outcome: Outcome,
    pub(crate) message: Arc<wire::UsageEvent>,
}

/// How an attempt ended, as far as charging goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Something was delivered.
    Delivered,
    /// Nothing was delivered: nothing is charged.
    Failed,
    /// Another attempt of its request answered first: the platform pays.
    Hedged,
}

/// What is wrong with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidEvent {
    #[error("`event` is missing")]
    Missing,
    #[error("`request_id` and `event.event_id` are not the same UUID")]
    Id,
    #[error("`event.inference_id` is not a UUID")]
    InferenceId,
    #[error("`event.attempt` counts from 1")]
    Attempt,
    #[error("`event.owner.account` is not `users/{{uid}}` or `organizations/{{uid}}`")]
    Owner,
    #[error("`event.status` is missing")]
    Status,
    #[error("the event is larger than 64 KiB")]
    Size,
}

impl Event {
    /// Checks an event. Its owner is `owner` where given (who the hold belongs to), else its own.
    pub(crate) fn parse(
        request_id: &str,
        message: Option<wire::UsageEvent>,
        owner: Option<wire::UsageOwner>,
    ) -> Result<Self, InvalidEvent> {
        let mut message = message.ok_or(InvalidEvent::Missing)?;
        if owner.is_some() {
            message.owner = owner;
        }
        if message.event_id.is_empty() {
            request_id.clone_into(&mut message.event_id);
        }
        let id = Uuid::parse_str(request_id).map_err(|_| InvalidEvent::Id)?;
        if Uuid::parse_str(&message.event_id) != Ok(id) {
            return Err(InvalidEvent::Id);
        }
        Uuid::parse_str(&message.inference_id).map_err(|_| InvalidEvent::InferenceId)?;
        if message.attempt == 0 {
            return Err(InvalidEvent::Attempt);
        }
        if prost::Message::encoded_len(&message) > EVENT_BYTES_MAX {
            return Err(InvalidEvent::Size);
        }
        let account = message
            .owner
            .as_ref()
            .and_then(|owner| owner.account.parse().ok());
        let account = account.ok_or(InvalidEvent::Owner)?;
        let outcome = outcome(message.status()).ok_or(InvalidEvent::Status)?;
        let measured = Usage::from_disjoint(message.usage.unwrap_or_default().into());
        message.usage = Some(measured.usage.into());
        message.usage_inconsistent |= measured.inconsistent;
        Ok(Self {
            id,
            account,
            usage: measured.usage,
            outcome,
            message: Arc::new(message),
        })
    }
}

impl Event {
    /// When it was dispatched; when it was recorded, where the router did not say or its clock is
    /// ahead.
    pub(crate) fn dispatched(&self, recorded: Timestamp) -> Timestamp {
        let told = self.message.start_time.as_ref().and_then(time::from_proto);
        told.map_or(recorded, |told| told.min(recorded))
    }

    /// The same of that account and owner, whatever it says itself.
    pub(crate) fn of(&self, account: AccountKey, owner: Option<&wire::UsageOwner>) -> Self {
        let mut event = self.clone();
        event.account = account;
        if event.message.owner.as_ref() != owner {
            Arc::make_mut(&mut event.message).owner = owner.cloned();
        }
        event
    }

    /// Whether it only guesses at what another event of its id has measured: a router that lost its
    /// memory tells what its intents say, and may have told better before.
    pub(crate) fn gives_way_to(&self, stored: &Self) -> bool {
        let is_guess = |event: &Self| event.message.usage_source() == wire::UsageSource::Recovered;
        is_guess(self) && !is_guess(stored) && self.account == stored.account
    }

    /// Whether credits pay for it, and no own key or stored answer made it free.
    pub(crate) fn is_paid_in_credits(&self) -> bool {
        self.message.key_source() == wire::KeySource::System && !self.message.cached
    }

    /// As it is stored.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        prost::Message::encode_to_vec(&*self.message)
    }

    /// One that was stored; `None` if these bytes are none.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let message: wire::UsageEvent = prost::Message::decode(bytes).ok()?;
        let id = message.event_id.clone();
        Self::parse(&id, Some(message), None).ok()
    }

    /// The tags that it counts for in sums: without any, once for the empty name.
    pub(crate) fn tags_to_sum(&self) -> Vec<(&str, &str)> {
        let tags: Vec<_> = self.tags().into_iter().collect();
        if tags.is_empty() {
            vec![("", "")]
        } else {
            tags
        }
    }

    /// Its tags, by name.
    pub(crate) fn tags(&self) -> BTreeMap<&str, &str> {
        let tags = self.message.tags.iter();
        tags.map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }
}

/// An id that follows from an event's for one purpose, and from nothing else. The time of a UUIDv7
/// stays in it, so that both lie in the same day; the rest is the SHA-256 of both (RFC 9562 §5.8).
pub(crate) fn derived_id(event_id: Uuid, purpose: &str) -> Uuid {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(event_id.as_bytes());
    context.update(purpose.as_bytes());
    let digest = context.finish();
    let mut bytes = *event_id.as_bytes();
    for (byte, hashed) in bytes.iter_mut().zip(digest.as_ref()).skip(6) {
        *byte = *hashed;
    }
    let version = event_id.get_version_num();
    let version = if version == 7 { 0x70 } else { 0x80 };
    bytes[6] = (bytes[6] & 0x0f) | version;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    Uuid::from_bytes(bytes)
}

fn outcome(status: wire::AttemptStatus) -> Option<Outcome> {
    match status {
        wire::AttemptStatus::Unspecified => None,
        wire::AttemptStatus::Failed => Some(Outcome::Failed),
        wire::AttemptStatus::Ok | wire::AttemptStatus::Cut | wire::AttemptStatus::Abandoned => {
            Some(Outcome::Delivered)
        }
        wire::AttemptStatus::Hedged => Some(Outcome::Hedged),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    fn message() -> wire::UsageEvent {
        wire::UsageEvent {
            event_id: ID.to_owned(),
            inference_id: ID.to_owned(),
            attempt: 1,
            owner: Some(wire::UsageOwner {
                account: format!("users/{ID}"),
                ..wire::UsageOwner::default()
            }),
            status: wire::AttemptStatus::Ok.into(),
            ..wire::UsageEvent::default()
        }
    }

    #[test]
    fn what_is_incomplete_is_refused() {
        let check = |change: fn(&mut wire::UsageEvent), error| {
            let mut changed = message();
            change(&mut changed);
            assert_eq!(Event::parse(ID, Some(changed), None), Err(error));
        };
        check(|event| event.event_id.push('0'), InvalidEvent::Id);
        check(
            |event| event.inference_id.clear(),
            InvalidEvent::InferenceId,
        );
        check(|event| event.attempt = 0, InvalidEvent::Attempt);
        check(|event| event.owner = None, InvalidEvent::Owner);
        check(|event| event.status = 0, InvalidEvent::Status);
        check(|event| event.status = 99, InvalidEvent::Status);
        check(
            |event| event.reason = "x".repeat(EVENT_BYTES_MAX),
            InvalidEvent::Size,
        );
        assert_eq!(Event::parse(ID, None, None), Err(InvalidEvent::Missing));
        assert_eq!(
            Event::parse("x", Some(message()), None),
            Err(InvalidEvent::Id)
        );
    }

    #[test]
    fn negative_figures_are_clamped_and_flagged() {
        let usage = wire::Usage {
            input_tokens: -5,
            output_tokens: 7,
            ..wire::Usage::default()
        };
        let reported = wire::UsageEvent {
            usage: Some(usage),
            ..message()
        };
        let event = Event::parse(ID, Some(reported), None).expect("valid");
        assert_eq!(
            (event.usage.input_tokens, event.usage.output_tokens),
            (0, 7)
        );
        assert!(event.message.usage_inconsistent);
    }

    #[test]
    fn the_owner_of_a_hold_counts_more_than_what_is_said() {
        let owner = wire::UsageOwner {
            account: "organizations/01890a5d-ac96-774b-bcce-b302099a8058".to_owned(),
            ..wire::UsageOwner::default()
        };
        let event = Event::parse(ID, Some(message()), Some(owner.clone())).expect("valid");
        assert_eq!(event.account.to_string(), owner.account);
        assert_eq!(event.message.owner, Some(owner));
    }
}
