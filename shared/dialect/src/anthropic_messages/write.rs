//! Writing a request.

use serde_json::{Value, json};

use super::{thinking, tools, turns};
use crate::canonical::{Output, Request};
use crate::form::Feature;
use crate::gaps::Gaps;
use crate::json::Object;
use crate::refusal::Refusal;
use crate::translate::Options;

/// The longest name of a user that Anthropic takes, in characters.
const USER_CHARS_MAX: usize = 256;

/// Writes a request.
pub(crate) fn write(
    request: &Request,
    options: &Options,
    gaps: &mut Gaps,
) -> Result<Value, Refusal> {
    lacks(request, gaps)?;
    let most = request.max_tokens.unwrap_or(options.max_tokens);
    let mut body = Object::default()
        .with("model", options.model.as_str())
        .with("max_tokens", most)
        .maybe("system", turns::system(&request.messages, gaps)?)
        .with("messages", turns::write(&request.messages, gaps)?);
    body.set_some("tools", request.tools.iter().map(tools::write).collect());
    let choice = request.tool_choice.as_ref();
    let choice = tools::write_choice(choice, request.parallel_tools, !request.tools.is_empty());
    body.set_maybe("tool_choice", choice);
    let (thinking, effort) = thinking::write(request, options.adaptive_thinking, most);
    body.set_maybe("thinking", thinking);
    body.set_maybe("output_config", output_config(&request.output, effort));
    body.set_some(
        "stop_sequences",
        request.stop.iter().cloned().map(Value::from).collect(),
    );
    body.set_maybe("temperature", request.temperature.clone());
    body.set_maybe("top_p", request.top_p.clone());
    body.set_maybe("top_k", request.top_k.clone());
    let user = request.user.as_deref().filter(|user| is_opaque(user));
    body.set_maybe("metadata", user.map(|user| json!({"user_id": user})));
    body.set_maybe("stream", request.stream.then_some(true));
    Ok(body.into())
}

/// Whether a name says nothing of a person: Anthropic refuses requests with mail addresses, and with
/// what is longer than any id.
fn is_opaque(user: &str) -> bool {
    !user.contains('@') && user.chars().count() <= USER_CHARS_MAX
}

/// What this form has no word for. A penalty of zero is none.
fn lacks(request: &Request, gaps: &mut Gaps) -> Result<(), Refusal> {
    let penalises = |penalty: &Option<serde_json::Number>| {
        penalty
            .as_ref()
            .is_some_and(|penalty| penalty.as_f64() != Some(0.0))
    };
    gaps.lacks_if(
        request.candidates.is_some_and(|count| count > 1),
        Feature::Candidates,
    )?;
    gaps.lacks_if(request.seed.is_some(), Feature::Seed)?;
    gaps.lacks_if(request.asks_another_tier(), Feature::ServiceTier)?;
    gaps.lacks_if(
        penalises(&request.frequency_penalty),
        Feature::FrequencyPenalty,
    )?;
    gaps.lacks_if(
        penalises(&request.presence_penalty),
        Feature::PresencePenalty,
    )?;
    let wants_logprobs = request.logprobs || request.top_logprobs.is_some_and(|count| count > 0);
    gaps.lacks_if(wants_logprobs, Feature::Logprobs)?;
    gaps.lacks_if(request.output == Output::Json, Feature::JsonMode)?;
    gaps.lacks_if(request.modes.has_images(), Feature::Images)?;
    gaps.lacks_if(request.verbosity.is_some(), Feature::Verbosity)
}

fn output_config(output: &Output, effort: Option<Value>) -> Option<Object> {
    let mut config = Object::default().maybe("effort", effort);
    if let Output::Schema(schema) = output {
        config.set(
            "format",
            json!({"type": "json_schema", "schema": schema.schema}),
        );
    }
    (!config.is_empty()).then_some(config)
}
