//! Writing a stream: the response's creation, each item from its being added to its being done, the
//! whole response at the end. Events are numbered.

use serde_json::{Value, json};

use super::answer::{self, response, status};
use super::content::annotation;
use super::items;
use crate::canonical::{Collector, Content, Delta, Event, Opening, Part, Place};
use crate::error::{self, Failure};
use crate::form::Form;
use crate::json::{self, Object};
use crate::sequence::Sequencer;
use crate::sse;
use crate::stream::WriteEvents;
use crate::translate::AnswerContext;

/// Writes events of the first choice: more cannot have been asked for.
#[derive(Debug)]
pub(crate) struct EventWriter {
    sequencer: Sequencer,
    told: Told,
}

/// What was told.
#[derive(Debug)]
struct Told {
    context: AnswerContext,
    /// The next event's number.
    sequence: u64,
    begun: bool,
    /// The open item's place in the output, and its id.
    index: usize,
    id: String,
    /// Whether a summary of the open thoughts was begun.
    summary: bool,
    /// The whole answer until now, which the last event tells.
    collector: Collector,
}

impl WriteEvents for EventWriter {
    fn event(&mut self, event: Event, out: &mut Vec<u8>) {
        let Self { sequencer, told } = self;
        sequencer.take(event, |event| told.tell(event, out));
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Vec<u8> {
        let told = &mut self.told;
        told.begin(out);
        let answer = std::mem::take(&mut told.collector).into_answer();
        let stop = answer
            .choices
            .first()
            .and_then(|choice| choice.stop.as_ref());
        let kind = format!("response.{}", stop.map_or("completed", status));
        let whole = answer::write(&answer, &told.context);
        let mut last = Vec::new();
        told.write(&kind, Object::default().with("response", whole), &mut last);
        last
    }
}

impl EventWriter {
    pub(crate) fn new(context: AnswerContext) -> Self {
        Self {
            sequencer: Sequencer::default(),
            told: Told {
                context,
                sequence: 0,
                begun: false,
                index: 0,
                id: String::new(),
                summary: false,
                collector: Collector::default(),
            },
        }
    }
}

impl Told {
    fn tell(&mut self, event: Event, out: &mut Vec<u8>) {
        self.collector.take(&event);
        match event {
            Event::Start { model, .. } => {
                self.context.model =
                    model.unwrap_or_else(|| std::mem::take(&mut self.context.model));
                self.begin(out);
            }
            Event::Open(place, opening) if place.choice == 0 => self.open(place, &opening, out),
            Event::Delta(place, delta) if place.choice == 0 => self.delta(place, &delta, out),
            Event::Close(place) if place.choice == 0 => self.close(place, out),
            Event::Failed(failure) => self.failed(&failure, out),
            _ => {}
        }
    }

    /// Writes an event: its type and number, then what it says.
    fn write(&mut self, kind: &str, said: Object, out: &mut Vec<u8>) {
        let mut event = Object::typed(kind).with("sequence_number", self.sequence);
        self.sequence += 1;
        event.append(said);
        sse::write_event(kind, &json::bytes(&event.into()), out);
    }

    /// Writes an event about the open item.
    fn item(&mut self, kind: &str, said: Object, out: &mut Vec<u8>) {
        let mut event = Object::default()
            .with("item_id", self.id.as_str())
            .with("output_index", self.index);
        event.append(said);
        self.write(kind, event, out);
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        for kind in ["response.created", "response.in_progress"] {
            let model = self.context.model.as_str();
            let begun = response(&self.context, model, "in_progress", Vec::new());
            self.write(kind, Object::default().with("response", begun), out);
        }
    }

    fn open(&mut self, place: Place, opening: &Opening, out: &mut Vec<u8>) {
        self.begin(out);
        self.summary = false;
        let content = self.collector.part(place).map(|part| &part.content);
        let id = content.and_then(|content| items::id(content, &self.context.id, self.index));
        self.id = id.unwrap_or_default();
        let item = match opening {
            Opening::Text | Opening::Refusal => items::message(&self.id, "in_progress", Vec::new()),
            Opening::Reasoning { .. } => begun(items::reasoning("", None), &self.id),
            Opening::ToolCall { id, name } => {
                let call = Object::typed("function_call")
                    .with("call_id", id.as_str())
                    .with("name", name.as_str())
                    .with("arguments", "");
                begun(call, &self.id)
            }
            Opening::Image(_) => begun(Object::typed("image_generation_call"), &self.id),
        };
        let added = Object::default()
            .with("output_index", self.index)
            .with("item", item);
        self.write("response.output_item.added", added, out);
        let part = match opening {
            Opening::Text => json!({
                "type": "output_text", "text": "", "annotations": [], "logprobs": [],
            }),
            Opening::Refusal => json!({"type": "refusal", "refusal": ""}),
            _ => return,
        };
        self.item("response.content_part.added", content_of(part), out);
    }

