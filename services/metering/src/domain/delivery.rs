//! When something that could not be delivered is tried again, and when it is given up.

use jiff::{SignedDuration, Timestamp};

/// How long after the first failure the second try is made; each further wait is twice as long.
const WAIT_FIRST: SignedDuration = SignedDuration::from_secs(5);

/// The longest wait: an endpoint that is back hears of it within the hour.
const WAIT_MAX: SignedDuration = SignedDuration::from_hours(1);

/// How long it is tried: who is away for longer reads the list of notices.
pub(crate) const GIVEN_UP_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// The longest that a webhook rests after a failure, whatever else waits for it: a dead one then
/// takes a small part of one sender's time, and one that is back is soon noticed.
const REST_MAX: SignedDuration = SignedDuration::from_mins(1);

/// What comes after a try that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// It is tried again then.
    Again(Timestamp),
    /// It is not.
    GivenUp,
}

/// What comes after the try with that number, counted from 1, of something that has been tried since
/// `since`. `jitter` is random, so that what failed together does not come back together.
pub(crate) fn after_failure(tries: u32, since: Timestamp, now: Timestamp, jitter: u8) -> Next {
    let again = later(now, wait(tries, jitter));
    match again > later(since, GIVEN_UP_AFTER) {
        true => Next::GivenUp,
        false => Next::Again(again),
    }
}

/// Until when a webhook rests after its `tries`-th failure with one thing.
pub(crate) fn rests_until(tries: u32, now: Timestamp, jitter: u8) -> Timestamp {
    later(now, wait(tries, jitter).min(REST_MAX))
}

/// Between three quarters and five quarters of the wait that doubles.
fn wait(tries: u32, jitter: u8) -> SignedDuration {
    let doublings = tries.saturating_sub(1).min(16);
    let full = (WAIT_FIRST * (1 << doublings)).min(WAIT_MAX);
    full * 3 / 4 + full * i32::from(jitter) / 510
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn waits_double_up_to_an_hour() {
        let middle = |tries| wait(tries, 127).as_secs_f64().round();
        let waits = [1, 2, 3, 4, 10, 11, 12, 40, u32::MAX].map(middle);
        let expect = [5, 10, 20, 40, 2_555, 3_593, 3_593, 3_593, 3_593];
        for (wait, expect) in waits.into_iter().zip(expect) {
            let off = (wait / f64::from(expect) - 1.0).abs();
            assert!(off < 0.01, "{wait} for {expect}");
        }
    }

    #[test]
    fn it_is_tried_for_a_day_and_no_longer() {
        let since = Timestamp::UNIX_EPOCH;
        let (mut now, mut tries) = (since, 0);
        loop {
            tries += 1;
            match after_failure(tries, since, now, 127) {
                Next::Again(again) => now = again,
                Next::GivenUp => break,
            }
        }
        let tried_for = now.duration_since(since);
        assert!(tried_for > GIVEN_UP_AFTER - SignedDuration::from_hours(2));
        assert!(tried_for <= GIVEN_UP_AFTER);
        assert!((20..60).contains(&tries), "{tries}");
    }

    proptest! {
        #[test]
        fn every_wait_is_near_its_own(tries in 1..u32::MAX, jitter: u8) {
            let full = (5_i64 << (tries - 1).min(16)).min(3_600);
            let waited = wait(tries, jitter).as_millis();
            let full = i128::from(full) * 1_000;
            prop_assert!(waited >= full * 3 / 4 && waited <= full * 5 / 4);
            let rest = rests_until(tries, Timestamp::UNIX_EPOCH, jitter);
            prop_assert!(rest.as_millisecond() <= 60_000);
        }
    }
}
