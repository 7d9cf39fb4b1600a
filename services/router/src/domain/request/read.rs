//! Reads a request's body: every fault names the member that it is in.

use bytes::Bytes;
use keyward_secret::Secret;

use super::grammar::Grammar;
use super::members::{self, Member, Members};
use super::parts::Parts;
use super::{Arrived, ModelRequest, RequestError};
use crate::domain::form::Form;

/// More choices than this are a mistake, and would make every estimate absurd; OpenAI's own limit.
const CHOICES_MAX: u64 = 128;
/// Longer names are nobody's; keeps logs and errors readable.
const MODEL_NAME_BYTES_MAX: usize = 256;
/// The longest list of models to fall back to: OpenRouter takes a handful.
const MODELS_BYTES_MAX: usize = 16 * 1024;

impl ModelRequest {
    /// Reads a request.
    pub fn parse(arrived: Arrived) -> Result<Self, RequestError> {
        let Arrived {
            form,
            model,
            content_type,
            events,
            body,
        } = arrived;
        if form.is_multipart() && Parts::are_in(&content_type) {
            return in_parts(form, content_type, body);
        }
        let events = events || form != Form::StreamGenerateContent;
        let grammar = Grammar::of(form);
        let text = std::str::from_utf8(&body)
            .map_err(|_| RequestError::new(None, "the body is not valid UTF-8"))?;
        let members = Members::read(text, &grammar)?;
        let models = models(&members, text)?;
        let named = match model.is_empty() {
            true => string(&members, text, Member::Model)?,
            false => Some(model),
        };
        let named = named.map(|model| ("model", model));
        let first = models.first().map(|model| ("models", model.clone()));
        let usual = || Some(("model", form.usual_model()?.to_owned()));
        let model = checked_model(named.or(first).or_else(usual))?;
        grammar.prompt.check(&members, text)?;
        Ok(Self {
            form,
            model,
            content_type: String::new(),
            stream: is_stream(form, &members, text)?,
            events,
            include_usage: include_usage(&members, text)?,
            max_output_tokens: bound(&grammar, &members, text)?,
            choices: choices(&members, text)?,
            models,
            inline_key: inline_key(&members, text)?,
            drop_params: boolean(&members, text, Member::DropParams)?,
            members,
            parts: None,
            body,
        })
    }
}

/// The same of a body in parts.
fn in_parts(form: Form, content_type: String, body: Bytes) -> Result<ModelRequest, RequestError> {
    let parts = Parts::read(&content_type, &body)?;
    let text = |member: Member| parts.text(member.name(), &body);
    let model = text(Member::Model)?.or(form.usual_model());
    let model = checked_model(model.map(|model| ("model", model.to_owned())))?;
    let key = text(Member::InlineKey)?.map(|key| Secret::new(key.trim()));
    let choices = text(Member::Choices)?.map(|raw| raw.trim().parse().unwrap_or(0));
    Ok(ModelRequest {
        model,
        stream: text(Member::Stream)?.is_some_and(|stream| stream == "true"),
        choices: checked_choices(choices.unwrap_or(1))?,
        inline_key: key.filter(|key| !key.is_empty()),
        drop_params: text(Member::DropParams)?.map(|drop| drop == "true"),
        form,
        content_type,
        events: true,
        include_usage: false,
        max_output_tokens: None,
        models: Vec::new(),
        members: Members::default(),
        parts: Some(parts),
        body,
    })
}

