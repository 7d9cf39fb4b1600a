//! Reading a request.

use serde::Deserialize;
use serde_json::{Number, Value};

use super::block::WireContent;
use super::thinking::{self, WireThinking};
use super::tools::{WireChoice, WireTool};
use super::turns::{self, WireMessage};
use crate::canonical::{Output, Request, Schema};
use crate::form::Feature;
use crate::gaps::Gaps;
use crate::json;
use crate::refusal::Refusal;

/// A request as it is written.
#[derive(Debug, Deserialize)]
struct Wire {
    messages: Vec<WireMessage>,
    system: Option<WireContent>,
    max_tokens: Option<u64>,
    tools: Option<Vec<WireTool>>,
    tool_choice: Option<WireChoice>,
    thinking: Option<WireThinking>,
    output_config: Option<OutputConfig>,
    output_format: Option<Format>,
    stop_sequences: Option<Vec<String>>,
    temperature: Option<Number>,
    top_p: Option<Number>,
    top_k: Option<Number>,
    metadata: Option<Metadata>,
    stream: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
struct OutputConfig {
    effort: Option<String>,
    format: Option<Format>,
}

/// The shape of the answer: a JSON schema is the only one that has a name.
#[derive(Debug, Deserialize)]
struct Format {
    schema: Value,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    user_id: Option<String>,
}

/// Members that change nothing in an answer, or are read where they are needed. A tier of service
/// may here only be the usual one.
const HARMLESS: [&str; 5] = [
    "model",
    "service_tier",
    "cache_control",
    "output_config.format.type",
    "output_format.type",
];

/// What stands under these is the conversation, and its unknown members are notes on it.
const NOTES: [&str; 4] = ["messages", "system", "tools", "metadata"];

/// Reads a request.
pub(crate) fn read(body: &[u8], gaps: &mut Gaps) -> Result<Request, Refusal> {
    let (wire, unknown) = json::read::<Wire>(body)?;
    gaps.unknown(&unknown, &HARMLESS, &NOTES)?;
    let mut tools = Vec::new();
    for tool in wire.tools.unwrap_or_default() {
        match tool.tool() {
            Some(tool) => tools.push(tool),
            None => gaps.lacks(Feature::Tools)?,
        }
    }
    let (tool_choice, parallel_tools) = wire.tool_choice.map(WireChoice::read).unwrap_or_default();
    let config = wire.output_config.unwrap_or_default();
    Ok(Request {
        messages: turns::read(wire.system, wire.messages, gaps)?,
        tools,
        tool_choice,
        parallel_tools,
        output: config
            .format
            .or(wire.output_format)
            .map(Format::output)
            .unwrap_or_default(),
        reasoning: thinking::read(wire.thinking, config.effort, gaps)?,
        max_tokens: wire.max_tokens,
        stop: wire.stop_sequences.unwrap_or_default(),
        temperature: wire.temperature,
        top_p: wire.top_p,
        top_k: wire.top_k,
        user: wire.metadata.and_then(|metadata| metadata.user_id),
        stream: wire.stream.unwrap_or_default(),
        ..Request::default()
    })
}

impl Format {
    fn output(self) -> Output {
        Output::Schema(Schema {
            name: None,
            description: None,
            schema: self.schema,
            strict: None,
        })
    }
}
