//! Reading a request.

use serde::Deserialize;
use serde_json::{Map, Number, Value};

use super::message::WireMessage;
use super::tools::{WireChoice, WireTool};
use super::turns;
use crate::canonical::{Modes, Output, Reasoning, Request, Schema};
use crate::form::Feature;
use crate::gaps::Gaps;
use crate::json::{self, OneOrMany};
use crate::refusal::Refusal;

/// A request as it is written.
#[derive(Debug, Deserialize)]
struct Wire {
    messages: Vec<WireMessage>,
    tools: Option<Vec<WireTool>>,
    tool_choice: Option<WireChoice>,
    parallel_tool_calls: Option<bool>,
    response_format: Option<WireOutput>,
    reasoning_effort: Option<String>,
    reasoning: Option<WireReasoning>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    n: Option<u64>,
    stop: Option<OneOrMany<String>>,
    temperature: Option<Number>,
    top_p: Option<Number>,
    top_k: Option<Number>,
    frequency_penalty: Option<Number>,
    presence_penalty: Option<Number>,
    seed: Option<Number>,
    logprobs: Option<bool>,
    top_logprobs: Option<u64>,
    verbosity: Option<String>,
    user: Option<String>,
    metadata: Option<Map<String, Value>>,
    prompt_cache_key: Option<String>,
    modalities: Option<Vec<String>>,
    service_tier: Option<String>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
}

/// OpenRouter's way to ask for thought, with what typed calls have besides.
#[derive(Debug, Deserialize)]
struct WireReasoning {
    effort: Option<String>,
    max_tokens: Option<u64>,
    enabled: Option<bool>,
    exclude: Option<bool>,
    adaptive: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum WireOutput {
    Text,
    JsonObject,
    JsonSchema { json_schema: WireSchema },
}

#[derive(Debug, Deserialize)]
struct WireSchema {
    name: Option<String>,
    description: Option<String>,
    #[serde(default)]
    schema: Value,
    strict: Option<bool>,
}

/// Members that change nothing in an answer, or are read where they are needed.
const HARMLESS: [&str; 6] = [
    "model",
    "store",
    "safety_identifier",
    "prompt_cache_retention",
    "prompt_cache_options",
    "stream_options.include_obfuscation",
];

/// What stands under these is the conversation, and its unknown members are notes on it.
const NOTES: [&str; 2] = ["messages", "tools"];

/// What `modalities` calls images that the model makes, as OpenRouter has it.
pub(super) const IMAGE: &str = "image";

/// Reads a request.
pub(crate) fn read(body: &[u8], gaps: &mut Gaps) -> Result<Request, Refusal> {
    let (wire, unknown) = json::read::<Wire>(body)?;
    gaps.unknown(&unknown, &HARMLESS, &NOTES)?;
    let wire = wire.refuse(gaps)?;
    wire.request(gaps)
}

impl Wire {
    /// Refuses what no other form has.
    fn refuse(self, gaps: &mut Gaps) -> Result<Self, Refusal> {
        let known = |mode: &String| ["text", IMAGE].contains(&mode.as_str());
        if !self.modalities.iter().flatten().all(known) {
            gaps.member("modalities")?;
        }
        Ok(self)
    }

    fn request(self, gaps: &mut Gaps) -> Result<Request, Refusal> {
        let mut tools = Vec::new();
        for tool in self.tools.unwrap_or_default() {
            match tool.tool() {
                Some(tool) => tools.push(tool),
                None => gaps.lacks(Feature::Tools)?,
            }
        }
        let choice = self.tool_choice.map(WireChoice::choice);
        if choice == Some(None) {
            gaps.member("tool_choice")?;
        }
        let modes = self.modalities.unwrap_or_default();
        Ok(Request {
            modes: Modes::with_images(modes.iter().any(|mode| mode == IMAGE)),
            messages: turns::read(self.messages, gaps)?,
            tools,
            tool_choice: choice.flatten(),
            parallel_tools: self.parallel_tool_calls,
            output: self
                .response_format
                .map(WireOutput::output)
                .unwrap_or_default(),
            reasoning: reasoning(self.reasoning_effort, self.reasoning),
            max_tokens: self.max_completion_tokens.or(self.max_tokens),
            candidates: self.n,
            stop: self.stop.map(OneOrMany::into_vec).unwrap_or_default(),
            temperature: self.temperature,
            top_p: self.top_p,
            top_k: self.top_k,
            frequency_penalty: self.frequency_penalty,
            presence_penalty: self.presence_penalty,
            seed: self.seed,
            logprobs: self.logprobs.unwrap_or_default(),
            top_logprobs: self.top_logprobs,
            verbosity: self.verbosity,
            user: self.user,
            metadata: self.metadata,
            cache_key: self.prompt_cache_key,
            service_tier: self.service_tier,
            stream: self.stream.unwrap_or_default(),
            stream_usage: self
                .stream_options
                .and_then(|one| one.include_usage)
                .unwrap_or_default(),
        })
    }
}

fn reasoning(effort: Option<String>, wire: Option<WireReasoning>) -> Reasoning {
    let Some(wire) = wire else {
        return Reasoning {
            effort,
            ..Reasoning::default()
        };
    };
    let off = (wire.enabled == Some(false)).then(|| "none".to_owned());
    let on = || {
        let plain = wire.enabled == Some(true) && wire.max_tokens.is_none();
        plain.then(|| "medium".to_owned())
    };
    Reasoning {
        effort: off.or(wire.effort).or(effort).or_else(on),
        budget: wire.max_tokens,
        shown: Some(!wire.exclude.unwrap_or_default()),
        adaptive: wire.adaptive.unwrap_or_default(),
    }
}

impl WireOutput {
    fn output(self) -> Output {
        match self {
            Self::Text => Output::Text,
            Self::JsonObject => Output::Json,
            Self::JsonSchema { json_schema } => Output::Schema(Schema {
                name: json_schema.name,
                description: json_schema.description,
                schema: json_schema.schema,
                strict: json_schema.strict,
            }),
        }
    }
}
