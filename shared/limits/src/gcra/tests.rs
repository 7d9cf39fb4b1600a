//! The rule by itself.

use std::num::NonZeroU64;

use proptest::prelude::*;

use super::{AHEAD_MICROS_MAX, Arrival, PERIOD_MICROS, Rate};

const SECOND: u64 = 1_000_000;
/// A moment in 2026, as Redis tells it.
const NOW: u64 = 1_795_000_000 * SECOND;

fn rate(limit: u64) -> Rate {
    Rate::per_minute(NonZeroU64::new(limit).unwrap())
}

#[test]
fn sixty_a_minute_pass_at_once_and_then_one_a_second() {
    let rate = rate(60);
    let mut kept = None;
    for _ in 0..60 {
        kept = Some(rate.admit(kept, 1, NOW).unwrap());
    }
    assert_eq!(rate.admit(kept, 1, NOW), Err(SECOND));
    assert_eq!(rate.admit(kept, 1, NOW + SECOND - 1), Err(1));
    let next = rate.admit(kept, 1, NOW + SECOND).unwrap();
    assert_eq!(rate.admit(Some(next), 1, NOW + SECOND), Err(SECOND));
}

#[test]
fn limits_that_do_not_divide_a_minute_are_exact() {
    for limit in [1, 7, 11, 999_983, 6_999_999_999, Rate::LIMIT_MAX] {
        let rate = rate(limit);
        let first = rate.admit(None, limit - limit / 2, NOW).unwrap();
        let full = rate.admit(Some(first), limit / 2, NOW).unwrap();
        assert_eq!(full, Arrival::at(NOW + PERIOD_MICROS), "{limit}");
        assert!(rate.admit(Some(full), 1, NOW).is_err(), "{limit}");
        assert_eq!(rate.standing(full, NOW).remaining, 0);
    }
}

#[test]
fn standing_tells_what_is_left_and_until_when() {
    let rate = rate(60_000);
    let kept = rate.admit(None, 30_000, NOW).unwrap();
    let standing = rate.standing(kept, NOW);
    let figures = (standing.limit, standing.remaining, standing.reset_micros);
    assert_eq!(figures, (60_000, 30_000, 30 * SECOND));
    assert_eq!(rate.standing(kept, NOW + 15 * SECOND).remaining, 45_000);
    assert_eq!(rate.standing(kept, NOW + 60 * SECOND).remaining, 60_000);
}

#[test]
fn what_was_estimated_too_high_is_given_back() {
    let rate = rate(60_000);
    let first = rate.admit(None, 30_000, NOW).unwrap();
    let full = rate.admit(Some(first), 30_000, NOW).unwrap();
    assert!(rate.admit(Some(full), 30_000, NOW).is_err());
    let once = rate.correct(Some(full), 30_000, 10_000, NOW);
    let twice = rate.correct(Some(once), 30_000, 10_000, NOW);
    assert_eq!(rate.standing(twice, NOW).remaining, 40_000);
}

#[test]
fn nothing_is_given_back_twice_and_debt_is_bounded() {
    let rate = rate(60);
    let kept = rate.admit(None, 10, NOW).unwrap();
    let later = NOW + 8 * SECOND;
    assert_eq!(rate.correct(Some(kept), 10, 0, later), Arrival::at(later));
    let deep = rate.correct(Some(kept), 10, 100_000_000, NOW);
    assert_eq!(deep, Arrival::at(NOW + AHEAD_MICROS_MAX));
    assert!(rate.admit(Some(deep), 0, NOW).is_err(), "in debt");
}

#[test]
fn a_clock_that_was_set_back_blocks_nobody_for_longer_than_the_bound() {
    let rate = rate(60);
    let from_the_future = Some(Arrival::at(NOW + 1_000_000 * SECOND));
    assert!(rate.admit(from_the_future, 1, NOW).unwrap_err() <= AHEAD_MICROS_MAX);
}

#[test]
fn a_limit_may_change_while_it_counts() {
    let full = rate(100).admit(None, 99, NOW).unwrap();
    assert!(rate(10).admit(Some(full), 1, NOW).is_err());
    assert!(rate(1000).admit(Some(full), 5, NOW).is_ok());
}

proptest! {
    /// Whatever is asked when: in no stretch of time more passes than the limit at once and what
    /// that stretch brings at the rate.
    #[test]
    fn no_window_lets_more_pass_than_burst_and_rate(
        limit in 1_u64..5_000,
        asked in prop::collection::vec((0_u64..3_000_000, 1_u64..2_000), 1..200),
    ) {
        let rate = rate(limit);
        let (mut now, mut kept) = (NOW, None);
        let mut passed: Vec<(u64, u64)> = Vec::new();
        for (pause, cost) in asked {
            now += pause;
            if let Ok(next) = rate.admit(kept, cost, now) {
                kept = Some(next);
                passed.push((now, cost));
            }
        }
        for (index, (start, _)) in passed.iter().enumerate() {
            let mut sum = 0_u128;
            for (end, cost) in &passed[index..] {
                sum += u128::from(*cost);
                let period = u128::from(PERIOD_MICROS);
                let brings = u128::from(limit) * u128::from(end - start);
                prop_assert!(sum * period <= u128::from(limit) * period + brings);
            }
        }
    }

    /// Who waits as long as told passes, and not a microsecond before.
    #[test]
    fn the_wait_is_exact(limit in 1_u64..100_000, costs in prop::collection::vec(1_u64..500, 1..50)) {
        let rate = rate(limit);
        let mut kept = None;
        for cost in costs.into_iter().map(|cost| cost.min(limit)) {
            match rate.admit(kept, cost, NOW) {
                Ok(next) => kept = Some(next),
                Err(wait) => {
                    prop_assert!(rate.admit(kept, cost, NOW + wait).is_ok());
                    prop_assert!(rate.admit(kept, cost, NOW + wait - 1).is_err());
                }
            }
        }
    }

    /// A charge and its whole correction leave nothing behind.
    #[test]
    fn a_charge_given_back_never_was(
        limit in 1_u64..=Rate::LIMIT_MAX, before in 0_u64..1_000, cost in 0_u64..1_000,
    ) {
        let rate = rate(limit);
        let (before, cost) = (before.min(limit), cost.min(limit));
        let kept = rate.admit(None, before, NOW).unwrap();
        if let Ok(next) = rate.admit(Some(kept), cost, NOW) {
            prop_assert_eq!(rate.correct(Some(next), cost, 0, NOW), kept);
        }
    }
}
