//! OpenAI's responses, which are all that some models are asked by.

use serde_json::{Value, json};

use super::super::said::{Call, Said, Stop, Used, arguments, items, text};
use super::{Models, OpenAi, Provider, halves};

pub(in super::super) struct OpenAiResponses;

impl Provider for OpenAiResponses {
    fn name(&self) -> &'static str {
        "openai"
    }

    fn models(&self) -> Models {
        Models {
            answering: "openai/gpt-5-codex",
            breaking_off: "openai/gpt-5.1-codex",
            refusing: "openai/gpt-5.2-codex",
        }
    }

    fn path(&self, _: &str, _: bool) -> String {
        "/v1/responses".to_owned()
    }

    fn used(&self) -> Used {
        OpenAi.used()
    }

    fn plain(&self, said: &Said) -> Value {
        let mut output = vec![message(&said.text)];
        let calls = said.calls.iter().zip(0_u32..);
        output.extend(calls.map(|(call, number)| item(call, number, &call.arguments.to_string())));
        whole(said, &output)
    }

    /// Calls begin one after the other, and their arguments come in turns.
    fn begins(&self, said: &Said) -> Vec<String> {
        let mut events = vec![
            json!({"type": "response.created", "response": {
                "id": "resp_1", "model": "gpt-x", "status": "in_progress", "output": [],
            }}),
            json!({"type": "response.output_item.added", "output_index": 0, "item": {
                "type": "message", "id": "msg_1", "role": "assistant", "content": [],
            }}),
        ];
        events.extend(halves(&said.text).map(|piece| {
            json!({
                "type": "response.output_text.delta", "output_index": 0, "content_index": 0,
                "delta": piece, "logprobs": [],
            })
        }));
        for (call, number) in said.calls.iter().zip(0_u32..) {
            events.push(json!({
                "type": "response.output_item.added", "output_index": number + 1,
                "item": item(call, number, ""),
            }));
        }
        for second in [false, true] {
            let calls = said.calls.iter().zip(1_u32..);
            events.extend(calls.map(|(call, index)| {
                let json = call.arguments.to_string();
                let (first, last) = json.split_at(5);
                let delta = if second { last } else { first };
                json!({
                    "type": "response.function_call_arguments.delta", "output_index": index,
                    "delta": delta,
                })
            }));
        }
        events.iter().map(event).collect()
    }

    fn ends(&self, said: &Said) -> Vec<String> {
        let kind = format!("response.{}", status(said.stop));
        vec![event(&json!({"type": kind, "response": self.plain(said)}))]
    }

    fn refusal(&self, message: &str) -> Value {
        OpenAi.refusal(message)
    }

    fn error_event(&self, message: &str) -> String {
        event(&json!({"type": "error", "code": "server_error", "message": message, "param": null}))
    }

    fn exchanged(&self, sent: &Value) -> Vec<(Value, String)> {
        let of = |kind: &'static str| {
            let all = items(&sent["input"]);
            all.filter(move |item| item["type"] == kind)
        };
        let brought = |call: &Value| {
            let mut all = of("function_call_output");
            let one = all.find(|item| item["call_id"] == call["call_id"]);
            text(&one.unwrap()["output"])
        };
        of("function_call")
            .map(|call| (arguments(&text(&call["arguments"])), brought(call)))
            .collect()
    }
}

fn message(said: &str) -> Value {
    json!({
        "type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
        "content": [{"type": "output_text", "text": said, "annotations": []}],
    })
}

fn item(call: &Call, number: u32, arguments: &str) -> Value {
    json!({
        "type": "function_call", "id": format!("fc_{number}"), "call_id": format!("call_{number}"),
        "name": call.name, "arguments": arguments,
    })
}

fn whole(said: &Said, output: &[Value]) -> Value {
    let used = said.used;
    let (input, made) = (used.input + used.cache_read, used.output + used.reasoning);
    let cut = (said.stop == Stop::Length).then(|| json!({"reason": "max_output_tokens"}));
    json!({
        "id": "resp_1", "object": "response", "model": "gpt-x", "status": status(said.stop),
        "error": null, "incomplete_details": cut, "output": output,
        "usage": {
            "input_tokens": input, "input_tokens_details": {"cached_tokens": used.cache_read},
            "output_tokens": made, "output_tokens_details": {"reasoning_tokens": used.reasoning},
            "total_tokens": input + made,
        },
    })
}

fn status(stop: Stop) -> &'static str {
    match stop {
        Stop::Length => "incomplete",
        Stop::End | Stop::Calls => "completed",
    }
}

fn event(event: &Value) -> String {
    let kind = text(&event["type"]);
    format!("event: {kind}\ndata: {event}\n\n")
}
