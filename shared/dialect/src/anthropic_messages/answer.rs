//! A whole answer.

use serde::Deserialize;
use serde_json::Value;

use super::block::WireContent;
use super::{blocks, stop, usage};
use crate::canonical::{Answer, Choice, Content, StopReason};
use crate::json::Object;
use crate::refusal::Garbled;
use crate::translate::AnswerContext;

/// An answer as it is written.
#[derive(Debug, Deserialize)]
struct Wire {
    id: Option<String>,
    model: Option<String>,
    content: WireContent,
    stop_reason: Option<String>,
    stop_sequence: Option<String>,
    usage: Option<usage::Reported>,
}

/// Reads an answer. Blocks of the provider's own tools are left out: nobody who speaks another form
/// can have asked for them.
pub(crate) fn read(body: &[u8]) -> Result<Answer, Garbled> {
    let wire: Wire = serde_json::from_slice(body)?;
    let sequence = wire.stop_sequence;
    Ok(Answer {
        id: wire.id,
        model: wire.model,
        choices: vec![Choice {
            parts: wire.content.parts().into_iter().flatten().collect(),
            stop: wire.stop_reason.map(|reason| stop::read(&reason, sequence)),
            logprobs: Vec::new(),
        }],
        usage: wire.usage.map(|usage| usage.usage()),
    })
}

/// Writes an answer: its first choice, since more cannot have been asked for.
pub(crate) fn write(answer: &Answer, context: &AnswerContext) -> Value {
    let none = Choice::default();
    let choice = answer.choices.first().unwrap_or(&none);
    let refused = |part: &crate::canonical::Part| matches!(part.content, Content::Refusal(_));
    let stopped = choice.stop.as_ref().unwrap_or(&StopReason::End);
    let stopped = match stopped {
        StopReason::End if choice.parts.iter().any(refused) => &StopReason::Refusal,
        stopped => stopped,
    };
    let (reason, sequence) = stop::write(stopped);
    let content = choice.parts.iter().filter_map(blocks::of_answer);
    Object::default()
        .with("id", id(context))
        .with("type", "message")
        .with("role", "assistant")
        .with("model", answer.model.as_deref().unwrap_or(&context.model))
        .with("content", content.collect::<Vec<_>>())
        .with("stop_reason", reason)
        .with("stop_sequence", sequence)
        .with("usage", usage::write(&answer.usage.unwrap_or_default()))
        .into()
}

/// The id of an answer.
pub(super) fn id(context: &AnswerContext) -> String {
    format!("msg_{}", context.id)
}
