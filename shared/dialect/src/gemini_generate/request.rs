//! Reading a request.

use serde::Deserialize;
use serde_json::{Map, Number, Value};

use super::schema::to_json_schema;
use super::tools::{ToolConfig, WireTools};
use super::turns::{self, WireContent};
use crate::canonical::{Modes, Output, Reasoning, Request, Schema};
use crate::form::Feature;
use crate::gaps::Gaps;
use crate::json::{self, OneOrMany};
use crate::refusal::Refusal;
use crate::translate::Options;

/// A request as it is written.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    contents: OneOrMany<WireContent>,
    #[serde(alias = "system_instruction")]
    system_instruction: Option<WireContent>,
    tools: Option<Vec<WireTools>>,
    #[serde(alias = "tool_config")]
    tool_config: Option<ToolConfig>,
    #[serde(
        default,
        alias = "generation_config",
        deserialize_with = "json::or_default"
    )]
    generation_config: Config,
    labels: Option<Map<String, Value>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[allow(clippy::struct_field_names)] // The names are the wire's.
struct Config {
    #[serde(alias = "stop_sequences")]
    stop_sequences: Option<Vec<String>>,
    #[serde(alias = "response_mime_type")]
    response_mime_type: Option<String>,
    #[serde(alias = "response_schema")]
    response_schema: Option<Value>,
    #[serde(alias = "response_json_schema")]
    response_json_schema: Option<Value>,
    #[serde(alias = "response_modalities")]
    response_modalities: Option<Vec<String>>,
    #[serde(alias = "candidate_count")]
    candidate_count: Option<u64>,
    #[serde(alias = "max_output_tokens")]
    max_output_tokens: Option<u64>,
    temperature: Option<Number>,
    #[serde(alias = "top_p")]
    top_p: Option<Number>,
    #[serde(alias = "top_k")]
    top_k: Option<Number>,
    seed: Option<Number>,
    #[serde(alias = "presence_penalty")]
    presence_penalty: Option<Number>,
    #[serde(alias = "frequency_penalty")]
    frequency_penalty: Option<Number>,
    #[serde(alias = "response_logprobs")]
    response_logprobs: Option<bool>,
    logprobs: Option<u64>,
    #[serde(alias = "thinking_config")]
    thinking_config: Option<ThinkingConfig>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ThinkingConfig {
    #[serde(alias = "include_thoughts")]
    include_thoughts: Option<bool>,
    #[serde(alias = "thinking_budget")]
    thinking_budget: Option<i64>,
    #[serde(alias = "thinking_level")]
    thinking_level: Option<String>,
}

/// Members that change nothing in an answer, or are read where they are needed.
const HARMLESS: [&str; 1] = ["model"];

/// What stands under these is the conversation, and its unknown members are notes on it.
const NOTES: [&str; 4] = [
    "contents",
    "systemInstruction",
    "system_instruction",
    "tools",
];

/// Reads a request. Whether it asks for a stream is said by its path.
pub(crate) fn read(body: &[u8], options: &Options, gaps: &mut Gaps) -> Result<Request, Refusal> {
    let (wire, unknown) = json::read::<Wire>(body)?;
    gaps.unknown(&unknown, &HARMLESS, &NOTES)?;
    let mut tools = Vec::new();
    for group in wire.tools.unwrap_or_default() {
        let (functions, has_own) = group.tools();
        tools.extend(functions);
        gaps.lacks_if(has_own, Feature::Tools)?;
    }
    let choice = wire.tool_config.map(ToolConfig::choice).transpose();
    if choice.is_err() {
        gaps.member("toolConfig.functionCallingConfig.allowedFunctionNames")?;
    }
    let tool_choice = choice.ok().flatten().flatten();
    let config = wire.generation_config;
    config.refuse(gaps)?;
    let messages = turns::read(wire.system_instruction, wire.contents.into_vec(), gaps)?;
    Ok(Request {
        messages,
        tools,
        tool_choice,
        metadata: wire.labels,
        stream: options.stream,
        stream_usage: true,
        ..config.request()
    })
}

impl Config {
    /// Refuses what no other form has.
    fn refuse(&self, gaps: &mut Gaps) -> Result<(), Refusal> {
        let modes = self.response_modalities.as_deref().unwrap_or_default();
        let known = |mode: &String| ["text", "image"].contains(&mode.to_ascii_lowercase().as_str());
        if !modes.iter().all(known) {
            gaps.member("generationConfig.responseModalities")?;
        }
        Ok(())
    }

    fn request(self) -> Request {
        let modes = self.response_modalities.unwrap_or_default();
        Request {
            modes: Modes::with_images(modes.iter().any(|mode| mode.eq_ignore_ascii_case("image"))),
            output: output(
                self.response_mime_type.as_deref(),
                self.response_json_schema
                    .or(self.response_schema.map(to_json_schema)),
            ),
            reasoning: self
                .thinking_config
                .map(ThinkingConfig::reasoning)
                .unwrap_or_default(),
            max_tokens: self.max_output_tokens,
            candidates: self.candidate_count,
            stop: self.stop_sequences.unwrap_or_default(),
            temperature: self.temperature,
            top_p: self.top_p,
            top_k: self.top_k,
            frequency_penalty: self.frequency_penalty,
            presence_penalty: self.presence_penalty,
            seed: self.seed,
            logprobs: self.response_logprobs.unwrap_or_default(),
            top_logprobs: self.logprobs,
            ..Request::default()
        }
    }
}

fn output(mime_type: Option<&str>, schema: Option<Value>) -> Output {
    match (schema, mime_type) {
        (Some(schema), _) => Output::Schema(Schema {
            name: None,
            description: None,
            schema,
            strict: None,
        }),
        (None, Some("application/json")) => Output::Json,
        (None, _) => Output::Text,
    }
}

/// A budget that leaves it to the model.
pub(super) const ADAPTIVE_BUDGET: i64 = -1;

impl ThinkingConfig {
    fn reasoning(self) -> Reasoning {
        Reasoning {
            effort: self.thinking_level.map(|level| level.to_ascii_lowercase()),
            budget: self
                .thinking_budget
                .and_then(|budget| u64::try_from(budget).ok()),
            shown: self.include_thoughts,
            adaptive: self.thinking_budget == Some(ADAPTIVE_BUDGET),
        }
    }
}
