//! A whole answer.

use serde::Deserialize;
use serde_json::{Value, json};

use super::message::{Said, WireMessage};
use super::{stop, usage};
use crate::canonical::{Answer, Choice, Content, Logprob, Part, StopReason};
use crate::error::Failure;
use crate::json::Object;
use crate::refusal::Garbled;
use crate::translate::AnswerContext;

/// An answer as it is written.
#[derive(Debug, Deserialize)]
struct Wire {
    id: Option<String>,
    model: Option<String>,
    choices: Vec<WireChoice>,
    usage: Option<usage::Reported>,
}

#[derive(Debug, Deserialize)]
struct WireChoice {
    /// Azure has none where its filter withheld the answer.
    message: Option<WireMessage>,
    /// What some servers have in its place where the answer was cut short.
    delta: Option<WireMessage>,
    finish_reason: Option<String>,
    logprobs: Option<WireLogprobs>,
    /// OpenRouter: what went wrong, in an answer that is a success otherwise.
    error: Option<Value>,
}

/// Log-probabilities as they are written; others than a list of tokens are not known.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum WireLogprobs {
    Tokens { content: Option<Vec<Logprob>> },
    Other(serde::de::IgnoredAny),
}

impl WireLogprobs {
    pub(super) fn tokens(self) -> Vec<Logprob> {
        match self {
            Self::Tokens { content } => content.unwrap_or_default(),
            Self::Other(_) => Vec::new(),
        }
    }
}

/// Reads an answer.
pub(crate) fn read(body: &[u8]) -> Result<Answer, Garbled> {
    let wire: Wire = serde_json::from_slice(body)?;
    Ok(Answer {
        id: wire.id,
        model: wire.model,
        choices: wire
            .choices
            .into_iter()
            .map(WireChoice::choice)
            .collect::<Result<_, _>>()?,
        usage: wire.usage.and_then(usage::Reported::usage),
    })
}

impl WireChoice {
    fn choice(self) -> Result<Choice, Garbled> {
        let reason = self.finish_reason.filter(|reason| !reason.is_empty());
        if reason.as_deref().is_some_and(stop::is_failure) {
            let failure = Failure::of_event(&self.error.unwrap_or_default());
            return Err(Garbled::new(failure.message));
        }
        let message = self.message.or(self.delta).unwrap_or_default();
        let parts: Vec<Part> = message.assistant().into_iter().flatten().collect();
        let calls = parts
            .iter()
            .any(|part| matches!(part.content, Content::ToolCall(_)));
        let logprobs = self.logprobs.map(WireLogprobs::tokens);
        Ok(Choice {
            stop: reason.map(|reason| stop::read(&reason, calls)),
            parts,
            logprobs: logprobs.unwrap_or_default(),
        })
    }
}

/// Writes an answer.
pub(crate) fn write(answer: &Answer, context: &AnswerContext) -> Value {
    let choices = answer.choices.iter().enumerate();
    Object::default()
        .with("id", id(context))
        .with("object", "chat.completion")
        .with("created", context.created)
        .with("model", answer.model.as_deref().unwrap_or(&context.model))
        .with(
            "choices",
            choices
                .map(|(index, one)| choice(index, one))
                .collect::<Vec<_>>(),
        )
        .maybe("usage", answer.usage.as_ref().map(usage::write))
        .into()
}

/// The id of an answer.
pub(super) fn id(context: &AnswerContext) -> String {
    format!("chatcmpl-{}", context.id)
}

fn choice(index: usize, choice: &Choice) -> Value {
    let mut said = Said::of(&choice.parts);
    let mut message = said.message();
    if !said.thoughts.is_empty() {
        message.set("reasoning_content", said.thoughts);
    }
    message.set_some("reasoning_details", said.details);
    let reason = choice.stop.as_ref().unwrap_or(&StopReason::End);
    Object::default()
        .with("index", index)
        .with("message", message)
        .with("logprobs", logprobs(&choice.logprobs))
        .with("finish_reason", stop::write(reason))
        .into()
}

/// Log-probabilities, or `null`.
pub(super) fn logprobs(tokens: &[Logprob]) -> Value {
    if tokens.is_empty() {
        return Value::Null;
    }
    json!({"content": tokens, "refusal": null})
}
