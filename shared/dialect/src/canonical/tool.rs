//! Tools: what may be called, what is, and what came of it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Cache, Part};

/// A function that the model may call.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// The JSON schema of its arguments.
    pub parameters: Option<Value>,
    /// Whether calls must follow the schema to the letter.
    pub strict: Option<bool>,
    /// Whether the prompt shall be cached up to here.
    pub cache: Option<Cache>,
}

/// Which tools may or must be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolChoice {
    /// As the model sees fit.
    Auto,
    /// None.
    None,
    /// Any one of them.
    Any,
    /// This one.
    Named(String),
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// What its result refers to.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The arguments as JSON, as the model wrote them.
    pub arguments: String,
}

/// What a tool answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolResult {
    /// The call that it answers.
    pub call_id: String,
    /// The tool, where the form says it.
    pub name: Option<String>,
    /// The answer: texts, images, documents.
    pub parts: Vec<Part>,
    /// Whether the tool failed.
    pub is_error: bool,
}

/// The arguments of a call that has none.
pub(crate) const NO_ARGUMENTS: &str = "{}";

/// The member that holds arguments which are no object, in forms that take nothing else.
const UNREADABLE: &str = "arguments";

impl ToolCall {
    /// The arguments as an object, for forms that take nothing else. What a model wrote and nobody
    /// can read is kept as text rather than lost.
    pub fn arguments_object(&self) -> Map<String, Value> {
        if self.arguments.trim().is_empty() {
            return Map::new();
        }
        serde_json::from_str(&self.arguments).unwrap_or_else(|_| {
            let text = Value::String(self.arguments.clone());
            Map::from_iter([(UNREADABLE.to_owned(), text)])
        })
    }
}

impl ToolResult {
    /// The texts of the answer, one after another.
    pub fn text(&self) -> String {
        let texts: Vec<&str> = self.parts.iter().filter_map(Part::as_text).collect();
        texts.join("\n")
    }

    /// Whether it is nothing but text.
    pub fn is_text(&self) -> bool {
        self.parts.iter().all(|part| part.as_text().is_some())
    }
}
