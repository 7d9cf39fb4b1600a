//! How keys stand after what happened to them.

use super::*;

const LIMITED: Failure = Failure::RateLimited {
    retry_after_ms: 500,
};

fn resting(until_ms: u64) -> Standing {
    Standing::Resting { until_ms }
}

#[test]
fn a_limited_key_rests_for_that_model_as_long_as_told() {
    let mut health = Health::default();
    health.failed("k", 1, "m", LIMITED, 1000);
    assert_eq!(health.standing("k", 1, "m", 1499), resting(1500));
    assert_eq!(health.standing("k", 1, "m", 1500), Standing::Good);
    assert_eq!(health.standing("k", 1, "other", 1200), Standing::Good);
    assert_eq!(health.standing("k", 2, "m", 1200), Standing::Good);
}

#[test]
fn an_answer_that_was_under_way_does_not_end_a_cool_down() {
    let mut health = Health::default();
    health.failed("k", 1, "m", LIMITED, 1000);
    health.succeeded("k", 1, "m", 900, 1100);
    assert_eq!(health.standing("k", 1, "m", 1200), resting(1500));
    health.succeeded("k", 1, "m", 1200, 1300);
    assert_eq!(health.standing("k", 1, "m", 1300), Standing::Good);
}

#[test]
fn a_breaker_is_of_one_version_of_a_key_and_one_model() {
    let mut health = Health::default();
    let opened = [Failure::Broken, Failure::TimedOut, Failure::Unreachable]
        .map(|failure| health.failed("k", 1, "m", failure, 0).is_some());
    assert_eq!(opened, [false, false, true]);
    assert_eq!(health.standing("k", 1, "m", 0), resting(5000));
    for (key, version, model) in [("k", 1, "n"), ("k", 2, "m"), ("l", 1, "m")] {
        let standing = health.standing(key, version, model, 0);
        assert_eq!(standing, Standing::Good, "{key} {version} {model}");
    }
}

#[test]
fn one_request_probes_while_the_others_go_elsewhere() {
    let mut health = Health::default();
    for _ in 0..3 {
        health.failed("k", 1, "m", Failure::Broken, 0);
    }
    assert_eq!(health.standing("k", 1, "m", 5000), Standing::Good);
    assert_eq!(health.enter("k", 1, "m", 5000), Entry::Probe);
    assert_eq!(health.standing("k", 1, "m", 5001), resting(5001));
    assert_eq!(health.enter("k", 1, "m", 5001), Entry::Busy);
    health.release("k", 1, "m");
    assert_eq!(health.enter("k", 1, "m", 5002), Entry::Probe);
    health.succeeded("k", 1, "m", 5002, 5003);
    assert_eq!(health.enter("k", 1, "m", 5004), Entry::Free);
}

#[test]
fn a_probe_that_is_refused_for_another_reason_has_found_the_provider() {
    for failure in [
        Failure::Caller,
        Failure::ModelAbsent,
        Failure::KeyRejected,
        Failure::QuotaExhausted,
        LIMITED,
    ] {
        let mut health = Health::default();
        for _ in 0..3 {
            health.failed("k", 1, "m", Failure::Broken, 0);
        }
        health.enter("k", 1, "m", 5000);
        health.failed("k", 1, "m", failure, 5001);
        let state = health.worst("k", 1, 5001);
        assert_eq!(state, State::Closed, "{failure:?}");
    }
}

#[test]
fn quota_and_refusal_rest_the_whole_key_and_absence_one_model() {
    let mut health = Health::default();
    for failure in [Failure::QuotaExhausted, Failure::KeyRejected] {
        health.failed("k", 1, "m", failure, 0);
        assert_eq!(health.standing("k", 1, "x", 0), resting(60_000));
        assert_eq!(told_well(&mut health, "k"), ["k/1"]);
        assert_eq!(health.standing("k", 1, "x", 0), Standing::Good);
    }
    health.failed("l", 1, "m", Failure::ModelAbsent, 0);
    assert_eq!(health.standing("l", 1, "m", 1), Standing::Absent);
    assert_eq!(health.standing("l", 1, "m", 600_000), Standing::Good);
    assert_eq!(told_well(&mut health, "l"), ["l/1/m", "l/1"]);
}

/// The names under which others are told that a key is well: those of all that they may have been
/// told of it.
fn told_well(health: &mut Health, key: &str) -> Vec<String> {
    let told = health.found_well(key, 1);
    told.iter().map(Hint::name).collect()
}

#[test]
fn a_key_rests_since_the_first_failure_of_what_rests_now() {
    let mut health = Health::default();
    let limited = Failure::RateLimited {
        retry_after_ms: 10_000,
    };
    health.failed("k", 1, "m", limited, 1000);
    health.failed("k", 1, "m", limited, 2000);
    health.failed("k", 1, "absent", Failure::ModelAbsent, 500);
    assert_eq!(health.resting_since("k", 1, 3000), Some(1000));
    assert_eq!(health.resting_since("k", 2, 3000), None);
    assert_eq!(health.resting_since("k", 1, 12_000), None);
    health.failed("k", 1, "m", limited, 100_000);
    assert_eq!(health.resting_since("k", 1, 101_000), Some(100_000));
    health.failed("k", 1, "m", Failure::QuotaExhausted, 95_000);
    assert_eq!(health.resting_since("k", 1, 101_000), Some(95_000));
    health.succeeded("k", 1, "m", 102_000, 110_000);
    assert_eq!(health.resting_since("k", 1, 110_000), None);
}

#[test]
fn made_up_models_and_keys_are_forgotten_in_the_end() {
    let mut health = Health::default();
    for model in 0..10 * MODELS_MAX {
        health.failed("k", 1, &model.to_string(), Failure::ModelAbsent, 0);
    }
    assert!(health.keys["k"].models.len() <= MODELS_MAX);
    let last = (10 * MODELS_MAX - 1).to_string();
    assert_eq!(health.standing("k", 1, &last, 1), Standing::Absent);
    for key in 0..2 * KEYS_MAX {
        health.failed(&key.to_string(), 1, "m", LIMITED, 0);
    }
    assert!(health.keys.len() <= KEYS_MAX);
}

#[test]
fn the_callers_own_errors_and_ours_never_count() {
    let mut health = Health::default();
    for failure in [Failure::Caller, Failure::Stopping] {
        for _ in 0..50 {
            assert_eq!(health.failed("k", 1, "m", failure, 0), None);
        }
    }
    assert!(health.keys.is_empty());
}

#[test]
fn what_another_router_learnt_holds_here_as_there() {
    for failure in [
        LIMITED,
        Failure::ModelAbsent,
        Failure::QuotaExhausted,
        Failure::KeyRejected,
        Failure::Broken,
    ] {
        let (mut one, mut other) = (Health::default(), Health::default());
        let told = (0..3).filter_map(|_| one.failed("k", 1, "m", failure, 1000));
        for hint in told.collect::<Vec<_>>() {
            other.heard("k", 1, "m", (hint.learnt, hint.for_ms), 1000);
        }
        let expect = one.standing("k", 1, "m", 1001);
        assert_ne!(expect, Standing::Good, "{failure:?}");
        assert_eq!(other.standing("k", 1, "m", 1001), expect, "{failure:?}");
    }
}

#[test]
fn a_hint_of_an_older_version_is_not_taken_in() {
    let mut health = Health::default();
    health.failed("k", 2, "m", LIMITED, 0);
    health.heard("k", 1, "m", (Learnt::Refused, 60_000), 0);
    assert_eq!(health.standing("k", 2, "m", 1), resting(500));
}
