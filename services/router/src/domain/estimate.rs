//! What a request is expected to use at most, for its hold. Tokens are counted where a vocabulary is
//! at hand and otherwise taken from bytes, on the safe side; an answer's length is what the caller
//! and the model allow, else what the model's answers were like.

mod answer;
mod counter;
mod known;
mod lengths;
mod media;
mod prompt;
pub(crate) mod sandbox;

pub(crate) use answer::{AnswerBound, AnswerLimits, OutputKind, output};
pub(crate) use counter::{CountTokens, Counter, Vocabulary};
pub(crate) use known::{Known, known, text_of, unseen};
pub(crate) use lengths::Lengths;
pub(crate) use prompt::{PromptText, measure};

use keyward_money::Usage;

/// Bytes of a prompt per token, on the safe side: for holds.
pub(crate) const BYTES_PER_TOKEN_HELD: u64 = 3;
/// Bytes of text per token, as it is on average: what is charged is not padded.
pub(crate) const BYTES_PER_TOKEN: u64 = 4;

/// What a request is expected to use at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expected {
    /// What to hold for.
    pub(crate) usage: Usage,
    /// What of it is the answer.
    pub(crate) answer: AnswerBound,
}

impl Expected {
    /// What a prompt and its answer use.
    pub(crate) fn new(prompt: Usage, answer: AnswerBound) -> Self {
        Self {
            usage: answer.kind.of(prompt, answer.held),
            answer,
        }
    }

    /// The same with another bound of the answer.
    pub(crate) fn with(&self, answer: AnswerBound) -> Self {
        Self::new(self.usage.without_output(), answer)
    }
}

/// A prompt as far as its model can have read it: an image or a file has more bytes than tokens.
pub(crate) fn within_context(mut prompt: Usage, context_tokens: Option<i64>) -> Usage {
    let context = signed(known_or_max(context_tokens));
    prompt.input_tokens = prompt.input_tokens.min(context);
    prompt.input_audio_tokens = prompt.input_audio_tokens.min(context - prompt.input_tokens);
    prompt
}

fn usage(input: u64, output: u64) -> Usage {
    Usage {
        input_tokens: signed(input),
        output_tokens: signed(output),
        ..Usage::default()
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A limit as the catalogue knows it; none where that says nothing or nonsense.
fn known_or_max(tokens: Option<i64>) -> u64 {
    let known = tokens.and_then(|tokens| u64::try_from(tokens).ok());
    known.filter(|tokens| *tokens > 0).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_never_more_than_the_context() {
        for (input, audio, context, expect) in [
            (100, 5, Some(128_000), (100, 5)),
            (3_000_000, 5, Some(128_000), (128_000, 0)),
            (100, 900, Some(128), (100, 28)),
            (3_000_000, 5, None, (3_000_000, 5)),
            (3_000_000, 5, Some(0), (3_000_000, 5)),
        ] {
            let prompt = Usage {
                input_audio_tokens: audio,
                ..usage(input, 0)
            };
            let within = within_context(prompt, context);
            assert_eq!((within.input_tokens, within.input_audio_tokens), expect);
        }
    }
}
