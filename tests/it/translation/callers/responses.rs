//! OpenAI's responses.

use serde_json::{Value, json};

use super::super::said::{
    Asked, Call, QUESTION, RESULTS, Said, Stop, TOOL, Used, arguments, count, items, schema, text,
};
use super::{Caller, openai_error};

pub(in super::super) struct Responses;

impl Caller for Responses {
    fn path(&self, _: &str, _: bool) -> String {
        "/v1/responses".to_owned()
    }

    fn body(&self, model: &str, asked: Asked, stream: bool) -> Value {
        let mut input = vec![json!({"role": "user", "content": QUESTION})];
        if asked == Asked::Results {
            input.extend(RESULTS.map(|(id, city, _)| {
                let arguments = json!({"city": city}).to_string();
                json!({"type": "function_call", "call_id": id, "name": TOOL, "arguments": arguments})
            }));
            input.extend(RESULTS.map(|(id, _, brought)| {
                json!({"type": "function_call_output", "call_id": id, "output": brought})
            }));
        }
        let mut body = json!({"model": model, "input": input, "stream": stream});
        if asked.has_tools() {
            body["tools"] = json!([{"type": "function", "name": TOOL, "parameters": schema()}]);
        }
        body
    }

    fn plain(&self, answer: &Value) -> Said {
        let output = || items(&answer["output"]);
        let parts = output().flat_map(|item| items(&item["content"]));
        let calls = output().filter(|item| item["type"] == "function_call");
        let calls: Vec<Call> = calls
            .map(|call| Call::new(text(&call["name"]), arguments(&text(&call["arguments"]))))
            .collect();
        Said {
            text: parts.map(|part| text(&part["text"])).collect(),
            stop: stop(answer).or_calls(&calls),
            calls,
            used: used(&answer["usage"]),
        }
    }

    /// By its deltas; the last event, which has all of it, must say the same.
    fn streamed(&self, events: &[Value]) -> Said {
        let of = |kind: &'static str| events.iter().filter(move |event| event["type"] == kind);
        let numbers = events.iter().map(|event| count(&event["sequence_number"]));
        assert!(numbers.eq(0..events.len() as u64), "{events:?}");
        let whole = self.plain(&events.last().unwrap()["response"]);
        let deltas = of("response.output_text.delta").map(|event| text(&event["delta"]));
        let added = of("response.output_item.added");
        let added = added.filter(|event| event["item"]["type"] == "function_call");
        let calls = added.map(|event| {
            let pieces = of("response.function_call_arguments.delta");
            let pieces = pieces.filter(|piece| piece["item_id"] == event["item"]["id"]);
            let json: String = pieces.map(|piece| text(&piece["delta"])).collect();
            Call::new(text(&event["item"]["name"]), arguments(&json))
        });
        let said = Said {
            text: deltas.collect(),
            calls: calls.collect(),
            ..whole.clone()
        };
        assert_eq!(said, whole);
        said
    }

    fn ends(&self, event: &Value) -> bool {
        let kind = event["type"].as_str();
        matches!(kind, Some("response.completed" | "response.incomplete"))
    }

    fn error(&self, answer: &Value) -> Option<String> {
        openai_error(answer)
    }

    fn error_event(&self, event: &Value) -> Option<String> {
        let is_error = event["type"] == "error" && event.get("sequence_number").is_some();
        is_error.then(|| event["message"].as_str().map(str::to_owned))?
    }
}

fn stop(answer: &Value) -> Stop {
    let why = &answer["incomplete_details"]["reason"];
    match (answer["status"].as_str(), why.as_str()) {
        (Some("completed"), None) => Stop::End,
        (Some("incomplete"), Some("max_output_tokens")) => Stop::Length,
        _ => panic!("no such end: {answer}"),
    }
}

fn used(usage: &Value) -> Used {
    let input = &usage["input_tokens_details"];
    let (cache_read, cache_write) = (
        count(&input["cached_tokens"]),
        count(&input["cache_write_tokens"]),
    );
    let reasoning = count(&usage["output_tokens_details"]["reasoning_tokens"]);
    Used {
        input: count(&usage["input_tokens"]) - cache_read - cache_write,
        cache_read,
        cache_write,
        output: count(&usage["output_tokens"]) - reasoning,
        reasoning,
    }
}
