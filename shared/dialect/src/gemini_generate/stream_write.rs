//! Writing a stream: chunks, each an answer with what is new. The finish comes with the last one, and
//! the usage with it; calls are told whole.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::answer::logprobs;
use super::parts::{Parts, function_call, media};
use super::{stop, usage};
use crate::canonical::{
    Delta, Event, Opening, Origin, Place, Signature, StopReason, ToolCall, Usage,
};
use crate::error::{self, Failure};
use crate::form::Form;
use crate::json::{self, Object};
use crate::sse;
use crate::stream::WriteEvents;
use crate::translate::{AnswerContext, Framing};

/// Writes chunks.
#[derive(Debug)]
pub(crate) struct EventWriter {
    id: String,
    model: String,
    framing: Framing,
    begun: bool,
    open: BTreeMap<Place, Open>,
    /// Signatures of the part that comes next, by choice.
    signatures: BTreeMap<u32, Signature>,
    stops: BTreeMap<u32, StopReason>,
    usage: Option<Usage>,
}

/// A part that is open.
#[derive(Debug)]
enum Open {
    Text,
    /// Thoughts: whether they are hidden, and whether any were shown.
    Thoughts {
        hidden: bool,
        shown: bool,
    },
    Call(ToolCall),
}

impl WriteEvents for EventWriter {
    fn event(&mut self, event: Event, out: &mut Vec<u8>) {
        match event {
            Event::Start { model, .. } => self.model = model.unwrap_or_else(|| self.model.clone()),
            Event::Open(place, opening) => self.open(place, opening, out),
            Event::Delta(place, delta) => self.delta(place, delta, out),
            Event::Close(place) => self.close(place, out),
            Event::Logprobs(choice, tokens) => {
                let told = json!({"logprobsResult": logprobs(&tokens), "index": choice});
                self.chunk(vec![told], out);
            }
            Event::Finish(choice, stop) => drop(self.stops.insert(choice, stop)),
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Failed(failure) => self.failed(&failure, out),
            Event::Ping | Event::End => {}
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Vec<u8> {
        let stops = std::mem::take(&mut self.stops);
        let candidates = stops
            .iter()
            .map(|(choice, stop)| self.candidate_end(*choice, stop));
        let candidates: Vec<Value> = candidates.collect();
        let mut chunk = self.head(candidates);
        chunk.set_maybe("usageMetadata", self.usage.as_ref().map(usage::write));
        self.write(&chunk.into(), out);
        match self.framing {
            Framing::Events => Vec::new(),
            Framing::Array => b"]".to_vec(),
        }
    }
}

impl EventWriter {
    pub(crate) fn new(context: AnswerContext) -> Self {
        Self {
            id: context.id,
            model: context.model,
            framing: context.framing,
            begun: false,
            open: BTreeMap::new(),
            signatures: BTreeMap::new(),
            stops: BTreeMap::new(),
            usage: None,
        }
    }

    fn head(&self, candidates: Vec<Value>) -> Object {
        Object::default()
            .with("candidates", candidates)
            .with("modelVersion", self.model.as_str())
            .with("responseId", self.id.as_str())
    }

    fn chunk(&mut self, candidates: Vec<Value>, out: &mut Vec<u8>) {
        let chunk = self.head(candidates).into();
        self.write(&chunk, out);
    }

    fn write(&mut self, chunk: &Value, out: &mut Vec<u8>) {
        let begun = std::mem::replace(&mut self.begun, true);
        match self.framing {
            Framing::Events => sse::write_data(&json::bytes(chunk), out),
            Framing::Array => {
                out.extend_from_slice(if begun { b",\r\n" } else { b"[" });
                out.extend(json::bytes(chunk));
            }
        }
    }

    fn failed(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        self.write(&error::write(Form::GeminiGenerate, failure), out);
    }

    /// Tells parts of a choice, the first with the signature that waits.
    fn tell(&mut self, choice: u32, part: Object, out: &mut Vec<u8>) {
        let mut parts = Parts::default();
        if let Some(signature) = self.signatures.remove(&choice) {
            parts.sign(signature);
        }
        parts.push(part);
        let content = json!({"parts": parts.into_values(), "role": "model"});
        self.chunk(vec![json!({"content": content, "index": choice})], out);
    }

    fn candidate_end(&mut self, choice: u32, stopped: &StopReason) -> Value {
        let mut parts = Parts::default();
        if let Some(signature) = self.signatures.remove(&choice) {
            parts.sign(signature);
        }
        json!({
            "content": {"parts": parts.into_values(), "role": "model"},
            "finishReason": stop::write(stopped),
            "index": choice,
        })
    }

    fn open(&mut self, place: Place, opening: Opening, out: &mut Vec<u8>) {
        let open = match opening {
            Opening::Text | Opening::Refusal => Open::Text,
            Opening::Reasoning { redacted } => Open::Thoughts {
                hidden: redacted,
                shown: false,
            },
            Opening::ToolCall { id, name } => Open::Call(ToolCall {
                id,
                name,
                arguments: String::new(),
            }),
            Opening::Image(held) => {
                if let Some(part) = media(&held, "image/png") {
                    self.tell(place.choice, part, out);
                }
                return;
            }
        };
        self.open.insert(place, open);
    }

    fn delta(&mut self, place: Place, delta: Delta, out: &mut Vec<u8>) {
        let Some(open) = self.open.get_mut(&place) else {
            return;
        };
        let part = match (open, delta) {
            (Open::Text, Delta::Text(text)) => Object::default().with("text", text),
            (Open::Thoughts { shown, .. }, Delta::Text(text)) => {
                *shown = true;
                Object::default().with("text", text).with("thought", true)
            }
            (Open::Thoughts { hidden, shown }, Delta::Signature(signature)) => {
                if signature.origin == Origin::Google && !*shown {
                    self.signatures.insert(place.choice, signature);
                    return;
                }
                let signature = signature.hide(*hidden);
                self.signatures.insert(place.choice, signature);
                Object::default().with("text", "").with("thought", true)
            }
            (Open::Call(call), Delta::Arguments(more)) => return call.arguments.push_str(&more),
            _ => return,
        };
        self.tell(place.choice, part, out);
    }

    fn close(&mut self, place: Place, out: &mut Vec<u8>) {
        if let Some(Open::Call(call)) = self.open.remove(&place) {
            self.tell(place.choice, function_call(&call), out);
        }
    }
}
