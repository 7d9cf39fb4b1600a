//! Writing a request.

use serde_json::{Number, Value, json};

use super::request::INCLUDE_LOGPROBS;
use super::{tools, turns};
use crate::canonical::{Output, Request, Schema};
use crate::form::Feature;
use crate::gaps::Gaps;
use crate::json::Object;
use crate::openai_chat::{self, SCHEMA_NAME};
use crate::refusal::Refusal;
use crate::translate::Options;

/// Writes a request. Nobody asked that the answer be kept, so it is not; thoughts come sealed with
/// it instead, so that the conversation can go on.
pub(crate) fn write(
    request: &Request,
    options: &Options,
    gaps: &mut Gaps,
) -> Result<Value, Refusal> {
    lacks(request, gaps)?;
    let mut body = Object::default()
        .with("model", options.model.as_str())
        .maybe("instructions", turns::instructions(&request.messages))
        .with("input", turns::write(&request.messages, gaps)?)
        .with("store", false);
    body.set_some("tools", request.tools.iter().map(tools::write).collect());
    body.set_maybe(
        "tool_choice",
        request.tool_choice.as_ref().map(tools::write_choice),
    );
    body.set_maybe("parallel_tool_calls", request.parallel_tools);
    body.set_maybe("text", text(request));
    body.set_maybe("reasoning", reasoning(request));
    body.set_some("include", include(request));
    body.set_maybe("max_output_tokens", request.max_tokens);
    body.set_maybe("temperature", request.temperature.clone());
    body.set_maybe("top_p", request.top_p.clone());
    body.set_maybe(
        "top_logprobs",
        request.top_logprobs.filter(|_| request.logprobs),
    );
    body.set_maybe("user", openai_chat::user(request));
    body.set_maybe("metadata", request.metadata.clone());
    body.set_maybe("prompt_cache_key", request.cache_key.clone());
    body.set_maybe("service_tier", request.service_tier.clone());
    body.set_maybe("stream", request.stream.then_some(true));
    Ok(body.into())
}

/// What this form has no word for. A penalty of zero is none.
fn lacks(request: &Request, gaps: &mut Gaps) -> Result<(), Refusal> {
    let penalises = |penalty: &Option<Number>| {
        penalty
            .as_ref()
            .is_some_and(|one| one.as_f64() != Some(0.0))
    };
    gaps.lacks_if(
        request.candidates.is_some_and(|count| count > 1),
        Feature::Candidates,
    )?;
    gaps.lacks_if(request.top_k.is_some(), Feature::TopK)?;
    gaps.lacks_if(request.seed.is_some(), Feature::Seed)?;
    gaps.lacks_if(
        penalises(&request.frequency_penalty),
        Feature::FrequencyPenalty,
    )?;
    gaps.lacks_if(
        penalises(&request.presence_penalty),
        Feature::PresencePenalty,
    )?;
    gaps.lacks_if(request.modes.has_images(), Feature::Images)?;
    gaps.lacks_if(!request.stop.is_empty(), Feature::Stop)
}

fn text(request: &Request) -> Option<Object> {
    let format = match &request.output {
        Output::Text => None,
        Output::Json => Some(json!({"type": "json_object"})),
        Output::Schema(schema) => Some(json_schema(schema)),
    };
    let text = Object::default()
        .maybe("format", format)
        .maybe("verbosity", request.verbosity.clone());
    (!text.is_empty()).then_some(text)
}

fn json_schema(schema: &Schema) -> Value {
    Object::typed("json_schema")
        .with("name", schema.name.as_deref().unwrap_or(SCHEMA_NAME))
        .maybe("description", schema.description.clone())
        .with("schema", schema.schema.clone())
        .maybe("strict", schema.strict)
        .into()
}

fn reasoning(request: &Request) -> Option<Object> {
    let asked = &request.reasoning;
    let shown = asked.shown.filter(|shown| *shown && !asked.is_off());
    let how = Object::default()
        .maybe("effort", asked.effort())
        .maybe("summary", shown.map(|_| "auto"));
    (!how.is_empty()).then_some(how)
}

fn include(request: &Request) -> Vec<Value> {
    let asked = &request.reasoning;
    let thinks = !asked.is_unsaid() && !asked.is_off();
    let sealed = thinks.then(|| "reasoning.encrypted_content".into());
    sealed
        .into_iter()
        .chain(request.logprobs.then(|| INCLUDE_LOGPROBS.into()))
        .collect()
}
