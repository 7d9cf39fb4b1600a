//! Writing a stream: chunks of text, one with the finish, one with the usage where it is asked for,
//! `[DONE]`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::answer::{choice, id};
use crate::canonical::{Delta, Event, Opening, Place, Usage};
use crate::error;
use crate::form::Form;
use crate::json::{self, Object};
use crate::openai_chat::usage;
use crate::sse;
use crate::stream::WriteEvents;
use crate::translate::AnswerContext;

/// Writes chunks.
#[derive(Debug)]
pub(crate) struct EventWriter {
    context: AnswerContext,
    /// The parts that are told: texts.
    texts: BTreeSet<Place>,
    usage: Option<Usage>,
}

impl EventWriter {
    pub(crate) fn new(context: AnswerContext) -> Self {
        Self {
            context,
            texts: BTreeSet::new(),
            usage: None,
        }
    }

    fn chunk(&self, choices: Vec<Value>, usage: Option<Value>, out: &mut Vec<u8>) {
        let chunk = Object::default()
            .with("id", id(&self.context))
            .with("object", "text_completion")
            .with("created", self.context.created)
            .with("model", self.context.model.as_str())
            .with("choices", choices)
            .maybe("usage", usage);
        sse::write_data(&json::bytes(&chunk.into()), out);
    }
}

impl WriteEvents for EventWriter {
    fn event(&mut self, event: Event, out: &mut Vec<u8>) {
        match event {
            Event::Start { model, .. } => {
                self.context.model =
                    model.unwrap_or_else(|| std::mem::take(&mut self.context.model));
            }
            Event::Open(place, Opening::Text | Opening::Refusal) => {
                self.texts.insert(place);
            }
            Event::Delta(place, Delta::Text(text)) if self.texts.contains(&place) => {
                self.chunk(vec![choice(place.choice, &text, &[], None)], None, out);
            }
            Event::Logprobs(index, tokens) => {
                self.chunk(vec![choice(index, "", &tokens, None)], None, out);
            }
            Event::Finish(index, stop) => {
                self.chunk(vec![choice(index, "", &[], Some(&stop))], None, out);
            }
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Failed(failure) => {
                let error = error::write(Form::OpenAiCompletions, &failure);
                sse::write_data(&json::bytes(&error), out);
            }
            _ => {}
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Vec<u8> {
        if let Some(usage) = self.usage.filter(|_| self.context.stream_usage) {
            self.chunk(Vec::new(), Some(usage::write(&usage)), out);
        }
        let mut last = Vec::new();
        sse::write_data(b"[DONE]", &mut last);
        last
    }
}
