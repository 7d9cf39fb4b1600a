//! What scenarios want to know of a conversation, whichever form it comes in.

use serde_json::Value;

use crate::call::{Call, Verb};

/// A conversation.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a question of its own"
)]
pub(crate) struct Asked {
    /// The model, as the answer names it.
    pub(crate) model: String,
    /// Whether the answer is to come as it is made.
    pub(crate) is_streamed: bool,
    /// Whether a stream is to tell its usage, where the form leaves that open.
    pub(crate) wants_usage: bool,
    /// Whether there are tools to call.
    pub(crate) has_tools: bool,
    /// What a tool that was called came to.
    pub(crate) tool_result: Option<String>,
    /// Whether the answer is to be an object of a schema.
    pub(crate) wants_object: bool,
    /// The length of the first image, as its base64 says it.
    pub(crate) image_bytes: usize,
    /// Whether the conversation is none: the provider refuses it.
    pub(crate) is_malformed: bool,
}

impl Asked {
    /// Reads a call.
    pub(crate) fn of(call: &Call) -> Self {
        let json = &call.json;
        let mut asked = match call.verb {
            Verb::Chat => chat(json),
            Verb::Responses => responses(json),
            Verb::Messages => messages(json),
            _ => generate(json),
        };
        asked.model.clone_from(&call.model);
        asked.is_streamed = match call.verb {
            Verb::Generate { is_streamed } => is_streamed,
            _ => json["stream"] == true,
        };
        asked.has_tools = json["tools"].as_array().is_some_and(|all| !all.is_empty());
        asked
    }
}

fn chat(json: &Value) -> Asked {
    let tool = first(&json["messages"], |message| message["role"] == "tool");
    let format = &json["response_format"];
    let url = first_text(&json["messages"], &["image_url", "url"]);
    Asked {
        wants_usage: json["stream_options"]["include_usage"] == true,
        tool_result: tool.and_then(|message| text(&message["content"])),
        wants_object: format["json_schema"]["schema"]["type"] == "object",
        image_bytes: base64_bytes(url.and_then(|url| Some(url.split_once("base64,")?.1))),
        is_malformed: !json["messages"].is_array(),
        ..Asked::default()
    }
}

fn responses(json: &Value) -> Asked {
    let result = first(&json["input"], |item| {
        item["type"] == "function_call_output"
    });
    Asked {
        tool_result: result.and_then(|item| text(&item["output"])),
        wants_object: json["text"]["format"]["schema"]["type"] == "object",
        is_malformed: json["input"].is_null(),
        ..Asked::default()
    }
}

fn messages(json: &Value) -> Asked {
    let block = find(&json["messages"], &|value| value["type"] == "tool_result");
    Asked {
        tool_result: block.and_then(|block| text(&block["content"])),
        wants_object: json["output_config"]["format"]["schema"]["type"] == "object",
        image_bytes: base64_bytes(first_text(&json["messages"], &["source", "data"])),
        is_malformed: !json["messages"].is_array() || !json["max_tokens"].is_u64(),
        ..Asked::default()
    }
}

fn generate(json: &Value) -> Asked {
    let part = find(&json["contents"], &|value| {
        !value["functionResponse"].is_null()
    });
    Asked {
        tool_result: part.and_then(|part| text(&part["functionResponse"]["response"])),
        image_bytes: base64_bytes(first_text(&json["contents"], &["inlineData", "data"])),
        is_malformed: !json["contents"].is_array(),
        ..Asked::default()
    }
}

fn first(list: &Value, is_wanted: impl Fn(&Value) -> bool) -> Option<&Value> {
    list.as_array()?.iter().find(|value| is_wanted(value))
}

/// The first value, at any depth, that is wanted.
fn find<'a>(value: &'a Value, is_wanted: &dyn Fn(&Value) -> bool) -> Option<&'a Value> {
    if is_wanted(value) {
        return Some(value);
    }
    let within: Vec<&Value> = match value {
        Value::Array(values) => values.iter().collect(),
        Value::Object(members) => members.values().collect(),
        _ => return None,
    };
    within.into_iter().find_map(|value| find(value, is_wanted))
}

/// The first text at this place of whatever has it.
fn first_text<'a>(value: &'a Value, place: &[&str; 2]) -> Option<&'a str> {
    let found = find(value, &|value| value[place[0]][place[1]].is_string());
    found.and_then(|found| found[place[0]][place[1]].as_str())
}

/// The first text, at any depth, that is no type; also of an object that was written as a text.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(written) => {
            let object: Option<Value> = serde_json::from_str(written).ok();
            let object = object.filter(Value::is_object);
            object.map_or(Some(written.clone()), |object| text(&object))
        }
        Value::Array(values) => values.iter().find_map(text),
        Value::Object(members) => {
            let mut members = members.iter().filter(|(name, _)| *name != "type");
            members.find_map(|(_, value)| text(value))
        }
        _ => None,
    }
}

fn base64_bytes(data: Option<&str>) -> usize {
    data.map_or(0, |data| data.trim_end_matches('=').len() * 3 / 4)
}
