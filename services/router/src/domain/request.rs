//! A request for a model as routing reads it, in whichever form: the members of its body that routing
//! goes by, without building a tree. Owns what counts as well-formed; never looks into the messages.

mod asks;
mod carried;
mod edits;
mod grammar;
mod members;
mod parts;
mod read;
mod splice;
mod units;

use bytes::Bytes;
use keyward_secret::Secret;

use grammar::Grammar;
use members::{Member, Members};
use parts::Parts;
pub use splice::{Splice, UpstreamBody};

use super::estimate::PromptText;
use super::form::Form;
use super::service_tier;

/// What is wrong with a request, for the caller to read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RequestError {
    /// In plain language.
    pub message: String,
    /// The member at fault.
    pub param: Option<&'static str>,
}

impl RequestError {
    pub(crate) fn new(param: Option<&'static str>, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            param,
        }
    }
}

/// A request as it arrived.
#[derive(Debug, Default)]
pub struct Arrived {
    /// The form that the caller speaks.
    pub form: Form,
    /// The model, where the form names it in its address.
    pub model: String,
    /// The media type of the body, where that is not JSON.
    pub content_type: String,
    /// Whether a Gemini stream is to come as events.
    pub events: bool,
    /// The body.
    pub body: Bytes,
}

/// A request for a model, whose body stays as it came.
pub struct ModelRequest {
    form: Form,
    body: Bytes,
    members: Members,
    /// Of a body in parts; then it has no members.
    parts: Option<Parts>,
    model: String,
    content_type: String,
    stream: bool,
    events: bool,
    include_usage: bool,
    max_output_tokens: Option<u64>,
    choices: u64,
    models: Vec<String>,
    inline_key: Option<Secret>,
    drop_params: Option<bool>,
}

impl std::fmt::Debug for ModelRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModelRequest")
            .field("form", &self.form)
            .field("model", &self.model)
            .field("stream", &self.stream)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl ModelRequest {
    /// The form that the caller speaks.
    pub fn form(&self) -> Form {
        self.form
    }

    /// The model as the caller named it: the first of `models` where it named none in `model`.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Whether the answer is to be streamed.
    pub fn is_stream(&self) -> bool {
        self.stream
    }

    /// Whether a stream is to come as events: Gemini's may come as a JSON array instead.
    pub fn asks_events(&self) -> bool {
        self.events
    }

    /// The media type of the body, where that is not JSON.
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// Whether the caller asked for the usage chunk of a stream; forms without such an option tell it
    /// always.
    pub fn asks_usage(&self) -> bool {
        self.include_usage || !matches!(self.form, Form::Chat | Form::Completions)
    }

    /// The most tokens that one answer may have, where the caller said so.
    pub fn max_output_tokens(&self) -> Option<u64> {
        self.max_output_tokens
    }

    /// Whether settings that a provider lacks may be left out, where the caller says so.
    pub fn drop_params(&self) -> Option<bool> {
        self.drop_params
    }

    /// How many answers are asked for.
    pub fn choices(&self) -> u64 {
        self.choices
    }

    /// The models that OpenRouter may serve in the first one's stead.
    pub fn models(&self) -> &[String] {
        &self.models
    }

    /// The service tier that is asked for, where its prices are sure to count.
    pub fn service_tier(&self) -> Option<&'static str> {
        let span = self.members.span(Member::ServiceTier)?;
        service_tier::asked(self.text(span))
    }

    /// Takes the key out of the body's `byok_api_key`, if there is one.
    pub fn take_inline_key(&mut self) -> Option<Secret> {
        self.inline_key.take()
    }

    /// What of it the model reads: what a prompt's estimate is made of.
    pub(crate) fn prompt_text(&self) -> PromptText {
        let grammar = Grammar::of(self.form);
        let bytes = |member| {
            let span = self.members.span(member)?;
            self.body.get(span.clone())?;
            Some(self.body.slice(span.clone()))
        };
        let definitions = grammar.definitions.iter().copied();
        PromptText {
            messages: bytes(grammar.prompt.member()).unwrap_or_default(),
            definitions: definitions.filter_map(bytes).collect(),
        }
    }

    /// Whether the answer may be spoken.
    pub(crate) fn asks_audio(&self) -> bool {
        let span = self.members.span(Member::Modalities);
        span.is_some_and(|span| self.text(span).contains("\"audio\""))
    }

    /// The whole body, whatever it is.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// The whole body, where it is JSON.
    pub(crate) fn body_text(&self) -> &str {
        self.text(&(0..self.body.len()))
    }

    /// The messages, or whatever stands for them in the form, as JSON text.
    pub fn messages(&self) -> &str {
        self.members
            .span(Grammar::of(self.form).prompt.member())
            .map_or("[]", |span| self.text(span))
    }

    fn text(&self, span: &std::ops::Range<usize>) -> &str {
        // The body was checked to be UTF-8, and spans come from slices of it.
        self.body
            .get(span.clone())
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .unwrap_or("")
    }
}

#[cfg(test)]
mod tests;
