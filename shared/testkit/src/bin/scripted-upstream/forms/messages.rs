//! Anthropic's messages.

use serde_json::{Value, json};

use super::{TOKENS, halves, typed};
use crate::asked::Asked;
use crate::play::Events;
use crate::scenario::Said;

pub(super) fn plain(asked: &Asked, said: &Said) -> Value {
    let text = said
        .text()
        .map(|text| json!({"type": "text", "text": text}));
    let calls = said.calls().map(|(index, name, arguments)| {
        let mut block = tool_use(index, name);
        block["input"] = serde_json::from_str(arguments).expect("arguments");
        block
    });
    let content: Vec<Value> = text.into_iter().chain(calls).collect();
    let mut message = message(asked, &content, TOKENS.1);
    message["stop_reason"] = json!(stop(said));
    message
}

pub(super) fn events(asked: &Asked, said: &Said) -> Events {
    let start = json!({"type": "message_start", "message": message(asked, &[], 1)});
    let pieces = match said.text() {
        Some(_) => {
            let words = said
                .words()
                .map(|word| json!({"type": "text_delta", "text": word}));
            block(0, &json!({"type": "text", "text": ""}), words.collect())
        }
        None => said.calls().flat_map(call).collect(),
    };
    let delta = json!({
        "type": "message_delta",
        "usage": {"input_tokens": TOKENS.0, "output_tokens": TOKENS.1},
        "delta": {"stop_reason": stop(said), "stop_sequence": null},
    });
    Events {
        opening: vec![typed(&start), typed(&json!({"type": "ping"}))],
        pieces,
        closing: vec![typed(&delta), typed(&json!({"type": "message_stop"}))],
    }
}

/// What an error of this status is called.
pub(super) fn kind(status: u16) -> &'static str {
    match status {
        404 => "not_found_error",
        429 => "rate_limit_error",
        400..500 => "invalid_request_error",
        _ => "api_error",
    }
}

fn message(asked: &Asked, content: &[Value], output_tokens: u32) -> Value {
    json!({
        "id": "msg_scenario", "type": "message", "role": "assistant", "model": asked.model,
        "content": content, "stop_reason": null, "stop_sequence": null,
        "usage": {"input_tokens": TOKENS.0, "output_tokens": output_tokens},
    })
}

fn tool_use(index: usize, name: &str) -> Value {
    json!({"type": "tool_use", "id": format!("toolu_{index}"), "name": name, "input": {}})
}

fn call((index, name, arguments): (usize, &str, &str)) -> Vec<String> {
    let delta = |piece| json!({"type": "input_json_delta", "partial_json": piece});
    block(
        index,
        &tool_use(index, name),
        halves(arguments).map(delta).into(),
    )
}

fn block(index: usize, start: &Value, deltas: Vec<Value>) -> Vec<String> {
    let start = json!({"type": "content_block_start", "index": index, "content_block": start});
    let stop = json!({"type": "content_block_stop", "index": index});
    let deltas = deltas.into_iter();
    let deltas =
        deltas.map(|delta| json!({"type": "content_block_delta", "index": index, "delta": delta}));
    let all = std::iter::once(start).chain(deltas);
    all.chain([stop]).map(|event| typed(&event)).collect()
}

fn stop(said: &Said) -> &'static str {
    match said.is_calls() {
        true => "tool_use",
        false => "end_turn",
    }
}
