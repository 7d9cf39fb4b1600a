//! Service tiers: some providers serve a request faster, or later and cheaper, and say in their
//! answers which they did. The usual one is empty here, whatever a provider calls it.

use std::borrow::Cow;

use memchr::memmem;
use serde::Deserialize;

const MEMBER: &[u8] = b"\"service_tier\"";
/// Longer names are nobody's.
const NAME_BYTES_MAX: usize = 32;

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    service_tier: Option<Cow<'a, str>>,
}

/// The tier that a JSON answer or chunk says it was served in; none where it says nothing of it.
pub(crate) fn read(json: &[u8]) -> Option<String> {
    // Scanned for first: most chunks say nothing, and need not be parsed.
    memmem::find(json, MEMBER)?;
    let envelope: Envelope<'_> = serde_json::from_slice(json).ok()?;
    named(&envelope.service_tier?)
}

/// The same of the end of a large answer, whose beginning is gone already.
pub(crate) fn read_tail(tail: &[u8]) -> Option<String> {
    let at = memmem::rfind(tail, MEMBER)? + MEMBER.len();
    let value = tail[at..].trim_ascii_start().strip_prefix(b":")?;
    let mut values = serde_json::Deserializer::from_slice(value).into_iter::<Cow<'_, str>>();
    named(&values.next()?.ok()?)
}

/// The tier whose prices a request is to be estimated at, by what it asks for: only where that is
/// sure to be dearer or cheaper. What `auto` comes to is known from the answer alone.
pub(crate) fn asked(json: &str) -> Option<&'static str> {
    match json {
        "\"priority\"" => Some("priority"),
        "\"flex\"" => Some("flex"),
        _ => None,
    }
}

/// A tier by a provider's name for it; none where that can be no name.
fn named(name: &str) -> Option<String> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    match name {
        "auto" | "default" | "standard" | "on_demand" => Some(String::new()),
        name if name.len() > NAME_BYTES_MAX || !name.bytes().all(is_name) => None,
        name => Some(name.to_ascii_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_names_its_tier_or_the_usual_one_or_none() {
        let cases: &[(&str, Option<&str>)] = &[
            (
                r#"{"service_tier":"priority","usage":{}}"#,
                Some("priority"),
            ),
            (r#"{"choices":[],"service_tier" : "Flex"}"#, Some("flex")),
            (r#"{"service_tier":"scale"}"#, Some("scale")),
            (r#"{"service_tier":"auto"}"#, Some("")),
            (r#"{"service_tier":"default"}"#, Some("")),
            (r#"{"service_tier":"standard"}"#, Some("")),
            (r#"{"service_tier":"on_demand"}"#, Some("")),
            (r#"{"service_tier":null}"#, None),
            (r#"{"service_tier":7}"#, None),
            (r#"{"service_tier":"a b"}"#, None),
            (r#"{"usage":{"service_tier":"priority"}}"#, None),
            (
                r#"{"choices":[{"delta":{"content":"\"service_tier\":\"priority\""}}]}"#,
                None,
            ),
            ("{}", None),
            (r#"nonsense "service_tier":"flex""#, None),
        ];
        for (json, expect) in cases {
            assert_eq!(read(json.as_bytes()).as_deref(), *expect, "{json}");
        }
        let long = format!(r#"{{"service_tier":"{}"}}"#, "x".repeat(NAME_BYTES_MAX + 1));
        assert_eq!(read(long.as_bytes()), None);
    }

    #[test]
    fn the_end_of_a_large_answer_is_enough() {
        let tail = br#"...","usage":{"prompt_tokens":1},"service_tier": "flex","x":1}"#;
        assert_eq!(read_tail(tail).as_deref(), Some("flex"));
        assert_eq!(read_tail(br#"..."service_tier":null}"#), None);
        assert_eq!(read_tail(b"no such thing"), None);
    }

    #[test]
    fn only_a_tier_that_is_sure_counts_before_the_answer() {
        for (json, expect) in [
            ("\"priority\"", Some("priority")),
            ("\"flex\"", Some("flex")),
            ("\"auto\"", None),
            ("\"default\"", None),
            ("null", None),
            ("{}", None),
        ] {
            assert_eq!(asked(json), expect, "{json}");
        }
    }
}
