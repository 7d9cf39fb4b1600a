//! Reading a request.

use serde::Deserialize;
use serde_json::{Map, Number, Value};

use super::item::WireItem;
use super::tools::{WireChoice, WireTool};
use super::turns;
use crate::canonical::{Output, Reasoning, Request, Schema};
use crate::form::Feature;
use crate::gaps::Gaps;
use crate::json;
use crate::refusal::Refusal;

/// A request as it is written.
#[derive(Debug, Deserialize)]
struct Wire {
    input: Input,
    instructions: Option<String>,
    tools: Option<Vec<WireTool>>,
    tool_choice: Option<WireChoice>,
    parallel_tool_calls: Option<bool>,
    text: Option<Text>,
    reasoning: Option<WireReasoning>,
    max_output_tokens: Option<u64>,
    temperature: Option<Number>,
    top_p: Option<Number>,
    top_logprobs: Option<u64>,
    include: Option<Vec<String>>,
    user: Option<String>,
    metadata: Option<Map<String, Value>>,
    prompt_cache_key: Option<String>,
    truncation: Option<String>,
    service_tier: Option<String>,
    background: Option<bool>,
    stream: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Input {
    Text(String),
    Items(Vec<WireItem>),
}

#[derive(Debug, Default, Deserialize)]
struct Text {
    format: Option<Format>,
    verbosity: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Format {
    Text,
    JsonObject,
    JsonSchema {
        name: Option<String>,
        description: Option<String>,
        schema: Value,
        strict: Option<bool>,
    },
}

#[derive(Debug, Default, Deserialize)]
struct WireReasoning {
    effort: Option<String>,
    summary: Option<String>,
    generate_summary: Option<String>,
}

/// Members that change nothing in an answer, or are read where they are needed. Calls of tools of
/// the provider's own are bounded by one of them, and there are none.
const HARMLESS: [&str; 8] = [
    "model",
    "store",
    "safety_identifier",
    "prompt_cache_retention",
    "prompt_cache_options",
    "stream_options",
    "max_tool_calls",
    "stream_options.include_obfuscation",
];

/// What stands under these is the conversation, and its unknown members are notes on it.
const NOTES: [&str; 2] = ["input", "tools"];

/// What `include` names to have log-probabilities.
pub(super) const INCLUDE_LOGPROBS: &str = "message.output_text.logprobs";

/// Reads a request.
pub(crate) fn read(body: &[u8], gaps: &mut Gaps) -> Result<Request, Refusal> {
    let (wire, unknown) = json::read::<Wire>(body)?;
    gaps.unknown(&unknown, &HARMLESS, &NOTES)?;
    wire.refuse(gaps)?;
    wire.request(gaps)
}

impl Wire {
    /// Refuses what no other form has.
    fn refuse(&self, gaps: &mut Gaps) -> Result<(), Refusal> {
        if !matches!(self.truncation.as_deref(), None | Some("disabled")) {
            gaps.member("truncation")?;
        }
        if self.background == Some(true) {
            gaps.member("background")?;
        }
        Ok(())
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
        let items = match self.input {
            Input::Text(text) => turns::lone(text),
            Input::Items(items) => items,
        };
        let included = self.include.unwrap_or_default();
        let text = self.text.unwrap_or_default();
        Ok(Request {
            messages: turns::read(self.instructions, items, gaps)?,
            tools,
            tool_choice: choice.flatten(),
            parallel_tools: self.parallel_tool_calls,
            output: text.format.map(Format::output).unwrap_or_default(),
            reasoning: self
                .reasoning
                .map(WireReasoning::reasoning)
                .unwrap_or_default(),
            max_tokens: self.max_output_tokens,
            temperature: self.temperature,
            top_p: self.top_p,
            logprobs: included.iter().any(|name| name == INCLUDE_LOGPROBS),
            top_logprobs: self.top_logprobs,
            verbosity: text.verbosity,
            user: self.user,
            metadata: self.metadata,
            cache_key: self.prompt_cache_key,
            service_tier: self.service_tier,
            stream: self.stream.unwrap_or_default(),
            stream_usage: true,
            ..Request::default()
        })
    }
}

impl Format {
    fn output(self) -> Output {
        match self {
            Self::Text => Output::Text,
            Self::JsonObject => Output::Json,
            Self::JsonSchema {
                name,
                description,
                schema,
                strict,
            } => Output::Schema(Schema {
                name,
                description,
                schema,
                strict,
            }),
        }
    }
}

impl WireReasoning {
    fn reasoning(self) -> Reasoning {
        Reasoning {
            effort: self.effort,
            budget: None,
            shown: self.summary.or(self.generate_summary).map(|_| true),
            adaptive: false,
        }
    }
}
