//! Chat answers of the sandbox: reads what was asked, writes OpenAI's form, plain or streamed.

use std::collections::VecDeque;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{SandboxBody, Step};
use super::{LOREM_WORDS_DEFAULT, LOREM_WORDS_MAX, Script};
use crate::domain::estimate::{SandboxMessage, echo};

/// The words that `sandbox/lorem` repeats.
const LOREM: [&str; 16] = [
    "lorem",
    "ipsum",
    "dolor",
    "sit",
    "amet",
    "consectetur",
    "adipiscing",
    "elit",
    "sed",
    "do",
    "eiusmod",
    "tempor",
    "incididunt",
    "ut",
    "labore",
    "et",
];
/// Answers are the same each time, so they are from no time in particular.
const CREATED: u64 = 1_700_000_000;

/// A chat request, as far as the sandbox goes.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    pub(super) model: String,
    messages: Vec<SandboxMessage>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
    #[serde(default)]
    max_tokens: Option<u64>,
    #[serde(default)]
    max_completion_tokens: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: Option<bool>,
}

impl Asked {
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }

    pub(super) fn echo(&self) -> Vec<String> {
        echo(&self.messages)
            .split_whitespace()
            .map(str::to_owned)
            .collect()
    }

    pub(super) fn lorem(&self) -> Vec<String> {
        let asked = self
            .max_completion_tokens
            .or(self.max_tokens)
            .unwrap_or(LOREM_WORDS_DEFAULT);
        let count = usize::try_from(asked.min(LOREM_WORDS_MAX)).unwrap_or(0);
        LOREM
            .iter()
            .cycle()
            .take(count)
            .map(|word| (*word).to_owned())
            .collect()
    }

    pub(super) fn script(
        &self,
        words: Vec<String>,
        pause: Option<std::time::Duration>,
        cut_after: Option<usize>,
    ) -> Script {
        let prompt_tokens = self
            .messages
            .iter()
            .map(|message| message.words().count())
            .sum();
        Script {
            words,
            prompt_tokens,
            pause,
            cut_after,
        }
    }
}

/// An answer about to be sent.
pub(super) struct Answer {
    asked: Asked,
    script: Script,
}

impl Answer {
    pub(super) fn new(asked: Asked, script: Script) -> Self {
        Self { asked, script }
    }

    pub(super) fn into_response(self) -> Response<SandboxBody> {
        let (content_type, steps) = if self.asked.stream == Some(true) {
            ("text/event-stream", self.stream())
        } else {
            ("application/json", self.plain())
        };
        SandboxBody::response(StatusCode::OK, content_type, steps)
    }

    fn usage(&self) -> Value {
        let (prompt, completion) = (self.script.prompt_tokens, self.script.words.len());
        json!({
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        })
    }

    fn plain(&self) -> VecDeque<Step> {
        let answer = json!({
            "id": "chatcmpl-sandbox",
            "object": "chat.completion",
            "created": CREATED,
            "model": self.asked.model,
            "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": self.script.words.join(" ")},
                "finish_reason": "stop",
                "logprobs": null,
            }],
            "usage": self.usage(),
        });
        let mut body = Bytes::from(answer.to_string());
        let mut steps = VecDeque::new();
        if let Some(pause) = self.script.pause {
            let words = u32::try_from(self.script.words.len()).unwrap_or(u32::MAX);
            steps.push_back(Step::Pause(pause.saturating_mul(words.saturating_sub(1))));
        }
        if self.script.cut_after.is_some() {
            body.truncate(body.len() / 2);
        }
        steps.push_back(Step::Send(body));
        if self.script.cut_after.is_some() {
            steps.push_back(Step::Break);
        }
        steps
    }

    fn stream(&self) -> VecDeque<Step> {
        let mut steps = VecDeque::new();
        steps.push_back(self.choice(&json!({"role": "assistant", "content": ""}), None));
        for (index, word) in self.script.words.iter().enumerate() {
            if self.script.cut_after == Some(index) {
                break;
            }
            if let Some(pause) = self.script.pause.filter(|_| index > 0) {
                steps.push_back(Step::Pause(pause));
            }
            let text = if index == 0 {
                word.clone()
            } else {
                format!(" {word}")
            };
            steps.push_back(self.choice(&json!({"content": text}), None));
        }
        if self.script.cut_after.is_some() {
            steps.push_back(Step::Break);
            return steps;
        }
        steps.push_back(self.choice(&json!({}), Some("stop")));
        let options = self.asked.stream_options.as_ref();
        if options.is_some_and(|options| options.include_usage == Some(true)) {
            steps.push_back(self.chunk(&json!([]), &self.usage()));
        }
        steps.push_back(Step::Send(Bytes::from_static(b"data: [DONE]\n\n")));
        steps
    }

    fn choice(&self, delta: &Value, finish: Option<&str>) -> Step {
        let choice = json!([{"index": 0, "delta": delta, "finish_reason": finish}]);
        self.chunk(&choice, &Value::Null)
    }

    fn chunk(&self, choices: &Value, usage: &Value) -> Step {
        let mut chunk = json!({
            "id": "chatcmpl-sandbox",
            "object": "chat.completion.chunk",
            "created": CREATED,
            "model": self.asked.model,
            "choices": choices,
        });
        if !usage.is_null() {
            chunk["usage"] = usage.clone();
        }
        Step::Send(format!("data: {chunk}\n\n").into())
    }
}
