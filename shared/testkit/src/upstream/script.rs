//! What a scripted upstream does with a request.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

/// What to do with a request.
#[derive(Debug, Clone)]
pub enum Script {
    /// Answer, plain or streamed as asked.
    Complete(Completion),
    /// Answer with this status.
    Fail(Failure),
    /// Answer 200 with an event stream of exactly these steps.
    Raw(Vec<Step>),
    /// Close the connection without an answer.
    Reset,
    /// Never answer.
    Hang,
}

/// An answer with a status of its own.
#[derive(Debug, Clone)]
pub struct Failure {
    pub(super) status: StatusCode,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Body,
}

/// The body of a failure.
#[derive(Debug, Clone)]
pub(super) enum Body {
    /// As it is.
    Given(Bytes),
    /// An error that repeats the key it was shown, as careless providers do.
    EchoKey,
}

/// A good answer, or one that ends badly.
#[derive(Debug, Clone)]
pub struct Completion {
    pub(super) text: String,
    pub(super) usage: Option<(u64, u64)>,
    pub(super) comments: usize,
    pub(super) role_only: bool,
    pub(super) crlf: bool,
    pub(super) frame_bytes: Option<usize>,
    pub(super) delay: Duration,
    pub(super) ending: Ending,
    pub(super) extra: Value,
}

/// How a stream ends.
#[derive(Debug, Clone)]
pub(super) enum Ending {
    /// As it should.
    Done,
    /// The connection breaks after so many pieces of content.
    Cut(usize),
    /// An error event after so many pieces of content, within a 200.
    Error(usize, Value),
    /// Nothing more after so many pieces of content.
    Hang(usize),
}

/// One step of an answer's body.
#[derive(Debug, Clone)]
pub enum Step {
    /// These bytes in one frame.
    Send(Bytes),
    /// Nothing for so long.
    Wait(Duration),
    /// Break the connection.
    Cut,
    /// Send nothing more, and keep the connection.
    Hang,
}

impl Script {
    /// Answers with this text, and usage of as many tokens as it has words (prompt: 3).
    pub fn ok(text: &str) -> Self {
        let words = u64::try_from(text.split_whitespace().count()).unwrap();
        Self::Complete(Completion {
            text: text.to_owned(),
            usage: Some((3, words)),
            comments: 0,
            role_only: true,
            crlf: false,
            frame_bytes: None,
            delay: Duration::ZERO,
            ending: Ending::Done,
            extra: json!({}),
        })
    }

    /// Fails with a status and an error in OpenAI's form.
    pub fn status(status: u16, code: &str, message: &str) -> Self {
        let body = json!({"error": {
            "message": message, "type": "scripted_error", "param": null, "code": code,
        }});
        Self::Fail(Failure {
            status: StatusCode::from_u16(status).unwrap(),
            headers: Vec::new(),
            body: Body::Given(body.to_string().into()),
        })
    }

    /// Answers with exactly this, whatever was asked.
    pub fn given(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        let script = Self::Fail(Failure {
            status: StatusCode::from_u16(status).unwrap(),
            headers: Vec::new(),
            body: Body::Given(body.into()),
        });
        script.header("content-type", content_type)
    }

    /// Fails with a status and a message that repeats the key.
    pub fn echo_key(status: u16) -> Self {
        Self::Fail(Failure {
            status: StatusCode::from_u16(status).unwrap(),
            headers: Vec::new(),
            body: Body::EchoKey,
        })
    }

    /// 401: the key is wrong.
    pub fn unauthorized() -> Self {
        Self::status(401, "invalid_api_key", "Incorrect API key provided.")
    }

    /// 429: too fast; with `retry-after` in seconds where given.
    pub fn rate_limited(retry_after: Option<u64>) -> Self {
        let script = Self::status(429, "rate_limit_exceeded", "Rate limit reached.");
        match retry_after {
            Some(seconds) => script.header("retry-after", &seconds.to_string()),
            None => script,
        }
    }

    /// 429 as OpenAI sends it when the account has no credit left.
    pub fn insufficient_quota() -> Self {
        Self::status(
            429,
            "insufficient_quota",
            "You exceeded your current quota.",
        )
    }

    /// 404: no such model.
    pub fn no_such_model() -> Self {
        Self::status(404, "model_not_found", "The model does not exist.")
    }

    /// 400 about the request itself.
    pub fn bad_request(message: &str) -> Self {
        Self::status(400, "scripted_bad_request", message)
    }

    /// A header of the answer.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        match &mut self {
            Self::Fail(failure) => failure.headers.push((name, value.to_owned())),
            _ => panic!("only failures have headers of their own"),
        }
        self
    }

    /// With this usage: prompt and completion tokens.
    #[must_use]
    pub fn usage(self, prompt: u64, completion: u64) -> Self {
        self.with(|answer| answer.usage = Some((prompt, completion)))
    }

    /// Without saying what was used, also where asked.
    #[must_use]
    pub fn without_usage(self) -> Self {
        self.with(|answer| answer.usage = None)
    }

    /// With so many comments before anything else, as OpenRouter sends while it waits.
    #[must_use]
    pub fn comments(self, count: usize) -> Self {
        self.with(|answer| answer.comments = count)
    }

    /// With lines ended by CRLF.
    #[must_use]
    pub fn crlf(self) -> Self {
        self.with(|answer| answer.crlf = true)
    }

    /// In frames of so many bytes, whatever they cut through.
    #[must_use]
    pub fn frames_of(self, bytes: usize) -> Self {
        self.with(|answer| answer.frame_bytes = Some(bytes))
    }

    /// Waiting so long before each event, or before a plain answer.
    #[must_use]
    pub fn delay(self, delay: Duration) -> Self {
        self.with(|answer| answer.delay = delay)
    }

    /// Breaking the connection after so many pieces of content.
    #[must_use]
    pub fn cut_after(self, pieces: usize) -> Self {
        self.with(|answer| answer.ending = Ending::Cut(pieces))
    }

    /// With an error event after so many pieces of content.
    #[must_use]
    pub fn error_after(self, pieces: usize, error: Value) -> Self {
        self.with(|answer| answer.ending = Ending::Error(pieces, error))
    }

    /// Saying nothing more after so many pieces of content.
    #[must_use]
    pub fn hang_after(self, pieces: usize) -> Self {
        self.with(|answer| answer.ending = Ending::Hang(pieces))
    }

    /// With further top-level members.
    #[must_use]
    pub fn extra(self, members: Value) -> Self {
        self.with(|answer| answer.extra = members)
    }

    fn with(mut self, change: impl FnOnce(&mut Completion)) -> Self {
        match &mut self {
            Self::Complete(answer) => change(answer),
            _ => panic!("only good answers can be shaped so"),
        }
        self
    }
}
