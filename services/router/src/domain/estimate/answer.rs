//! How long an answer may become, and at which price its tokens are held.

use keyward_money::{Rates, Usage};

use super::{known_or_max, signed};

/// What limits the answers to a request.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct AnswerLimits {
    /// The bound on one answer that the caller set.
    pub(crate) asked: Option<u64>,
    /// The most that the model gives; absent where unknown.
    pub(crate) model_output_tokens: Option<i64>,
    /// The most that the model takes and gives together; absent where unknown.
    pub(crate) model_context_tokens: Option<i64>,
    /// How long an answer is expected to be where nobody bounds it.
    pub(crate) expected: u64,
    /// How many answers are asked for.
    pub(crate) choices: u64,
}

/// How much of an answer is held for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AnswerBound {
    /// Tokens that are held for, in all answers together.
    pub(crate) held: u64,
    /// Tokens that there can be at the very most.
    pub(crate) most: u64,
    /// What they are held as.
    pub(crate) kind: OutputKind,
}

/// A kind of output, by which it is priced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutputKind {
    Text,
    Reasoning,
    Audio,
    Image,
}

impl AnswerLimits {
    /// The bound: what the caller asked for, never more than the model can give.
    pub(crate) fn bound(&self, kind: OutputKind) -> AnswerBound {
        let model = known_or_max(self.model_output_tokens.or(self.model_context_tokens));
        let each = |tokens: u64| tokens.min(model).saturating_mul(self.choices.max(1));
        AnswerBound {
            held: each(self.asked.unwrap_or(self.expected)),
            most: each(self.asked.unwrap_or(u64::MAX)),
            kind,
        }
    }
}

impl AnswerBound {
    /// From how many delivered tokens on more is to be held: four fifths of what is.
    pub(crate) fn due_at(&self) -> u64 {
        self.held - self.held / 5
    }

    /// The same with twice as much held; none where more cannot come.
    pub(crate) fn raised(self) -> Option<Self> {
        let held = self.held.saturating_mul(2).min(self.most);
        (held > self.held).then_some(Self { held, ..self })
    }

    /// An answer of which it is known how long it will be.
    pub(crate) fn exactly(tokens: i64) -> Self {
        let tokens = u64::try_from(tokens).unwrap_or(0);
        Self {
            held: tokens,
            most: tokens,
            kind: OutputKind::Text,
        }
    }
}

impl OutputKind {
    /// A usage with so many tokens of this kind.
    pub(super) fn of(self, mut usage: Usage, tokens: u64) -> Usage {
        let bucket = match self {
            Self::Text => &mut usage.output_tokens,
            Self::Reasoning => &mut usage.reasoning_tokens,
            Self::Audio => &mut usage.output_audio_tokens,
            Self::Image => &mut usage.output_image_tokens,
        };
        *bucket = signed(tokens);
        usage
    }
}

/// As what an answer is held: the dearest that it can consist of.
pub(crate) fn output(rates: &Rates, asks_audio: bool, makes_images: bool) -> OutputKind {
    let text = rates.output.unwrap_or(0);
    let audio = rates.output_audio.filter(|_| asks_audio).unwrap_or(text);
    let reasoning = rates.reasoning.unwrap_or(text);
    let image = rates.output_image.filter(|_| makes_images).unwrap_or(text);
    if image > text.max(reasoning).max(audio) {
        OutputKind::Image
    } else if audio > text.max(reasoning) {
        OutputKind::Audio
    } else if reasoning > text {
        OutputKind::Reasoning
    } else {
        OutputKind::Text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_bounded_by_who_asks_by_the_model_and_by_what_is_usual() {
        let usual = AnswerLimits {
            expected: 1_024,
            choices: 1,
            ..AnswerLimits::default()
        };
        let check = |limits: AnswerLimits, held, most| {
            let bound = limits.bound(OutputKind::Text);
            assert_eq!((bound.held, bound.most), (held, most), "{limits:?}");
        };
        let model = |tokens| AnswerLimits {
            model_output_tokens: Some(tokens),
            ..usual
        };
        let asking = |asked, limits| AnswerLimits {
            asked: Some(asked),
            ..limits
        };
        check(usual, 1_024, u64::MAX);
        check(model(16_384), 1_024, 16_384);
        check(model(512), 512, 512);
        check(model(0), 1_024, u64::MAX);
        check(asking(100, model(16_384)), 100, 100);
        check(asking(0, model(16_384)), 0, 0);
        check(asking(2_000_000_000, model(16_384)), 16_384, 16_384);
        check(asking(u64::MAX, usual), u64::MAX, u64::MAX);
        let context = AnswerLimits {
            model_context_tokens: Some(8_192),
            ..asking(1_000_000, usual)
        };
        check(context, 8_192, 8_192);
        let many = AnswerLimits {
            choices: 3,
            ..asking(10, model(16_384))
        };
        check(many, 30, 30);
        let endless = AnswerLimits {
            choices: 128,
            ..asking(u64::MAX, usual)
        };
        check(endless, u64::MAX, u64::MAX);
    }

    #[test]
    fn more_is_held_by_doubling_until_nothing_more_can_come() {
        let mut bound = AnswerBound {
            held: 1_024,
            most: 5_000,
            kind: OutputKind::Text,
        };
        assert_eq!(bound.due_at(), 820);
        let mut held = Vec::new();
        while let Some(raised) = bound.raised() {
            held.push(raised.held);
            bound = raised;
        }
        assert_eq!(held, [2_048, 4_096, 5_000]);
        assert_eq!(AnswerBound::exactly(0).raised(), None);
        assert_eq!(AnswerBound::exactly(3).due_at(), 3);
    }

    #[test]
    fn an_answer_is_held_as_the_dearest_that_it_can_be() {
        let rates = |reasoning, output_audio| Rates {
            input: Some(1),
            output: Some(10),
            reasoning,
            output_audio,
            ..Rates::default()
        };
        for (rates, asks_audio, expect) in [
            (rates(None, None), true, OutputKind::Text),
            (rates(Some(10), Some(80)), false, OutputKind::Text),
            (rates(Some(12), Some(80)), false, OutputKind::Reasoning),
            (rates(Some(12), Some(80)), true, OutputKind::Audio),
            (rates(Some(90), Some(80)), true, OutputKind::Reasoning),
        ] {
            assert_eq!(output(&rates, asks_audio, false), expect, "{rates:?}");
        }
        let held = OutputKind::Reasoning.of(Usage::default(), 7);
        assert_eq!((held.reasoning_tokens, held.output_tokens), (7, 0));
    }
}
