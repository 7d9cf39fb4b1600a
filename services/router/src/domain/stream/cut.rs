//! How a stream is ended that may not go on: as its model would have ended it at a limit.

use bytes::Bytes;
use keyward_money::Usage;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::event;

/// What each chunk of a stream repeats.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Common<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    created: Option<&'a RawValue>,
    #[serde(borrow)]
    model: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Last<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a RawValue>,
    object: &'static str,
    choices: Vec<Choice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Reported>,
}

#[derive(Serialize)]
#[allow(clippy::struct_field_names)] // The names are the wire's.
struct Reported {
    prompt_tokens: i64,
    completion_tokens: i64,
    total_tokens: i64,
}

#[derive(Serialize)]
struct Choice {
    index: u64,
    delta: Empty,
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct Empty {}

/// The events with which all choices of a stream end for their length; with its usage, if that was
/// asked for. They repeat what `passed`, the last that the stream sent, says of the answer.
pub(crate) fn cut_short(passed: &[Bytes], choices: u64, usage: Option<&Usage>) -> Bytes {
    let data = passed.iter().rev().find_map(|piece| last_data(piece));
    let common: Option<Common<'_>> = data.and_then(|data| serde_json::from_slice(data).ok());
    let common = common.unwrap_or_default();
    let choices = (0..choices).map(|index| Choice {
        index,
        delta: Empty {},
        finish_reason: "length",
    });
    let mut events = common.event(choices.collect(), None);
    if let Some(usage) = usage {
        let (prompt_tokens, completion_tokens) = (usage.prompt_tokens(), usage.completion_tokens());
        let reported = Reported {
            prompt_tokens,
            completion_tokens,
            total_tokens: prompt_tokens.saturating_add(completion_tokens),
        };
        events += &common.event(Vec::new(), Some(reported));
    }
    events.into()
}

impl Common<'_> {
    fn event(&self, choices: Vec<Choice>, usage: Option<Reported>) -> String {
        let chunk = Last {
            id: self.id,
            created: self.created,
            model: self.model,
            object: "chat.completion.chunk",
            choices,
            usage,
        };
        let json = serde_json::to_string(&chunk).unwrap_or_default();
        format!("data: {json}\n\n")
    }
}

/// The data of the last event in a piece.
fn last_data(piece: &[u8]) -> Option<&[u8]> {
    let at = memchr::memmem::rfind(piece, b"data:")?;
    match event::data(&piece[at..])? {
        std::borrow::Cow::Borrowed(data) => Some(data),
        std::borrow::Cow::Owned(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_event_says_what_the_others_said_and_that_the_length_is_reached() {
        let first = Bytes::from_static(
            b"data: {\"id\":\"a\",\"created\":7,\"model\":\"m\",\"choices\":[{}]}\n\n",
        );
        for (passed, choices, expect) in [
            (
                vec![first.clone(), Bytes::from_static(b": comment\n\n")],
                1,
                r#"{"id":"a","created":7,"model":"m","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"length"}]}"#,
            ),
            (
                vec![],
                2,
                r#"{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"length"},{"index":1,"delta":{},"finish_reason":"length"}]}"#,
            ),
        ] {
            let event = cut_short(&passed, choices, None);
            assert_eq!(event, format!("data: {expect}\n\n"));
        }
        let usage = Usage {
            input_tokens: 3,
            output_tokens: 4,
            ..Usage::default()
        };
        let events = cut_short(&[first], 1, Some(&usage));
        let last = r#"{"id":"a","created":7,"model":"m","object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#;
        assert!(events.ends_with(format!("\n\ndata: {last}\n\n").as_bytes()));
    }
}
