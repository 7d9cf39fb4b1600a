//! Chat answers of the sandbox: reads what was asked, writes OpenAI's form, plain or streamed. An
//! answer is written as it is read, so that a long one takes no more memory than what was asked.

use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{SandboxBody, Step};
use super::words::Words;
use super::{LOREM_WORDS_DEFAULT, LOREM_WORDS_MAX, MODEL_PREFIX, bare_name};
use crate::domain::estimate::sandbox::SandboxPrompt;

/// Answers are the same each time, so they are from no time in particular.
const CREATED: u64 = 1_700_000_000;

/// A chat request, as far as the sandbox goes.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    pub(super) model: String,
    messages: SandboxPrompt,
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

    /// Answers with the last user message.
    pub(super) fn echo(mut self) -> Answer {
        let text = std::mem::take(&mut self.messages.echo);
        Answer::new(self, Words::of(text))
    }

    /// Answers with as many words as are asked for.
    pub(super) fn lorem(self) -> Answer {
        let asked = self
            .max_completion_tokens
            .or(self.max_tokens)
            .unwrap_or(LOREM_WORDS_DEFAULT);
        let count = usize::try_from(asked.min(LOREM_WORDS_MAX)).unwrap_or(0);
        Answer::new(self, Words::lorem(count))
    }
}

/// An answer about to be sent.
pub(super) struct Answer {
    form: Form,
    words: Words,
    streamed: bool,
    include_usage: bool,
    pause: Option<Duration>,
    /// Closes after this many words.
    cut_after: Option<usize>,
}

/// What all parts of an answer have in common.
struct Form {
    model: String,
    prompt_tokens: u64,
    completion_tokens: usize,
}

impl Answer {
    fn new(asked: Asked, words: Words) -> Self {
        let options = asked.stream_options;
        Self {
            form: Form {
                model: format!("{MODEL_PREFIX}{}", bare_name(&asked.model)),
                prompt_tokens: asked.messages.words,
                completion_tokens: words.count_all(),
            },
            words,
            streamed: asked.stream == Some(true),
            include_usage: options.is_some_and(|options| options.include_usage == Some(true)),
            pause: None,
            cut_after: None,
        }
    }

    /// Waits between two words.
    pub(super) fn pausing(mut self, pause: Duration) -> Self {
        self.pause = Some(pause);
        self
    }

    /// Breaks off in the middle.
    pub(super) fn cut(mut self) -> Self {
        self.cut_after = Some(self.form.completion_tokens.div_ceil(2));
        self
    }

    pub(super) fn into_response(self) -> Response<SandboxBody> {
        if self.streamed {
            SandboxBody::response(StatusCode::OK, "text/event-stream", self.stream())
        } else {
            SandboxBody::response(StatusCode::OK, "application/json", self.plain())
        }
    }

    fn plain(self) -> impl Iterator<Item = Step> + Send + Sync + 'static {
        let words = u32::try_from(self.form.completion_tokens).unwrap_or(u32::MAX);
        let answer = json!({
            "id": "chatcmpl-sandbox",
            "object": "chat.completion",
            "created": CREATED,
            "model": self.form.model,
            "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": self.words.joined()},
                "finish_reason": "stop",
                "logprobs": null,
            }],
            "usage": self.form.usage(),
        });
        let mut body = Bytes::from(answer.to_string());
        let pause = self
            .pause
            .map(|pause| Step::Pause(pause.saturating_mul(words.saturating_sub(1))));
        let cut = self.cut_after.map(|_| Step::Break);
        if cut.is_some() {
            body.truncate(body.len() / 2);
        }
        pause.into_iter().chain([Step::Send(body)]).chain(cut)
    }

    fn stream(self) -> impl Iterator<Item = Step> + Send + Sync + 'static {
        let Self {
            form,
            words,
            pause,
            cut_after,
            ..
        } = self;
        let first = form.choice(&json!({"role": "assistant", "content": ""}), None);
        let mut end = Vec::new();
        if cut_after.is_some() {
            end.push(Step::Break);
        } else {
            end.push(form.choice(&json!({}), Some("stop")));
            if self.include_usage {
                end.push(form.chunk(&json!([]), &form.usage()));
            }
            end.push(Step::Send(Bytes::from_static(b"data: [DONE]\n\n")));
        }
        let words = words.take(cut_after.unwrap_or(usize::MAX));
        let deltas = words.enumerate().flat_map(move |(index, word)| {
            let space = if index == 0 { "" } else { " " };
            let delta = json!({"content": format!("{space}{word}")});
            let pause = pause.filter(|_| index > 0).map(Step::Pause);
            pause.into_iter().chain([form.choice(&delta, None)])
        });
        std::iter::once(first).chain(deltas).chain(end)
    }
}

impl Form {
    fn usage(&self) -> Value {
        let (prompt, completion) = (self.prompt_tokens, self.completion_tokens as u64);
        json!({
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        })
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
            "model": self.model,
            "choices": choices,
        });
        if !usage.is_null() {
            chunk["usage"] = usage.clone();
        }
        Step::Send(format!("data: {chunk}\n\n").into())
    }
}
