//! What the answer shall be like: settings, tools, shapes.

use std::collections::BTreeMap;

use keyward_dialect::canonical::{Modes, Output, Reasoning, Request, Schema, Tool, ToolChoice};
use keyward_proto::router::v1 as proto;
use keyward_proto::router::v1::chat_output::Shape;
use keyward_proto::router::v1::chat_tool_choice::Choice;
use serde_json::{Number, Value};
use tonic::Status;

use super::{invalid, messages};

/// The most answers to one request, as of all forms.
const CHOICES_MAX: u32 = 128;

pub(super) fn read(request: proto::ChatRequest) -> Result<Request, Status> {
    let tools = request.tools.into_iter().map(tool);
    let sampling = request.sampling.unwrap_or_default();
    Ok(Request {
        modes: Modes::Usual,
        messages: messages::read(request.messages)?,
        tools: tools.collect::<Result<_, _>>()?,
        tool_choice: request.tool_choice.map(tool_choice).transpose()?.flatten(),
        parallel_tools: request.parallel_tool_calls,
        output: output(request.output.unwrap_or_default())?,
        reasoning: reasoning(&request.thought.unwrap_or_default()),
        max_tokens: request.max_output_tokens,
        candidates: choices(request.choices)?,
        stop: request.stop_sequences,
        temperature: number("sampling.temperature", sampling.temperature)?,
        top_p: number("sampling.top_p", sampling.top_p)?,
        top_k: sampling.top_k.map(Number::from),
        frequency_penalty: number("sampling.frequency_penalty", sampling.frequency_penalty)?,
        presence_penalty: number("sampling.presence_penalty", sampling.presence_penalty)?,
        seed: sampling.seed.map(Number::from),
        logprobs: request.top_logprobs.is_some(),
        top_logprobs: request.top_logprobs.map(u64::from),
        verbosity: said(request.verbosity),
        user: said(request.user),
        metadata: metadata(request.metadata),
        cache_key: said(request.prompt_cache_group),
        service_tier: said(request.service_tier),
        stream: !request.whole,
        stream_usage: !request.whole,
    })
}

fn said(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// In order, so that equal requests are equal bytes.
fn metadata(
    notes: std::collections::HashMap<String, String>,
) -> Option<serde_json::Map<String, Value>> {
    let notes: BTreeMap<String, String> = notes.into_iter().collect();
    let members = notes.into_iter().map(|(name, note)| (name, note.into()));
    Some(members.collect()).filter(|members: &serde_json::Map<_, _>| !members.is_empty())
}

fn choices(choices: Option<u32>) -> Result<Option<u64>, Status> {
    let is_allowed = |count: &u32| (1..=CHOICES_MAX).contains(count);
    if !choices.iter().all(is_allowed) {
        return Err(invalid("choices", "`choices` must be between 1 and 128"));
    }
    Ok(choices.map(u64::from))
}

fn number(field: &str, number: Option<f64>) -> Result<Option<Number>, Status> {
    let read = |number| {
        let finite = Number::from_f64(number);
        finite.ok_or_else(|| invalid(field, &format!("`{field}` must be a number")))
    };
    number.map(read).transpose()
}

fn reasoning(thought: &proto::ChatThought) -> Reasoning {
    let effort = match thought.effort() {
        proto::ChatEffort::Unspecified => None,
        proto::ChatEffort::None => Some("none"),
        proto::ChatEffort::Minimal => Some("minimal"),
        proto::ChatEffort::Low => Some("low"),
        proto::ChatEffort::Medium => Some("medium"),
        proto::ChatEffort::High => Some("high"),
        proto::ChatEffort::Xhigh => Some("xhigh"),
        proto::ChatEffort::Max => Some("max"),
    };
    Reasoning {
        effort: effort.map(str::to_owned),
        budget: thought.max_tokens,
        shown: thought.shown,
        adaptive: thought.adaptive,
    }
}

fn tool(tool: proto::ChatTool) -> Result<Tool, Status> {
    let cache = messages::cache(tool.cache());
    Ok(Tool {
        name: tool.name,
        description: said(tool.description),
        parameters: schema("tools", &tool.parameters_json_schema)?,
        strict: tool.strict,
        cache,
    })
}

fn tool_choice(choice: proto::ChatToolChoice) -> Result<Option<ToolChoice>, Status> {
    let mode = match choice.choice {
        None => return Ok(None),
        Some(Choice::Name(name)) => return Ok(Some(ToolChoice::Named(name))),
        Some(Choice::Mode(mode)) => mode,
    };
    let mode = proto::ChatToolMode::try_from(mode);
    match mode.map_err(|_| invalid("tool_choice", "there is no such mode"))? {
        proto::ChatToolMode::Unspecified => Ok(None),
        proto::ChatToolMode::Auto => Ok(Some(ToolChoice::Auto)),
        proto::ChatToolMode::None => Ok(Some(ToolChoice::None)),
        proto::ChatToolMode::Any => Ok(Some(ToolChoice::Any)),
    }
}

fn output(output: proto::ChatOutput) -> Result<Output, Status> {
    let shape = match output.shape {
        None => return Ok(Output::Text),
        Some(Shape::AnyJson(_)) => return Ok(Output::Json),
        Some(Shape::JsonSchema(shape)) => shape,
    };
    let missing = || invalid("output", "`output.json_schema` has no schema");
    Ok(Output::Schema(Schema {
        schema: schema("output", &shape.schema)?.ok_or_else(missing)?,
        name: said(shape.name),
        description: said(shape.description),
        strict: shape.strict,
    }))
}

/// A JSON schema, if there is one.
fn schema(field: &str, text: &str) -> Result<Option<Value>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    let read: Result<serde_json::Map<String, Value>, _> = serde_json::from_str(text);
    let message = |error| format!("a JSON schema in `{field}` cannot be read: {error}");
    let read = read.map_err(|error| invalid(field, &message(error)))?;
    Ok(Some(Value::Object(read)))
}
