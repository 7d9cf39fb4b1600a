//! Where answers have what OpenAI's chat completions report: in themselves or in Groq's `x_groq`. What
//! the report says, its form reads.

use keyward_dialect::ChatUsage;
use keyward_money::MeasuredUsage;
use serde::Deserialize;

use super::believable;

/// A whole answer or one chunk of a stream, as far as usage goes.
#[derive(Debug, Default, Deserialize)]
struct Envelope {
    #[serde(default)]
    usage: Option<ChatUsage>,
    #[serde(default)]
    x_groq: Option<Groq>,
}

#[derive(Debug, Default, Deserialize)]
struct Groq {
    #[serde(default)]
    usage: Option<ChatUsage>,
}

/// Reads the usage out of a JSON answer or chunk; `None` where there is none to be read.
pub(super) fn read(json: &[u8]) -> Option<MeasuredUsage> {
    let envelope: Envelope = serde_json::from_slice(json).ok()?;
    let groqs = || envelope.x_groq.and_then(|groq| groq.usage);
    let reported = envelope.usage.or_else(groqs)?;
    believable(reported.measured()?)
}

/// Reads the usage where only a total is told.
pub(super) fn read_total(json: &[u8]) -> Option<MeasuredUsage> {
    let envelope: Envelope = serde_json::from_slice(json).ok()?;
    believable(envelope.usage?.only_total()?)
}

/// Reads the usage out of the end of a large answer, whose beginning is gone already.
pub(super) fn read_tail(tail: &[u8]) -> Option<MeasuredUsage> {
    let at = memchr::memmem::rfind(tail, b"\"usage\"")? + b"\"usage\"".len();
    let value = tail[at..].trim_ascii_start().strip_prefix(b":")?;
    let mut values = serde_json::Deserializer::from_slice(value).into_iter::<ChatUsage>();
    believable(values.next()?.ok()?.measured()?)
}

#[cfg(test)]
mod tests {
    use keyward_money::Usage;

    use super::*;

    fn check(json: &str, expect: Usage, inconsistent: bool) {
        let measured = read(json.as_bytes()).expect(json);
        assert_eq!(
            (measured.usage, measured.inconsistent),
            (expect, inconsistent),
            "{json}"
        );
    }

    #[test]
    fn each_way_of_reporting_becomes_disjoint() {
        let usage = |input_tokens, output_tokens| Usage {
            input_tokens,
            output_tokens,
            ..Usage::default()
        };
        check(
            r#"{"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}"#,
            usage(10, 5),
            false,
        );
        check(
            r#"{"usage":{"prompt_tokens":100,"completion_tokens":50,
                "prompt_tokens_details":{"cached_tokens":60,"audio_tokens":10},
                "completion_tokens_details":{"reasoning_tokens":30,"audio_tokens":5}}}"#,
            Usage {
                input_tokens: 30,
                cache_read_tokens: 60,
                input_audio_tokens: 10,
                output_tokens: 15,
                reasoning_tokens: 30,
                output_audio_tokens: 5,
                ..Usage::default()
            },
            false,
        );
        check(
            r#"{"usage":{"prompt_tokens":100,"completion_tokens":5,"prompt_cache_hit_tokens":64,
                "prompt_cache_miss_tokens":36}}"#,
            Usage {
                cache_read_tokens: 64,
                ..usage(36, 5)
            },
            false,
        );
        check(
            r#"{"choices":[],"x_groq":{"id":"r","usage":{"prompt_tokens":7.0,"completion_tokens":3}}}"#,
            usage(7, 3),
            false,
        );
        check(
            r#"{"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":35,
                "completion_tokens_details":{"reasoning_tokens":20}}}"#,
            Usage {
                reasoning_tokens: 20,
                ..usage(10, 5)
            },
            false,
        );
        check(
            r#"{"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,
                "prompt_tokens_details":{"cached_tokens":12},"completion_tokens_details":null}}"#,
            Usage {
                cache_read_tokens: 12,
                ..usage(0, 5)
            },
            true,
        );
    }

    #[test]
    fn the_end_of_a_large_answer_is_enough() {
        let tail = br#"...text"}}],"usage": {"prompt_tokens":3,"completion_tokens":4},"x":[1]}"#;
        assert_eq!(read_tail(tail).unwrap().usage.output_tokens, 4);
        assert!(read_tail(b"no such thing").is_none());
    }

    #[test]
    fn what_nobody_can_have_used_is_taken_for_unreported() {
        for tokens in ["100000001", "9223372036854775807", "1e30"] {
            for name in ["prompt_tokens", "completion_tokens"] {
                let json = format!(r#"{{"usage":{{"{name}":{tokens}}}}}"#);
                assert!(read(json.as_bytes()).is_none(), "{json}");
            }
        }
        assert!(read(br#"{"usage":{"prompt_tokens":100000000}}"#).is_some());
        // A detail is charged like a total, and need not be a part of one.
        for detail in [
            r#""prompt_tokens_details":{"cached_tokens":100000001}"#,
            r#""completion_tokens_details":{"reasoning_tokens":100000001}"#,
            r#""prompt_cache_hit_tokens":100000001"#,
            r#""num_search_queries":100000001"#,
        ] {
            let json =
                format!(r#"{{"usage":{{"prompt_tokens":1,"completion_tokens":1,{detail}}}}}"#);
            assert!(read(json.as_bytes()).is_none(), "{json}");
        }
    }

    #[test]
    fn what_reports_nothing_is_nothing() {
        for json in [
            "{}",
            r#"{"usage":null}"#,
            r#"{"usage":{}}"#,
            "nonsense",
            r#"{"usage":"many"}"#,
        ] {
            assert!(read(json.as_bytes()).is_none(), "{json}");
        }
    }
}
