//! Events of OpenAI's responses, images, transcriptions and speech.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Told;

/// What comes before anything of an answer.
const PREPARING: [&str; 6] = [
    "response.created",
    "response.queued",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "keepalive",
];

/// With what an answer is whole.
pub(super) const ENDINGS: [&str; 7] = [
    "response.completed",
    "response.incomplete",
    "response.cancelled",
    "image_generation.completed",
    "image_edit.completed",
    "transcript.text.done",
    "speech.audio.done",
];

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, default)]
    r#type: Cow<'a, str>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    response: Option<Response<'a>>,
}

#[derive(Deserialize)]
struct Response<'a> {
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

pub(super) fn read(data: &[u8]) -> Option<Told> {
    let event: Event<'_> = serde_json::from_slice(data).ok()?;
    let kind = &*event.r#type;
    let whole = || String::from_utf8_lossy(data).into_owned();
    let inner = event.response.as_ref().and_then(|response| response.error);
    let named = event.error.or(inner).map(RawValue::get);
    let named = named.filter(|error| *error != "null").map(str::to_owned);
    let error = match kind {
        "error" | "response.failed" => Some(named.unwrap_or_else(whole)),
        _ => None,
    };
    Some(Told {
        commits: error.is_none() && !PREPARING.contains(&kind),
        finishes: ENDINGS.contains(&kind),
        error,
        is_extra: false,
    })
}
