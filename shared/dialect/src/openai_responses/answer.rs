//! A whole answer.

use serde::Deserialize;
use serde_json::{Value, json};

use super::item::WireItem;
use super::{items, usage};
use crate::canonical::{Answer, Choice, Content, Part, StopReason};
use crate::error::Failure;
use crate::json::Object;
use crate::refusal::Garbled;
use crate::translate::AnswerContext;

/// An answer as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wire {
    pub(super) id: Option<String>,
    pub(super) model: Option<String>,
    status: Option<String>,
    error: Option<Value>,
    incomplete_details: Option<Incomplete>,
    output: Option<Vec<WireItem>>,
    pub(super) usage: Option<usage::Reported>,
}

#[derive(Debug, Deserialize)]
struct Incomplete {
    reason: Option<String>,
}

impl Wire {
    /// Why it failed, if it did.
    pub(super) fn failure(&self) -> Option<Failure> {
        let error = self.error.as_ref().filter(|error| !error.is_null())?;
        Some(Failure::of_event(error))
    }

    /// Why it ended.
    pub(super) fn stop(&self, calls: bool) -> StopReason {
        let reason = self
            .incomplete_details
            .as_ref()
            .and_then(|one| one.reason.as_deref());
        match (self.status.as_deref(), reason) {
            (Some("incomplete"), Some("content_filter")) => StopReason::Filtered,
            (Some("incomplete"), _) => StopReason::Length,
            _ if calls => StopReason::ToolCalls,
            _ => StopReason::End,
        }
    }
}

/// Reads an answer. Items of the provider's own tools are left out.
pub(crate) fn read(body: &[u8]) -> Result<Answer, Garbled> {
    let mut wire: Wire = serde_json::from_slice(body)?;
    if let Some(failure) = wire.failure() {
        return Err(Garbled::new(failure.message));
    }
    let output = wire
        .output
        .take()
        .ok_or_else(|| Garbled::new("it has no output"))?;
    let mut logprobs = Vec::new();
    let items = output.into_iter();
    let parts: Vec<Part> = items
        .flat_map(|item| item.answered(&mut logprobs))
        .collect();
    let calls = parts
        .iter()
        .any(|part| matches!(part.content, Content::ToolCall(_)));
    Ok(Answer {
        choices: vec![Choice {
            stop: Some(wire.stop(calls)),
            parts,
            logprobs,
        }],
        id: wire.id,
        model: wire.model,
        usage: wire.usage.map(|usage| usage.usage()),
    })
}

/// Writes an answer: its first choice, since more cannot have been asked for.
pub(crate) fn write(answer: &Answer, context: &AnswerContext) -> Value {
    let none = Choice::default();
    let choice = answer.choices.first().unwrap_or(&none);
    let mut logprobs = choice.logprobs.as_slice();
    let output = choice.parts.iter().enumerate().filter_map(|(index, part)| {
        let of_text = matches!(part.content, Content::Text { .. });
        let tokens = if of_text {
            std::mem::take(&mut logprobs)
        } else {
            &[]
        };
        items::of_answer(part, &context.id, index, tokens)
    });
    let output: Vec<Value> = output.collect();
    let model = answer.model.as_deref().unwrap_or(&context.model);
    let stop = choice.stop.as_ref().unwrap_or(&StopReason::End);
    response(context, model, status(stop), output)
        .with("incomplete_details", incomplete(stop))
        .with("usage", answer.usage.as_ref().map(usage::write))
        .into()
}

/// An answer as far as it goes, with the members that clients count on.
pub(super) fn response(
    context: &AnswerContext,
    model: &str,
    status: &str,
    output: Vec<Value>,
) -> Object {
    Object::default()
        .with("id", format!("resp_{}", context.id))
        .with("object", "response")
        .with("created_at", context.created)
        .with("status", status)
        .with("error", Value::Null)
        .with("incomplete_details", Value::Null)
        .with("instructions", Value::Null)
        .with("max_output_tokens", Value::Null)
        .with("model", model)
        .with("output", output)
        .with("parallel_tool_calls", true)
        .with("previous_response_id", Value::Null)
        .with("store", false)
        .with("temperature", Value::Null)
        .with("text", json!({"format": {"type": "text"}}))
        .with("tool_choice", "auto")
        .with("tools", Vec::<Value>::new())
        .with("top_p", Value::Null)
        .with("truncation", "disabled")
        .with("usage", Value::Null)
        .with("metadata", json!({}))
}

pub(super) fn status(stop: &StopReason) -> &'static str {
    match stop {
        StopReason::Length | StopReason::Filtered | StopReason::Refusal => "incomplete",
        _ => "completed",
    }
}

fn incomplete(stop: &StopReason) -> Value {
    match stop {
        StopReason::Length => json!({"reason": "max_output_tokens"}),
        StopReason::Filtered | StopReason::Refusal => json!({"reason": "content_filter"}),
        _ => Value::Null,
    }
}
