//! What an answer is taken to have used, by what is known as it ends: the provider's final word, its
//! opening one with what was delivered since, or what was delivered alone.

use keyward_money::{MeasuredUsage, Usage};
use keyward_proto::metering::v1::UsageSource;

use super::signed;

/// What is known of an answer's usage.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    /// What the provider reported last.
    pub(crate) reported: Option<MeasuredUsage>,
    /// Whether that was its final word.
    pub(crate) is_final: bool,
    /// Whether it reported something that could not be read.
    pub(crate) is_unreadable: bool,
    /// The prompt as counted here.
    pub(crate) prompt: Usage,
    /// What was delivered since the provider reported, or in all where it did not, in tokens as
    /// counted here.
    pub(crate) delivered: u64,
    /// Whether nothing had been delivered when it reported.
    pub(crate) is_opening: bool,
}

/// The usage, and where it is from.
pub(crate) fn known(known: &Known) -> (MeasuredUsage, UsageSource) {
    match known.reported {
        Some(reported) if known.is_final => (reported, UsageSource::Reported),
        Some(reported) => (continued(reported, known), UsageSource::Opening),
        None => {
            let usage = Usage {
                output_tokens: signed(known.delivered),
                ..known.prompt.without_output()
            };
            let inconsistent = known.is_unreadable;
            let measured = MeasuredUsage {
                usage,
                inconsistent,
            };
            (measured, UsageSource::Estimated)
        }
    }
}

/// A report that came before the end, with what was delivered after it. One that came before all
/// content may have counted the first of it in advance.
fn continued(mut reported: MeasuredUsage, known: &Known) -> MeasuredUsage {
    let since = signed(known.delivered);
    let more = match known.is_opening {
        true => since
            .saturating_sub(reported.usage.completion_tokens())
            .max(0),
        false => since,
    };
    reported.usage.output_tokens = reported.usage.output_tokens.saturating_add(more);
    reported
}

/// What an answer counts of which the caller saw nothing: the prompt, where the provider told it.
pub(crate) fn unseen(measured: MeasuredUsage, source: UsageSource) -> Option<MeasuredUsage> {
    let is_told = matches!(source, UsageSource::Reported | UsageSource::Opening);
    is_told.then(|| MeasuredUsage {
        usage: measured.usage.without_output(),
        ..measured
    })
}

/// The text of pieces of JSON strings that were put together as they were written.
pub(crate) fn text_of(escaped: &[u8]) -> String {
    let mut json = Vec::with_capacity(escaped.len() + 2);
    json.push(b'"');
    json.extend_from_slice(escaped);
    json.push(b'"');
    let text = serde_json::from_slice(&json);
    text.unwrap_or_else(|_| String::from_utf8_lossy(escaped).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(input_tokens: i64, output_tokens: i64) -> Usage {
        Usage {
            input_tokens,
            output_tokens,
            ..Usage::default()
        }
    }

    #[test]
    fn the_providers_word_goes_before_what_was_counted() {
        let report = |input, output| {
            Some(MeasuredUsage {
                usage: usage(input, output),
                inconsistent: false,
            })
        };
        let (final_word, opening) = (UsageSource::Reported, UsageSource::Opening);
        let estimated = UsageSource::Estimated;
        for (reported, is_final, (delivered, is_opening), expect) in [
            (
                report(1_000, 137),
                true,
                (90, false),
                (1_000, 137, final_word),
            ),
            // An opening report, as Anthropic's: the prompt, and at most the first token.
            (report(1_000, 0), false, (137, true), (1_000, 137, opening)),
            (report(1_000, 1), false, (137, true), (1_000, 137, opening)),
            (report(1_000, 1), false, (0, true), (1_000, 1, opening)),
            // One with each chunk: it has counted what came with it.
            (report(1_000, 60), false, (0, false), (1_000, 60, opening)),
            (report(1_000, 60), false, (4, false), (1_000, 64, opening)),
            (None, true, (137, true), (75, 137, estimated)),
            (None, false, (0, true), (75, 0, estimated)),
        ] {
            let (measured, source) = known(&Known {
                reported,
                is_final,
                is_unreadable: false,
                prompt: usage(75, 0),
                delivered,
                is_opening,
            });
            let (input, output, from) = expect;
            assert_eq!((measured.usage, source), (usage(input, output), from));
            assert!(!measured.inconsistent);
            let unseen = unseen(measured, source).map(|unseen| unseen.usage);
            let is_told = source != estimated;
            assert_eq!(unseen, is_told.then(|| usage(input, 0)));
        }
    }

    #[test]
    fn a_report_that_cannot_be_read_is_told_of() {
        let (measured, source) = known(&Known {
            reported: None,
            is_final: true,
            is_unreadable: true,
            prompt: usage(7, 9),
            delivered: 0,
            is_opening: true,
        });
        assert_eq!(
            (measured.usage, source),
            (usage(7, 0), UsageSource::Estimated)
        );
        assert!(measured.inconsistent);
    }

    #[test]
    fn pieces_of_text_are_read_as_they_were_written() {
        for (escaped, expect) in [
            ("", ""),
            (r#"one\n\"two\""#, "one\n\"two\""),
            (r"\ud83d\ude00", "😀"),
            (r"half \u12", r"half \u12"),
            ("raw\nline", "raw\nline"),
        ] {
            assert_eq!(text_of(escaped.as_bytes()), expect, "{escaped}");
        }
    }
}
