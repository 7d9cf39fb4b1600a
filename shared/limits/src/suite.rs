//! One suite for both engines, on a clock that is set: what is asked and what becomes of it, and a
//! random course of it all that both and the plain rule must agree on.

mod course;
mod gates;

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use keyward_secret::Secret;
use keyward_testkit::PrivateRedis;

use crate::clock::Clock;
use crate::counter::{Counter, Kind, Scope};
use crate::gcra::Rate;
use crate::limiter::{Charge, Correction, Limiter, SlotAsk, Taken};
use crate::local::LocalLimiter;
use crate::redis::{RedisConfig, RedisLimiter};
use crate::slots::LIFETIME_MICROS;

pub(super) const SECOND: u64 = 1_000_000;
/// A moment in 2026, so that figures are as large as they will be.
pub(super) const NOW: u64 = 1_795_000_000 * SECOND;

/// How long steps may take on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The time of a limiter under test.
#[derive(Clone)]
pub(super) struct Time(Arc<AtomicU64>);

impl Time {
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(NOW)))
    }

    pub(super) fn clock(&self) -> Clock {
        Clock::Set(Arc::clone(&self.0))
    }

    pub(super) fn now(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    pub(super) fn pass(&self, micros: u64) {
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

pub(super) fn config(redis: &PrivateRedis) -> RedisConfig {
    RedisConfig {
        url: Secret::new(redis.url()),
        ca_file: None,
        timeout: PATIENCE,
    }
}

pub(super) fn in_redis(redis: &PrivateRedis, time: &Time) -> RedisLimiter {
    RedisLimiter::with_clock(&config(redis), time.clock()).unwrap()
}

/// Runs a case on both engines.
macro_rules! both {
    ($($name:ident,)*) => {
        mod local {
            use super::*;
            $(#[tokio::test]
            async fn $name() {
                let time = Time::new();
                super::$name(&LocalLimiter::with_clock(time.clock()), &time).await;
            })*
        }

        mod in_a_redis {
            use super::*;
            $(#[tokio::test]
            async fn $name() {
                let (redis, time) = (PrivateRedis::start(), Time::new());
                super::$name(&in_redis(&redis, &time), &time).await;
            })*
        }
    };
}

both! {
    sixty_a_minute_pass_at_once_and_then_one_a_second,
    tokens_that_were_not_used_come_back,
    tokens_beyond_the_estimate_are_owed,
    all_counters_are_charged_or_none,
    a_large_limit_is_exact,
    a_changed_limit_goes_on_from_where_it_was,
    slots_are_taken_all_or_none,
    slots_expire_unless_they_are_renewed,
    a_question_without_counters_passes,
}

pub(super) fn counter(id: &str, kind: Kind) -> Counter {
    Counter {
        account: "0199".to_owned(),
        scope: Scope::AccessKey,
        id: id.to_owned(),
        kind,
    }
}

pub(super) fn charge(id: &str, limit: u64, cost: u64) -> Charge {
    Charge {
        counter: counter(id, Kind::Tokens),
        rate: Rate::per_minute(NonZeroU64::new(limit).unwrap()),
        cost,
    }
}

fn correction(charge: &Charge, used: u64) -> Correction {
    Correction {
        counter: charge.counter.clone(),
        rate: charge.rate,
        charged: charge.cost,
        used,
    }
}

fn slot(id: &str, limit: u64) -> SlotAsk {
    SlotAsk {
        counter: counter(id, Kind::Concurrency),
        limit,
    }
}

fn ok<T, E>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|_| panic!("the engine failed"))
}

async fn passes<L: Limiter>(limiter: &L, charges: &[Charge]) -> bool {
    ok(limiter.charge(charges).await).admitted
}

/// What is left of a counter.
async fn remaining<L: Limiter>(limiter: &L, charge: &Charge) -> u64 {
    let look = Charge {
        cost: 0,
        ..charge.clone()
    };
    let charged = ok(limiter.charge(std::slice::from_ref(&look)).await);
    look.rate
        .standing(charged.arrivals[0], charged.now)
        .remaining
}

async fn sixty_a_minute_pass_at_once_and_then_one_a_second<L: Limiter>(limiter: &L, time: &Time) {
    let one = [charge("key", 60, 1)];
    for _ in 0..60 {
        assert!(passes(limiter, &one).await);
    }
    assert!(!passes(limiter, &one).await);
    time.pass(SECOND - 1);
    assert!(!passes(limiter, &one).await);
    time.pass(1);
    assert!(passes(limiter, &one).await);
    assert!(!passes(limiter, &one).await);
    time.pass(3600 * SECOND);
    assert_eq!(remaining(limiter, &one[0]).await, 60);
}

async fn tokens_that_were_not_used_come_back<L: Limiter>(limiter: &L, time: &Time) {
    let half = charge("key", 60_000, 30_000);
    for _ in 0..2 {
        assert!(passes(limiter, std::slice::from_ref(&half)).await);
    }
    assert!(!passes(limiter, std::slice::from_ref(&half)).await);
    for _ in 0..2 {
        ok(limiter.correct(&[correction(&half, 10_000)]).await);
    }
    assert_eq!(remaining(limiter, &half).await, 40_000);
    // What has run off meanwhile is not given back once more.
    time.pass(60 * SECOND);
    ok(limiter.correct(&[correction(&half, 0)]).await);
    assert_eq!(remaining(limiter, &half).await, 60_000);
}

