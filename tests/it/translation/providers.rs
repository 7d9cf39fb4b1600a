//! Those who answer: how each provider says a thing, plain and streamed, and what it was sent.

mod anthropic;
mod google;
mod openai;
mod responses;

use serde_json::Value;

use super::said::{Said, Used};

pub(super) use anthropic::Anthropic;
pub(super) use google::Google;
pub(super) use openai::OpenAi;
pub(super) use responses::OpenAiResponses;

/// A provider, scripted in its own form.
pub(super) trait Provider: Sync {
    fn name(&self) -> &'static str;

    /// Models by what they are asked for: failures of one say nothing of the next.
    fn models(&self) -> Models;

    /// Where it is asked.
    fn path(&self, model: &str, stream: bool) -> String;

    /// What it reports.
    fn used(&self) -> Used;

    /// A plain answer.
    fn plain(&self, said: &Said) -> Value;

    /// The events of a stream up to its end.
    fn begins(&self, said: &Said) -> Vec<String>;

    /// The events that end it.
    fn ends(&self, said: &Said) -> Vec<String>;

    /// An error about the request.
    fn refusal(&self, message: &str) -> Value;

    /// An error in the midst of a stream.
    fn error_event(&self, message: &str) -> String;

    /// The calls in the conversation that it was sent, each with what it brought.
    fn exchanged(&self, sent: &Value) -> Vec<(Value, String)>;
}

/// The names by which callers ask for a provider's models.
#[derive(Debug, Clone, Copy)]
pub(super) struct Models {
    pub(super) answering: &'static str,
    pub(super) breaking_off: &'static str,
    pub(super) refusing: &'static str,
}

/// A text in two pieces, the second of which begins with a space.
fn halves(text: &str) -> [&str; 2] {
    let at = text.find(' ').unwrap_or(text.len());
    [&text[..at], &text[at..]]
}
