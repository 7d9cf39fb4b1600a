//! Writing a stream: `message_start`, each block's start, deltas and stop one block after another,
//! `message_delta` with the stop reason and the usage, `message_stop`.

use serde_json::{Value, json};

use super::answer::id;
use super::{blocks, stop, usage};
use crate::canonical::{Delta, Event, Opening, Origin, StopReason, Usage};
use crate::error;
use crate::form::Form;
use crate::json;
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

/// What was told, and what is to be told at the end.
#[derive(Debug)]
struct Told {
    id: String,
    model: String,
    begun: bool,
    index: u64,
    block: Block,
    refused: bool,
    stop: StopReason,
    usage: Usage,
}

/// What the open block is.
#[derive(Debug, PartialEq, Eq)]
enum Block {
    /// What is said, or called.
    Said,
    /// Thoughts.
    Thought,
    /// Hidden thoughts whose data, which their start needs, has not come.
    Hidden,
}

impl WriteEvents for EventWriter {
    fn event(&mut self, event: Event, out: &mut Vec<u8>) {
        let Self { sequencer, told } = self;
        sequencer.take(event, |event| told.tell(event, out));
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Vec<u8> {
        let told = &mut self.told;
        told.begin(out);
        let stopped = match told.stop {
            StopReason::End if told.refused => &StopReason::Refusal,
            ref stopped => stopped,
        };
        let (reason, sequence) = stop::write(stopped);
        let delta = json!({
            "type": "message_delta",
            "delta": {"stop_reason": reason, "stop_sequence": sequence},
            "usage": usage::write(&told.usage),
        });
        write(&delta, out);
        let mut last = Vec::new();
        write(&json!({"type": "message_stop"}), &mut last);
        last
    }
}

impl EventWriter {
    pub(crate) fn new(context: AnswerContext) -> Self {
        Self {
            sequencer: Sequencer::default(),
            told: Told {
                id: id(&context),
                model: context.model,
                begun: false,
                index: 0,
                block: Block::Said,
                refused: false,
                stop: StopReason::End,
                usage: Usage::default(),
            },
        }
    }
}

impl Told {
    fn tell(&mut self, event: Event, out: &mut Vec<u8>) {
        match event {
            Event::Start { model, .. } => {
                self.model = model.unwrap_or_else(|| std::mem::take(&mut self.model));
                self.begin(out);
            }
            Event::Open(place, opening) if place.choice == 0 => self.open(opening, out),
            Event::Delta(place, delta) if place.choice == 0 => self.delta(&delta, out),
            Event::Close(place) if place.choice == 0 => self.close(out),
            Event::Finish(0, stop) => self.stop = stop,
            Event::Usage(usage) => self.usage = usage,
            Event::Failed(failure) => write(&error::write(Form::AnthropicMessages, &failure), out),
            _ => {}
        }
    }

    /// Begins the message, if it was not begun. What it used is told at the end.
    fn begin(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let message = json!({
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
            "usage": usage::write(&self.usage),
        });
        write(&json!({"type": "message_start", "message": message}), out);
    }

    fn open(&mut self, opening: Opening, out: &mut Vec<u8>) {
        self.begin(out);
        self.refused |= opening == Opening::Refusal;
        self.block = match opening {
            Opening::Reasoning { redacted: true } => Block::Hidden,
            Opening::Reasoning { redacted: false } => Block::Thought,
            _ => Block::Said,
        };
        let block = match opening {
            Opening::Text | Opening::Refusal => blocks::text("", &[]),
            Opening::Reasoning { redacted: false } => blocks::thinking("", None),
            Opening::Reasoning { redacted: true } => return,
            Opening::ToolCall { id, name } => {
                let block = json!({"type": "tool_use", "id": id, "name": name, "input": {}});
                return self.start(&block, out);
            }
            Opening::Image(media) => blocks::image(&media),
        };
        self.start(&block.into(), out);
    }

    fn start(&self, block: &Value, out: &mut Vec<u8>) {
        let start = json!({
            "type": "content_block_start", "index": self.index, "content_block": block,
        });
        write(&start, out);
    }

    fn delta(&mut self, delta: &Delta, out: &mut Vec<u8>) {
        let delta = match delta {
            Delta::Text(text) => self.text(text),
            Delta::Arguments(text) => json!({"type": "input_json_delta", "partial_json": text}),
            Delta::Signature(signature) => {
                let signature = signature.write(Origin::Anthropic);
                if self.block == Block::Hidden {
                    self.block = Block::Thought;
                    return self.start(&blocks::redacted(&signature).into(), out);
                }
                json!({"type": "signature_delta", "signature": signature})
            }
            Delta::Citation(citation) => {
                json!({"type": "citations_delta", "citation": blocks::citation(citation)})
            }
        };
        let event = json!({"type": "content_block_delta", "index": self.index, "delta": delta});
        write(&event, out);
    }

    fn text(&self, text: &str) -> Value {
        if self.block == Block::Thought {
            json!({"type": "thinking_delta", "thinking": text})
        } else {
            json!({"type": "text_delta", "text": text})
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.block == Block::Hidden {
            self.start(&blocks::redacted("").into(), out);
        }
        write(
            &json!({"type": "content_block_stop", "index": self.index}),
            out,
        );
        self.index += 1;
    }
}

/// Writes an event; its name is its type.
fn write(event: &Value, out: &mut Vec<u8>) {
    let name = event["type"].as_str().unwrap_or_default();
    sse::write_event(name, &json::bytes(event), out);
}
