//! A chat request as routing reads it: its top-level members, without building a tree of the body.
//! Owns what counts as a well-formed request; never looks into the messages.

mod asks;
mod members;
mod splice;

use bytes::Bytes;
use keyward_secret::Secret;

use members::{Member, Members};
pub use splice::{Splice, UpstreamBody};

use super::estimate::PromptText;
use super::service_tier;

/// More choices than this are a mistake, and would make every estimate absurd; OpenAI's own limit.
const CHOICES_MAX: u64 = 128;
/// Longer names are nobody's; keeps logs and errors readable.
const MODEL_NAME_BYTES_MAX: usize = 256;

/// The longest list of models to fall back to: OpenRouter takes a handful.
const MODELS_BYTES_MAX: usize = 16 * 1024;

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

/// A chat request whose body stays as it came.
pub struct ChatRequest {
    body: Bytes,
    members: Members,
    model: String,
    stream: bool,
    include_usage: bool,
    max_output_tokens: Option<u64>,
    choices: u64,
    models: Vec<String>,
    inline_key: Option<Secret>,
}

impl std::fmt::Debug for ChatRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChatRequest")
            .field("model", &self.model)
            .field("stream", &self.stream)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl ChatRequest {
    /// Reads a body; every fault names the member it is in.
    pub fn parse(body: Bytes) -> Result<Self, RequestError> {
        let text = std::str::from_utf8(&body)
            .map_err(|_| RequestError::new(None, "the body is not valid UTF-8"))?;
        let members = Members::read(text)?;
        let models = models(&members, text)?;
        let model = model(&members, text, &models)?;
        messages(&members, text)?;
        let stream = boolean(&members, text, Member::Stream)?.unwrap_or(false);
        let include_usage = include_usage(&members, text)?;
        let max_tokens = count(&members, text, Member::MaxTokens)?;
        let max_completion_tokens = count(&members, text, Member::MaxCompletionTokens)?;
        let choices = count(&members, text, Member::Choices)?.unwrap_or(1);
        if choices == 0 || choices > CHOICES_MAX {
            return Err(RequestError::new(
                Some("n"),
                "`n` must be between 1 and 128",
            ));
        }
        let inline_key = string(&members, text, Member::InlineKey)?
            .map(Secret::new)
            .map(|key| Secret::new(key.expose().trim()))
            .filter(|key| !key.is_empty());
        Ok(Self {
            model,
            stream,
            include_usage,
            max_output_tokens: max_completion_tokens.or(max_tokens),
            choices,
            models,
            inline_key,
            members,
            body,
        })
    }

    /// The model as the caller named it: the first of `models` where it named none in `model`.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Whether the answer is to be streamed.
    pub fn is_stream(&self) -> bool {
        self.stream
    }

    /// Whether the caller asked for the usage chunk of a stream.
    pub fn asks_usage(&self) -> bool {
        self.include_usage
    }

    /// The most tokens that one answer may have, where the caller said so.
    pub fn max_output_tokens(&self) -> Option<u64> {
        self.max_output_tokens
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
        let bytes = |member| {
            let span = self.members.span(member)?;
            self.body.get(span.clone())?;
            Some(self.body.slice(span.clone()))
        };
        let definitions = [Member::Tools, Member::Functions, Member::ResponseFormat];
        PromptText {
            messages: bytes(Member::Messages).unwrap_or_default(),
            definitions: definitions.into_iter().filter_map(bytes).collect(),
        }
    }

    /// Whether the answer may be spoken.
    pub(crate) fn asks_audio(&self) -> bool {
        let span = self.members.span(Member::Modalities);
        span.is_some_and(|span| self.text(span).contains("\"audio\""))
    }

    /// The whole body.
    pub(crate) fn body_text(&self) -> &str {
        self.text(&(0..self.body.len()))
    }

    /// The messages, as JSON text.
    pub fn messages(&self) -> &str {
        self.members
            .span(Member::Messages)
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

fn model(members: &Members, text: &str, models: &[String]) -> Result<String, RequestError> {
    let (name, model) = match string(members, text, Member::Model)? {
        Some(model) => ("model", model),
        None => ("models", models.first().cloned().ok_or_else(unnamed)?),
    };
    let refused = |what: &str| RequestError::new(Some(name), format!("`{name}` {what}"));
    if model.trim().is_empty() {
        return Err(refused("must not be empty"));
    }
    if model.len() > MODEL_NAME_BYTES_MAX || model.chars().any(char::is_control) {
        return Err(refused("is not a name of a model"));
    }
    Ok(model)
}

fn unnamed() -> RequestError {
    RequestError::new(Some("model"), "`model` is missing: name the model to call")
}

fn messages(members: &Members, text: &str) -> Result<(), RequestError> {
    let param = Some("messages");
    let Some(raw) = members.raw(Member::Messages, text) else {
        return Err(RequestError::new(param, "`messages` is missing"));
    };
    if !raw.starts_with('[') {
        return Err(RequestError::new(param, "`messages` must be an array"));
    }
    if raw[1..].trim_start().starts_with(']') {
        return Err(RequestError::new(param, "`messages` must not be empty"));
    }
    Ok(())
}

fn models(members: &Members, text: &str) -> Result<Vec<String>, RequestError> {
    match members.raw(Member::Models, text) {
        None | Some("null") => Ok(Vec::new()),
        Some(raw) if raw.len() > MODELS_BYTES_MAX => {
            Err(RequestError::new(Some("models"), "`models` is too long"))
        }
        Some(raw) => serde_json::from_str(raw)
            .map_err(|_| wrong_type(Member::Models, "a list of names of models")),
    }
}

fn include_usage(members: &Members, text: &str) -> Result<bool, RequestError> {
    let Some(raw) = members.raw(Member::StreamOptions, text) else {
        return Ok(false);
    };
    if raw == "null" {
        return Ok(false);
    }
    if !raw.starts_with('{') {
        return Err(RequestError::new(
            Some("stream_options"),
            "`stream_options` must be an object or null",
        ));
    }
    match members::find(raw, "include_usage", "stream_options")?.map(|span| &raw[span]) {
        None | Some("null" | "false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(RequestError::new(
            Some("stream_options"),
            "`stream_options.include_usage` must be true or false",
        )),
    }
}

fn boolean(members: &Members, text: &str, member: Member) -> Result<Option<bool>, RequestError> {
    match members.raw(member, text) {
        None | Some("null") => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(_) => Err(wrong_type(member, "true or false")),
    }
}

fn count(members: &Members, text: &str, member: Member) -> Result<Option<u64>, RequestError> {
    match members.raw(member, text) {
        None | Some("null") => Ok(None),
        Some(raw) => raw
            .parse()
            .map(Some)
            .map_err(|_| wrong_type(member, "a whole number, 0 or more")),
    }
}

fn string(members: &Members, text: &str, member: Member) -> Result<Option<String>, RequestError> {
    match members.raw(member, text) {
        None => Ok(None),
        Some("null") if member != Member::Model => Ok(None),
        Some(raw) => serde_json::from_str(raw)
            .map(Some)
            .map_err(|_| wrong_type(member, "a string")),
    }
}

fn wrong_type(member: Member, expected: &str) -> RequestError {
    let name = member.name();
    RequestError::new(Some(name), format!("`{name}` must be {expected}"))
}

#[cfg(test)]
mod tests;
