//! Gemini's `generateContent` and `streamGenerateContent`.

use serde_json::{Value, json};

use super::super::said::{
    Asked, Call, QUESTION, RESULTS, Said, Stop, TOOL, Used, count, items, schema, text,
};
use super::Caller;

pub(in super::super) struct Gemini;

impl Caller for Gemini {
    fn path(&self, model: &str, stream: bool) -> String {
        match stream {
            true => format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"),
            false => format!("/v1beta/models/{model}:generateContent"),
        }
    }

    fn body(&self, _: &str, asked: Asked, _: bool) -> Value {
        let mut contents = vec![json!({"role": "user", "parts": [{"text": QUESTION}]})];
        if asked == Asked::Results {
            let calls = RESULTS.map(
                |(_, city, _)| json!({"functionCall": {"name": TOOL, "args": {"city": city}}}),
            );
            contents.push(json!({"role": "model", "parts": calls}));
            let results = RESULTS.map(|(_, _, brought)| {
                json!({"functionResponse": {"name": TOOL, "response": {"output": brought}}})
            });
            contents.push(json!({"role": "user", "parts": results}));
        }
        let mut body = json!({"contents": contents});
        if asked.has_tools() {
            let declared = json!({"name": TOOL, "parametersJsonSchema": schema()});
            body["tools"] = json!([{"functionDeclarations": [declared]}]);
        }
        body
    }

    fn plain(&self, answer: &Value) -> Said {
        self.streamed(std::slice::from_ref(answer))
    }

    fn streamed(&self, events: &[Value]) -> Said {
        let candidates = events.iter().flat_map(|event| items(&event["candidates"]));
        let parts: Vec<&Value> = candidates
            .flat_map(|candidate| items(&candidate["content"]["parts"]))
            .collect();
        let calls = parts.iter().filter_map(|part| part.get("functionCall"));
        let calls: Vec<Call> = calls
            .map(|call| Call::new(text(&call["name"]), call["args"].clone()))
            .collect();
        let last = events.last().unwrap();
        Said {
            text: parts.iter().map(|part| text(&part["text"])).collect(),
            stop: stop(finish_reason(last)).or_calls(&calls),
            calls,
            used: used(&last["usageMetadata"]),
        }
    }

    fn ends(&self, event: &Value) -> bool {
        !finish_reason(event).is_null()
    }

    fn error(&self, answer: &Value) -> Option<String> {
        let error = &answer["error"];
        let is_one = error["code"].is_u64() && error["status"].is_string();
        is_one.then(|| error["message"].as_str().map(str::to_owned))?
    }

    /// Writes to a cache are part of the prompt here.
    fn told(&self, used: Used) -> Used {
        Used {
            input: used.input + used.cache_write,
            cache_write: 0,
            ..used
        }
    }
}

fn finish_reason(event: &Value) -> &Value {
    &event["candidates"][0]["finishReason"]
}

fn stop(reason: &Value) -> Stop {
    match reason.as_str() {
        Some("STOP") => Stop::End,
        Some("MAX_TOKENS") => Stop::Length,
        _ => panic!("no such finish: {reason}"),
    }
}

fn used(usage: &Value) -> Used {
    let cache_read = count(&usage["cachedContentTokenCount"]);
    Used {
        input: count(&usage["promptTokenCount"]) - cache_read,
        cache_read,
        cache_write: 0,
        output: count(&usage["candidatesTokenCount"]),
        reasoning: count(&usage["thoughtsTokenCount"]),
    }
}
