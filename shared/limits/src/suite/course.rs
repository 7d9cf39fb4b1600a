//! A random course of charges, corrections and pauses: the script, the engine in process and the plain
//! rule come to the same at every step.

use std::collections::HashMap;

use keyward_testkit::PrivateRedis;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::{Time, charge, in_redis};
use crate::counter::Counter;
use crate::gcra::Arrival;
use crate::limiter::{Charge, Correction, Limiter};
use crate::local::LocalLimiter;

/// Courses, and steps of each.
const COURSES: usize = 60;
const STEPS: usize = 120;

#[derive(Debug, Clone)]
enum Step {
    Pause(u64),
    Charge(Vec<Charge>),
    Correct(Charge, u64),
}

/// Limits that divide a minute and that do not, from small to the largest.
const LIMITS: [u64; 6] = [
    1,
    7,
    60,
    60_000,
    6_999_999_999,
    crate::gcra::Rate::LIMIT_MAX,
];

fn charges() -> impl Strategy<Value = Charge> {
    (0..LIMITS.len(), 0_u64..1_000, 0_u64..4).prop_map(|(index, share, more)| {
        let limit = LIMITS[index];
        let cost = limit / 3 / 999 * share + limit / 3 % 999 * share / 999;
        charge(&index.to_string(), limit, (cost + more).min(limit))
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => (0_u64..40_000_000).prop_map(Step::Pause),
        4 => (charges(), charges()).prop_map(|(one, other)| {
            let alone = one.counter == other.counter;
            Step::Charge(if alone { vec![one] } else { vec![one, other] })
        }),
        2 => (charges(), 0_u64..3_000_000).prop_map(|(charge, used)| Step::Correct(charge, used)),
    ]
}

/// The rule alone.
#[derive(Default)]
struct Model(HashMap<Counter, Arrival>);

impl Model {
    fn charge(&mut self, charges: &[Charge], now: u64) -> (bool, Vec<Arrival>) {
        let kept = |charge: &Charge| self.0.get(&charge.counter).copied();
        let after = charges.iter();
        let after = after.map(|charge| charge.rate.admit(kept(charge), charge.cost, now));
        if let Ok(arrivals) = after.collect::<Result<Vec<_>, _>>() {
            for (charge, arrival) in charges.iter().zip(&arrivals) {
                self.0.insert(charge.counter.clone(), *arrival);
            }
            return (true, arrivals);
        }
        let before = charges.iter();
        let before = before.map(|charge| charge.rate.standing_arrival(kept(charge), now));
        (false, before.collect())
    }

    fn correct(&mut self, correction: &Correction, now: u64) {
        let kept = self.0.get(&correction.counter).copied();
        let (charged, used) = (correction.charged, correction.used);
        let arrival = correction.rate.correct(kept, charged, used, now);
        self.0.insert(correction.counter.clone(), arrival);
    }
}

#[tokio::test]
async fn the_script_and_the_process_come_to_what_the_rule_says() {
    let redis = PrivateRedis::start();
    let mut runner = TestRunner::deterministic();
    let steps = prop::collection::vec(step(), STEPS);
    let mut admitted = 0;
    for course in 0..COURSES {
        assert_eq!(redis.run(&["FLUSHALL"]), "OK");
        let time = Time::new();
        let (script, process) = (
            in_redis(&redis, &time),
            LocalLimiter::with_clock(time.clock()),
        );
        let mut model = Model::default();
        for step in steps.new_tree(&mut runner).unwrap().current() {
            let now = time.now();
            match &step {
                Step::Pause(micros) => time.pass(*micros),
                Step::Charge(charges) => {
                    let expect = model.charge(charges, now);
                    let scripted = script.charge(charges).await.unwrap();
                    let Ok(processed) = process.charge(charges).await;
                    assert_eq!(processed, scripted, "course {course}: {step:?}");
                    assert_eq!((scripted.admitted, scripted.arrivals), expect, "{step:?}");
                    admitted += usize::from(processed.admitted);
                }
                Step::Correct(charge, used) => {
                    let correction = super::correction(charge, *used);
                    model.correct(&correction, now);
                    script
                        .correct(std::slice::from_ref(&correction))
                        .await
                        .unwrap();
                    let Ok(()) = process.correct(&[correction]).await;
                }
            }
        }
    }
    assert!(
        admitted > COURSES * STEPS / 20,
        "hardly anything passed: {admitted}"
    );
}
