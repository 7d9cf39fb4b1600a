//! Tools: what may be called, and which must be.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::canonical::{Tool, ToolChoice};
use crate::json::Object;

/// A tool as it is written.
#[derive(Debug, Deserialize)]
pub(super) struct WireTool {
    #[serde(rename = "type")]
    kind: String,
    name: Option<String>,
    description: Option<String>,
    parameters: Option<Value>,
    strict: Option<bool>,
}

impl WireTool {
    /// The function; `None` where it is a tool of another kind.
    pub(super) fn tool(self) -> Option<Tool> {
        if self.kind != "function" {
            return None;
        }
        Some(Tool {
            name: self.name?,
            description: self.description,
            parameters: self.parameters,
            strict: self.strict,
            cache: None,
        })
    }
}

/// Writes a tool. What says nothing of strictness must say that here: strict is the default.
pub(super) fn write(tool: &Tool) -> Value {
    Object::typed("function")
        .with("name", tool.name.as_str())
        .maybe("description", tool.description.clone())
        .with("parameters", tool.parameters.clone())
        .with("strict", tool.strict.unwrap_or_default())
        .into()
}

/// A choice of tools as it is written.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum WireChoice {
    Word(String),
    Named {
        #[serde(rename = "type")]
        kind: String,
        name: Option<String>,
    },
}

impl WireChoice {
    /// The choice; `None` where it is one that no other form has.
    pub(super) fn choice(self) -> Option<ToolChoice> {
        match self {
            Self::Word(word) => match word.as_str() {
                "auto" => Some(ToolChoice::Auto),
                "none" => Some(ToolChoice::None),
                "required" => Some(ToolChoice::Any),
                _ => None,
            },
            Self::Named { kind, name } if kind == "function" => name.map(ToolChoice::Named),
            Self::Named { .. } => None,
        }
    }
}

pub(super) fn write_choice(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Any => "required".into(),
        ToolChoice::Named(name) => json!({"type": "function", "name": name}),
    }
}
