//! What metering is told of an attempt, as it lies in the spool: the very message of its contract. And
//! what it is told of an attempt that a lost process left behind.

use keyward_money::Nanos;
use keyward_proto::metering::v1::{
    AttemptStatus, RecordUsageRequest, SettleUsageRequest, Usage, UsageEvent, UsageSource,
    VoidHoldRequest,
};
use prost::{DecodeError, Message as _};

/// One thing to tell metering.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Parcel {
    /// Charge a hold.
    Settle(SettleUsageRequest),
    /// Give a hold back.
    Void(VoidHoldRequest),
    /// Record an attempt that had no hold.
    Record(RecordUsageRequest),
}

/// Which message a parcel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Settle,
    Void,
    Record,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Settle => "settle",
            Self::Void => "void",
            Self::Record => "record",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Settle, Self::Void, Self::Record]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// What is held for an attempt, as metering will be told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// Empty where nothing is.
    pub(crate) hold_id: String,
    /// The lease that it was taken from; empty where metering was asked.
    pub(crate) lease_id: String,
    /// How much was taken from the lease.
    pub(crate) amount: Nanos,
}

impl Held {
    /// Whether metering does not know of it yet, nor has to if nothing is charged.
    fn is_unknown(&self) -> bool {
        self.hold_id.is_empty() || !self.lease_id.is_empty()
    }
}

impl Parcel {
    /// How the books of an attempt are closed: against its hold, if there is one, which goes back
    /// where there is nothing to settle.
    pub(crate) fn closing(held: Held, event: UsageEvent, is_settled: bool) -> Self {
        let is_charged = is_settled && !held.hold_id.is_empty();
        let (is_unknown, request_id) = (held.is_unknown(), event.event_id.clone());
        let (hold_id, event) = (held.hold_id, Some(event));
        match is_charged {
            false if is_unknown => Self::Record(RecordUsageRequest {
                request_id,
                sequence: 0,
                event,
            }),
            false => Self::Void(VoidHoldRequest {
                request_id,
                hold_id,
                event,
            }),
            true => Self::Settle(SettleUsageRequest {
                request_id,
                hold_id,
                event,
                lease_id: held.lease_id,
                held_nanos: held.amount.get(),
            }),
        }
    }

    /// How the books are closed of an attempt whose process was lost. `delivered` is the usage that
    /// was seen last once something was on its way to the caller, the prompt included: that is
    /// charged. Where nothing was, nobody owes anything, and what the provider may have used is not
    /// known.
    pub(crate) fn recovered(held: Held, intent: UsageEvent, delivered: Option<Usage>) -> Self {
        let is_delivered = delivered.is_some();
        let (status, usage, reason) = match delivered {
            Some(usage) => (
                AttemptStatus::Cut,
                usage,
                "the router was lost while it answered",
            ),
            None => (
                AttemptStatus::Failed,
                Usage::default(),
                "the router was lost before anything was delivered",
            ),
        };
        let event = UsageEvent {
            status: status.into(),
            usage: Some(usage),
            usage_source: UsageSource::Recovered.into(),
            reason: reason.to_owned(),
            ..intent
        };
        Self::closing(held, event, is_delivered)
    }

    pub(crate) const fn kind(&self) -> Kind {
        match self {
            Self::Settle(_) => Kind::Settle,
            Self::Void(_) => Kind::Void,
            Self::Record(_) => Kind::Record,
        }
    }

    pub(crate) fn event(&self) -> Option<&UsageEvent> {
        match self {
            Self::Settle(settle) => settle.event.as_ref(),
            Self::Void(void) => void.event.as_ref(),
            Self::Record(record) => record.event.as_ref(),
        }
    }

    /// The id by which metering knows it.
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Settle(settle) => &settle.request_id,
            Self::Void(void) => &void.request_id,
            Self::Record(record) => &record.request_id,
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Settle(settle) => settle.encode_to_vec(),
            Self::Void(void) => void.encode_to_vec(),
            Self::Record(record) => record.encode_to_vec(),
        }
    }

    pub(crate) fn decode(kind: Kind, body: &[u8]) -> Result<Self, DecodeError> {
        Ok(match kind {
            Kind::Settle => Self::Settle(SettleUsageRequest::decode(body)?),
            Kind::Void => Self::Void(VoidHoldRequest::decode(body)?),
            Kind::Record => Self::Record(RecordUsageRequest::decode(body)?),
        })
    }
}

/// Whether an event's figures are what was left of a lost process, not what was measured.
pub(crate) fn is_recovered(event: Option<&UsageEvent>) -> bool {
    event.is_some_and(|event| event.usage_source() == UsageSource::Recovered)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent() -> UsageEvent {
        UsageEvent {
            event_id: "e".to_owned(),
            provider: "openai".to_owned(),
            usage: Some(prompt(1_000)),
            status: AttemptStatus::Ok.into(),
            ..UsageEvent::default()
        }
    }

    fn prompt(input_tokens: i64) -> Usage {
        Usage {
            input_tokens,
            ..Usage::default()
        }
    }

    fn held(hold_id: &str, lease_id: &str) -> Held {
        Held {
            hold_id: hold_id.to_owned(),
            lease_id: lease_id.to_owned(),
            amount: Nanos::new(5),
        }
    }

    #[test]
    fn books_are_closed_against_the_hold_that_there_is() {
        for (hold_id, lease_id, delivered, kind) in [
            ("", "", true, Kind::Record),
            ("", "", false, Kind::Record),
            ("h", "", true, Kind::Settle),
            ("h", "", false, Kind::Void),
            ("h", "l", true, Kind::Settle),
            ("h", "l", false, Kind::Record),
        ] {
            let event = intent();
            let parcel = Parcel::closing(held(hold_id, lease_id), event.clone(), delivered);
            assert_eq!(parcel.kind(), kind, "{hold_id} {lease_id} {delivered}");
            if let Parcel::Settle(settle) = &parcel {
                assert_eq!((settle.lease_id.as_str(), settle.held_nanos), (lease_id, 5));
            }
            assert_eq!((parcel.id(), parcel.event()), ("e", Some(&event)));
            let again = Parcel::decode(kind, &parcel.encode()).unwrap();
            assert_eq!(again, parcel);
            assert_eq!(Kind::named(kind.name()), Some(kind));
        }
    }

    #[test]
    fn what_was_delivered_of_a_lost_attempt_is_charged_and_nothing_else() {
        for (hold_id, delivered, kind, usage) in [
            ("", None, Kind::Record, prompt(0)),
            ("", Some(prompt(7)), Kind::Record, prompt(7)),
            ("h", None, Kind::Void, prompt(0)),
            ("h", Some(prompt(7)), Kind::Settle, prompt(7)),
        ] {
            let parcel = Parcel::recovered(held(hold_id, ""), intent(), delivered);
            assert_eq!(parcel.kind(), kind, "{hold_id} {delivered:?}");
            assert!(is_recovered(parcel.event()));
            let event = parcel.event().unwrap();
            assert_eq!(
                (event.usage, event.provider.as_str()),
                (Some(usage), "openai")
            );
        }
        assert!(!is_recovered(Some(&intent())));
    }
}