async fn tokens_beyond_the_estimate_are_owed<L: Limiter>(limiter: &L, time: &Time) {
    let little = charge("key", 60_000, 1_000);
    assert!(passes(limiter, std::slice::from_ref(&little)).await);
    ok(limiter.correct(&[correction(&little, 90_000)]).await);
    assert_eq!(remaining(limiter, &little).await, 0);
    time.pass(30 * SECOND);
    assert!(!passes(limiter, std::slice::from_ref(&little)).await);
    time.pass(SECOND);
    assert!(passes(limiter, std::slice::from_ref(&little)).await);
    // What nobody charged is owed as well.
    let other = charge("other", 600, 0);
    ok(limiter.correct(&[correction(&other, 600)]).await);
    assert_eq!(remaining(limiter, &other).await, 0);
}

async fn all_counters_are_charged_or_none<L: Limiter>(limiter: &L, _: &Time) {
    let (wide, narrow) = (charge("wide", 10, 1), charge("narrow", 2, 1));
    for _ in 0..2 {
        assert!(passes(limiter, &[wide.clone(), narrow.clone()]).await);
    }
    for _ in 0..5 {
        let refused = ok(limiter.charge(&[wide.clone(), narrow.clone()]).await);
        assert!(!refused.admitted);
        let left = wide.rate.standing(refused.arrivals[0], refused.now);
        assert_eq!(left.remaining, 8, "a refusal tells how all stand");
    }
    assert_eq!(remaining(limiter, &wide).await, 8);
    assert_eq!(remaining(limiter, &narrow).await, 0);
}

async fn a_large_limit_is_exact<L: Limiter>(limiter: &L, _: &Time) {
    for (id, limit) in [
        ("a", 6_999_999_999),
        ("b", 1_000_003),
        ("c", Rate::LIMIT_MAX),
    ] {
        let parts = [limit / 3, limit / 7, limit - limit / 3 - limit / 7];
        for part in parts {
            assert!(passes(limiter, &[charge(id, limit, part)]).await, "{limit}");
        }
        assert!(!passes(limiter, &[charge(id, limit, 1)]).await, "{limit}");
        ok(limiter
            .correct(&[correction(&charge(id, limit, 1), 0)])
            .await);
        assert!(passes(limiter, &[charge(id, limit, 1)]).await, "{limit}");
        assert!(!passes(limiter, &[charge(id, limit, 1)]).await, "{limit}");
    }
}

async fn a_changed_limit_goes_on_from_where_it_was<L: Limiter>(limiter: &L, _: &Time) {
    assert!(passes(limiter, &[charge("key", 1_000_003, 999_999)]).await);
    assert!(!passes(limiter, &[charge("key", 7, 1)]).await);
    assert!(passes(limiter, &[charge("key", 100_000_000, 300)]).await);
}

async fn slots_are_taken_all_or_none<L: Limiter>(limiter: &L, _: &Time) {
    let (key, user) = (slot("key", 10), slot("user", 11));
    let both = [user.clone(), key.clone()];
    for holder in 0..10 {
        let holder = holder.to_string();
        assert_eq!(ok(limiter.take(&both, &holder).await), Taken::All);
    }
    assert_eq!(ok(limiter.take(&both, "eleventh").await), Taken::Full(1));
    assert_eq!(
        ok(limiter.take(&both[..1], "a").await),
        Taken::All,
        "none was taken"
    );
    assert_eq!(ok(limiter.take(&both[..1], "b").await), Taken::Full(0));
    let counters = [user.counter.clone(), key.counter.clone()];
    ok(limiter.release(&counters, "3").await);
    ok(limiter.release(&counters, "nobody").await);
    assert_eq!(ok(limiter.take(&[user, key], "b").await), Taken::All);
}

async fn slots_expire_unless_they_are_renewed<L: Limiter>(limiter: &L, time: &Time) {
    let slots = [slot("key", 2)];
    for holder in ["dead", "alive"] {
        assert_eq!(ok(limiter.take(&slots, holder).await), Taken::All);
    }
    time.pass(LIFETIME_MICROS - 1);
    let alive = ["alive".to_owned(), "released".to_owned()];
    ok(limiter.renew(&slots[0].counter, &alive).await);
    assert_eq!(ok(limiter.take(&slots, "more").await), Taken::Full(0));
    time.pass(1);
    assert_eq!(
        ok(limiter.take(&slots, "more").await),
        Taken::All,
        "the dead one's"
    );
    assert_eq!(
        ok(limiter.take(&slots, "too many").await),
        Taken::Full(0),
        "renewing adds none"
    );
}

async fn a_question_without_counters_passes<L: Limiter>(limiter: &L, _: &Time) {
    assert!(passes(limiter, &[]).await);
    assert_eq!(ok(limiter.take(&[], "nobody").await), Taken::All);
    ok(limiter.correct(&[]).await);
    ok(limiter.release(&[], "nobody").await);
}
