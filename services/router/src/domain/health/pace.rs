//! How a model has answered at a provider: its time to the first byte, its speed and how often it
//! failed, weighted by how long ago that was. Integers throughout; the time is an argument.

use super::Seen;

/// The weight of one observation when it is made.
const ONE: u64 = 1 << 10;
/// How often weights are lessened, by an eighth of a halving: what was two minutes ago counts half.
const STEP_MS: u64 = 15_000;
/// What is left of a weight after a step, in parts of 1,024: the eighth root of a half.
const LEFT_OF_1024: u64 = 939;
/// Less than half an observation tells nothing.
const WEIGHT_MIN: u64 = ONE / 2;

/// So many answers are taken for given, so that one failure among few does not make a model look bad.
const GIVEN: u64 = 4 * ONE;

/// Of fewer answers nobody knows the slowest twentieth.
const RUNS_TO_TELL_LATE: u64 = 20 * ONE;

/// Upper bounds of times in milliseconds, eight to a power of ten; what is longer counts as the last.
const BOUNDS_MS: [u64; 46] = [
    1, 2, 3, 4, 5, 7, 10, 13, 18, 24, 32, 42, 56, 75, 100, 133, 178, 237, 316, 422, 562, 750, 1000,
    1334, 1778, 2371, 3162, 4217, 5623, 7499, 10_000, 13_335, 17_783, 23_714, 31_623, 42_170,
    56_234, 74_989, 100_000, 133_352, 177_828, 237_137, 316_228, 421_697, 562_341, 749_894,
];

/// How an answer went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    /// Whether it was streamed; the first byte of a plain one comes when all of it is made.
    pub(crate) streamed: bool,
    /// Until its first content, in milliseconds.
    pub(crate) first_ms: u64,
    /// Tokens, and from the first content to the end in milliseconds, of a streamed one.
    pub(crate) tokens: Option<(u64, u64)>,
}

/// What is remembered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pace {
    streamed: Spread,
    plain: Spread,
    tokens: u64,
    tokens_ms: u64,
    served: u64,
    failed: u64,
    lessened_ms: u64,
}

impl Pace {
    /// An answer was whole.
    pub(crate) fn served(&mut self, run: &Run, now_ms: u64) {
        self.lessen(now_ms);
        self.served += ONE;
        self.spread(run.streamed).note(run.first_ms);
        if let Some((tokens, tokens_ms)) = run.tokens {
            self.tokens = self.tokens.saturating_add(tokens.saturating_mul(ONE));
            self.tokens_ms = self.tokens_ms.saturating_add(tokens_ms.saturating_mul(ONE));
        }
    }

    /// An answer took at least so long to begin: it was not waited for any longer.
    pub(crate) fn waited(&mut self, streamed: bool, first_ms: u64, now_ms: u64) {
        self.lessen(now_ms);
        self.spread(streamed).note(first_ms);
    }

    /// How long 95 of 100 answers took to begin; none where too few were seen lately.
    pub(crate) fn late_ms(&self, streamed: bool, now_ms: u64) -> Option<u64> {
        let pace = self.at(now_ms);
        let spread = match streamed {
            true => &pace.streamed,
            false => &pace.plain,
        };
        (spread.total() >= RUNS_TO_TELL_LATE)
            .then(|| spread.quantile(95))
            .flatten()
    }

    fn spread(&mut self, streamed: bool) -> &mut Spread {
        match streamed {
            true => &mut self.streamed,
            false => &mut self.plain,
        }
    }

    /// An attempt failed by the provider's fault.
    pub(crate) fn failed(&mut self, now_ms: u64) {
        self.lessen(now_ms);
        self.failed += ONE;
    }

    /// What was seen lately; none where that is nothing.
    pub(crate) fn seen(&self, now_ms: u64) -> Option<Seen> {
        let pace = self.at(now_ms);
        let first_byte_ms = pace
            .streamed
            .quantile(50)
            .or_else(|| pace.plain.quantile(50))?;
        Some(Seen {
            first_byte_ms,
            tokens_per_second: pace.tokens_per_second(),
            failed_of_10_000: pace.failed * 10_000 / (pace.served + pace.failed + GIVEN),
        })
    }

    /// The same as of `now_ms`.
    pub(crate) fn at(&self, now_ms: u64) -> Self {
        let mut pace = self.clone();
        pace.lessen(now_ms);
        pace
    }

    /// Of 10,000 attempts, how many failed lately; none where there were none.
    pub(crate) fn failed_of_10_000(&self) -> Option<u64> {
        let all = self.served + self.failed;
        (all >= WEIGHT_MIN).then(|| self.failed * 10_000 / all)
    }

    fn tokens_per_second(&self) -> Option<u64> {
        (self.tokens >= WEIGHT_MIN)
            .then(|| self.tokens.saturating_mul(1000).checked_div(self.tokens_ms))
            .flatten()
    }

