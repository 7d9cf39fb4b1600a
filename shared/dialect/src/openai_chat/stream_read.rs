//! Reading a stream: chunks that add to whatever they name.

use serde::Deserialize;
use serde_json::Value;

use super::answer::WireLogprobs;
use super::citations::{self, Annotation};
use super::content::{Wire, WirePart};
use super::reasoning::Detail;
use super::tools::{ExtraContent, WireCall, made_id};
use super::{stop, usage};
use crate::canonical::{Content, Delta, Event, Opening, Origin, Part, Signature};
use crate::error::Failure;
use crate::parts::{CHOICES_MAX, Parts};
use crate::refusal::Garbled;
use crate::stream::ReadEvents;

/// A chunk as it is written.
#[derive(Debug, Deserialize)]
struct Chunk {
    id: Option<String>,
    model: Option<String>,
    #[serde(default, deserialize_with = "crate::json::or_default")]
    choices: Vec<WireChoice>,
    usage: Option<usage::Reported>,
    x_groq: Option<Groq>,
    error: Option<Value>,
}

/// Where Groq tells usage.
#[derive(Debug, Deserialize)]
struct Groq {
    usage: Option<usage::Reported>,
}

#[derive(Debug, Deserialize)]
struct WireChoice {
    #[serde(default)]
    index: u32,
    #[serde(default, deserialize_with = "crate::json::or_default")]
    delta: WireDelta,
    finish_reason: Option<String>,
    logprobs: Option<WireLogprobs>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireDelta {
    content: Option<Wire>,
    refusal: Option<String>,
    reasoning: Option<String>,
    reasoning_content: Option<String>,
    reasoning_details: Option<Vec<Detail>>,
    tool_calls: Option<Vec<WireCall>>,
    annotations: Option<Vec<Annotation>>,
    images: Option<Vec<WirePart>>,
}

/// Reads chunks.
#[derive(Debug, Default)]
pub(crate) struct EventReader {
    started: bool,
    parts: Parts,
    /// Choices that were begun and those of them that ended.
    begun: u128,
    finished: u128,
}

impl ReadEvents for EventReader {
    fn event(&mut self, data: &[u8], out: &mut Vec<Event>) -> Result<(), Garbled> {
        if data.trim_ascii() == b"[DONE]" {
            out.push(if self.is_whole() { Event::End } else { cut() });
            return Ok(());
        }
        let chunk: Chunk = serde_json::from_slice(data)?;
        if let Some(error) = chunk.error.as_ref().filter(|error| !error.is_null()) {
            out.push(Event::Failed(Failure::of_event(error)));
            return Ok(());
        }
        self.start(&chunk, out);
        for choice in chunk.choices {
            self.choice(choice, out)?;
        }
        let groq = chunk.x_groq.and_then(|groq| groq.usage);
        let told = chunk.usage.or(groq).and_then(usage::Reported::usage);
        out.extend(told.map(Event::Usage));
        Ok(())
    }

    fn is_whole(&self) -> bool {
        self.begun != 0 && self.begun == self.finished
    }
}

/// A provider that says it is done and gave no reason why an answer ended has lost something.
fn cut() -> Event {
    Event::Failed(Failure::read(
        502,
        b"the provider's stream ended without a finish",
    ))
}

impl EventReader {
    /// The answer begins with the first chunk that says anything: Azure sends an empty one before it.
    fn start(&mut self, chunk: &Chunk, out: &mut Vec<Event>) {
        let told = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let (id, model) = (told(&chunk.id), told(&chunk.model));
        let says = model.is_some() || !chunk.choices.is_empty();
        if says && !std::mem::replace(&mut self.started, true) {
            out.push(Event::Start { id, model });
        }
    }

    fn choice(&mut self, choice: WireChoice, out: &mut Vec<Event>) -> Result<(), Garbled> {
        let index = choice.index;
        if index >= CHOICES_MAX {
            return Err(Garbled::new("there is no such choice"));
        }
        self.delta(index, choice.delta, out)?;
        let tokens = choice
            .logprobs
            .map(WireLogprobs::tokens)
            .unwrap_or_default();
        if !tokens.is_empty() {
            out.push(Event::Logprobs(index, tokens));
        }
        self.begun |= 1_u128 << index;
        let Some(reason) = choice.finish_reason.filter(|reason| !reason.is_empty()) else {
            return Ok(());
        };
        if stop::is_failure(&reason) {
            out.push(Event::Failed(Failure::read(
                502,
                b"the provider failed in the middle",
            )));
            return Ok(());
        }
        let calls = self.parts.close(index, out)?;
        if self.finished & (1_u128 << index) == 0 {
            self.finished |= 1_u128 << index;
            out.push(Event::Finish(index, stop::read(&reason, calls)));
        }
        Ok(())
    }

