//! Usage as OpenAI's chat completions report it. Takes the variants that are seen in the wild:
//! details, DeepSeek's cache hits, Groq's `x_groq`, reasoning or sound counted beside the rest.

use keyward_money::{MeasuredUsage, OverlappingUsage, Usage};
use serde::Deserialize;
use serde_json::Number;

use super::{TOKENS_MAX, whole};

/// A whole answer or one chunk of a stream, as far as usage goes.
#[derive(Debug, Default, Deserialize)]
struct Envelope {
    #[serde(default)]
    usage: Option<Reported>,
    #[serde(default)]
    x_groq: Option<Groq>,
}

#[derive(Debug, Default, Deserialize)]
struct Groq {
    #[serde(default)]
    usage: Option<Reported>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Reported {
    prompt_tokens: Option<Number>,
    completion_tokens: Option<Number>,
    total_tokens: Option<Number>,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
    /// DeepSeek.
    prompt_cache_hit_tokens: Option<Number>,
    /// Perplexity.
    num_search_queries: Option<Number>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[allow(clippy::struct_field_names)] // The names are the wire's.
struct PromptDetails {
    cached_tokens: Option<Number>,
    cache_write_tokens: Option<Number>,
    audio_tokens: Option<Number>,
    image_tokens: Option<Number>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[allow(clippy::struct_field_names)] // The names are the wire's.
struct CompletionDetails {
    reasoning_tokens: Option<Number>,
    audio_tokens: Option<Number>,
    image_tokens: Option<Number>,
}

/// Reads the usage out of a JSON answer or chunk; `None` where there is none to be read.
pub(super) fn read(json: &[u8]) -> Option<MeasuredUsage> {
    let envelope: Envelope = serde_json::from_slice(json).ok()?;
    let reported = envelope
        .usage
        .or_else(|| envelope.x_groq.and_then(|groq| groq.usage))?;
    // An empty object says nothing; zero would be a claim.
    reported
        .prompt_tokens
        .as_ref()
        .or(reported.completion_tokens.as_ref())?;
    disjoint(&reported)
}

/// Reads the usage where only a total is told: all of it is the prompt, as nothing else is counted.
pub(super) fn read_total(json: &[u8]) -> Option<MeasuredUsage> {
    let envelope: Envelope = serde_json::from_slice(json).ok()?;
    let total = envelope.usage?.total_tokens?;
    disjoint(&Reported {
        prompt_tokens: Some(total),
        ..Reported::default()
    })
}

/// Reads the usage out of the end of a large answer, whose beginning is gone already.
pub(super) fn read_tail(tail: &[u8]) -> Option<MeasuredUsage> {
    let at = memchr::memmem::rfind(tail, b"\"usage\"")? + b"\"usage\"".len();
    let value = tail[at..].trim_ascii_start().strip_prefix(b":")?;
    let mut values = serde_json::Deserializer::from_slice(value).into_iter::<Reported>();
    let reported = values.next()?.ok()?;
    reported
        .prompt_tokens
        .as_ref()
        .or(reported.completion_tokens.as_ref())?;
    disjoint(&reported)
}

/// `None` also where a figure is beyond belief: nobody shall pay for a fault in a provider's counter.
fn disjoint(reported: &Reported) -> Option<MeasuredUsage> {
    let none = PromptDetails::default();
    let prompt = reported.prompt_tokens_details.as_ref().unwrap_or(&none);
    let none = CompletionDetails::default();
    let completion = reported.completion_tokens_details.as_ref().unwrap_or(&none);
    let mut figures = OverlappingUsage {
        prompt_tokens: whole(reported.prompt_tokens.as_ref()),
        cached_tokens: whole(
            prompt
                .cached_tokens
                .as_ref()
                .or(reported.prompt_cache_hit_tokens.as_ref()),
        ),
        cache_write_tokens: whole(prompt.cache_write_tokens.as_ref()),
        prompt_audio_tokens: whole(prompt.audio_tokens.as_ref()),
        prompt_image_tokens: whole(prompt.image_tokens.as_ref()),
        completion_tokens: whole(reported.completion_tokens.as_ref()),
        reasoning_tokens: whole(completion.reasoning_tokens.as_ref()),
        completion_audio_tokens: whole(completion.audio_tokens.as_ref()),
        completion_image_tokens: whole(completion.image_tokens.as_ref()),
        searches: whole(reported.num_search_queries.as_ref()),
    };
    if reasons_beside_the_answer(&figures, whole(reported.total_tokens.as_ref())) {
        figures.completion_tokens = figures
            .completion_tokens
            .saturating_add(figures.reasoning_tokens);
    }
    if hears_beside_the_prompt(&figures, whole(reported.total_tokens.as_ref())) {
        figures.prompt_tokens = figures
            .prompt_tokens
            .saturating_add(figures.prompt_audio_tokens);
    }
    is_believable(&figures).then(|| Usage::from_overlapping(figures))
}

fn is_believable(figures: &OverlappingUsage) -> bool {
    // The other figures are parts of these two, and clamped to them.
    figures.prompt_tokens.max(figures.completion_tokens) <= TOKENS_MAX
}

/// Mistral counts sound beside `prompt_tokens`, others within: the total tells which.
fn hears_beside_the_prompt(figures: &OverlappingUsage, total: i64) -> bool {
    let without = figures
        .prompt_tokens
        .saturating_add(figures.completion_tokens);
    let audio = figures.prompt_audio_tokens;
    audio > 0 && total == without.saturating_add(audio)
}

/// xAI counts reasoning beside `completion_tokens`, others within: the total tells which.
fn reasons_beside_the_answer(figures: &OverlappingUsage, total: i64) -> bool {
    let without = figures
        .prompt_tokens
        .saturating_add(figures.completion_tokens);
    figures.reasoning_tokens > 0 && total == without.saturating_add(figures.reasoning_tokens)
}

#[cfg(test)]
mod tests {
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
