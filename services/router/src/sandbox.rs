//! The built-in provider: answers in OpenAI's form, deterministic, without network, so that keys,
//! routing, streaming and charging can be tried with no account anywhere. It stands behind the same
//! seam as the providers reached by HTTP, so nothing about it is special but the absence of a wire.

mod answer;
mod body;
mod embeddings;
mod words;

use std::time::Duration;

use http::{Response, StatusCode};
use keyward_secret::Secret;

use crate::domain::form::Form;
use crate::domain::request::UpstreamBody;
pub(crate) use body::SandboxBody;

/// What `sandbox/lorem` answers where the caller sets no bound.
pub(crate) const LOREM_WORDS_DEFAULT: u64 = 64;
/// The most words that are made up: an answer should fit in memory many times.
pub(crate) const LOREM_WORDS_MAX: u64 = 100_000;
/// The pause of `sandbox/slow` between two words.
const SLOW_PAUSE: Duration = Duration::from_millis(50);
/// What a sandbox key looks like.
pub(crate) const KEY_PREFIX: &str = "sk-sandbox-";
/// What the names of the sandbox's models begin with.
const MODEL_PREFIX: &str = "sandbox/";

/// What a model of the sandbox does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Answers with the last user message.
    Echo,
    /// The same, slowly.
    Slow,
    /// Answers with as many words as are asked for.
    Lorem,
    /// Fails with this status.
    Status(u16),
    /// Never answers.
    Hang,
    /// Closes in mid-stream.
    Cut,
}

impl Behaviour {
    /// What a model does, by its name with or without the prefix; `None` for one there is not.
    pub(crate) fn of(model: &str) -> Option<Self> {
        match bare_name(model) {
            "echo" => Some(Self::Echo),
            "slow" => Some(Self::Slow),
            "lorem" => Some(Self::Lorem),
            "hang" => Some(Self::Hang),
            "cut" => Some(Self::Cut),
            name => {
                let status = name.strip_prefix("status-")?.parse().ok()?;
                (400..600).contains(&status).then_some(Self::Status(status))
            }
        }
    }
}

fn bare_name(model: &str) -> &str {
    model.strip_prefix(MODEL_PREFIX).unwrap_or(model)
}

fn failure(status: u16, kind: &str, code: &str, message: &str) -> Response<SandboxBody> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    SandboxBody::failure(status, kind, code, message)
}

/// What is answered whatever is asked, by the key.
fn refused(key: &Secret) -> Option<Response<SandboxBody>> {
    let (status, kind, code, message) = match key.expose() {
        "sk-sandbox-revoked" => (
            401,
            "authentication_error",
            "invalid_api_key",
            "the key was revoked",
        ),
        "sk-sandbox-empty" => (
            402,
            "insufficient_quota",
            "insufficient_credits",
            "no credit is left",
        ),
        "sk-sandbox-limited" => (
            429,
            "rate_limit_error",
            "rate_limit_exceeded",
            "too many requests",
        ),
        key if !key.starts_with(KEY_PREFIX) => (
            401,
            "authentication_error",
            "invalid_api_key",
            "not a sandbox key",
        ),
        _ => return None,
    };
    Some(failure(status, kind, code, message))
}

/// Says whether it takes a key, and what can be asked with it: its models, in OpenAI's form.
pub(crate) fn about(key: &Secret) -> Response<SandboxBody> {
    refused(key).unwrap_or_else(|| {
        let model = |name: &&str| serde_json::json!({"id": format!("{MODEL_PREFIX}{name}")});
        let models: Vec<_> = ["echo", "lorem", "slow"].iter().map(model).collect();
        SandboxBody::json(&serde_json::json!({"object": "list", "data": models}))
    })
}

/// Answers one request, or never.
pub(crate) async fn answer(form: Form, key: &Secret, body: &UpstreamBody) -> Response<SandboxBody> {
    if let Some(refused) = refused(key) {
        return refused;
    }
    let body = body.to_bytes();
    let read = match form {
        Form::Embeddings => embeddings::Asked::read(&body).map(Asked::Embeddings),
        _ => answer::Asked::read(&body).map(Asked::Chat),
    };
    let Some(asked) = read else {
        return failure(
            400,
            "invalid_request_error",
            "invalid_request",
            "the sandbox cannot read this request",
        );
    };
    match (Behaviour::of(asked.model()), asked) {
        (None, asked) => {
            let message = format!("the sandbox has no model {:?}", asked.model());
            failure(404, "invalid_request_error", "model_not_found", &message)
        }
        (Some(Behaviour::Status(status)), _) => {
            let message = format!("the sandbox was asked to fail with {status}");
            failure(
                status,
                "sandbox_error",
                &format!("status_{status}"),
                &message,
            )
        }
        (Some(Behaviour::Hang), _) => std::future::pending().await,
        (Some(_), Asked::Embeddings(asked)) => asked.into_response(),
        (Some(Behaviour::Echo), Asked::Chat(asked)) => asked.echo().into_response(),
        (Some(Behaviour::Slow), Asked::Chat(asked)) => {
            asked.echo().pausing(SLOW_PAUSE).into_response()
        }
        (Some(Behaviour::Cut), Asked::Chat(asked)) => asked.echo().cut().into_response(),
        (Some(Behaviour::Lorem), Asked::Chat(asked)) => asked.lorem().into_response(),
    }
}

/// What the sandbox was asked.
enum Asked {
    Chat(answer::Asked),
    Embeddings(embeddings::Asked),
}

impl Asked {
    fn model(&self) -> &str {
        match self {
            Self::Chat(asked) => &asked.model,
            Self::Embeddings(asked) => &asked.model,
        }
    }
}

#[cfg(test)]
mod tests;
