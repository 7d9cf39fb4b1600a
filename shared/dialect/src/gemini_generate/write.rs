//! Writing a request.

use serde_json::{Value, json};

use super::request::ADAPTIVE_BUDGET;
use super::{WITH_IMAGES, tools, turns};
use crate::canonical::{Output, Reasoning, Request};
use crate::form::Feature;
use crate::gaps::Gaps;
use crate::json::Object;
use crate::refusal::Refusal;
use crate::translate::Options;

/// Writes a request. The model and whether the answer is streamed are said by the path.
pub(crate) fn write(
    request: &Request,
    options: &Options,
    gaps: &mut Gaps,
) -> Result<Value, Refusal> {
    gaps.lacks_if(
        request.parallel_tools == Some(false),
        Feature::ParallelTools,
    )?;
    gaps.lacks_if(request.verbosity.is_some(), Feature::Verbosity)?;
    gaps.lacks_if(request.asks_another_tier(), Feature::ServiceTier)?;
    let signs = options.model.contains("gemini-3");
    let mut body = Object::default()
        .with("contents", turns::write(&request.messages, signs, gaps)?)
        .maybe("systemInstruction", turns::system(&request.messages, gaps)?)
        .maybe("tools", tools::write(&request.tools));
    let choice = request
        .tool_choice
        .as_ref()
        .filter(|_| !request.tools.is_empty());
    body.set_maybe("toolConfig", choice.map(tools::write_choice));
    let config = config(request);
    if !config.is_empty() {
        body.set("generationConfig", config);
    }
    Ok(body.into())
}

fn config(request: &Request) -> Object {
    let mut config = Object::default();
    config.set_some(
        "stopSequences",
        request.stop.iter().cloned().map(Value::from).collect(),
    );
    if request.output != Output::Text {
        config.set("responseMimeType", "application/json");
    }
    if let Output::Schema(schema) = &request.output {
        config.set("responseJsonSchema", schema.schema.clone());
    }
    if request.modes.has_images() {
        config.set("responseModalities", json!(WITH_IMAGES));
    }
    config.set_maybe("candidateCount", request.candidates);
    config.set_maybe("maxOutputTokens", request.max_tokens);
    config.set_maybe("temperature", request.temperature.clone());
    config.set_maybe("topP", request.top_p.clone());
    config.set_maybe("topK", request.top_k.clone());
    config.set_maybe("seed", request.seed.clone());
    config.set_maybe("presencePenalty", request.presence_penalty.clone());
    config.set_maybe("frequencyPenalty", request.frequency_penalty.clone());
    config.set_maybe("responseLogprobs", request.logprobs.then_some(true));
    config.set_maybe(
        "logprobs",
        request.top_logprobs.filter(|_| request.logprobs),
    );
    config.set_maybe("thinkingConfig", thinking(&request.reasoning));
    config
}

/// Thought by a budget of tokens: every model that thinks knows it.
fn thinking(asked: &Reasoning) -> Option<Object> {
    let shown = asked.shown.filter(|_| !asked.is_off());
    let budget = asked.budget().map(Value::from);
    let adaptive = asked.adaptive.then(|| ADAPTIVE_BUDGET.into());
    let config = Object::default()
        .maybe("thinkingBudget", budget.or(adaptive))
        .maybe("includeThoughts", shown);
    (!config.is_empty()).then_some(config)
}
