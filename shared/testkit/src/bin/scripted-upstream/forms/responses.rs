//! OpenAI's responses.

use serde_json::{Value, json};

use super::{TOKENS, halves, typed};
use crate::asked::Asked;
use crate::play::Events;
use crate::scenario::Said;

pub(super) fn plain(asked: &Asked, said: &Said) -> Value {
    response(asked, "completed", &items(said))
}

pub(super) fn events(asked: &Asked, said: &Said) -> Events {
    let begun = response(asked, "in_progress", &[]);
    let whole = response(asked, "completed", &items(said));
    let items = items(said).into_iter().enumerate();
    let mut events = vec![json!({"type": "response.created", "response": begun})];
    let opening = events.len();
    for (index, item) in items {
        let is_message = item["type"] == "message";
        let mut added = item.clone();
        added["status"] = json!("in_progress");
        match is_message {
            true => added["content"] = json!([]),
            false => added["arguments"] = json!(""),
        }
        events.push(json!({
            "type": "response.output_item.added", "output_index": index, "item": added,
        }));
        match is_message {
            true => events.extend(text(index, &item, said)),
            false => events.extend(arguments(index, &item)),
        }
        events.push(json!({
            "type": "response.output_item.done", "output_index": index, "item": item,
        }));
    }
    let closing = events.len();
    events.push(json!({"type": "response.completed", "response": whole}));
    numbered(events, opening, closing)
}

/// The same with the number of each event in it.
fn numbered(events: Vec<Value>, opening: usize, closing: usize) -> Events {
    let events = events.into_iter().enumerate();
    let mut events = events.map(|(number, mut event)| {
        event["sequence_number"] = json!(number);
        typed(&event)
    });
    Events {
        opening: events.by_ref().take(opening).collect(),
        pieces: events.by_ref().take(closing - opening).collect(),
        closing: events.collect(),
    }
}

fn response(asked: &Asked, status: &str, output: &[Value]) -> Value {
    let usage = json!({
        "input_tokens": TOKENS.0, "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": TOKENS.1, "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": TOKENS.0 + TOKENS.1,
    });
    json!({
        "id": "resp_scenario", "object": "response", "created_at": 1_700_000_000, "status": status,
        "model": asked.model, "output": output, "error": null, "incomplete_details": null,
        "instructions": null, "metadata": {}, "parallel_tool_calls": true, "tool_choice": "auto",
        "tools": [], "temperature": 1.0, "top_p": 1.0,
        "usage": (status == "completed").then_some(usage),
    })
}

fn items(said: &Said) -> Vec<Value> {
    let message = said.text().map(|text| {
        json!({
            "type": "message", "id": "msg_scenario", "role": "assistant", "status": "completed",
            "content": [part(text)],
        })
    });
    let calls = said.calls().map(|(index, name, arguments)| {
        json!({
            "type": "function_call", "id": format!("fc_{index}"), "status": "completed",
            "call_id": format!("call_{index}"), "name": name, "arguments": arguments,
        })
    });
    message.into_iter().chain(calls).collect()
}

fn part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": []})
}

fn text(index: usize, item: &Value, said: &Said) -> Vec<Value> {
    let event = |kind: &str, name: &str, value: Value| {
        let mut event = json!({
            "type": format!("response.{kind}"), "item_id": item["id"], "output_index": index,
            "content_index": 0,
        });
        event[name] = value;
        event
    };
    let whole = said.text().unwrap_or_default();
    let mut events = vec![event("content_part.added", "part", part(""))];
    events.extend(said.words().map(|word| {
        let mut delta = event("output_text.delta", "delta", json!(word));
        delta["logprobs"] = json!([]);
        delta
    }));
    events.push(event("output_text.done", "text", json!(whole)));
    events.push(event("content_part.done", "part", part(whole)));
    events
}

fn arguments(index: usize, item: &Value) -> Vec<Value> {
    let event = |kind: &str, name: &str, value: &str| {
        json!({
            "type": format!("response.function_call_arguments.{kind}"), "item_id": item["id"],
            "output_index": index, name: value,
        })
    };
    let whole = item["arguments"].as_str().unwrap_or_default();
    let pieces = halves(whole).map(|piece| event("delta", "delta", piece));
    let done = event("done", "arguments", whole);
    pieces.into_iter().chain([done]).collect()
}
