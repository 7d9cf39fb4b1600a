//! Reading a stream: chunks, each an answer with what is new. There is no end mark; the finish reason
//! is the end.

use super::answer::{Candidate, LogprobsResult, Wire, ids};
use super::calls::Ids;
use super::stop;
use super::turns::known;
use crate::canonical::{Content, Delta, Event, Opening, Part, StopReason};
use crate::error::Failure;
use crate::parts::{CHOICES_MAX, Parts};
use crate::refusal::Garbled;
use crate::stream::ReadEvents;
use crate::translate::AnswerContext;

/// Reads chunks.
#[derive(Debug)]
pub(crate) struct EventReader {
    ids: Ids,
    parts: Parts,
    started: bool,
    /// Choices that were begun and those of them that ended.
    begun: u128,
    finished: u128,
}

impl EventReader {
    pub(crate) fn new(context: &AnswerContext) -> Self {
        Self {
            ids: ids(context),
            parts: Parts::default(),
            started: false,
            begun: 0,
            finished: 0,
        }
    }

    fn candidate(&mut self, candidate: Candidate, out: &mut Vec<Event>) -> Result<(), Garbled> {
        let index = candidate.index;
        if index >= CHOICES_MAX {
            return Err(Garbled::new("there is no such choice"));
        }
        self.begun |= 1_u128 << index;
        let parts = candidate.content.unwrap_or_default().parts.into_iter();
        for part in parts {
            let thought = part.is_thought();
            for part in known(vec![part], &mut self.ids).unwrap_or_default() {
                add(&mut self.parts, index, part, thought, out)?;
            }
        }
        let tokens = candidate
            .logprobs_result
            .map(LogprobsResult::tokens)
            .unwrap_or_default();
        if !tokens.is_empty() {
            out.push(Event::Logprobs(index, tokens));
        }
        match candidate.finish_reason {
            Some(reason) => self.finish(index, &reason, out),
            None => Ok(()),
        }
    }

    fn finish(&mut self, index: u32, reason: &str, out: &mut Vec<Event>) -> Result<(), Garbled> {
        let calls = self.parts.close(index, out)?;
        if self.finished & (1_u128 << index) == 0 {
            self.finished |= 1_u128 << index;
            out.push(Event::Finish(index, stop::read(reason, calls)));
        }
        Ok(())
    }
}

impl ReadEvents for EventReader {
    fn event(&mut self, data: &[u8], out: &mut Vec<Event>) -> Result<(), Garbled> {
        let chunk: Wire = serde_json::from_slice(data)?;
        if let Some(error) = &chunk.error {
            out.push(Event::Failed(Failure::of_event(error)));
            return Ok(());
        }
        let blocked = chunk.candidates.is_empty() && chunk.is_blocked();
        if !std::mem::replace(&mut self.started, true) {
            let (id, model) = (chunk.response_id, chunk.model_version);
            out.push(Event::Start { id, model });
        }
        for candidate in chunk.candidates {
            self.candidate(candidate, out)?;
        }
        if blocked {
            self.begun |= 1;
            self.finished |= 1;
            out.push(Event::Finish(0, StopReason::Filtered));
        }
        out.extend(
            chunk
                .usage_metadata
                .map(|usage| Event::Usage(usage.usage())),
        );
        Ok(())
    }

    fn is_whole(&self) -> bool {
        self.begun != 0 && self.begun == self.finished
    }
}

fn add(
    parts: &mut Parts,
    index: u32,
    part: Part,
    thought: bool,
    out: &mut Vec<Event>,
) -> Result<(), Garbled> {
    match part.content {
        Content::Text { text, .. } => parts.add(index, &Opening::Text, Delta::Text(text), out),
        Content::Reasoning {
            text,
            signature,
            redacted,
        } => {
            let signature = signature.map(Delta::Signature);
            let opening = Opening::Reasoning { redacted };
            if redacted || !thought {
                return parts.whole(index, opening, signature, out);
            }
            think(parts, index, text, signature, out)
        }
        Content::ToolCall(call) => {
            let (id, name) = (call.id, call.name);
            let arguments = Delta::Arguments(call.arguments);
            parts.whole(index, Opening::ToolCall { id, name }, Some(arguments), out)
        }
        Content::Image(media) => parts.whole(index, Opening::Image(media), None, out),
        _ => Ok(()),
    }
}

/// Thoughts go on, and may be signed.
fn think(
    parts: &mut Parts,
    index: u32,
    text: String,
    signature: Option<Delta>,
    out: &mut Vec<Event>,
) -> Result<(), Garbled> {
    let text = (!text.is_empty()).then_some(Delta::Text(text));
    let opening = Opening::Reasoning { redacted: false };
    let deltas = text.into_iter().chain(signature);
    deltas
        .into_iter()
        .try_for_each(|delta| parts.add(index, &opening, delta, out))
}
