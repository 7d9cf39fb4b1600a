//! Those who ask: how each form puts a question, and what it makes of an answer.

mod chat;
mod completions;
mod gemini;
mod messages;
mod responses;

use serde_json::Value;

use super::said::{Asked, Said, Used};

pub(super) use chat::Chat;
pub(super) use completions::Completions;
pub(super) use gemini::Gemini;
pub(super) use messages::Messages;
pub(super) use responses::Responses;

/// A form in which callers ask.
pub(super) trait Caller: Sync {
    /// Where a model is asked.
    fn path(&self, model: &str, stream: bool) -> String;

    /// The body that asks it.
    fn body(&self, model: &str, asked: Asked, stream: bool) -> Value;

    /// What a plain answer says.
    fn plain(&self, answer: &Value) -> Said;

    /// What the events of a stream say.
    fn streamed(&self, events: &[Value]) -> Said;

    /// Whether an event says that the answer is whole.
    fn ends(&self, event: &Value) -> bool;

    /// The message of an error, if this is one in this form.
    fn error(&self, answer: &Value) -> Option<String>;

    /// The same of an event.
    fn error_event(&self, event: &Value) -> Option<String> {
        self.error(event)
    }

    /// Whether the last event is `[DONE]`.
    fn ends_with_done(&self) -> bool {
        false
    }

    /// Whether tools can be offered.
    fn has_tools(&self) -> bool {
        true
    }

    /// What this form can tell of what was used.
    fn told(&self, used: Used) -> Used {
        used
    }
}

/// The message of an error in OpenAI's form.
fn openai_error(answer: &Value) -> Option<String> {
    let error = answer["error"].as_object()?;
    let is_whole = ["type", "param", "code"]
        .iter()
        .all(|name| error.contains_key(*name));
    is_whole.then(|| error["message"].as_str().map(str::to_owned))?
}
