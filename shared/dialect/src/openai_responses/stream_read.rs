//! Reading a stream: items that are added, go on and are done.

use std::collections::BTreeMap;

use super::event::WireEvent;
use super::item::WireItem;
use crate::canonical::{Content, Delta, Event, Opening, Place};
use crate::error::Failure;
use crate::refusal::Garbled;
use crate::stream::ReadEvents;

/// Reads events.
#[derive(Debug, Default)]
pub(crate) struct EventReader {
    /// The open part of each item, by the item's index.
    open: BTreeMap<u64, Open>,
    next: u32,
    calls: bool,
}

/// An open part.
#[derive(Debug)]
struct Open {
    place: Place,
    kind: Kind,
    /// Whether anything was added to it.
    added: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Refusal,
    Thoughts,
    Call,
}

impl ReadEvents for EventReader {
    fn event(&mut self, data: &[u8], out: &mut Vec<Event>) -> Result<(), Garbled> {
        match serde_json::from_slice(data)? {
            WireEvent::Created { response } => {
                let (id, model) = (response.id, response.model);
                out.push(Event::Start { id, model });
            }
            WireEvent::ItemAdded { output_index, item } => self.begin(output_index, item, out),
            WireEvent::Text {
                output_index,
                delta,
                logprobs,
            } => {
                self.add(output_index, Kind::Text, Delta::Text(delta), out);
                out.extend((!logprobs.is_empty()).then_some(Event::Logprobs(0, logprobs)));
            }
            WireEvent::Annotated {
                output_index,
                annotation,
            } => {
                if let Some(citation) = annotation.citation() {
                    self.add(output_index, Kind::Text, Delta::Citation(citation), out);
                }
            }
            WireEvent::Refusal {
                output_index,
                delta,
            } => {
                self.add(output_index, Kind::Refusal, Delta::Text(delta), out);
            }
            WireEvent::Thought {
                output_index,
                delta,
            } => {
                self.add(output_index, Kind::Thoughts, Delta::Text(delta), out);
            }
            WireEvent::ThoughtBegun {
                output_index,
                summary_index,
            } => {
                if summary_index > 0 {
                    let between = Delta::Text("\n".to_owned());
                    self.add(output_index, Kind::Thoughts, between, out);
                }
            }
            WireEvent::Arguments {
                output_index,
                delta,
            } => {
                self.add(output_index, Kind::Call, Delta::Arguments(delta), out);
            }
            WireEvent::ItemDone { output_index, item } => self.done(output_index, item, out),
            WireEvent::Completed { response } => {
                let left = std::mem::take(&mut self.open).into_values();
                out.extend(left.map(|open| Event::Close(open.place)));
                out.extend(
                    response
                        .usage
                        .as_ref()
                        .map(|usage| Event::Usage(usage.usage())),
                );
                out.push(Event::Finish(0, response.stop(self.calls)));
                out.push(Event::End);
            }
            WireEvent::Failed { response } => {
                let unsaid = || Failure::read(500, b"the provider failed to answer");
                out.push(Event::Failed(response.failure().unwrap_or_else(unsaid)));
            }
            WireEvent::Error { error } => out.push(Event::Failed(Failure::of_event(&error))),
            WireEvent::Unknown => {}
        }
        Ok(())
    }

    /// The last event says what nothing before it says.
    fn is_whole(&self) -> bool {
        false
    }
}

impl EventReader {
    /// Calls begin with their item: it has their id and name. Others begin with what is added first.
    fn begin(&mut self, index: u64, item: WireItem, out: &mut Vec<Event>) {
        if item.kind() != "function_call" {
            return;
        }
        self.calls = true;
        let Content::ToolCall(call) = item.call().content else {
            return;
        };
        let (id, name) = (call.id, call.name);
        let place = self.open(index, Kind::Call, Opening::ToolCall { id, name }, out);
        if !call.arguments.is_empty() {
            self.mark_added(index);
            out.push(Event::Delta(place, Delta::Arguments(call.arguments)));
        }
    }

    fn open(&mut self, index: u64, kind: Kind, opening: Opening, out: &mut Vec<Event>) -> Place {
        let part = self.next;
        self.next += 1;
        let place = Place { choice: 0, part };
        let open = Open {
            place,
            kind,
            added: false,
        };
        if let Some(before) = self.open.insert(index, open) {
            out.push(Event::Close(before.place));
        }
        out.push(Event::Open(place, opening));
        place
    }

    fn mark_added(&mut self, index: u64) {
        if let Some(open) = self.open.get_mut(&index) {
            open.added = true;
        }
    }

    /// Adds to what is open of an item, if it is of the same kind, else to something new.
    fn add(&mut self, index: u64, kind: Kind, delta: Delta, out: &mut Vec<Event>) {
        let open = self.open.get(&index).filter(|open| open.kind == kind);
        let place = match (open, kind) {
            (Some(open), _) => open.place,
            (None, Kind::Text) => self.open(index, kind, Opening::Text, out),
            (None, Kind::Refusal) => self.open(index, kind, Opening::Refusal, out),
            (None, Kind::Thoughts) => {
                self.open(index, kind, Opening::Reasoning { redacted: false }, out)
            }
            // Arguments of a call that was not begun belong to nothing.
            (None, Kind::Call) => return,
        };
        self.mark_added(index);
        out.push(Event::Delta(place, delta));
    }

    /// What is done has what was not told before: the signature of thoughts, arguments in one piece.
    fn done(&mut self, index: u64, mut item: WireItem, out: &mut Vec<Event>) {
        match item.kind() {
            "reasoning" => self.sign(index, &mut item, out),
            // Some servers do not tell that it was added.
            "function_call" if !self.open.contains_key(&index) => self.begin(index, item, out),
            "function_call" => {
                let told = self.open.get(&index).is_some_and(|open| open.added);
                if let Content::ToolCall(call) = item.call().content
                    && !told
                    && !call.arguments.is_empty()
                {
                    self.add(index, Kind::Call, Delta::Arguments(call.arguments), out);
                }
            }
            _ => {}
        }
        out.extend(
            self.open
                .remove(&index)
                .map(|open| Event::Close(open.place)),
        );
    }

    fn sign(&mut self, index: u64, item: &mut WireItem, out: &mut Vec<Event>) {
        let Some((signature, redacted)) = item.signature() else {
            return;
        };
        if redacted {
            self.open(index, Kind::Thoughts, Opening::Reasoning { redacted }, out);
        }
        self.add(index, Kind::Thoughts, Delta::Signature(signature), out);
    }
}
