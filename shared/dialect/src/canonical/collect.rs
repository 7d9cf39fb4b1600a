//! A stream gathered into the answer that it tells.

use std::collections::BTreeMap;

use super::{Answer, Choice, Content, Delta, Event, Opening, Part, Place, ToolCall};

/// Gathers events. What it gives is what the same answer would have been unstreamed.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    answer: Answer,
    parts: BTreeMap<Place, Part>,
}

impl Collector {
    /// Takes the next event.
    pub(crate) fn take(&mut self, event: &Event) {
        match event {
            Event::Start { id, model } => {
                self.answer.id.clone_from(id);
                self.answer.model.clone_from(model);
            }
            Event::Open(place, opening) => {
                self.choice(place.choice);
                self.parts.insert(*place, opened(opening));
            }
            Event::Delta(place, delta) => {
                if let Some(part) = self.parts.get_mut(place) {
                    add(&mut part.content, delta);
                }
            }
            Event::Logprobs(choice, logprobs) => {
                let gathered = &mut self.choice(*choice).logprobs;
                gathered.extend_from_slice(logprobs);
            }
            Event::Finish(choice, stop) => self.choice(*choice).stop = Some(stop.clone()),
            Event::Usage(usage) => self.answer.usage = Some(*usage),
            Event::Close(_) | Event::Failed(_) | Event::Ping | Event::End => {}
        }
    }

    /// The part at a place, as far as it goes.
    pub(crate) fn part(&self, place: Place) -> Option<&Part> {
        self.parts.get(&place)
    }

    /// The answer as far as it goes.
    pub(crate) fn into_answer(mut self) -> Answer {
        for (place, part) in std::mem::take(&mut self.parts) {
            self.choice(place.choice).parts.push(part);
        }
        self.answer
    }

    fn choice(&mut self, index: u32) -> &mut Choice {
        let index = index as usize;
        let choices = &mut self.answer.choices;
        if choices.len() <= index {
            choices.resize_with(index + 1, Choice::default);
        }
        &mut choices[index]
    }
}

/// A part with nothing in it yet.
fn opened(opening: &Opening) -> Part {
    match opening {
        Opening::Text => Part::text(""),
        Opening::Refusal => Part::new(Content::Refusal(String::new())),
        Opening::Reasoning { redacted } => Part::new(Content::Reasoning {
            text: String::new(),
            signature: None,
            redacted: *redacted,
        }),
        Opening::ToolCall { id, name } => Part::new(Content::ToolCall(ToolCall {
            id: id.clone(),
            name: name.clone(),
            arguments: String::new(),
        })),
        Opening::Image(media) => Part::new(Content::Image(media.clone())),
    }
}

fn add(content: &mut Content, delta: &Delta) {
    match (content, delta) {
        (
            Content::Text { text, .. } | Content::Refusal(text) | Content::Reasoning { text, .. },
            Delta::Text(more),
        ) => text.push_str(more),
        (Content::ToolCall(call), Delta::Arguments(more)) => call.arguments.push_str(more),
        (Content::Reasoning { signature, .. }, Delta::Signature(given)) => {
            *signature = Some(given.clone());
        }
        (Content::Text { citations, .. }, Delta::Citation(citation)) => {
            citations.push(citation.clone());
        }
        _ => {}
    }
}
