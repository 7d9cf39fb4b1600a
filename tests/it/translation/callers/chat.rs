//! OpenAI's chat completions.

use serde_json::{Value, json};

use super::super::said::{
    Asked, Call, QUESTION, RESULTS, Said, Stop, TOOL, Used, arguments, count, items, schema, text,
};
use super::{Caller, openai_error};

pub(in super::super) struct Chat;

impl Caller for Chat {
    fn path(&self, _: &str, _: bool) -> String {
        "/v1/chat/completions".to_owned()
    }

    fn body(&self, model: &str, asked: Asked, stream: bool) -> Value {
        let mut messages = vec![json!({"role": "user", "content": QUESTION})];
        if asked == Asked::Results {
            let calls = RESULTS.map(|(id, city, _)| {
                let arguments = json!({"city": city}).to_string();
                let function = json!({"name": TOOL, "arguments": arguments});
                json!({"id": id, "type": "function", "function": function})
            });
            messages.push(json!({"role": "assistant", "content": null, "tool_calls": calls}));
            let results = RESULTS.map(
                |(id, _, brought)| json!({"role": "tool", "tool_call_id": id, "content": brought}),
            );
            messages.extend(results);
        }
        let mut body = json!({"model": model, "messages": messages});
        if asked.has_tools() {
            let function = json!({"name": TOOL, "parameters": schema()});
            body["tools"] = json!([{"type": "function", "function": function}]);
        }
        if stream {
            body["stream"] = json!(true);
            body["stream_options"] = json!({"include_usage": true});
        }
        body
    }

    fn plain(&self, answer: &Value) -> Said {
        let choice = &answer["choices"][0];
        let calls = items(&choice["message"]["tool_calls"]).map(|call| {
            let function = &call["function"];
            Call::new(
                text(&function["name"]),
                arguments(&text(&function["arguments"])),
            )
        });
        Said {
            text: text(&choice["message"]["content"]),
            calls: calls.collect(),
            stop: stop(&choice["finish_reason"]),
            used: used(&answer["usage"]),
        }
    }

    fn streamed(&self, events: &[Value]) -> Said {
        let mut said = String::new();
        let mut calls: Vec<(String, String)> = Vec::new();
        for event in events {
            let delta = &event["choices"][0]["delta"];
            said += &text(&delta["content"]);
            for call in items(&delta["tool_calls"]) {
                let index = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
                calls.resize(calls.len().max(index + 1), Default::default());
                calls[index].0 += &text(&call["function"]["name"]);
                calls[index].1 += &text(&call["function"]["arguments"]);
            }
        }
        let calls = calls.into_iter();
        let reason = events
            .iter()
            .map(finish_reason)
            .find(|reason| !reason.is_null());
        let usage = events
            .iter()
            .map(|event| &event["usage"])
            .rfind(|usage| !usage.is_null());
        Said {
            text: said,
            calls: calls
                .map(|(name, json)| Call::new(name, arguments(&json)))
                .collect(),
            stop: stop(reason.unwrap()),
            used: used(usage.unwrap()),
        }
    }

    fn ends(&self, event: &Value) -> bool {
        !finish_reason(event).is_null()
    }

    fn error(&self, answer: &Value) -> Option<String> {
        openai_error(answer)
    }

    fn ends_with_done(&self) -> bool {
        true
    }
}

pub(super) fn finish_reason(event: &Value) -> &Value {
    &event["choices"][0]["finish_reason"]
}

pub(super) fn stop(reason: &Value) -> Stop {
    match reason.as_str() {
        Some("stop") => Stop::End,
        Some("length") => Stop::Length,
        Some("tool_calls") => Stop::Calls,
        _ => panic!("no such finish: {reason}"),
    }
}

/// Details are parts of their totals.
pub(super) fn used(usage: &Value) -> Used {
    let (prompt, completion) = (
        &usage["prompt_tokens_details"],
        &usage["completion_tokens_details"],
    );
    let cache_read = count(&prompt["cached_tokens"]);
    let cache_write = count(&prompt["cache_write_tokens"]);
    let reasoning = count(&completion["reasoning_tokens"]);
    let (input, output) = (&usage["prompt_tokens"], &usage["completion_tokens"]);
    assert_eq!(count(&usage["total_tokens"]), count(input) + count(output));
    Used {
        input: count(input) - cache_read - cache_write,
        cache_read,
        cache_write,
        output: count(output) - reasoning,
        reasoning,
    }
}
