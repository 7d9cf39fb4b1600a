//! A circuit breaker: opens when attempts fail in a row, or too many of the last ones did; lets one
//! probe through at a time once it has rested, and closes when that goes well. The time is an
//! argument.

/// So many failures in a row open it.
const IN_A_ROW: u32 = 3;
/// So many outcomes are remembered.
const REMEMBERED: u32 = 20;
/// So many failures among them open it: a quarter. Of what fails every other time, five in twenty are
/// missed once in two hundred times; of what fails once in a hundred, they are all but never seen.
const FAILED_AMONG_REMEMBERED: u32 = 5;
/// What was longer ago says nothing of now.
const LATELY_MS: u64 = 60_000;

/// A breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Breaker {
    /// The last outcomes, the latest in the lowest bit; set where it failed.
    outcomes: u32,
    last_ms: u64,
    open: Option<Open>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Open {
    since_ms: u64,
    until_ms: u64,
    is_probing: bool,
}

/// How a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Attempts are made.
    Closed,
    /// It rests.
    Open {
        /// Until when.
        until_ms: u64,
    },
    /// It has rested: a probe is due.
    Due,
    /// A probe is under way.
    Probing,
}

impl State {
    /// The worse of the two: what rests before what is about to be tried.
    pub(crate) fn or_worse(self, other: Self) -> Self {
        let badness = |state| match state {
            Self::Closed => 0,
            Self::Due => 1,
            Self::Probing => 2,
            Self::Open { .. } => 3,
        };
        match badness(other) > badness(self) {
            true => other,
            false => self,
        }
    }
}

/// Whether an attempt may be made, and as what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    /// As any other.
    Free,
    /// As the probe: until it is over, or released, it is the only one.
    Probe,
    /// A probe is under way; better not.
    Busy,
}

impl Breaker {
    /// How it stands.
    pub(crate) fn state(&self, now_ms: u64) -> State {
        match self.open {
            None => State::Closed,
            Some(open) if open.is_probing => State::Probing,
            Some(open) if open.until_ms > now_ms => State::Open {
                until_ms: open.until_ms,
            },
            Some(_) => State::Due,
        }
    }

    /// An attempt failed. Where it is open, or `may_open` and enough have failed, it rests for
    /// `rest_ms`. Says whether it was opened by this one.
    pub(crate) fn failed(&mut self, now_ms: u64, rest_ms: u64, may_open: bool) -> bool {
        self.remember(true, now_ms);
        let was_open = self.open.is_some();
        if was_open || (may_open && self.is_failing()) {
            self.open_until(now_ms.saturating_add(rest_ms), now_ms);
        }
        !was_open && self.open.is_some()
    }

    /// An attempt went well that was begun at `began_ms`. Only what was begun after it opened says that
    /// it is over.
    pub(crate) fn succeeded(&mut self, began_ms: u64, now_ms: u64) {
        let is_over = match self.state(now_ms) {
            State::Due | State::Probing => true,
            State::Open { .. } => self.open.is_some_and(|open| began_ms >= open.since_ms),
            State::Closed => false,
        };
        match is_over {
            true => *self = Self::default(),
            false => self.remember(false, now_ms),
        }
    }

    /// Opens it, or keeps it open for longer.
    pub(crate) fn open_until(&mut self, until_ms: u64, now_ms: u64) {
        let known = self.open.unwrap_or(Open {
            since_ms: now_ms,
            until_ms,
            is_probing: false,
        });
        self.open = Some(Open {
            until_ms: until_ms.max(known.until_ms),
            is_probing: false,
            ..known
        });
    }

    /// Asks to make an attempt. Where it rests still, somebody has nothing better left.
    pub(crate) fn enter(&mut self, now_ms: u64) -> Entry {
        match self.state(now_ms) {
            State::Closed | State::Open { .. } => Entry::Free,
            State::Probing => Entry::Busy,
            State::Due => {
                if let Some(open) = &mut self.open {
                    open.is_probing = true;
                }
                Entry::Probe
            }
        }
    }

    /// The probe said nothing.
    pub(crate) fn release(&mut self) {
        if let Some(open) = &mut self.open {
            open.is_probing = false;
        }
    }

    /// Whether there is nothing to remember.
    pub(crate) fn is_blank(&self, now_ms: u64) -> bool {
        let is_stale = now_ms.saturating_sub(self.last_ms) > LATELY_MS;
        self.open.is_none() && (self.outcomes == 0 || is_stale)
    }

