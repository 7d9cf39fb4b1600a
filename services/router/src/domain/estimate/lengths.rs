//! How long a model's answers were lately: what an answer is expected to be that nobody bounds.

/// How many answers are remembered of a model.
const ANSWERS_MAX: usize = 1_000;
/// The least that is expected, also before there were any answers: short answers say little of the
/// next question.
const EXPECTED_MIN: u64 = 1_024;

/// The lengths of a model's last answers, in tokens: 4 KB at most.
#[derive(Debug, Default)]
pub(crate) struct Lengths {
    tokens: Vec<u32>,
    /// The oldest one, once all places are taken.
    next: usize,
}

impl Lengths {
    /// Remembers an answer.
    pub(crate) fn note(&mut self, tokens: u64) {
        let tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
        if self.tokens.len() < ANSWERS_MAX {
            self.tokens.push(tokens);
            return;
        }
        self.tokens[self.next] = tokens;
        self.next = (self.next + 1) % ANSWERS_MAX;
    }

    /// How long the next one is expected to be: longer by half than 95 of 100 were.
    pub(crate) fn expected(&self) -> u64 {
        let mut sorted = self.tokens.clone();
        let rank = (sorted.len() * 95).div_ceil(100);
        let Some(at) = rank.checked_sub(1) else {
            return EXPECTED_MIN;
        };
        let (_, usual, _) = sorted.select_nth_unstable(at);
        (u64::from(*usual) * 3).div_ceil(2).max(EXPECTED_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_expected_to_be_half_as_long_again_as_nearly_all_were() {
        let check = |answers: &mut dyn Iterator<Item = u64>, expect| {
            let mut lengths = Lengths::default();
            answers.for_each(|tokens| lengths.note(tokens));
            assert_eq!(lengths.expected(), expect);
            assert!(lengths.tokens.len() <= ANSWERS_MAX);
        };
        check(&mut std::iter::empty(), 1_024);
        check(&mut [5, 900].into_iter(), 1_350);
        check(&mut [1].into_iter(), 1_024);
        check(&mut [4_001].into_iter(), 6_002);
        check(&mut (1..=1_000), 1_425);
        // 5 of 100 longer ones do not count, 6 do.
        let some_long = |long: u64| (0..100).map(move |n| if n < long { 9_000 } else { 2_000 });
        check(&mut some_long(5), 3_000);
        check(&mut some_long(6), 13_500);
        // Only the last thousand count.
        check(&mut [9_000; 700].into_iter().chain([2_000; 1_000]), 3_000);
        check(&mut [2_000; 1_000].into_iter().chain([9_000; 60]), 13_500);
        check(&mut [u64::MAX].into_iter(), 6_442_450_943);
    }
}
