//! Anthropic's messages.

use serde_json::{Value, json};

use super::super::said::{Said, Stop, Used, items, text};
use super::{Models, Provider, halves};

pub(in super::super) struct Anthropic;

impl Provider for Anthropic {
    fn name(&self) -> &'static str {
        "anthropic"
    }

    fn models(&self) -> Models {
        Models {
            answering: "anthropic/claude-sonnet-4-5",
            breaking_off: "anthropic/claude-opus-4-5",
            refusing: "anthropic/claude-opus-4-1",
        }
    }

    fn path(&self, _: &str, _: bool) -> String {
        "/v1/messages".to_owned()
    }

    fn used(&self) -> Used {
        Used {
            input: 10,
            cache_read: 4,
            cache_write: 6,
            output: 7,
            reasoning: 3,
        }
    }

    fn plain(&self, said: &Said) -> Value {
        let mut content = vec![json!({"type": "text", "text": said.text})];
        content.extend(said.calls.iter().zip(0_u32..).map(|(call, number)| {
            let id = format!("toolu_{number}");
            json!({"type": "tool_use", "id": id, "name": call.name, "input": call.arguments})
        }));
        json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x",
            "content": content, "stop_reason": reason(said.stop), "stop_sequence": null,
            "usage": usage(said.used),
        })
    }

    fn begins(&self, said: &Said) -> Vec<String> {
        let mut used = usage(said.used);
        used["output_tokens"] = json!(1);
        used["output_tokens_details"] = Value::Null;
        let message = json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x",
            "content": [], "stop_reason": null, "stop_sequence": null, "usage": used,
        });
        let mut events = vec![json!({"type": "message_start", "message": message})];
        events.push(begin(0, &json!({"type": "text", "text": ""})));
        events.push(json!({"type": "ping"}));
        let pieces = halves(&said.text);
        events.extend(pieces.map(|piece| add(0, &json!({"type": "text_delta", "text": piece}))));
        events.push(json!({"type": "content_block_stop", "index": 0}));
        for (call, index) in said.calls.iter().zip(1_u32..) {
            let id = format!("toolu_{index}");
            let block = json!({"type": "tool_use", "id": id, "name": call.name, "input": {}});
            events.push(begin(index, &block));
            let json = call.arguments.to_string();
            let (one, other) = json.split_at(5);
            events.extend(["", one, other].map(|piece| {
                add(
                    index,
                    &json!({"type": "input_json_delta", "partial_json": piece}),
                )
            }));
            events.push(json!({"type": "content_block_stop", "index": index}));
        }
        events.iter().map(event).collect()
    }

    fn ends(&self, said: &Said) -> Vec<String> {
        let used = said.used;
        let delta = json!({
            "type": "message_delta",
            "delta": {"stop_reason": reason(said.stop), "stop_sequence": null},
            "usage": {
                "output_tokens": used.output + used.reasoning,
                "output_tokens_details": {"thinking_tokens": used.reasoning},
            },
        });
        vec![event(&delta), event(&json!({"type": "message_stop"}))]
    }

    fn refusal(&self, message: &str) -> Value {
        json!({
            "type": "error", "request_id": "req_1",
            "error": {"type": "invalid_request_error", "message": message},
        })
    }

    fn error_event(&self, message: &str) -> String {
        event(&json!({
            "type": "error", "error": {"type": "overloaded_error", "message": message},
        }))
    }

    fn exchanged(&self, sent: &Value) -> Vec<(Value, String)> {
        let blocks = || items(&sent["messages"]).flat_map(|message| items(&message["content"]));
        let calls = blocks().filter(|block| block["type"] == "tool_use");
        let brought = |call: &Value| {
            let one = blocks()
                .find(|block| block["tool_use_id"] == call["id"])
                .unwrap();
            let parts = items(&one["content"]).map(|part| text(&part["text"]));
            text(&one["content"]) + &parts.collect::<String>()
        };
        calls
            .map(|call| (call["input"].clone(), brought(call)))
            .collect()
    }
}

fn begin(index: u32, block: &Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn add(index: u32, delta: &Value) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

fn event(data: &Value) -> String {
    format!("event: {}\ndata: {data}\n\n", text(&data["type"]))
}

fn reason(stop: Stop) -> &'static str {
    match stop {
        Stop::End => "end_turn",
        Stop::Length => "max_tokens",
        Stop::Calls => "tool_use",
    }
}

fn usage(used: Used) -> Value {
    json!({
        "input_tokens": used.input,
        "cache_read_input_tokens": used.cache_read,
        "cache_creation_input_tokens": used.cache_write,
        "cache_creation": {
            "ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": used.cache_write - 2,
        },
        "output_tokens": used.output + used.reasoning,
        "output_tokens_details": {"thinking_tokens": used.reasoning},
    })
}
