//! Answers, streams and errors as each form has them.

mod chat;
mod generate;
mod messages;
mod responses;

use serde_json::{Value, json};

use crate::asked::Asked;
use crate::call::Verb;
use crate::play::Events;
use crate::scenario::{Failure, Said};

/// The same for every scenario: what is counted here is tested elsewhere.
const TOKENS: (u32, u32) = (5, 3);

/// An answer in one piece.
pub(crate) fn plain(verb: Verb, asked: &Asked, said: &Said) -> Value {
    match verb {
        Verb::Messages => messages::plain(asked, said),
        Verb::Generate { .. } => generate::plain(asked, said),
        Verb::Responses => responses::plain(asked, said),
        _ => chat::plain(asked, said),
    }
}

/// An answer as it is made.
pub(crate) fn events(verb: Verb, asked: &Asked, said: &Said) -> Events {
    match verb {
        Verb::Messages => messages::events(asked, said),
        Verb::Generate { .. } => generate::events(asked, said),
        Verb::Responses => responses::events(asked, said),
        _ => chat::events(asked, said),
    }
}

/// An error.
pub(crate) fn error(verb: Verb, failure: &Failure) -> Value {
    let Failure { code, message, .. } = failure;
    match verb {
        Verb::Messages => json!({
            "type": "error", "error": {"type": messages::kind(failure.status), "message": message},
        }),
        Verb::Generate { .. } => json!({"error": {
            "code": failure.status, "message": message, "status": generate::kind(failure.status),
        }}),
        _ => json!({"error": {
            "message": message, "type": "scenario_error", "param": null, "code": code,
        }}),
    }
}

/// An event whose type says what it is.
fn typed(event: &Value) -> String {
    let kind = event["type"].as_str().unwrap_or_default();
    format!("event: {kind}\ndata: {event}\n\n")
}

/// An event without a name.
fn data(event: &Value) -> String {
    format!("data: {event}\n\n")
}

/// A text in two pieces, as arguments come.
fn halves(text: &str) -> [&str; 2] {
    text.split_at(text.len() / 2).into()
}
