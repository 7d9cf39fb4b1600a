//! Typed calls: a caller that builds a [`Request`] itself and takes [`Event`]s. On their way they are
//! bytes like those of any other form, so that they are planned, kept and metered like any other: a
//! request is a chat of OpenAI's with whatever else there are members for, an answer is the canonical
//! model as JSON. Nobody but who wrote them reads them.

use serde_json::{Map, Value};

use crate::canonical::{Answer, Event, Request};
use crate::form::Form;
use crate::gaps::Gaps;
use crate::openai_chat;
use crate::refusal::{Garbled, Refusal};
use crate::sse::{self, Frame};
use crate::stream::WriteEvents;
use crate::translate::{ChatFlavour, Options};

/// Writes a request to a model. Who sends it may add members about its way.
pub fn request(request: &Request, model: &str) -> Result<Map<String, Value>, Refusal> {
    let options = Options {
        chat: ChatFlavour::Whole,
        ..Options::new(model)
    };
    let mut gaps = Gaps::new(Form::TypedChat, Form::TypedChat, false);
    match openai_chat::write_request(request, &options, &mut gaps)? {
        Value::Object(members) => Ok(members),
        _ => Ok(Map::new()),
    }
}

/// Reads a plain answer as the events of a stream that tells it.
pub fn answer(body: &[u8]) -> Result<Vec<Event>, Garbled> {
    Ok(serde_json::from_slice::<Answer>(body)?.into_events())
}

/// Reads a stream, however its bytes are cut.
#[derive(Debug, Default)]
pub struct Events {
    frames: sse::Reader,
}

impl Events {
    /// Takes the next bytes and adds the events that are whole with them.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<Event>) -> Result<(), Garbled> {
        self.frames.push(bytes, |frame| {
            if let Frame::Event { data, .. } = frame {
                out.push(serde_json::from_slice(data)?);
            }
            Ok(())
        })
    }
}

pub(crate) fn write_answer(answer: &Answer) -> Value {
    serde_json::to_value(answer).unwrap_or_default()
}

/// Writes a stream.
#[derive(Debug)]
pub(crate) struct EventWriter;

impl WriteEvents for EventWriter {
    fn event(&mut self, event: Event, out: &mut Vec<u8>) {
        sse::write_data(&serde_json::to_vec(&event).unwrap_or_default(), out);
    }

    fn end(&mut self, _: &mut Vec<u8>) -> Vec<u8> {
        let mut last = Vec::new();
        self.event(Event::End, &mut last);
        last
    }
}

#[cfg(test)]
mod tests;
