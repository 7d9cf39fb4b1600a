//! The forms in which callers and providers speak of language models, and the way from each to each.
//!
//! A request is read by the caller's [`Form`] into one canonical model and written in the provider's;
//! answers, streams and errors go the other way. Nothing here does I/O, knows a clock or a network:
//! ids and times come with the [`AnswerContext`]. Where both sides speak one form, nothing is to be
//! translated, and this crate is not asked.
//!
//! What the provider's form lacks is refused by the name of the caller's member ([`Refusal`]), unless
//! [`Options::drop_params`] allows settings to be dropped. Of the conversation nothing is ever
//! dropped. What changes nothing in an answer is carried where it can be, and else left out silently:
//! marks for caching a prompt, `user`, `metadata`, `store`, the name of a cache, the usual tier of
//! service. Members that nobody knows are refused like features that the provider lacks.
//!
//! ```
//! use keyward_dialect::{AnswerContext, Form, Options, StreamTranslator, answer, request};
//!
//! let (caller, provider) = (Form::OpenAiChat, Form::AnthropicMessages);
//! let asked = br#"{"model":"m","messages":[{"role":"user","content":"Hello"}]}"#;
//! let translated = request(caller, provider, asked, &Options::new("claude-sonnet-4-5"))?;
//! assert!(translated.body.starts_with(br#"{"model":"claude-sonnet-4-5""#));
//!
//! let context = AnswerContext::new("0198", "claude-sonnet-4-5", 1_800_000_000);
//! let said = br#"{"content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn"}"#;
//! let body = answer(provider, caller, said, &context)?;
//! assert!(body.starts_with(br#"{"id":"chatcmpl-0198","object":"chat.completion""#));
//!
//! let mut stream = StreamTranslator::new(provider, caller, context);
//! let chunk = b"event: ping\ndata: {\"type\":\"ping\"}\n\n";
//! assert_eq!(stream.push(chunk)?, b": ping\n\n");
//! assert!(!stream.finish().is_whole());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod anthropic_messages;
pub mod canonical;
mod counting;
mod embeddings;
mod error;
mod form;
mod forms;
mod gaps;
mod gemini_generate;
mod images;
mod json;
mod openai_chat;
mod openai_completions;
mod openai_responses;
mod parts;
mod refusal;
mod sequence;
mod sse;
mod stream;
mod translate;
pub mod typed;
mod unargued;

pub use counting::{count_answer, count_request};
pub use embeddings::{
    EmbeddingContext, EmbeddingForm, TranslatedEmbedding, embedding_answer, embedding_request,
};
pub use error::Failure;
pub use form::Form;
pub use images::{gemini_image_answer, gemini_image_request, imagen_answer, imagen_request};
pub use openai_chat::usage::Reported as ChatUsage;
pub use refusal::{Garbled, Refusal};
pub use stream::{Ended, Outcome, StreamTranslator};
pub use translate::{
    AnswerContext, ChatFlavour, Framing, ImageSizes, Options, Translated, answer, error, request,
};

#[cfg(test)]
mod tests;
