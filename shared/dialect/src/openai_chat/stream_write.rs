//! Writing a stream: a chunk with the role, chunks that add, one with the finish, one with the usage
//! where it is asked for, `[DONE]`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::answer::{id, logprobs};
use super::content::image;
use super::{citations, reasoning, stop, tools, usage};
use crate::canonical::{Delta, Event, Opening, Origin, Place, Signature, StopReason, Usage};
use crate::error;
use crate::form::Form;
use crate::json::{self, Object};
use crate::sse;
use crate::stream::WriteEvents;
use crate::translate::AnswerContext;

/// A chunk as it is written.
#[derive(Debug, Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'a str,
    created: u64,
    model: &'a str,
    choices: &'a [Value],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Value>,
}

/// Writes chunks.
#[derive(Debug)]
pub(crate) struct EventWriter {
    id: String,
    model: String,
    created: u64,
    tells_usage: bool,
    usage: Option<Usage>,
    choices: BTreeMap<u32, Told>,
    /// What each part is that was opened.
    parts: BTreeMap<Place, Kind>,
}

/// What was told of a choice.
#[derive(Debug, Default)]
struct Told {
    calls: usize,
    details: usize,
    characters: u64,
    /// Google's signature of the call that comes next.
    signature: Option<Signature>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Text, and with which character of the message it begins.
    Text(u64),
    Refusal,
    /// Thoughts, the place among the details, and whether anything of them was shown.
    Reasoning {
        index: usize,
        redacted: bool,
        shown: bool,
    },
    /// A call, by its number.
    Call(usize),
}

