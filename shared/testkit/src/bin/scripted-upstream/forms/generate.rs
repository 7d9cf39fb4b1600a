//! Gemini's answers.

use serde_json::{Value, json};

use super::{TOKENS, data};
use crate::asked::Asked;
use crate::play::Events;
use crate::scenario::Said;

pub(super) fn plain(asked: &Asked, said: &Said) -> Value {
    let text = said.text().map(|text| json!({"text": text}));
    let parts: Vec<Value> = text.into_iter().chain(calls(said)).collect();
    answer(asked, &parts, Some("STOP"))
}

/// Calls come whole, and the reason to stop with an empty text, as real streams end.
pub(super) fn events(asked: &Asked, said: &Said) -> Events {
    let parts = said.words().map(|word| json!({"text": word}));
    let pieces = parts.chain(calls(said));
    Events {
        opening: Vec::new(),
        pieces: pieces
            .map(|part| data(&answer(asked, &[part], None)))
            .collect(),
        closing: vec![data(&answer(asked, &[json!({"text": ""})], Some("STOP")))],
    }
}

/// What an error of this status is called.
pub(super) fn kind(status: u16) -> &'static str {
    match status {
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        400..500 => "INVALID_ARGUMENT",
        _ => "INTERNAL",
    }
}

fn calls(said: &Said) -> impl Iterator<Item = Value> {
    said.calls().map(|(_, name, arguments)| {
        let arguments: Value = serde_json::from_str(arguments).expect("arguments");
        json!({"functionCall": {"name": name, "args": arguments}})
    })
}

fn answer(asked: &Asked, parts: &[Value], finish: Option<&str>) -> Value {
    let mut candidate = json!({"index": 0, "content": {"role": "model", "parts": parts}});
    let mut usage = json!({"promptTokenCount": TOKENS.0, "totalTokenCount": TOKENS.0});
    if let Some(finish) = finish {
        candidate["finishReason"] = json!(finish);
        usage["candidatesTokenCount"] = json!(TOKENS.1);
        usage["totalTokenCount"] = json!(TOKENS.0 + TOKENS.1);
    }
    json!({
        "candidates": [candidate], "usageMetadata": usage, "modelVersion": asked.model,
        "responseId": "response-scenario",
    })
}
