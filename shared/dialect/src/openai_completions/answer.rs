//! Writing an answer.

use serde_json::{Map, Value, json};

use crate::canonical::{Answer, Choice, Content, Logprob, Part, StopReason};
use crate::json::Object;
use crate::openai_chat::{stop, usage};
use crate::translate::AnswerContext;

/// Writes an answer: its texts. No tools can have been asked for.
pub(crate) fn write(answer: &Answer, context: &AnswerContext) -> Value {
    let choices = answer.choices.iter().enumerate();
    let choices: Vec<Value> = choices.map(|(index, one)| whole(index, one)).collect();
    Object::default()
        .with("id", id(context))
        .with("object", "text_completion")
        .with("created", context.created)
        .with("model", answer.model.as_deref().unwrap_or(&context.model))
        .with("choices", choices)
        .maybe("usage", answer.usage.as_ref().map(usage::write))
        .into()
}

/// The id of an answer.
pub(super) fn id(context: &AnswerContext) -> String {
    format!("cmpl-{}", context.id)
}

fn whole(index: usize, whole: &Choice) -> Value {
    let texts = whole.parts.iter().filter_map(text);
    let reason = whole.stop.as_ref().unwrap_or(&StopReason::End);
    choice(
        index,
        &texts.collect::<String>(),
        &whole.logprobs,
        Some(reason),
    )
}

fn text(part: &Part) -> Option<&str> {
    match &part.content {
        Content::Text { text, .. } | Content::Refusal(text) => Some(text),
        _ => None,
    }
}

/// A choice, whole or what a chunk adds to it.
pub(super) fn choice(
    index: impl Into<Value>,
    text: &str,
    logprobs: &[Logprob],
    stopped: Option<&StopReason>,
) -> Value {
    Object::default()
        .with("text", text)
        .with("index", index)
        .with("logprobs", self::logprobs(logprobs))
        .with("finish_reason", stopped.map(stop::write))
        .into()
}

/// Log-probabilities as this form has them: a list of each kind.
fn logprobs(tokens: &[Logprob]) -> Value {
    if tokens.is_empty() {
        return Value::Null;
    }
    let mut offset = 0;
    let offsets = tokens.iter().map(|token| {
        let at = offset;
        offset += token.token.chars().count();
        at
    });
    let offsets: Vec<usize> = offsets.collect();
    let tops = tokens.iter().map(|token| {
        let tops = token.top_logprobs.iter();
        tops.map(|top| (top.token.clone(), top.logprob.into()))
            .collect::<Map<_, _>>()
    });
    json!({
        "tokens": tokens.iter().map(|token| &token.token).collect::<Vec<_>>(),
        "token_logprobs": tokens.iter().map(|token| token.logprob).collect::<Vec<_>>(),
        "top_logprobs": tops.collect::<Vec<_>>(),
        "text_offset": offsets,
    })
}
