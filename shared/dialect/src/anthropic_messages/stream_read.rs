//! Reading a stream: blocks that begin, go on and end.

use std::collections::BTreeMap;

use serde_json::Value;

use super::event::{Block, WireDelta, WireEvent};
use super::stop;
use super::usage::Reported;
use crate::canonical::{Delta, Event, Opening, Origin, Place, Signature};
use crate::error::Failure;
use crate::refusal::Garbled;
use crate::stream::ReadEvents;

/// Reads events.
#[derive(Debug, Default)]
pub(crate) struct EventReader {
    usage: Reported,
    /// The open blocks that are known elsewhere, by their index here.
    open: BTreeMap<u64, Place>,
    next: u32,
    finished: bool,
}

impl ReadEvents for EventReader {
    fn event(&mut self, data: &[u8], out: &mut Vec<Event>) -> Result<(), Garbled> {
        match serde_json::from_slice::<WireEvent>(data)? {
            WireEvent::MessageStart { message } => {
                self.usage.take(message.usage.unwrap_or_default());
                let (id, model) = (message.id, message.model);
                out.push(Event::Start { id, model });
            }
            WireEvent::ContentBlockStart {
                index,
                content_block,
            } => self.begin(index, content_block, out),
            WireEvent::ContentBlockDelta { index, delta } => self.add(index, delta, out),
            WireEvent::ContentBlockStop { index } => {
                out.extend(self.open.remove(&index).map(Event::Close));
            }
            WireEvent::MessageDelta { delta, usage } => {
                self.usage.take(usage.unwrap_or_default());
                self.stop(delta.stop_reason, delta.stop_sequence, out);
            }
            WireEvent::MessageStop => out.push(Event::End),
            WireEvent::Ping => out.push(Event::Ping),
            WireEvent::Error { error } => out.push(Event::Failed(Failure::of_event(&error))),
            WireEvent::Unknown => {}
        }
        Ok(())
    }

    /// `message_stop` says nothing that the stop reason did not say.
    fn is_whole(&self) -> bool {
        self.finished
    }
}

impl EventReader {
    fn begin(&mut self, index: u64, block: Block, out: &mut Vec<Event>) {
        let (opening, first) = match block {
            Block::Text { text } => (Opening::Text, text_delta(text)),
            Block::Thinking {
                thinking,
                signature,
            } => {
                let first = text_delta(thinking)
                    .into_iter()
                    .chain(signed(signature))
                    .collect();
                (Opening::Reasoning { redacted: false }, first)
            }
            Block::RedactedThinking { data } => {
                (Opening::Reasoning { redacted: true }, signed(data))
            }
            Block::ToolUse { id, name, input } => {
                (Opening::ToolCall { id, name }, arguments(input))
            }
            Block::Unknown => return,
        };
        let part = self.next;
        self.next += 1;
        let place = Place { choice: 0, part };
        self.open.insert(index, place);
        out.push(Event::Open(place, opening));
        out.extend(first.into_iter().map(|delta| Event::Delta(place, delta)));
    }

    fn add(&mut self, index: u64, delta: WireDelta, out: &mut Vec<Event>) {
        let Some(place) = self.open.get(&index).copied() else {
            return;
        };
        let added = match delta {
            WireDelta::TextDelta { text } | WireDelta::ThinkingDelta { thinking: text } => {
                text_delta(text)
            }
            WireDelta::InputJsonDelta { partial_json } if partial_json.is_empty() => Vec::new(),
            WireDelta::InputJsonDelta { partial_json } => vec![Delta::Arguments(partial_json)],
            WireDelta::SignatureDelta { signature } => signed(signature),
            WireDelta::CitationsDelta { citation } => citation
                .citation()
                .map(Delta::Citation)
                .into_iter()
                .collect(),
            WireDelta::Unknown => Vec::new(),
        };
        out.extend(added.into_iter().map(|delta| Event::Delta(place, delta)));
    }

    fn stop(&mut self, reason: Option<String>, sequence: Option<String>, out: &mut Vec<Event>) {
        if let Some(reason) = reason
            && !std::mem::replace(&mut self.finished, true)
        {
            let left = std::mem::take(&mut self.open).into_values();
            out.extend(left.map(Event::Close));
            out.push(Event::Finish(0, stop::read(&reason, sequence)));
        }
        out.push(Event::Usage(self.usage.usage()));
    }
}

fn text_delta(text: String) -> Vec<Delta> {
    if text.is_empty() {
        return Vec::new();
    }
    vec![Delta::Text(text)]
}

fn signed(value: String) -> Vec<Delta> {
    if value.is_empty() {
        return Vec::new();
    }
    vec![Delta::Signature(Signature::read(Origin::Anthropic, value))]
}

/// Arguments that came whole with the beginning of their block.
fn arguments(input: serde_json::Map<String, Value>) -> Vec<Delta> {
    if input.is_empty() {
        return Vec::new();
    }
    vec![Delta::Arguments(Value::Object(input).to_string())]
}
