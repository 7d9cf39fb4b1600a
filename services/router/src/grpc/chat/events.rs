//! What happens in an answer, as it is typed.

use std::collections::BTreeMap;

use keyward_dialect::canonical::{
    Citation, Delta, Event, Logprob, Opening, Place, StopReason, TopLogprob,
};
use keyward_proto::router::v1 as proto;
use keyward_proto::router::v1::chat_response::Event as Typed;

use super::media;
use super::messages::UNMARKED;

/// Types events. Typed ones say with each piece what it is a piece of, so the parts that are open are
/// remembered.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    open: BTreeMap<Place, Kind>,
}

/// What is open, as far as it takes pieces.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    Refusal,
    Reasoning { redacted: bool },
}

impl Encoder {
    /// What an event becomes; nothing where a typed answer has no such thing.
    pub(super) fn take(&mut self, event: Event) -> Option<Typed> {
        match event {
            Event::Open(place, opening) => self.open(place, opening),
            Event::Delta(place, delta) => self.delta(place, delta),
            Event::Close(place) => {
                self.open.remove(&place);
                None
            }
            Event::Logprobs(choice, logprobs) => Some(Typed::Logprobs(proto::ChatLogprobs {
                choice,
                tokens: logprobs.into_iter().map(token).collect(),
            })),
            Event::Finish(choice, stop) => Some(Typed::Stop(stopped(choice, stop))),
            // The head and the summary tell the like, or the status.
            Event::Start { .. } | Event::Usage(_) | Event::Failed(_) | Event::Ping | Event::End => {
                None
            }
        }
    }

    fn open(&mut self, place: Place, opening: Opening) -> Option<Typed> {
        let kind = match opening {
            Opening::Text => Kind::Text,
            Opening::Refusal => Kind::Refusal,
            Opening::Reasoning { redacted } => Kind::Reasoning { redacted },
            Opening::ToolCall { id, name } => {
                return Some(Typed::ToolCall(proto::ChatToolCallBegin {
                    place: Some(at(place)),
                    call_id: id,
                    name,
                }));
            }
            Opening::Image(image) => {
                return Some(Typed::Image(proto::ChatImage {
                    place: Some(at(place)),
                    image: Some(media::write(image)),
                }));
            }
        };
        self.open.insert(place, kind);
        None
    }

    fn delta(&self, place: Place, delta: Delta) -> Option<Typed> {
        let kind = self.open.get(&place).copied();
        Some(match (delta, kind) {
            (Delta::Text(text), Some(kind)) => more(place, kind, text),
            (Delta::Signature(signature), Some(Kind::Reasoning { redacted })) => {
                let signature = signature.write(UNMARKED);
                Typed::Reasoning(thought(place, redacted, String::new(), signature))
            }
            (Delta::Arguments(json), _) => Typed::Arguments(proto::ChatArgumentsDelta {
                place: Some(at(place)),
                json,
            }),
            (Delta::Citation(citation), _) => Typed::Citation(cited(place, citation)),
            (Delta::Text(_) | Delta::Signature(_), _) => return None,
        })
    }
}

fn at(place: Place) -> proto::ChatPlace {
    proto::ChatPlace {
        choice: place.choice,
        part: place.part,
    }
}

fn more(place: Place, kind: Kind, text: String) -> Typed {
    let delta = |text| proto::ChatTextDelta {
        place: Some(at(place)),
        text,
    };
    match kind {
        Kind::Text => Typed::Text(delta(text)),
        Kind::Refusal => Typed::Refusal(delta(text)),
        Kind::Reasoning { redacted } => {
            Typed::Reasoning(thought(place, redacted, text, String::new()))
        }
    }
}

fn thought(
    place: Place,
    redacted: bool,
    text: String,
    signature: String,
) -> proto::ChatReasoningDelta {
    proto::ChatReasoningDelta {
        place: Some(at(place)),
        text,
        signature,
        redacted,
    }
}

fn cited(place: Place, citation: Citation) -> proto::ChatCitation {
    proto::ChatCitation {
        place: Some(at(place)),
        url: citation.url,
        title: citation.title.unwrap_or_default(),
        cited_text: citation.cited.unwrap_or_default(),
        start: citation.start,
        end: citation.end,
    }
}

fn token(told: Logprob) -> proto::ChatTokenLogprob {
    let alternative = |one: TopLogprob| proto::ChatToken {
        text: one.token,
        logprob: one.logprob,
    };
    proto::ChatTokenLogprob {
        token: Some(proto::ChatToken {
            text: told.token,
            logprob: told.logprob,
        }),
        alternatives: told.top_logprobs.into_iter().map(alternative).collect(),
    }
}

fn stopped(choice: u32, stop: StopReason) -> proto::ChatStop {
    let mut sequence = None;
    let reason = match stop {
        StopReason::End => proto::ChatStopReason::End,
        StopReason::Length => proto::ChatStopReason::Length,
        StopReason::Sequence(which) => {
            sequence = which;
            proto::ChatStopReason::Sequence
        }
        StopReason::ToolCalls => proto::ChatStopReason::ToolCalls,
        StopReason::Filtered => proto::ChatStopReason::Filtered,
        StopReason::Refusal => proto::ChatStopReason::Refusal,
        StopReason::Pause => proto::ChatStopReason::Pause,
    };
    proto::ChatStop {
        choice,
        reason: reason.into(),
        sequence: sequence.unwrap_or_default(),
    }
}