    fn is_failing(&self) -> bool {
        self.outcomes.trailing_ones() >= IN_A_ROW
            || self.outcomes.count_ones() >= FAILED_AMONG_REMEMBERED
    }

    fn remember(&mut self, failed: bool, now_ms: u64) {
        if now_ms.saturating_sub(self.last_ms) > LATELY_MS {
            self.outcomes = 0;
        }
        let mask = (1 << REMEMBERED) - 1;
        self.outcomes = (self.outcomes << 1 | u32::from(failed)) & mask;
        self.last_ms = now_ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST_MS: u64 = 5_000;

    /// `x` failed, `.` went well, a number of seconds passed.
    fn after(course: &str) -> (Breaker, u64) {
        let (mut breaker, mut now_ms) = (Breaker::default(), 1_000_000);
        for step in course.split_whitespace() {
            match step.parse::<u64>() {
                Ok(seconds) => now_ms += seconds * 1000,
                Err(_) => {
                    for outcome in step.chars() {
                        match outcome {
                            'x' => _ = breaker.failed(now_ms, REST_MS, true),
                            _ => breaker.succeeded(now_ms - 1, now_ms),
                        }
                    }
                }
            }
        }
        (breaker, now_ms)
    }

    #[test]
    fn a_breaker_stands_as_its_outcomes_say() {
        for (course, expect) in [
            ("", "closed"),
            ("xx", "closed"),
            ("xxx", "open 5000"),
            ("xx.x", "closed"),
            ("x.x.x.x.", "closed"),
            ("x.x.x.x.x", "open 5000"),
            ("x...x...x...x...x", "open 5000"),
            ("x....x....x....x....x", "closed"),
            // What was long ago is forgotten.
            ("xx 61 x", "closed"),
            ("x.x.x.x. 61 x", "closed"),
            ("xxx 4", "open 1000"),
            ("xxx 5", "due"),
            ("xxx 600", "due"),
            // A failure while it is open prolongs the rest.
            ("xxx 4 x", "open 5000"),
            ("xxx 5 x", "open 5000"),
            // What was begun before it opened does not close it.
            ("xxx .", "open 5000"),
            ("xxx 5 .", "closed"),
            ("xxx 5 . xx", "closed"),
        ] {
            let (breaker, now_ms) = after(course);
            let seen = match breaker.state(now_ms) {
                State::Closed => "closed".to_owned(),
                State::Open { until_ms } => format!("open {}", until_ms - now_ms),
                State::Due => "due".to_owned(),
                State::Probing => "probing".to_owned(),
            };
            assert_eq!(seen, expect, "{course}");
        }
    }

    #[test]
    fn one_probe_goes_through_at_a_time() {
        let (mut breaker, now_ms) = after("xxx 5");
        assert_eq!(breaker.enter(now_ms), Entry::Probe);
        assert_eq!(breaker.enter(now_ms), Entry::Busy);
        assert_eq!(breaker.state(now_ms), State::Probing);
        breaker.release();
        assert_eq!(breaker.enter(now_ms), Entry::Probe);
        breaker.failed(now_ms, REST_MS, true);
        assert_eq!(breaker.enter(now_ms), Entry::Free, "nothing else is left");
        assert_eq!(breaker.enter(now_ms + REST_MS), Entry::Probe);
        breaker.succeeded(now_ms, now_ms + REST_MS);
        assert_eq!(breaker.enter(now_ms + REST_MS), Entry::Free);
        assert!(breaker.is_blank(now_ms + REST_MS));
    }

    #[test]
    fn what_was_begun_since_it_opened_and_went_well_closes_it() {
        let (mut breaker, now_ms) = after("xxx");
        breaker.succeeded(now_ms - 1, now_ms + 1);
        assert_ne!(breaker.state(now_ms + 1), State::Closed);
        breaker.succeeded(now_ms + 1, now_ms + 2);
        assert_eq!(breaker.state(now_ms + 2), State::Closed);
    }

    #[test]
    fn what_may_not_open_does_not() {
        let mut breaker = Breaker::default();
        for _ in 0..50 {
            assert!(!breaker.failed(1, REST_MS, false));
        }
        assert_eq!(breaker.state(1), State::Closed);
        assert!(breaker.failed(1, REST_MS, true));
    }
}
