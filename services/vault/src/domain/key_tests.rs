//! When a stored key is due for a test: the one place with these periods. The store finds what is due
//! by the same rule.

use jiff::{SignedDuration, Timestamp};

use super::provider_key::ProviderKey;

/// How long a router has for the keys that it was handed: many times what their tests take.
pub const CLAIM: SignedDuration = SignedDuration::from_mins(10);
/// How soon a key that is refused is asked about again, at first.
const RETRY_FIRST: SignedDuration = SignedDuration::from_hours(24);
/// The longest interval that is taken: a year, which keeps sums far from the end of time.
const INTERVAL_MAX: SignedDuration = SignedDuration::from_hours(24 * 366);

/// What is due at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueTests {
    /// Now.
    pub now: Timestamp,
    /// How long a key that is not refused goes without a test or a use.
    pub interval: SignedDuration,
    /// How soon a refused one is tried again, at first; then after as long as it has been refused.
    pub retry_first: SignedDuration,
    /// Until when what is handed out now is one router's.
    pub claimed_until: Timestamp,
}

impl DueTests {
    /// What is due at `now` where keys are tested once in `interval`; none for no interval.
    pub fn at(now: Timestamp, interval: SignedDuration) -> Option<Self> {
        let interval = interval.min(INTERVAL_MAX);
        interval.is_positive().then(|| Self {
            now,
            interval,
            retry_first: RETRY_FIRST.min(interval),
            claimed_until: now.checked_add(CLAIM).unwrap_or(now),
        })
    }

    /// Whether a key is due, unless a router has it already.
    pub fn includes(&self, key: &ProviderKey) -> bool {
        if !key.enabled || key.is_expired(self.now) {
            return false;
        }
        let tested = key.last_tested_time.unwrap_or(key.secret_time);
        match key.failing_since {
            None => {
                let used = key.last_used_time.unwrap_or(key.secret_time);
                let seen = tested.max(used).max(key.secret_time);
                self.now.duration_since(seen) >= self.interval
            }
            Some(since) => {
                let tested = tested.max(since);
                let refused = tested.duration_since(since);
                let rest = refused.max(self.retry_first).min(self.interval);
                self.now.duration_since(tested) >= rest
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::provider_key::tests::sample;

    const DAY: i64 = 86_400;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn due(now: i64, change: impl FnOnce(&mut ProviderKey)) -> bool {
        let mut key = sample();
        change(&mut key);
        let monthly = SignedDuration::from_hours(30 * 24);
        DueTests::at(at(now), monthly).unwrap().includes(&key)
    }

    #[test]
    fn a_key_is_due_a_while_after_its_last_test_or_use() {
        assert!(!due(30 * DAY - 1, |_| {}));
        assert!(due(30 * DAY, |_| {}));
        assert!(!due(30 * DAY, |key| key.last_used_time = Some(at(1))));
        assert!(!due(30 * DAY, |key| key.last_tested_time = Some(at(1))));
        assert!(!due(30 * DAY, |key| key.secret_time = at(1)));
        assert!(!due(99 * DAY, |key| key.enabled = false));
        assert!(!due(99 * DAY, |key| key.expire_time = Some(at(5))));
    }

    #[test]
    fn a_refused_key_is_due_daily_at_first_and_ever_more_seldom() {
        let refused = |now: i64, tested: Option<i64>| {
            due(now, |key| {
                key.failing_since = Some(at(0));
                key.last_tested_time = tested.map(at);
                key.last_used_time = Some(at(now));
            })
        };
        assert!(!refused(DAY - 1, None));
        assert!(refused(DAY, None));
        assert!(!refused(2 * DAY - 1, Some(DAY)));
        assert!(refused(2 * DAY, Some(DAY)));
        assert!(!refused(16 * DAY - 1, Some(8 * DAY)));
        assert!(refused(16 * DAY, Some(8 * DAY)));
        assert!(refused(130 * DAY, Some(100 * DAY)));
    }

    #[test]
    fn no_interval_is_no_test() {
        assert_eq!(DueTests::at(at(0), SignedDuration::ZERO), None);
        let short = DueTests::at(at(0), SignedDuration::from_secs(2)).unwrap();
        assert_eq!(short.retry_first, SignedDuration::from_secs(2));
    }
}