impl WriteEvents for EventWriter {
    fn event(&mut self, event: Event, out: &mut Vec<u8>) {
        match event {
            Event::Start { model, .. } => self.model = model.unwrap_or_else(|| self.model.clone()),
            Event::Open(place, opening) => self.open(place, opening, out),
            Event::Delta(place, delta) => self.delta(place, &delta, out),
            Event::Logprobs(choice, tokens) => self.logprobs(choice, &logprobs(&tokens), out),
            Event::Finish(choice, stop) => self.finish(choice, &stop, out),
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Failed(failure) => {
                let error = error::write(Form::OpenAiChat, &failure);
                sse::write_data(&json::bytes(&error), out);
            }
            Event::Close(_) | Event::Ping | Event::End => {}
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Vec<u8> {
        let usage = self.usage.filter(|_| self.tells_usage);
        if let Some(usage) = usage {
            self.chunk(&[], Some(usage::write(&usage)), out);
        }
        let mut last = Vec::new();
        sse::write_data(b"[DONE]", &mut last);
        last
    }
}

impl EventWriter {
    pub(crate) fn new(context: AnswerContext) -> Self {
        Self {
            id: id(&context),
            model: context.model,
            created: context.created,
            tells_usage: context.stream_usage,
            usage: None,
            choices: BTreeMap::new(),
            parts: BTreeMap::new(),
        }
    }

    fn chunk(&self, choices: &[Value], usage: Option<Value>, out: &mut Vec<u8>) {
        let chunk = Chunk {
            id: &self.id,
            object: "chat.completion.chunk",
            created: self.created,
            model: &self.model,
            choices,
            usage,
        };
        out.extend_from_slice(b"data: ");
        // Writing into memory does not fail, and no key of these is anything but a string.
        let _ = serde_json::to_writer(&mut *out, &chunk);
        out.extend_from_slice(b"\n\n");
    }

    fn add(&mut self, choice: u32, delta: Value, out: &mut Vec<u8>) {
        self.told(choice, out);
        self.chunk(&[choice_of(choice, delta, Value::Null)], None, out);
    }

    /// A choice; the first chunk of each says who speaks.
    fn told(&mut self, choice: u32, out: &mut Vec<u8>) -> &mut Told {
        if !self.choices.contains_key(&choice) {
            let role = json!({"role": "assistant", "content": ""});
            self.chunk(&[choice_of(choice, role, Value::Null)], None, out);
        }
        self.choices.entry(choice).or_default()
    }

    fn open(&mut self, place: Place, opening: Opening, out: &mut Vec<u8>) {
        let told = self.told(place.choice, out);
        let kind = match opening {
            Opening::Text => Kind::Text(told.characters),
            Opening::Refusal => Kind::Refusal,
            Opening::Reasoning { redacted } => Kind::Reasoning {
                index: told.details,
                redacted,
                shown: false,
            },
            Opening::ToolCall { id, name } => return self.open_call(place, &id, &name, out),
            Opening::Image(media) => {
                let images: Vec<Value> = image(&media).map(Value::from).into_iter().collect();
                return self.add(place.choice, json!({"images": images}), out);
            }
        };
        self.parts.insert(place, kind);
    }

    fn open_call(&mut self, place: Place, id: &str, name: &str, out: &mut Vec<u8>) {
        let told = self.told(place.choice, out);
        let number = told.calls;
        told.calls += 1;
        let signature = told.signature.take();
        self.parts.insert(place, Kind::Call(number));
        let extra = signature.map(|signature| tools::extra_content(&signature.value));
        let call = Object::default()
            .with("index", number)
            .with("id", id)
            .with("type", "function")
            .with("function", json!({"name": name, "arguments": ""}))
            .maybe("extra_content", extra);
        self.add(
            place.choice,
            json!({"tool_calls": [Value::from(call)]}),
            out,
        );
    }

    fn delta(&mut self, place: Place, delta: &Delta, out: &mut Vec<u8>) {
        let Some(kind) = self.parts.get(&place).copied() else {
            return;
        };
        let added = match (kind, delta) {
            (Kind::Text(_), Delta::Text(text)) => {
                self.told(place.choice, out).characters += text.chars().count() as u64;
                json!({"content": text})
            }
            (Kind::Text(start), Delta::Citation(citation)) => {
                let end = self.told(place.choice, out).characters;
                json!({"annotations": [citations::write(citation, start, end)]})
            }
            (Kind::Refusal, Delta::Text(text)) => json!({"refusal": text}),
            (Kind::Call(number), Delta::Arguments(text)) => {
                json!({"tool_calls": [{"index": number, "function": {"arguments": text}}]})
            }
            (Kind::Reasoning { .. }, Delta::Text(text)) => self.think(place, text),
            (Kind::Reasoning { .. }, Delta::Signature(signature)) => {
                match self.sign(place, signature, out) {
                    Some(added) => added,
                    None => return,
                }
            }
            _ => return,
        };
        self.add(place.choice, added, out);
    }

    fn think(&mut self, place: Place, text: &str) -> Value {
        let index = self.shown(place).0;
        let detail = reasoning::detail(text, None, false, index);
        json!({"reasoning_content": text, "reasoning_details": [detail]})
    }

    /// A signature among the details; Google's alone waits for the call that it may be of.
    fn sign(&mut self, place: Place, signature: &Signature, out: &mut Vec<u8>) -> Option<Value> {
        let shown = matches!(
            self.parts.get(&place),
            Some(Kind::Reasoning { shown: true, .. })
        );
        if signature.origin == Origin::Google && !shown {
            self.told(place.choice, out).signature = Some(signature.clone());
            return None;
        }
        let (index, redacted) = self.shown(place);
        let detail = reasoning::detail("", Some(signature), redacted, index);
        Some(json!({"reasoning_details": [detail]}))
    }

    /// Marks thoughts as shown; gives their place among the details and whether they are hidden.
    fn shown(&mut self, place: Place) -> (usize, bool) {
        let Some(Kind::Reasoning {
            index,
            redacted,
            shown,
        }) = self.parts.get_mut(&place)
        else {
            return (0, false);
        };
        *shown = true;
        let told = self.choices.entry(place.choice).or_default();
        told.details = told.details.max(*index + 1);
        (*index, *redacted)
    }

    fn logprobs(&mut self, choice: u32, tokens: &Value, out: &mut Vec<u8>) {
        self.told(choice, out);
        let told = json!({
            "index": choice, "delta": {}, "logprobs": tokens, "finish_reason": null,
        });
        self.chunk(&[told], None, out);
    }

    fn finish(&mut self, choice: u32, reason: &StopReason, out: &mut Vec<u8>) {
        let told = self.told(choice, out);
        if let Some(signature) = told.signature.take() {
            let detail = reasoning::detail("", Some(&signature), false, told.details);
            self.add(choice, json!({"reasoning_details": [detail]}), out);
        }
        let reason = stop::write(reason).into();
        self.chunk(&[choice_of(choice, json!({}), reason)], None, out);
    }
}

fn choice_of(index: u32, delta: Value, finish_reason: Value) -> Value {
    Object::default()
        .with("index", index)
        .with("delta", delta)
        .with("finish_reason", finish_reason)
        .into()
}
