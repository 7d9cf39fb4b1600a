//! Google's Gemini.

use serde_json::{Value, json};

use super::super::said::{Said, Stop, Used, items, text};
use super::{Models, Provider, halves};

pub(in super::super) struct Google;

impl Provider for Google {
    fn name(&self) -> &'static str {
        "google"
    }

    fn models(&self) -> Models {
        Models {
            answering: "google/gemini-2.5-flash-lite",
            breaking_off: "google/gemini-2.5-pro",
            refusing: "google/gemini-2.0-flash",
        }
    }

    fn path(&self, model: &str, stream: bool) -> String {
        match stream {
            true => format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"),
            false => format!("/v1beta/models/{model}:generateContent"),
        }
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
        let mut parts = vec![json!({"text": said.text})];
        parts.extend(calls(said));
        let content = json!({"role": "model", "parts": parts});
        json!({
            "candidates": [{"content": content, "finishReason": reason(said.stop), "index": 0}],
            "usageMetadata": usage(said.used), "modelVersion": "gemini-x", "responseId": "r1",
        })
    }

    fn begins(&self, said: &Said) -> Vec<String> {
        let texts = halves(&said.text).map(|piece| json!({"text": piece}));
        let parts = texts.into_iter().chain(calls(said));
        let chunks = parts.map(|part| {
            let content = json!({"role": "model", "parts": [part]});
            event(&json!({"candidates": [{"content": content, "index": 0}]}))
        });
        chunks.collect()
    }

    fn ends(&self, said: &Said) -> Vec<String> {
        let content = json!({"role": "model", "parts": [{"text": ""}]});
        vec![event(&json!({
            "candidates": [{"content": content, "finishReason": reason(said.stop), "index": 0}],
            "usageMetadata": usage(said.used),
        }))]
    }

    fn refusal(&self, message: &str) -> Value {
        json!({"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}})
    }

    fn error_event(&self, message: &str) -> String {
        event(&json!({"error": {"code": 503, "message": message, "status": "UNAVAILABLE"}}))
    }

    fn exchanged(&self, sent: &Value) -> Vec<(Value, String)> {
        let parts = || items(&sent["contents"]).flat_map(|content| items(&content["parts"]));
        let brought = parts().filter_map(|part| part.get("functionResponse"));
        let calls = parts().filter_map(|part| part.get("functionCall"));
        calls
            .zip(brought)
            .map(|(call, brought)| {
                assert_eq!(
                    (&call["name"], &call["id"]),
                    (&brought["name"], &brought["id"])
                );
                (call["args"].clone(), text(&brought["response"]["output"]))
            })
            .collect()
    }
}

fn calls(said: &Said) -> impl Iterator<Item = Value> {
    let calls = said.calls.iter();
    calls.map(|call| json!({"functionCall": {"name": call.name, "args": call.arguments}}))
}

fn event(data: &Value) -> String {
    format!("data: {data}\r\n\r\n")
}

fn reason(stop: Stop) -> &'static str {
    match stop {
        Stop::End | Stop::Calls => "STOP",
        Stop::Length => "MAX_TOKENS",
    }
}

fn usage(used: Used) -> Value {
    let prompt = used.input + used.cache_read;
    json!({
        "promptTokenCount": prompt, "cachedContentTokenCount": used.cache_read,
        "candidatesTokenCount": used.output, "thoughtsTokenCount": used.reasoning,
        "totalTokenCount": prompt + used.output + used.reasoning,
    })
}
