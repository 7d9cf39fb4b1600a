//! Reading a request.

use serde::Deserialize;
use serde_json::{Map, Number, Value};

use crate::canonical::{Message, Part, Request, Role};
use crate::gaps::Gaps;
use crate::json::{self, OneOrMany};
use crate::refusal::Refusal;

/// A request as it is written.
#[derive(Debug, Deserialize)]
struct Wire {
    prompt: OneOrMany<String>,
    max_tokens: Option<u64>,
    temperature: Option<Number>,
    top_p: Option<Number>,
    n: Option<u64>,
    stop: Option<OneOrMany<String>>,
    frequency_penalty: Option<Number>,
    presence_penalty: Option<Number>,
    seed: Option<Number>,
    logprobs: Option<u64>,
    echo: Option<bool>,
    best_of: Option<u64>,
    user: Option<String>,
    metadata: Option<Map<String, Value>>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
}

#[derive(Debug, Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

/// Members that are read where they are needed.
const HARMLESS: [&str; 1] = ["model"];

/// Reads a request: the prompt is what a user says.
pub(crate) fn read(body: &[u8], gaps: &mut Gaps) -> Result<Request, Refusal> {
    let (wire, unknown) = json::read::<Wire>(body)?;
    gaps.unknown(&unknown, &HARMLESS, &[])?;
    if wire.echo == Some(true) {
        gaps.member("echo")?;
    }
    if wire.best_of.is_some_and(|best| best > wire.n.unwrap_or(1)) {
        gaps.member("best_of")?;
    }
    let mut prompts = wire.prompt.into_vec();
    let (Some(prompt), true) = (prompts.pop(), prompts.is_empty()) else {
        return Err(gaps.content("any number of prompts but one"));
    };
    Ok(Request {
        messages: vec![Message {
            role: Role::User,
            parts: vec![Part::text(prompt)],
        }],
        max_tokens: wire.max_tokens,
        candidates: wire.n,
        stop: wire.stop.map(OneOrMany::into_vec).unwrap_or_default(),
        temperature: wire.temperature,
        top_p: wire.top_p,
        frequency_penalty: wire.frequency_penalty,
        presence_penalty: wire.presence_penalty,
        seed: wire.seed,
        logprobs: wire.logprobs.is_some(),
        top_logprobs: wire.logprobs,
        user: wire.user,
        metadata: wire.metadata,
        stream: wire.stream.unwrap_or_default(),
        stream_usage: wire
            .stream_options
            .and_then(|one| one.include_usage)
            .unwrap_or_default(),
        ..Request::default()
    })
}