fn checked_model(found: Option<(&'static str, String)>) -> Result<String, RequestError> {
    let unnamed = || RequestError::new(Some("model"), "`model` is missing: name the model to call");
    let (name, model) = found.ok_or_else(unnamed)?;
    let refused = |what: &str| RequestError::new(Some(name), format!("`{name}` {what}"));
    if model.trim().is_empty() {
        return Err(refused("must not be empty"));
    }
    if model.len() > MODEL_NAME_BYTES_MAX || model.chars().any(char::is_control) {
        return Err(refused("is not a name of a model"));
    }
    Ok(model)
}

fn is_stream(form: Form, members: &Members, text: &str) -> Result<bool, RequestError> {
    match form {
        Form::StreamGenerateContent => Ok(true),
        Form::Speech => {
            let format = string(members, text, Member::StreamFormat)?;
            Ok(format.is_some_and(|format| format == "sse"))
        }
        _ => Ok(boolean(members, text, Member::Stream)?.unwrap_or(false)),
    }
}

/// The most tokens of one answer.
fn bound(grammar: &Grammar, members: &Members, text: &str) -> Result<Option<u64>, RequestError> {
    let mut found = None;
    for member in grammar.bounds {
        let given = count(members, text, *member)?;
        found = found.or(given);
    }
    let config = members.raw(Member::GenerationConfig, text);
    Ok(found.or_else(|| config.and_then(configured_bound)))
}

/// The same as Gemini's forms have it. What is wrong there is the provider's to say.
fn configured_bound(config: &str) -> Option<u64> {
    let find = |name| {
        members::find(config, name, "generationConfig")
            .ok()
            .flatten()
    };
    let span = find("maxOutputTokens").or_else(|| find("max_output_tokens"))?;
    config.get(span)?.parse().ok()
}

fn choices(members: &Members, text: &str) -> Result<u64, RequestError> {
    checked_choices(count(members, text, Member::Choices)?.unwrap_or(1))
}

fn checked_choices(choices: u64) -> Result<u64, RequestError> {
    if choices == 0 || choices > CHOICES_MAX {
        return Err(RequestError::new(
            Some("n"),
            "`n` must be between 1 and 128",
        ));
    }
    Ok(choices)
}

fn inline_key(members: &Members, text: &str) -> Result<Option<Secret>, RequestError> {
    Ok(string(members, text, Member::InlineKey)?
        .map(Secret::new)
        .map(|key| Secret::new(key.expose().trim()))
        .filter(|key| !key.is_empty()))
}

fn models(members: &Members, text: &str) -> Result<Vec<String>, RequestError> {
    match members.raw(Member::Models, text) {
        None | Some("null") => Ok(Vec::new()),
        Some(raw) if raw.len() > MODELS_BYTES_MAX => {
            Err(RequestError::new(Some("models"), "`models` is too long"))
        }
        Some(raw) => serde_json::from_str(raw)
            .map_err(|_| wrong_type(Member::Models, "a list of names of models")),
    }
}

fn include_usage(members: &Members, text: &str) -> Result<bool, RequestError> {
    let Some(raw) = members.raw(Member::StreamOptions, text) else {
        return Ok(false);
    };
    if raw == "null" {
        return Ok(false);
    }
    if !raw.starts_with('{') {
        return Err(RequestError::new(
            Some("stream_options"),
            "`stream_options` must be an object or null",
        ));
    }
    match members::find(raw, "include_usage", "stream_options")?.map(|span| &raw[span]) {
        None | Some("null" | "false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(RequestError::new(
            Some("stream_options"),
            "`stream_options.include_usage` must be true or false",
        )),
    }
}

fn boolean(members: &Members, text: &str, member: Member) -> Result<Option<bool>, RequestError> {
    match members.raw(member, text) {
        None | Some("null") => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(_) => Err(wrong_type(member, "true or false")),
    }
}

fn count(members: &Members, text: &str, member: Member) -> Result<Option<u64>, RequestError> {
    match members.raw(member, text) {
        None | Some("null") => Ok(None),
        Some(raw) => raw
            .parse()
            .map(Some)
            .map_err(|_| wrong_type(member, "a whole number, 0 or more")),
    }
}

fn string(members: &Members, text: &str, member: Member) -> Result<Option<String>, RequestError> {
    match members.raw(member, text) {
        None => Ok(None),
        Some("null") if member != Member::Model => Ok(None),
        Some(raw) => serde_json::from_str(raw)
            .map(Some)
            .map_err(|_| wrong_type(member, "a string")),
    }
}

fn wrong_type(member: Member, expected: &str) -> RequestError {
    let name = member.name();
    RequestError::new(Some(name), format!("`{name}` must be {expected}"))
}
