//! Calls and their answers. Ids are optional here: a call without one gets one, and an answer without
//! one belongs to the first call of its name that has none yet.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::part::{FunctionCall, FunctionResponse};
use crate::canonical::{Content, Message, Part, ToolCall, ToolResult};

/// What a result holds that is a text, and one that failed: Google's own convention.
const OUTPUT: &str = "output";
const ERROR: &str = "error";

/// Gives calls ids, and answers those of their calls.
#[derive(Debug)]
pub(super) struct Ids {
    prefix: String,
    made: usize,
    open: Vec<(String, String)>,
}

impl Ids {
    /// Ids that begin so.
    pub(super) fn new(prefix: String) -> Self {
        Self {
            prefix,
            made: 0,
            open: Vec::new(),
        }
    }

    pub(super) fn call(&mut self, call: FunctionCall) -> ToolCall {
        let id = call.id.unwrap_or_else(|| {
            self.made += 1;
            format!("{}{}", self.prefix, self.made - 1)
        });
        self.open.push((call.name.clone(), id.clone()));
        ToolCall {
            id,
            name: call.name,
            arguments: Value::Object(call.args).to_string(),
        }
    }

    /// The answer to a call; `None` where something in it is not known.
    pub(super) fn result(&mut self, response: FunctionResponse) -> Option<ToolResult> {
        let of = |(name, id): &(String, String)| match &response.id {
            Some(given) => given == id,
            None => *name == response.name,
        };
        let open = self
            .open
            .iter()
            .position(of)
            .map(|at| self.open.remove(at).1);
        let (text, is_error) = read_response(response.response);
        let mut parts = vec![Part::text(text)];
        for part in response.parts {
            parts.extend(part.parts()?);
        }
        Some(ToolResult {
            call_id: response.id.or(open).unwrap_or(response.name),
            name: None,
            parts,
            is_error,
        })
    }
}

/// The text of a response, and whether it says that the tool failed.
fn read_response(response: Map<String, Value>) -> (String, bool) {
    if response.len() == 1 {
        if let Some(Value::String(text)) = response.get(OUTPUT) {
            return (text.clone(), false);
        }
        if let Some(Value::String(text)) = response.get(ERROR) {
            return (text.clone(), true);
        }
    }
    (Value::Object(response).to_string(), false)
}

/// Writes a result: an object as it is, any other text under a name.
pub(super) fn write_response(result: &ToolResult) -> Map<String, Value> {
    let text = result.text();
    let named = |name: &str| Map::from_iter([(name.to_owned(), Value::String(text.clone()))]);
    if result.is_error {
        return named(ERROR);
    }
    let object = serde_json::from_str::<Map<String, Value>>(&text);
    let own =
        |object: &Map<String, Value>| !object.contains_key(OUTPUT) && !object.contains_key(ERROR);
    object.ok().filter(own).unwrap_or_else(|| named(OUTPUT))
}

/// The tools' names by the ids of their calls: here an answer names the tool.
pub(super) fn names(turns: &[Message]) -> HashMap<&str, &str> {
    let parts = turns.iter().flat_map(|turn| &turn.parts);
    let calls = parts.filter_map(|part| match &part.content {
        Content::ToolCall(call) => Some((call.id.as_str(), call.name.as_str())),
        _ => None,
    });
    calls.collect()
}
