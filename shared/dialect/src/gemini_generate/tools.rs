//! Tools: what may be called, and which must be.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::schema::to_json_schema;
use crate::canonical::{Tool, ToolChoice};
use crate::json::{Object, OneOrMany};

/// A group of tools as it is written: declarations, or a tool of Google's own.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireTools {
    #[serde(alias = "function_declarations")]
    function_declarations: Option<OneOrMany<Declaration>>,
    #[serde(flatten)]
    own: Map<String, Value>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Declaration {
    name: String,
    description: Option<String>,
    parameters: Option<Value>,
    #[serde(alias = "parameters_json_schema")]
    parameters_json_schema: Option<Value>,
}

impl WireTools {
    /// The functions, and whether a tool of Google's own is with them.
    pub(super) fn tools(self) -> (Vec<Tool>, bool) {
        let declarations = self.function_declarations.map(OneOrMany::into_vec);
        let functions = declarations.unwrap_or_default().into_iter();
        let has_own = self.own.values().any(|tool| !tool.is_null());
        (functions.map(Declaration::tool).collect(), has_own)
    }
}

impl Declaration {
    fn tool(self) -> Tool {
        let parameters = self.parameters.map(to_json_schema);
        Tool {
            name: self.name,
            description: self.description,
            parameters: self.parameters_json_schema.or(parameters),
            strict: None,
            cache: None,
        }
    }
}

/// All tools in one group; none is no group.
pub(super) fn write(tools: &[Tool]) -> Option<Value> {
    let declarations: Vec<Value> = tools.iter().map(declaration).collect();
    (!tools.is_empty()).then(|| json!([{"functionDeclarations": declarations}]))
}

fn declaration(tool: &Tool) -> Value {
    Object::default()
        .with("name", tool.name.as_str())
        .maybe("description", tool.description.clone())
        .maybe("parametersJsonSchema", tool.parameters.clone())
        .into()
}

/// How functions are to be called, as it is written.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolConfig {
    #[serde(alias = "function_calling_config")]
    function_calling_config: Option<CallingConfig>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CallingConfig {
    mode: Option<String>,
    #[serde(alias = "allowed_function_names")]
    allowed_function_names: Option<Vec<String>>,
}

impl ToolConfig {
    /// The choice; an error where it is of some of the tools, which no other form has.
    pub(super) fn choice(self) -> Result<Option<ToolChoice>, SomeOfThem> {
        let Some(config) = self.function_calling_config else {
            return Ok(None);
        };
        let mut names = config.allowed_function_names.unwrap_or_default();
        let choice = match config.mode.as_deref() {
            Some("NONE" | "none") => ToolChoice::None,
            Some("ANY" | "any") => match (names.pop(), names.is_empty()) {
                (None, _) => ToolChoice::Any,
                (Some(name), true) => ToolChoice::Named(name),
                (Some(_), false) => return Err(SomeOfThem),
            },
            _ if !names.is_empty() => return Err(SomeOfThem),
            _ => ToolChoice::Auto,
        };
        Ok(Some(choice))
    }
}

/// A choice of some of the tools.
#[derive(Debug)]
pub(super) struct SomeOfThem;

pub(super) fn write_choice(choice: &ToolChoice) -> Value {
    let config = match choice {
        ToolChoice::Auto => json!({"mode": "AUTO"}),
        ToolChoice::None => json!({"mode": "NONE"}),
        ToolChoice::Any => json!({"mode": "ANY"}),
        ToolChoice::Named(name) => json!({"mode": "ANY", "allowedFunctionNames": [name]}),
    };
    json!({"functionCallingConfig": config})
}
