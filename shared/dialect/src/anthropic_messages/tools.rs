//! Tools: what may be called, and which must be.

use serde::Deserialize;
use serde_json::{Value, json};

use super::block::CacheControl;
use super::blocks::cache_control;
use crate::canonical::{Cache, Tool, ToolChoice};
use crate::json::Object;

/// A tool as it is written.
#[derive(Debug, Deserialize)]
pub(super) struct WireTool {
    #[serde(rename = "type")]
    kind: Option<String>,
    name: String,
    description: Option<String>,
    input_schema: Option<Value>,
    strict: Option<bool>,
    cache_control: Option<CacheControl>,
}

impl WireTool {
    /// The function; `None` where it is a tool of the provider's own.
    pub(super) fn tool(self) -> Option<Tool> {
        let own = matches!(self.kind.as_deref(), None | Some("custom"));
        own.then_some(Tool {
            name: self.name,
            description: self.description,
            parameters: self.input_schema,
            strict: self.strict,
            cache: self.cache_control.map(Cache::from),
        })
    }
}

pub(super) fn write(tool: &Tool) -> Value {
    let empty = || json!({"type": "object", "properties": {}});
    Object::default()
        .with("name", tool.name.as_str())
        .maybe("description", tool.description.clone())
        .with(
            "input_schema",
            tool.parameters.clone().unwrap_or_else(empty),
        )
        // Only what is asked for: not every model knows it.
        .maybe("strict", tool.strict.filter(|strict| *strict))
        .maybe("cache_control", tool.cache.as_ref().map(cache_control))
        .into()
}

/// A choice of tools as it is written.
#[derive(Debug, Deserialize)]
pub(super) struct WireChoice {
    #[serde(rename = "type")]
    kind: String,
    name: Option<String>,
    disable_parallel_tool_use: Option<bool>,
}

impl WireChoice {
    /// The choice, and whether several may be called at once.
    pub(super) fn read(self) -> (Option<ToolChoice>, Option<bool>) {
        let choice = match self.kind.as_str() {
            "none" => Some(ToolChoice::None),
            "any" => Some(ToolChoice::Any),
            "tool" => self.name.map(ToolChoice::Named),
            _ => Some(ToolChoice::Auto),
        };
        (
            choice,
            self.disable_parallel_tool_use.map(|disabled| !disabled),
        )
    }
}

/// Writes a choice; one that says nothing is not written, and none is made where no tool is.
pub(super) fn write_choice(
    choice: Option<&ToolChoice>,
    parallel: Option<bool>,
    any_tools: bool,
) -> Option<Value> {
    if !any_tools {
        return None;
    }
    let serial = parallel.map(|parallel| !parallel);
    let choice = choice.or(serial.map(|_| &ToolChoice::Auto))?;
    let written = match choice {
        ToolChoice::None => return Some(json!({"type": "none"})),
        ToolChoice::Auto => Object::typed("auto"),
        ToolChoice::Any => Object::typed("any"),
        ToolChoice::Named(name) => Object::typed("tool").with("name", name.as_str()),
    };
    Some(written.maybe("disable_parallel_tool_use", serial).into())
}
