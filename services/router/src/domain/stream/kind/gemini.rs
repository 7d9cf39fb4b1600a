//! Events of Gemini's streams, each of which is like an answer.

use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Told;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    #[serde(borrow, default)]
    candidates: Vec<Candidate<'a>>,
    #[serde(borrow, default)]
    prompt_feedback: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate<'a> {
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    finish_reason: Option<&'a RawValue>,
}

pub(super) fn read(data: &[u8]) -> Option<Told> {
    let event: Event<'_> = serde_json::from_slice(data).ok()?;
    let has = |raw: Option<&RawValue>, text: &[u8]| {
        raw.is_some_and(|raw| memmem::find(raw.get().as_bytes(), text).is_some())
    };
    let is_blocked = has(event.prompt_feedback, b"\"blockReason\"");
    let has_finished = |candidate: &Candidate<'_>| {
        candidate
            .finish_reason
            .is_some_and(|reason| reason.get() != "null")
    };
    let finishes = is_blocked || event.candidates.iter().any(has_finished);
    let has_parts = |candidate: &Candidate<'_>| has(candidate.content, b"\"parts\"");
    let error = event.error.map(|error| error.get().to_owned());
    Some(Told {
        commits: error.is_none() && (finishes || event.candidates.iter().any(has_parts)),
        finishes,
        error,
        is_extra: false,
    })
}
