//! Tools: what may be called, which must be, and calls.

use serde::Deserialize;
use serde_json::{Value, json};

use super::content::{CacheControl, cache_control};
use crate::canonical::{Cache, NO_ARGUMENTS, Tool, ToolCall, ToolChoice};
use crate::json::Object;

/// A tool as it is written.
#[derive(Debug, Deserialize)]
pub(super) struct WireTool {
    function: Option<Function>,
    cache_control: Option<CacheControl>,
}

#[derive(Debug, Deserialize)]
struct Function {
    name: String,
    description: Option<String>,
    parameters: Option<Value>,
    strict: Option<bool>,
}

impl WireTool {
    /// The function; `None` where it is a tool of another kind.
    pub(super) fn tool(self) -> Option<Tool> {
        let function = self.function?;
        Some(Tool {
            name: function.name,
            description: function.description,
            parameters: function.parameters,
            strict: function.strict,
            cache: self.cache_control.map(Cache::from),
        })
    }
}

pub(super) fn write(tool: &Tool, marks: bool) -> Value {
    let function = Object::default()
        .with("name", tool.name.as_str())
        .maybe("description", tool.description.clone())
        .maybe("parameters", tool.parameters.clone())
        .maybe("strict", tool.strict);
    let mark = tool.cache.as_ref().filter(|_| marks);
    Object::typed("function")
        .with("function", function)
        .maybe("cache_control", mark.map(cache_control))
        .into()
}

/// A choice of tools as it is written.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum WireChoice {
    Word(String),
    Named { function: Named },
    Other(serde::de::IgnoredAny),
}

#[derive(Debug, Deserialize)]
pub(super) struct Named {
    name: String,
}

impl WireChoice {
    /// The choice; `None` where it is one that no other form has.
    pub(super) fn choice(self) -> Option<ToolChoice> {
        match self {
            Self::Word(word) => match word.as_str() {
                "auto" => Some(ToolChoice::Auto),
                "none" => Some(ToolChoice::None),
                "required" | "any" => Some(ToolChoice::Any),
                _ => None,
            },
            Self::Named { function } => Some(ToolChoice::Named(function.name)),
            Self::Other(_) => None,
        }
    }
}

pub(super) fn write_choice(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Any => "required".into(),
        ToolChoice::Named(name) => json!({"type": "function", "function": {"name": name}}),
    }
}

/// A call as it is written; in a stream, a piece of one.
#[derive(Debug, Deserialize)]
pub(super) struct WireCall {
    pub(super) index: Option<u64>,
    pub(super) id: Option<String>,
    pub(super) function: Option<CalledFunction>,
    pub(super) extra_content: Option<ExtraContent>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct CalledFunction {
    pub(super) name: Option<String>,
    pub(super) arguments: Option<String>,
}

/// Where Google's servers of this form put a thought signature.
#[derive(Debug, Deserialize)]
pub(super) struct ExtraContent {
    google: Option<Google>,
}

#[derive(Debug, Deserialize)]
struct Google {
    thought_signature: Option<String>,
}

impl ExtraContent {
    pub(super) fn signature(self) -> Option<String> {
        self.google?.thought_signature
    }
}

/// Writes a thought signature where Google's servers of this form have it.
pub(super) fn extra_content(signature: &str) -> Value {
    json!({"google": {"thought_signature": signature}})
}

impl WireCall {
    /// A whole call; a provider that gives no id has it made of the call's number.
    pub(super) fn call(self, number: usize) -> ToolCall {
        let function = self.function.unwrap_or_default();
        ToolCall {
            id: self
                .id
                .filter(|id| !id.is_empty())
                .unwrap_or_else(|| made_id(number as u64)),
            name: function.name.unwrap_or_default(),
            arguments: function
                .arguments
                .filter(|text| !text.is_empty())
                .unwrap_or_else(|| NO_ARGUMENTS.to_owned()),
        }
    }
}

/// An id for a call that came without one.
pub(super) fn made_id(number: u64) -> String {
    format!("call_{number}")
}

pub(super) fn write_call(call: &ToolCall, signature: Option<&str>) -> Object {
    Object::default()
        .with("id", call.id.as_str())
        .with("type", "function")
        .with(
            "function",
            json!({"name": call.name, "arguments": call.arguments}),
        )
        .maybe("extra_content", signature.map(extra_content))
}
