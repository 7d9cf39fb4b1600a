//! Events of Anthropic's messages.

use std::borrow::Cow;

use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Told;

/// What comes before anything of an answer.
const PREPARING: [&str; 2] = ["message_start", "ping"];
/// Blocks that are empty when they begin.
const EMPTY_AT_FIRST: [&str; 2] = ["text", "thinking"];

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, default)]
    r#type: Cow<'a, str>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    content_block: Option<Block<'a>>,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow, default)]
    r#type: Cow<'a, str>,
}

/// Whether an event is the last.
pub(super) fn ends(data: &[u8]) -> bool {
    // The name alone may stand in an answer's text.
    memmem::find(data, b"message_stop").is_some()
        && serde_json::from_slice::<Event<'_>>(data)
            .is_ok_and(|event| event.r#type == "message_stop")
}

pub(super) fn read(data: &[u8]) -> Option<Told> {
    let event: Event<'_> = serde_json::from_slice(data).ok()?;
    let kind = &*event.r#type;
    let whole = || String::from_utf8_lossy(data).into_owned();
    let named = event.error.map(|error| error.get().to_owned());
    let error = (kind == "error").then(|| named.unwrap_or_else(whole));
    let begins_empty = event
        .content_block
        .is_some_and(|block| EMPTY_AT_FIRST.contains(&&*block.r#type));
    Some(Told {
        commits: error.is_none() && !begins_empty && !PREPARING.contains(&kind),
        error,
        ..Told::default()
    })
}
