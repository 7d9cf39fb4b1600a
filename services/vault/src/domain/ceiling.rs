//! How many distinct secrets one router may be given in a minute: a router that was taken over gets no
//! more than that before somebody is told.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use uuid::Uuid;

/// How long a secret counts after it was last given.
const WINDOW_MS: i64 = 60_000;

/// What one router was given in the last minute. Holds no more secrets' ids than its ceiling.
#[derive(Debug, Default)]
pub struct Window {
    /// When each was given last, in milliseconds since 1970.
    given: HashMap<Uuid, i64>,
    /// The same, the longest ago first.
    by_time: BTreeSet<(i64, Uuid)>,
}

impl Window {
    /// Counts `secret` as given at `now`; false, with nothing counted, if that would be one more than
    /// `ceiling` distinct ones within a minute. One that counts already is always given.
    pub fn admit(&mut self, secret: Uuid, now: Timestamp, ceiling: usize) -> bool {
        let now = now.as_millisecond();
        self.forget_until(now.saturating_sub(WINDOW_MS));
        let before = self.given.get(&secret).copied();
        if before.is_none() && self.given.len() >= ceiling {
            return false;
        }
        // A clock that was set back shortens no window.
        let time = before.map_or(now, |before| before.max(now));
        if let Some(before) = before {
            self.by_time.remove(&(before, secret));
        }
        self.by_time.insert((time, secret));
        self.given.insert(secret, time);
        true
    }

    /// Whether nothing counts at `now` any more.
    pub fn is_empty(&mut self, now: Timestamp) -> bool {
        self.forget_until(now.as_millisecond().saturating_sub(WINDOW_MS));
        self.given.is_empty()
    }

    fn forget_until(&mut self, time: i64) {
        while let Some((_, secret)) = self.by_time.first().filter(|(given, _)| *given <= time) {
            self.given.remove(secret);
            self.by_time.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_000 + millis).unwrap()
    }

    fn secret(number: u8) -> Uuid {
        Uuid::from_u128(u128::from(number))
    }

    #[test]
    fn one_over_the_ceiling_waits_until_another_was_a_minute_ago() {
        let mut window = Window::default();
        for (number, time) in [(1, 0), (2, 10_000)] {
            assert!(window.admit(secret(number), at(time), 2));
        }
        assert!(!window.admit(secret(3), at(59_999), 2));
        assert!(window.admit(secret(2), at(59_999), 2), "it counts already");
        assert!(window.admit(secret(3), at(60_000), 2));
        assert!(!window.admit(secret(1), at(60_001), 2));
        assert!(!window.is_empty(at(119_999)) && window.is_empty(at(120_000)));
    }

    #[test]
    fn a_clock_that_is_set_back_gives_no_room() {
        let mut window = Window::default();
        assert!(window.admit(secret(1), at(100_000), 1));
        assert!(window.admit(secret(1), at(0), 1));
        assert!(!window.admit(secret(2), at(90_000), 1));
    }

    proptest! {
        /// As counted over all that was ever given, in every minute.
        #[test]
        fn no_minute_has_more_than_the_ceiling_and_none_is_refused_below_it(
            asked in proptest::collection::vec((0_u8..12, 0_i64..20_000), 1..200),
            ceiling in 1_usize..8,
        ) {
            let (mut window, mut given, mut now) = (Window::default(), Vec::new(), 0);
            for (number, later) in asked {
                now += later;
                let lately = |(_, time): &&(u8, i64)| *time > now - WINDOW_MS;
                let mut distinct: BTreeSet<u8> = given.iter().filter(lately).map(|(n, _)| *n).collect();
                distinct.insert(number);
                let admitted = window.admit(secret(number), at(now), ceiling);
                prop_assert_eq!(admitted, distinct.len() <= ceiling);
                if admitted {
                    given.push((number, now));
                }
                prop_assert!(window.given.len() <= ceiling);
                prop_assert_eq!(window.given.len(), window.by_time.len());
            }
        }
    }
}
