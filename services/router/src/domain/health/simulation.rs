//! Providers that fail at random, by a seeded generator, and the state machine that is to leave them.

use super::{Entry, Health, Standing};
use crate::domain::failure::Failure;

/// A linear congruential generator (Knuth's MMIX constants).
struct Dice(u64);

impl Dice {
    fn percent(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % 100
    }
}

/// One request each 100 ms, for so long; how many were sent until it was left first, and how many in
/// all.
fn course(seed: u64, fails_percent: u64, requests: u64) -> (Option<u64>, u64) {
    let (mut health, mut dice) = (Health::default(), Dice(seed));
    let (mut left_after, mut sent) = (None, 0);
    for number in 0..requests {
        let now_ms = 1_000_000 + number * 100;
        if health.standing("k", 1, "m", now_ms) != Standing::Good {
            left_after.get_or_insert(sent);
            continue;
        }
        assert_ne!(health.enter("k", 1, "m", now_ms), Entry::Busy);
        sent += 1;
        match dice.percent() < fails_percent {
            true => _ = health.failed("k", 1, "m", Failure::Broken, now_ms),
            false => health.succeeded("k", 1, "m", now_ms - 50, now_ms),
        }
    }
    (left_after, sent)
}

#[test]
fn a_provider_that_fails_half_the_time_is_left_within_twenty_requests() {
    let seeds = 2_000;
    let left = |seed| course(seed, 50, 1_000).0.is_some_and(|sent| sent <= 20);
    let in_time = (0..seeds).filter(|seed| left(*seed)).count();
    assert!(in_time >= 1_980, "{in_time} of {seeds}");
}

#[test]
fn a_provider_that_seldom_fails_is_hardly_ever_left() {
    let (mut sent, mut requests) = (0, 0);
    for seed in 0..200 {
        sent += course(seed, 1, 1_000).1;
        requests += 1_000;
    }
    assert!(sent * 1000 >= requests * 995, "{sent} of {requests}");
}

#[test]
fn what_healed_is_returned_to_within_the_interval() {
    for seed in 0..200 {
        let (mut health, mut dice) = (Health::default(), Dice(seed));
        let heals_ms = 1_030_000;
        let mut returned_ms = None;
        for number in 0..1_000 {
            let now_ms = 1_000_000 + number * 100;
            if health.standing("k", 1, "m", now_ms) != Standing::Good {
                continue;
            }
            health.enter("k", 1, "m", now_ms);
            if now_ms >= heals_ms || dice.percent() < 10 {
                health.succeeded("k", 1, "m", now_ms - 50, now_ms);
            } else {
                health.failed("k", 1, "m", Failure::Broken, now_ms);
            }
            if now_ms >= heals_ms {
                returned_ms.get_or_insert(now_ms);
            }
        }
        let waited_ms = returned_ms.unwrap() - heals_ms;
        assert!(
            waited_ms <= super::PROBE_INTERVAL_MS + 100,
            "{seed}: {waited_ms}"
        );
    }
}
