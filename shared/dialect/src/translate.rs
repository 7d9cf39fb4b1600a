//! Requests, plain answers and errors from one form into another.

use crate::error::{self as errors, Failure};
use crate::form::Form;
use crate::gaps::Gaps;
use crate::refusal::{Garbled, Refusal};
use crate::{forms, json};

/// What a request is translated by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The model, by the provider's name.
    pub model: String,
    /// Whether settings that the provider's form lacks are dropped rather than refused.
    pub drop_params: bool,
    /// Whether a stream is asked for, in a form that says it outside the body (Gemini's).
    pub stream: bool,
    /// How many tokens an answer may have at most, in a form that must say it (Anthropic's) and where
    /// the caller does not.
    pub max_tokens: u64,
    /// Whether the model decides itself how much it thinks, and takes no budget (Anthropic's newer).
    pub adaptive_thinking: bool,
    /// In which sizes images may be asked for (Google's).
    pub image_sizes: ImageSizes,
    /// How the provider speaks OpenAI's chat form, where that is its form.
    pub chat: ChatFlavour,
}

/// In which sizes a model makes images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ImageSizes {
    /// In one; that need not be named.
    #[default]
    One,
    /// In several.
    Several,
}

/// How a provider speaks OpenAI's chat form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChatFlavour {
    /// As OpenAI: `max_completion_tokens`, and no thoughts in the conversation.
    #[default]
    OpenAi,
    /// As servers that do like OpenAI once did: `max_tokens`.
    Compatible,
    /// As DeepSeek: `max_tokens`, and thoughts go back as `reasoning_content`.
    DeepSeek,
    /// As OpenRouter: `max_tokens`, `reasoning`, `reasoning_details`, `cache_control`, `top_k`.
    OpenRouter,
    /// With every member that anybody has, and some of ours: nobody is asked so, and typed calls are
    /// kept so until it is known whom they go to.
    Whole,
}

/// A request in the provider's form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translated {
    /// Its body.
    pub body: Vec<u8>,
    /// Members of the caller's request that were dropped.
    pub dropped: Vec<String>,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// Whether the caller asked for usage in the stream: goes into the [`AnswerContext`].
    pub stream_usage: bool,
}

/// What an answer needs that the provider's does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerContext {
    /// The request's id; ids in the answer are made of it.
    pub id: String,
    /// The model, where the provider does not name it.
    pub model: String,
    /// When the answer was made, in seconds since 1970.
    pub created: u64,
    /// Whether a stream tells its usage, in a form that leaves that open.
    pub stream_usage: bool,
    /// How a stream is framed.
    pub framing: Framing,
}

/// How a stream is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Framing {
    /// As `text/event-stream`.
    #[default]
    Events,
    /// As one JSON array: Gemini's form without `alt=sse`.
    Array,
}

impl ChatFlavour {
    /// Whether what only OpenRouter and we have members for can be said.
    pub(crate) fn is_broad(self) -> bool {
        matches!(self, Self::OpenRouter | Self::Whole)
    }
}

impl Options {
    /// What most requests need.
    pub fn new(model: impl Into<String>) -> Self {
        Self {
            model: model.into(),
            drop_params: false,
            stream: false,
            max_tokens: 4_096,
            adaptive_thinking: false,
            image_sizes: ImageSizes::default(),
            chat: ChatFlavour::default(),
        }
    }
}

impl AnswerContext {
    /// What most answers need; `created` in seconds since 1970.
    pub fn new(id: impl Into<String>, model: impl Into<String>, created: u64) -> Self {
        Self {
            id: id.into(),
            model: model.into(),
            created,
            stream_usage: false,
            framing: Framing::default(),
        }
    }
}

/// Translates a caller's request into the provider's form.
pub fn request(
    from: Form,
    to: Form,
    body: &[u8],
    options: &Options,
) -> Result<Translated, Refusal> {
    let mut gaps = Gaps::new(from, to, options.drop_params);
    let request = forms::read_request(from, body, options, &mut gaps)?;
    let written = forms::write_request(to, &request, options, &mut gaps)?;
    Ok(Translated {
        body: json::bytes(&written),
        dropped: gaps.into_dropped(),
        stream: request.stream,
        stream_usage: request.stream_usage,
    })
}

/// Translates a provider's answer into the caller's form.
pub fn answer(
    from: Form,
    to: Form,
    body: &[u8],
    context: &AnswerContext,
) -> Result<Vec<u8>, Garbled> {
    let answer = forms::read_answer(from, body, context)?;
    Ok(json::bytes(&forms::write_answer(to, &answer, context)))
}

/// Writes a provider's error, of whatever form, in the caller's.
pub fn error(status: u16, to: Form, body: &[u8]) -> Vec<u8> {
    json::bytes(&errors::write(to, &Failure::read(status, body)))
}