    fn delta(&mut self, index: u32, delta: WireDelta, out: &mut Vec<Event>) -> Result<(), Garbled> {
        self.think(
            index,
            delta.reasoning_details,
            delta.reasoning_content.or(delta.reasoning),
            out,
        )?;
        for image in Wire::Parts(delta.images.unwrap_or_default())
            .parts()
            .into_iter()
            .flatten()
        {
            self.part(index, image, out)?;
        }
        for part in delta
            .content
            .map(Wire::parts)
            .unwrap_or_default()
            .into_iter()
            .flatten()
        {
            self.part(index, part, out)?;
        }
        for citation in citations::read(delta.annotations) {
            self.parts
                .add(index, &Opening::Text, Delta::Citation(citation), out)?;
        }
        if let Some(text) = delta.refusal.filter(|text| !text.is_empty()) {
            self.parts
                .add(index, &Opening::Refusal, Delta::Text(text), out)?;
        }
        for (number, call) in delta.tool_calls.unwrap_or_default().into_iter().enumerate() {
            self.call(index, number, call, out)?;
        }
        Ok(())
    }

    fn think(
        &mut self,
        index: u32,
        details: Option<Vec<Detail>>,
        text: Option<String>,
        out: &mut Vec<Event>,
    ) -> Result<(), Garbled> {
        let thoughts = super::reasoning::read(details, text);
        thoughts
            .into_iter()
            .try_for_each(|part| self.part(index, part, out))
    }

    fn part(&mut self, index: u32, part: Part, out: &mut Vec<Event>) -> Result<(), Garbled> {
        match part.content {
            Content::Text { text, .. } => {
                self.parts
                    .add(index, &Opening::Text, Delta::Text(text), out)
            }
            Content::Image(media) => self.parts.whole(index, Opening::Image(media), None, out),
            Content::Reasoning {
                signature: Some(signature),
                redacted: true,
                ..
            } => {
                let opening = Opening::Reasoning { redacted: true };
                self.parts
                    .whole(index, opening, Some(Delta::Signature(signature)), out)
            }
            Content::Reasoning {
                text, signature, ..
            } => {
                let opening = Opening::Reasoning { redacted: false };
                if !text.is_empty() {
                    self.parts.add(index, &opening, Delta::Text(text), out)?;
                }
                signature.map_or(Ok(()), |signature| {
                    self.parts
                        .add(index, &opening, Delta::Signature(signature), out)
                })
            }
            _ => Ok(()),
        }
    }

    /// A piece of a call: the first one has its id and name; others are found by the call's number.
    /// Some servers give all calls one number, so an id of its own with a name begins another call.
    fn call(
        &mut self,
        index: u32,
        number: usize,
        call: WireCall,
        out: &mut Vec<Event>,
    ) -> Result<(), Garbled> {
        let number = call.index.unwrap_or(number as u64);
        let function = call.function.unwrap_or_default();
        let id = call.id.filter(|id| !id.is_empty());
        let name = function.name.filter(|name| !name.is_empty());
        let own = id.as_deref().filter(|_| name.is_some());
        let place = if let Some(place) = self.parts.call(index, number, own)? {
            place
        } else {
            let signature = call.extra_content.and_then(ExtraContent::signature);
            self.sign(index, signature, out)?;
            let id = id.unwrap_or_else(|| made_id(number));
            let call = (id, name.unwrap_or_default());
            self.parts.begin_call(index, number, call, out)?
        };
        let arguments = function.arguments.filter(|text| !text.is_empty());
        out.extend(arguments.map(|text| Event::Delta(place, Delta::Arguments(text))));
        Ok(())
    }

    /// Google's signature stands before the call that it is of.
    fn sign(
        &mut self,
        index: u32,
        signature: Option<String>,
        out: &mut Vec<Event>,
    ) -> Result<(), Garbled> {
        let Some(value) = signature else {
            return Ok(());
        };
        let origin = Origin::Google;
        let opening = Opening::Reasoning { redacted: false };
        let signature = Delta::Signature(Signature { origin, value });
        self.parts.whole(index, opening, Some(signature), out)
    }
}
