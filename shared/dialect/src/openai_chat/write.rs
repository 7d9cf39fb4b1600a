//! Writing a request.

use serde_json::{Value, json};

use super::request::IMAGE;
use super::{tools, turns};
use crate::canonical::{Output, Request, Schema};
use crate::form::Feature;
use crate::gaps::Gaps;
use crate::json::Object;
use crate::refusal::Refusal;
use crate::translate::{ChatFlavour, Options};

/// What a schema is called that has no name: this form wants one.
pub(crate) const SCHEMA_NAME: &str = "answer";

/// The longest name of a user that OpenAI takes, in characters.
const USER_CHARS_MAX: usize = 64;

/// Writes a request. A stream always tells its usage: it is metered by that.
pub(crate) fn write(
    request: &Request,
    options: &Options,
    gaps: &mut Gaps,
) -> Result<Value, Refusal> {
    let flavour = options.chat;
    let broad = flavour.is_broad();
    gaps.lacks_if(request.top_k.is_some() && !broad, Feature::TopK)?;
    gaps.lacks_if(request.modes.has_images() && !broad, Feature::Images)?;
    let mut body = Object::default()
        .with("model", options.model.as_str())
        .with("messages", turns::write(&request.messages, flavour, gaps)?);
    let written = request.tools.iter().map(|tool| tools::write(tool, broad));
    body.set_some("tools", written.collect());
    if !request.tools.is_empty() || flavour == ChatFlavour::Whole {
        // They are refused where there are no tools.
        let choice = request.tool_choice.as_ref().map(tools::write_choice);
        body.set_maybe("tool_choice", choice);
        body.set_maybe("parallel_tool_calls", request.parallel_tools);
    }
    body.set_maybe("response_format", format(&request.output));
    if request.modes.has_images() && broad {
        body.set("modalities", json!([IMAGE, "text"]));
    }
    reasoning(request, flavour, &mut body);
    sampling(request, flavour, &mut body);
    notes(request, flavour, &mut body);
    body.set_maybe("service_tier", service_tier(request, flavour));
    if request.stream {
        body.set("stream", true);
        body.set("stream_options", json!({"include_usage": true}));
    }
    Ok(body.into())
}

fn format(output: &Output) -> Option<Value> {
    match output {
        Output::Text => None,
        Output::Json => Some(json!({"type": "json_object"})),
        Output::Schema(schema) => {
            Some(json!({"type": "json_schema", "json_schema": json_schema(schema)}))
        }
    }
}

fn json_schema(schema: &Schema) -> Value {
    Object::default()
        .with("name", schema.name.as_deref().unwrap_or(SCHEMA_NAME))
        .maybe("description", schema.description.clone())
        .with("schema", schema.schema.clone())
        .maybe("strict", schema.strict)
        .into()
}

fn reasoning(request: &Request, flavour: ChatFlavour, body: &mut Object) {
    let asked = &request.reasoning;
    // Who reads OpenRouter's member takes thoughts to be shown unless it says otherwise.
    let says_more = asked.budget.is_some() || asked.shown.is_some() || asked.adaptive;
    let is_whole = flavour == ChatFlavour::Whole;
    if !flavour.is_broad() || is_whole && !says_more {
        // What is left to the model's own judgement needs no word here.
        return body.set_maybe("reasoning_effort", asked.effort());
    }
    let how = Object::default()
        .maybe("effort", asked.effort.clone())
        .maybe("max_tokens", asked.budget)
        .maybe("exclude", asked.shown.map(|shown| !shown))
        .maybe(
            if is_whole { "adaptive" } else { "enabled" },
            asked.adaptive.then_some(true),
        );
    if !how.is_empty() {
        body.set("reasoning", how);
    }
}

fn sampling(request: &Request, flavour: ChatFlavour, body: &mut Object) {
    let most = match flavour {
        ChatFlavour::OpenAi => "max_completion_tokens",
        _ => "max_tokens",
    };
    body.set_maybe(most, request.max_tokens);
    body.set_maybe("n", request.candidates);
    body.set_some(
        "stop",
        request.stop.iter().cloned().map(Value::from).collect(),
    );
    body.set_maybe("temperature", request.temperature.clone());
    body.set_maybe("top_p", request.top_p.clone());
    if flavour.is_broad() {
        body.set_maybe("top_k", request.top_k.clone());
    }
    body.set_maybe("frequency_penalty", request.frequency_penalty.clone());
    body.set_maybe("presence_penalty", request.presence_penalty.clone());
    body.set_maybe("seed", request.seed.clone());
    body.set_maybe("logprobs", request.logprobs.then_some(true));
    body.set_maybe("top_logprobs", request.top_logprobs);
    body.set_maybe("verbosity", request.verbosity.clone());
}

/// The usual tier needs no word with those who may not know the member.
fn service_tier(request: &Request, flavour: ChatFlavour) -> Option<String> {
    let knows = matches!(flavour, ChatFlavour::OpenAi | ChatFlavour::Whole);
    let tier = request.service_tier.clone();
    tier.filter(|_| knows || request.asks_another_tier())
}

/// What only OpenAI takes: others refuse members that they do not know.
fn notes(request: &Request, flavour: ChatFlavour, body: &mut Object) {
    if !matches!(flavour, ChatFlavour::OpenAi | ChatFlavour::Whole) {
        return;
    }
    let user = match flavour {
        ChatFlavour::Whole => request.user.as_deref(),
        _ => user(request),
    };
    body.set_maybe("user", user);
    body.set_maybe("metadata", request.metadata.clone());
    body.set_maybe("prompt_cache_key", request.cache_key.clone());
}

/// Who asks, where OpenAI takes the name; a longer one would have the request refused, and it changes
/// nothing in an answer.
pub(crate) fn user(request: &Request) -> Option<&str> {
    let user = request.user.as_deref()?;
    (user.chars().count() <= USER_CHARS_MAX).then_some(user)
}
