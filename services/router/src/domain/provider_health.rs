//! How providers have fared lately, whosever key was used. A state machine with the time as an
//! argument; it is shown to people and decides nothing.

use std::collections::HashMap;

/// What was longer ago says nothing of now.
const LATELY_MS: u64 = 600_000;
/// So many failures in a row, with nothing else since, are no accident.
const DOWN_FAILURES: u32 = 3;

/// What an attempt came to, as far as the provider is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fared {
    /// It answered, be it that it refused the key or the request.
    Answered,
    /// It did not: unreachable, too late, broken off, or a fault of its own.
    Failed,
}

/// How a provider stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wellness {
    /// Nothing was sent to it, or too little to tell.
    Unknown,
    /// It answers.
    Ok,
    /// Some of it is left alone, or failed just now; since when, in milliseconds since 1970.
    Degraded {
        /// Since when.
        since_ms: u64,
    },
    /// Everything lately sent to it failed; since when, in milliseconds since 1970.
    Down {
        /// Since when.
        since_ms: u64,
    },
}

#[derive(Debug, Default)]
struct Record {
    answered_ms: Option<u64>,
    failed_ms: u64,
    failing_since_ms: u64,
    failures: u32,
}

/// What is remembered of providers, by name; there are no more of them than the settings have.
#[derive(Debug, Default)]
pub(crate) struct ProviderRecords {
    by_name: HashMap<String, Record>,
}

impl ProviderRecords {
    /// An attempt at a provider has ended.
    pub(crate) fn note(&mut self, provider: &str, fared: Fared, now_ms: u64) {
        if !self.by_name.contains_key(provider) {
            self.by_name.insert(provider.to_owned(), Record::default());
        }
        let Some(record) = self.by_name.get_mut(provider) else {
            return;
        };
        match fared {
            Fared::Answered => {
                record.answered_ms = Some(now_ms);
                record.failures = 0;
            }
            Fared::Failed => {
                let is_first = record.failures == 0 || !is_lately(record.failed_ms, now_ms);
                if is_first {
                    record.failing_since_ms = now_ms;
                    record.failures = 0;
                }
                record.failures += 1;
                record.failed_ms = now_ms;
            }
        }
    }

    /// How a provider stands for somebody of whose keys for it the first began to rest at
    /// `resting_since_ms`.
    pub(crate) fn wellness(
        &self,
        provider: &str,
        resting_since_ms: Option<u64>,
        now_ms: u64,
    ) -> Wellness {
        let nothing = Record::default();
        let record = self.by_name.get(provider).unwrap_or(&nothing);
        let fails = record.failures > 0 && is_lately(record.failed_ms, now_ms);
        let failing_since = fails.then_some(record.failing_since_ms);
        let answered = record.answered_ms.is_some_and(|at| is_lately(at, now_ms));
        if let Some(since_ms) = failing_since.filter(|_| record.failures >= DOWN_FAILURES) {
            return Wellness::Down { since_ms };
        }
        let failing_since = failing_since.filter(|_| answered);
        match [failing_since, resting_since_ms]
            .into_iter()
            .flatten()
            .min()
        {
            Some(since_ms) => Wellness::Degraded { since_ms },
            None if answered => Wellness::Ok,
            None => Wellness::Unknown,
        }
    }
}

fn is_lately(at_ms: u64, now_ms: u64) -> bool {
    now_ms.saturating_sub(at_ms) < LATELY_MS
}

#[cfg(test)]
mod tests {
    use super::Fared::{Answered, Failed};
    use super::*;

    const MINUTE_MS: u64 = 60_000;

    #[test]
    fn what_was_seen_lately_says_how_a_provider_is() {
        /// What happened when, in minutes; since when a key rests; how it stands after an hour.
        type Case = (&'static [(u64, Fared)], Option<u64>, Wellness);
        let since = |minute: u64| minute * MINUTE_MS;
        let cases: &[Case] = &[
            (&[], None, Wellness::Unknown),
            (&[(59, Answered)], None, Wellness::Ok),
            (&[(50, Answered)], None, Wellness::Unknown),
            // One failure alone may be an accident.
            (&[(59, Failed)], None, Wellness::Unknown),
            (
                &[(57, Answered), (58, Failed), (59, Failed)],
                None,
                Wellness::Degraded {
                    since_ms: since(58),
                },
            ),
            (
                &[(40, Answered), (57, Failed), (58, Failed), (59, Failed)],
                None,
                Wellness::Down {
                    since_ms: since(57),
                },
            ),
            (
                &[(57, Failed), (58, Failed), (59, Failed), (59, Answered)],
                None,
                Wellness::Ok,
            ),
            (
                &[(1, Failed), (2, Failed), (3, Failed)],
                None,
                Wellness::Unknown,
            ),
            // Failures of long ago are not in a row with one of now.
            (
                &[(1, Failed), (2, Failed), (59, Answered), (59, Failed)],
                None,
                Wellness::Degraded {
                    since_ms: since(59),
                },
            ),
            (
                &[(59, Answered)],
                Some(55),
                Wellness::Degraded {
                    since_ms: since(55),
                },
            ),
            (
                &[],
                Some(55),
                Wellness::Degraded {
                    since_ms: since(55),
                },
            ),
        ];
        for (happened, resting, expect) in cases {
            let mut records = ProviderRecords::default();
            for (minute, fared) in *happened {
                records.note("p", *fared, since(*minute));
            }
            let resting = resting.map(since);
            let seen = records.wellness("p", resting, since(60));
            assert_eq!(seen, *expect, "{happened:?} {resting:?}");
            assert_eq!(
                records.wellness("q", None, since(60)),
                Wellness::Unknown,
                "another provider's fortune is its own"
            );
        }
    }
}
