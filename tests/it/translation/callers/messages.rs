//! Anthropic's messages.

use serde_json::{Value, json};

use super::super::said::{
    Asked, Call, QUESTION, RESULTS, Said, Stop, TOOL, Used, arguments, count, items, schema, text,
};
use super::Caller;

pub(in super::super) struct Messages;

impl Caller for Messages {
    fn path(&self, _: &str, _: bool) -> String {
        "/v1/messages".to_owned()
    }

    fn body(&self, model: &str, asked: Asked, stream: bool) -> Value {
        let mut messages = vec![json!({"role": "user", "content": QUESTION})];
        if asked == Asked::Results {
            let calls = RESULTS.map(|(id, city, _)| {
                json!({"type": "tool_use", "id": id, "name": TOOL, "input": {"city": city}})
            });
            messages.push(json!({"role": "assistant", "content": calls}));
            let results = RESULTS.map(|(id, _, brought)| {
                json!({"type": "tool_result", "tool_use_id": id, "content": brought})
            });
            messages.push(json!({"role": "user", "content": results}));
        }
        let mut body = json!({
            "model": model, "max_tokens": 64, "messages": messages, "stream": stream,
        });
        if asked.has_tools() {
            body["tools"] = json!([{"name": TOOL, "input_schema": schema()}]);
        }
        body
    }

    fn plain(&self, answer: &Value) -> Said {
        let blocks = || items(&answer["content"]);
        let calls = blocks().filter(|block| block["type"] == "tool_use");
        Said {
            text: blocks().map(|block| text(&block["text"])).collect(),
            calls: calls
                .map(|call| Call::new(text(&call["name"]), call["input"].clone()))
                .collect(),
            stop: stop(&answer["stop_reason"]),
            used: used(&answer["usage"]),
        }
    }

    fn streamed(&self, events: &[Value]) -> Said {
        let of = |kind: &'static str| events.iter().filter(move |event| event["type"] == kind);
        let begun = of("content_block_start");
        let begun = begun.filter(|event| event["content_block"]["type"] == "tool_use");
        let calls = begun.map(|event| {
            let pieces = of("content_block_delta");
            let pieces = pieces.filter(|piece| piece["index"] == event["index"]);
            let json: String = pieces
                .map(|piece| text(&piece["delta"]["partial_json"]))
                .collect();
            Call::new(text(&event["content_block"]["name"]), arguments(&json))
        });
        let last = of("message_delta").next_back().unwrap();
        let deltas = of("content_block_delta");
        Said {
            text: deltas.map(|event| text(&event["delta"]["text"])).collect(),
            calls: calls.collect(),
            stop: stop(&last["delta"]["stop_reason"]),
            used: used(&last["usage"]),
        }
    }

    fn ends(&self, event: &Value) -> bool {
        let kind = event["type"].as_str();
        matches!(kind, Some("message_stop" | "message_delta"))
    }

    fn error(&self, answer: &Value) -> Option<String> {
        let error = &answer["error"];
        let is_one = answer["type"] == "error" && error["type"].is_string();
        is_one.then(|| error["message"].as_str().map(str::to_owned))?
    }
}

fn stop(reason: &Value) -> Stop {
    match reason.as_str() {
        Some("end_turn") => Stop::End,
        Some("max_tokens") => Stop::Length,
        Some("tool_use") => Stop::Calls,
        _ => panic!("no such stop: {reason}"),
    }
}

fn used(usage: &Value) -> Used {
    let reasoning = count(&usage["output_tokens_details"]["thinking_tokens"]);
    Used {
        input: count(&usage["input_tokens"]),
        cache_read: count(&usage["cache_read_input_tokens"]),
        cache_write: count(&usage["cache_creation_input_tokens"]),
        output: count(&usage["output_tokens"]) - reasoning,
        reasoning,
    }
}
