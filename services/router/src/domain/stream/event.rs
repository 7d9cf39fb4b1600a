//! What one event says, as far as serving it needs to know.

use std::borrow::Cow;

use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The data of an event: its `data:` lines, joined. `None` where it has none, as a comment.
pub(super) fn data(event: &[u8]) -> Option<Cow<'_, [u8]>> {
    let event = event.strip_prefix(b"\xef\xbb\xbf").unwrap_or(event);
    let mut data: Option<Cow<'_, [u8]>> = None;
    for line in event.split(|byte| matches!(byte, b'\n' | b'\r')) {
        let Some(value) = line.strip_prefix(b"data:") else {
            continue;
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &mut data {
            None => data = Some(Cow::Borrowed(value)),
            Some(joined) => {
                let joined = joined.to_mut();
                joined.push(b'\n');
                joined.extend_from_slice(value);
            }
        }
    }
    data
}

/// Whether an event ends the stream in OpenAI's form.
pub(super) fn is_done(data: &[u8]) -> bool {
    data.trim_ascii() == b"[DONE]"
}

/// Whether an event is named an error, as Groq's and some servers' are.
pub(super) fn is_error(event: &[u8]) -> bool {
    // Most events begin with their data and have no name.
    !event.starts_with(b"data:")
        && event
            .split(|byte| matches!(byte, b'\n' | b'\r'))
            .filter_map(|line| line.strip_prefix(b"event:"))
            .any(|name| name.trim_ascii() == b"error")
}

/// Whether a chunk reports usage, not only names it: OpenAI writes `"usage":null` into each chunk.
pub(super) fn names_usage(data: &[u8]) -> bool {
    memmem::find_iter(data, b"\"usage\"").any(|at| {
        let rest = data[at + 7..].trim_ascii_start();
        let value = rest
            .strip_prefix(b":")
            .unwrap_or(b"null")
            .trim_ascii_start();
        value.starts_with(b"{")
    })
}

/// A chunk of a chat stream.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct Chunk<'a> {
    #[serde(borrow)]
    choices: Option<Vec<Choice<'a>>>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Choice<'a> {
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    /// The older form of completions.
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    finish_reason: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Delta<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning_content: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning: Option<&'a RawValue>,
    #[serde(borrow)]
    refusal: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_calls: Option<&'a RawValue>,
    #[serde(borrow)]
    function_call: Option<&'a RawValue>,
    #[serde(borrow)]
    audio: Option<&'a RawValue>,
}

impl<'a> Chunk<'a> {
    pub(super) fn read(data: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(data).ok()
    }

    /// The error it carries, as JSON.
    pub(super) fn error(&self) -> Option<&'a str> {
        self.error
            .map(RawValue::get)
            .filter(|error| *error != "null")
    }

    /// Whether it has no choices: the extra chunk that only reports usage.
    pub(super) fn has_no_choices(&self) -> bool {
        self.choices.as_ref().is_none_or(Vec::is_empty)
    }

    pub(super) fn finishes(&self) -> bool {
        self.choices
            .iter()
            .flatten()
            .any(|choice| says(choice.finish_reason))
    }

    /// Whether it holds anything of an answer: content, a tool call, a refusal, or a finish.
    pub(super) fn commits(&self) -> bool {
        self.choices.iter().flatten().any(|choice| {
            says(choice.finish_reason)
                || says(choice.text)
                || choice.delta.as_ref().is_some_and(Delta::says_something)
        })
    }
}

impl Delta<'_> {
    fn says_something(&self) -> bool {
        [
            self.content,
            self.reasoning_content,
            self.reasoning,
            self.refusal,
            self.tool_calls,
            self.function_call,
            self.audio,
        ]
        .into_iter()
        .any(says)
    }
}

fn says(value: Option<&RawValue>) -> bool {
    value.is_some_and(|value| !matches!(value.get(), "null" | "\"\"" | "[]" | "{}"))
}

/// The texts of members that an event or an answer delivers, as they are written in JSON, found by
/// scanning: what a stream that broke off is charged by.
pub(super) fn texts<'a>(
    data: &'a [u8],
    members: &'static [&'static [u8]],
) -> impl Iterator<Item = &'a [u8]> {
    members
        .iter()
        .flat_map(move |name| memmem::find_iter(data, name).map(|at| at + name.len()))
        .map(move |at| string(&data[at..]))
}

/// A JSON string without its quotes; nothing where there is none.
fn string(value: &[u8]) -> &[u8] {
    let Some(text) = value.trim_ascii_start().strip_prefix(b"\"") else {
        return b"";
    };
    let mut escaped = false;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return &text[..at],
            _ => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_lines_are_joined_and_comments_are_none() {
        let cases: &[(&str, Option<&str>)] = &[
            ("data: a\n\n", Some("a")),
            ("data:a\r\n\r\n", Some("a")),
            ("event: x\ndata: a\ndata: b\n\n", Some("a\nb")),
            ("\u{feff}data: a\n\n", Some("a")),
            (": PROCESSING\n\n", None),
        ];
        for (event, expect) in cases {
            let found = data(event.as_bytes());
            assert_eq!(found.as_deref(), expect.map(str::as_bytes), "{event:?}");
        }
    }

    #[test]
    fn the_first_thing_said_commits() {
        let cases: &[(&str, bool)] = &[
            (r#"{"choices":[{"delta":{"role":"assistant"}}]}"#, false),
            (
                r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#,
                false,
            ),
            (
                r#"{"choices":[{"delta":{"content":null},"finish_reason":null}]}"#,
                false,
            ),
            (r#"{"choices":[]}"#, false),
            (r#"{"choices":[{"delta":{"content":"a"}}]}"#, true),
            (
                r#"{"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}"#,
                true,
            ),
            (r#"{"choices":[{"delta":{"refusal":"no"}}]}"#, true),
            (
                r#"{"choices":[{"delta":{"reasoning_content":"hm"}}]}"#,
                true,
            ),
            (r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#, true),
        ];
        for (chunk, expect) in cases {
            assert_eq!(
                Chunk::read(chunk.as_bytes()).unwrap().commits(),
                *expect,
                "{chunk}"
            );
        }
    }

    #[test]
    fn usage_is_seen_where_it_is_reported_only() {
        assert!(names_usage(
            br#"{"choices":[],"usage":{"prompt_tokens":1}}"#
        ));
        assert!(names_usage(
            br#"{"choices":[],"usage" : {"prompt_tokens":1}}"#
        ));
        assert!(names_usage(br#"{"usage":null,"x_groq":{"usage":{}}}"#));
        assert!(!names_usage(br#"{"choices":[],"usage":null}"#));
        assert!(!names_usage(br#"{"choices":[]}"#));
    }

    #[test]
    fn delivered_text_is_found() {
        let chunk = br#"{"choices":[{"delta":{"content":"ab\"c","reasoning":"xy"}}]}"#;
        let delivered_texts = |data| texts(data, &[b"\"content\":", b"\"reasoning\":"]);
        let texts: Vec<_> = delivered_texts(&chunk[..]).collect();
        assert_eq!(texts, [&br#"ab\"c"#[..], b"xy"]);
        assert!(delivered_texts(&br#"{"delta":{"content":null}}"#[..]).all(<[u8]>::is_empty));
    }
}