    fn lessen(&mut self, now_ms: u64) {
        if self.lessened_ms == 0 {
            self.lessened_ms = now_ms;
        }
        let steps = now_ms.saturating_sub(self.lessened_ms) / STEP_MS;
        if steps == 0 {
            return;
        }
        self.lessened_ms += steps * STEP_MS;
        self.streamed.lessen(steps);
        self.plain.lessen(steps);
        for weight in [
            &mut self.tokens,
            &mut self.tokens_ms,
            &mut self.served,
            &mut self.failed,
        ] {
            *weight = lessened(*weight, steps);
        }
    }
}

/// How times are spread.
#[derive(Debug, Clone)]
struct Spread {
    weights: [u64; BOUNDS_MS.len()],
}

impl Default for Spread {
    fn default() -> Self {
        Self {
            weights: [0; BOUNDS_MS.len()],
        }
    }
}

impl Spread {
    fn note(&mut self, millis: u64) {
        let at = BOUNDS_MS.partition_point(|bound| *bound < millis);
        self.weights[at.min(BOUNDS_MS.len() - 1)] += ONE;
    }

    fn total(&self) -> u64 {
        self.weights.iter().sum()
    }

    /// The time below which so many of 100 are, within the bounds of its class.
    fn quantile(&self, of_100: u64) -> Option<u64> {
        let total = self.total();
        if total < WEIGHT_MIN {
            return None;
        }
        let wanted = (total * of_100).div_ceil(100);
        let (mut below, mut lower_ms) = (0, 0);
        for (weight, upper_ms) in self.weights.iter().zip(BOUNDS_MS) {
            if below + weight >= wanted {
                let part = (upper_ms - lower_ms) * (wanted - below) / (*weight).max(1);
                return Some(lower_ms + part);
            }
            (below, lower_ms) = (below + weight, upper_ms);
        }
        BOUNDS_MS.last().copied()
    }

    fn lessen(&mut self, steps: u64) {
        for weight in &mut self.weights {
            *weight = lessened(*weight, steps);
        }
    }
}

/// A weight after so many steps, of which eight halve it.
fn lessened(weight: u64, steps: u64) -> u64 {
    let halvings = u32::try_from(steps / 8).unwrap_or(u32::MAX);
    let halved = weight.checked_shr(halvings).unwrap_or(0);
    let step = |weight: u64, _| weight / 1024 * LEFT_OF_1024 + weight % 1024 * LEFT_OF_1024 / 1024;
    (0..steps % 8).fold(halved, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_000_000;

    fn run(first_ms: u64) -> Run {
        Run {
            streamed: true,
            first_ms,
            tokens: None,
        }
    }

    #[test]
    fn half_are_faster_than_what_is_told() {
        let mut pace = Pace::default();
        assert_eq!(pace.seen(NOW_MS), None);
        for first_ms in [90, 210, 300, 320, 5_000] {
            pace.served(&run(first_ms), NOW_MS);
        }
        let told = pace.seen(NOW_MS).unwrap().first_byte_ms;
        assert!((237..=316).contains(&told), "{told}");
    }

    #[test]
    fn what_was_long_ago_counts_less_and_then_nothing() {
        let mut pace = Pace::default();
        for _ in 0..10 {
            pace.served(&run(4_000), NOW_MS);
        }
        let later_ms = NOW_MS + 600_000;
        for _ in 0..3 {
            pace.served(&run(100), later_ms);
        }
        let told = pace.seen(later_ms).unwrap().first_byte_ms;
        assert!(told <= 100, "{told}");
        assert_eq!(pace.seen(later_ms + 3_600_000), None);
    }

    #[test]
    fn speed_is_tokens_by_the_time_they_took() {
        let mut pace = Pace::default();
        for (tokens, tokens_ms) in [(100, 1_000), (300, 1_000)] {
            let tokens = Some((tokens, tokens_ms));
            pace.served(&Run { tokens, ..run(50) }, NOW_MS);
        }
        assert_eq!(pace.seen(NOW_MS).unwrap().tokens_per_second, Some(200));
    }

    #[test]
    fn what_is_late_is_told_of_enough_answers_of_the_same_kind() {
        let mut pace = Pace::default();
        for _ in 0..19 {
            pace.served(&run(100), NOW_MS);
        }
        assert_eq!(pace.late_ms(true, NOW_MS), None);
        pace.waited(true, 3_000, NOW_MS);
        let late_ms = pace.late_ms(true, NOW_MS).unwrap();
        assert!((75..=100).contains(&late_ms), "{late_ms}");
        pace.waited(true, 3_000, NOW_MS);
        let late_ms = pace.late_ms(true, NOW_MS).unwrap();
        assert!((2_371..=3_162).contains(&late_ms), "{late_ms}");
        assert_eq!(pace.late_ms(false, NOW_MS), None);
    }

    #[test]
    fn failures_are_told_as_a_part_of_all() {
        let mut pace = Pace::default();
        assert_eq!(pace.failed_of_10_000(), None);
        for _ in 0..3 {
            pace.served(&run(10), NOW_MS);
        }
        pace.failed(NOW_MS);
        assert_eq!(pace.failed_of_10_000(), Some(2_500));
        // One failure is no judgement.
        assert_eq!(pace.seen(NOW_MS).unwrap().failed_of_10_000, 1_250);
    }
}
