//! What the document says of OpenAI's forms. Nothing is read by these types: bodies go to the router
//! and providers' answers to the caller as they are.
#![allow(dead_code, reason = "they are for the document alone")]

use serde_json::Value;
use utoipa::ToSchema;

/// A conversation to go on with. What is not listed here is passed on to the provider untouched.
#[derive(ToSchema)]
#[schema(example = json!({
    "model": "sandbox/echo",
    "messages": [{"role": "user", "content": "Hello, Keyward!"}],
}))]
pub(crate) struct ChatRequest {
    /// The model, by its id or an alias.
    model: String,
    /// The conversation so far.
    messages: Vec<ChatMessage>,
    /// Whether the answer shall come as a stream of events.
    stream: Option<bool>,
    /// A provider key for this call alone, as the header `x-byok-api-key`.
    #[schema(write_only, format = Password)]
    byok_api_key: Option<String>,
    /// Whether settings that the provider's form lacks are left out instead of refused.
    drop_params: Option<bool>,
}

/// A message, in OpenAI's form.
#[derive(ToSchema)]
#[schema(as = ChatMessage)]
pub(crate) struct ChatMessage {
    /// Who says it.
    role: String,
    /// What is said.
    content: Option<Value>,
}

/// An answer, in OpenAI's form; also what the provider adds.
#[derive(ToSchema)]
pub(crate) struct ChatCompletion {
    /// Its id at the provider.
    id: Option<String>,
    /// Always `chat.completion`.
    object: Option<String>,
    /// When it was made, in seconds since 1970.
    created: Option<i64>,
    /// The model as the provider names it.
    model: Option<String>,
    /// What is answered.
    choices: Option<Vec<Value>>,
    /// What was used, as the provider reports it.
    usage: Option<Value>,
}