    fn delta(&mut self, place: Place, delta: &Delta, out: &mut Vec<u8>) {
        let Some(part) = self.collector.part(place) else {
            return;
        };
        let (kind, said) = match (&part.content, delta) {
            (Content::Text { .. }, Delta::Text(text)) => {
                let said = json!({"content_index": 0, "delta": text, "logprobs": []});
                ("response.output_text.delta", said)
            }
            (Content::Text { text, citations }, Delta::Citation(citation)) => {
                let annotation = annotation(citation, 0, text.chars().count() as u64);
                let index = citations.len().saturating_sub(1);
                let said = json!({
                    "content_index": 0, "annotation_index": index, "annotation": annotation,
                });
                ("response.output_text.annotation.added", said)
            }
            (Content::Refusal(_), Delta::Text(text)) => (
                "response.refusal.delta",
                json!({"content_index": 0, "delta": text}),
            ),
            (Content::Reasoning { .. }, Delta::Text(text)) => {
                self.begin_summary(out);
                let said = json!({"summary_index": 0, "delta": text});
                ("response.reasoning_summary_text.delta", said)
            }
            (Content::ToolCall(_), Delta::Arguments(text)) => (
                "response.function_call_arguments.delta",
                json!({"delta": text}),
            ),
            _ => return,
        };
        self.item(kind, Object::of(said), out);
    }

    fn begin_summary(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.summary, true) {
            return;
        }
        let part = json!({"type": "summary_text", "text": ""});
        let said = Object::default()
            .with("summary_index", 0)
            .with("part", part);
        self.item("response.reasoning_summary_part.added", said, out);
    }

    fn close(&mut self, place: Place, out: &mut Vec<u8>) {
        let Some(part) = self.collector.part(place).cloned() else {
            return;
        };
        let item = items::of_answer(&part, &self.context.id, self.index, &[]);
        self.close_part(&part, item.as_ref(), out);
        let done = Object::default()
            .with("output_index", self.index)
            .with("item", item);
        self.write("response.output_item.done", done, out);
        self.index += 1;
    }

    fn close_part(&mut self, part: &Part, item: Option<&Value>, out: &mut Vec<u8>) {
        let written = item
            .map(|item| item["content"][0].clone())
            .unwrap_or_default();
        match &part.content {
            Content::Text { text, .. } => {
                let said = json!({"content_index": 0, "text": text, "logprobs": []});
                self.item("response.output_text.done", Object::of(said), out);
                self.item("response.content_part.done", content_of(written), out);
            }
            Content::Refusal(text) => {
                let said = json!({"content_index": 0, "refusal": text});
                self.item("response.refusal.done", Object::of(said), out);
                self.item("response.content_part.done", content_of(written), out);
            }
            Content::Reasoning { text, .. } if self.summary => {
                let said = json!({"summary_index": 0, "text": text});
                self.item(
                    "response.reasoning_summary_text.done",
                    Object::of(said),
                    out,
                );
                let part = json!({"type": "summary_text", "text": text});
                let said = json!({"summary_index": 0, "part": part});
                self.item(
                    "response.reasoning_summary_part.done",
                    Object::of(said),
                    out,
                );
            }
            Content::ToolCall(call) => {
                let said = json!({"name": call.name, "arguments": call.arguments});
                self.item(
                    "response.function_call_arguments.done",
                    Object::of(said),
                    out,
                );
            }
            _ => {}
        }
    }

    fn failed(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        let mut error = error::write(Form::OpenAiResponses, failure);
        let mut said = Object::of(error["error"].take());
        let kind = said.remove("type");
        if said.is_null("code") {
            said.set("code", kind);
        }
        self.write("error", said, out);
    }
}

/// An item that was begun.
fn begun(item: Object, id: &str) -> Value {
    item.with("id", id).with("status", "in_progress").into()
}

fn content_of(part: Value) -> Object {
    Object::default()
        .with("content_index", 0)
        .with("part", part)
}
