//! OpenAI's chat completions.

use serde_json::{Value, json};

use super::super::said::{Call, Said, Stop, Used, arguments, items, text};
use super::{Models, Provider, halves};

pub(in super::super) struct OpenAi;

impl Provider for OpenAi {
    fn name(&self) -> &'static str {
        "openai"
    }

    fn models(&self) -> Models {
        Models {
            answering: "openai/gpt-4.1-mini",
            breaking_off: "openai/gpt-4.1-nano",
            refusing: "openai/gpt-4-turbo",
        }
    }

    fn path(&self, _: &str, _: bool) -> String {
        "/v1/chat/completions".to_owned()
    }

    fn used(&self) -> Used {
        Used {
            input: 10,
            cache_read: 4,
            cache_write: 0,
            output: 7,
            reasoning: 3,
        }
    }

    fn plain(&self, said: &Said) -> Value {
        let calls = said.calls.iter().zip(0_u32..).map(|(call, number)| {
            let function = json!({"name": call.name, "arguments": call.arguments.to_string()});
            json!({"id": id(number), "type": "function", "function": function})
        });
        let mut message = json!({"role": "assistant", "content": said.text, "refusal": null});
        if !said.calls.is_empty() {
            message["tool_calls"] = calls.collect();
        }
        let choice = json!({"index": 0, "message": message, "finish_reason": reason(said.stop)});
        json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000,
            "model": "gpt-x", "choices": [choice], "usage": usage(said.used),
        })
    }

    /// Calls begin one after the other, and their arguments come in turns.
    fn begins(&self, said: &Said) -> Vec<String> {
        let mut deltas = vec![json!({"role": "assistant", "content": "", "refusal": null})];
        deltas.extend(halves(&said.text).map(|piece| json!({"content": piece})));
        for (call, number) in said.calls.iter().zip(0_u32..) {
            let function = json!({"name": call.name, "arguments": ""});
            deltas.push(json!({"tool_calls": [{
                "index": number, "id": id(number), "type": "function", "function": function,
            }]}));
        }
        let halves: Vec<(String, String)> = said.calls.iter().map(in_halves).collect();
        let of = |number: usize, arguments: &str| {
            let function = json!({"arguments": arguments});
            json!({"tool_calls": [{"index": number, "function": function}]})
        };
        let numbered = || halves.iter().enumerate();
        deltas.extend(numbered().map(|(number, (first, _))| of(number, first)));
        deltas.extend(numbered().map(|(number, (_, second))| of(number, second)));
        deltas
            .iter()
            .map(|delta| chunk(delta, &Value::Null))
            .collect()
    }

    fn ends(&self, said: &Said) -> Vec<String> {
        let usage = json!({
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000,
            "model": "gpt-x", "choices": [], "usage": usage(said.used),
        });
        vec![
            chunk(&json!({}), &reason(said.stop).into()),
            format!("data: {usage}\n\n"),
            "data: [DONE]\n\n".to_owned(),
        ]
    }

    fn refusal(&self, message: &str) -> Value {
        json!({"error": {
            "message": message, "type": "invalid_request_error", "param": null, "code": null,
        }})
    }

    fn error_event(&self, message: &str) -> String {
        let error = json!({"error": {
            "message": message, "type": "server_error", "param": null, "code": null,
        }});
        format!("data: {error}\n\n")
    }

    fn exchanged(&self, sent: &Value) -> Vec<(Value, String)> {
        let calls = items(&sent["messages"]).flat_map(|message| items(&message["tool_calls"]));
        let brought = |call: &Value| {
            let mut all = items(&sent["messages"]);
            let one = all
                .find(|message| message["tool_call_id"] == call["id"])
                .unwrap();
            assert_eq!(one["role"], "tool");
            text(&one["content"])
        };
        calls
            .map(|call| {
                (
                    arguments(&text(&call["function"]["arguments"])),
                    brought(call),
                )
            })
            .collect()
    }
}

/// The arguments of a call, as JSON in two pieces.
fn in_halves(call: &Call) -> (String, String) {
    let json = call.arguments.to_string();
    let (first, second) = json.split_at(5);
    (first.to_owned(), second.to_owned())
}

fn id(number: u32) -> String {
    format!("call_{number}")
}

fn chunk(delta: &Value, reason: &Value) -> String {
    let chunk = json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000,
        "model": "gpt-x", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}],
    });
    format!("data: {chunk}\n\n")
}

fn reason(stop: Stop) -> &'static str {
    match stop {
        Stop::End => "stop",
        Stop::Length => "length",
        Stop::Calls => "tool_calls",
    }
}

fn usage(used: Used) -> Value {
    let (prompt, completion) = (used.input + used.cache_read, used.output + used.reasoning);
    json!({
        "prompt_tokens": prompt, "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": used.cache_read},
        "completion_tokens_details": {"reasoning_tokens": used.reasoning},
    })
}
