//! The gate: rules become counters, a refusal leaves nothing behind, and a Redis that is away, hangs or
//! forgets costs no more than a burst.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use keyward_testkit::{PrivateRedis, wait};
use prometheus_client::metrics::gauge::Gauge;
use tokio_util::sync::CancellationToken;

use super::{PATIENCE, config};
use crate::ask::{Ask, Limits, Rule};
use crate::counter::{Kind, Scope};
use crate::gate::Gate;
use crate::redis::{RedisConfig, RedisLimiter};
use crate::ticket::{Ticket, Turned};

fn limits(requests: u64, tokens: u64, concurrency: u64) -> Limits {
    Limits {
        requests_per_minute: NonZeroU64::new(requests),
        tokens_per_minute: NonZeroU64::new(tokens),
        concurrency: NonZeroU64::new(concurrency),
    }
}

fn ask(rules: &[(Scope, Limits)], tokens: u64) -> Ask {
    let rules = rules.iter().map(|(scope, limits)| Rule {
        scope: *scope,
        id: "0199".to_owned(),
        limits: *limits,
    });
    Ask {
        account: "0199".to_owned(),
        rules: rules.collect(),
        tokens,
    }
}

fn shared(redis: &PrivateRedis, processes: u64) -> (Gate, Gauge) {
    shared_within(PATIENCE, redis, processes)
}

fn shared_within(timeout: Duration, redis: &PrivateRedis, processes: u64) -> (Gate, Gauge) {
    let config = RedisConfig {
        timeout,
        ..config(redis)
    };
    let limiter = RedisLimiter::new(&config).unwrap();
    let away = Gauge::default();
    let processes = NonZeroU64::new(processes).unwrap();
    (Gate::shared(limiter, processes, away.clone()), away)
}

async fn enter(gate: &Gate, ask: &Ask, holder: usize) -> Result<Ticket, Turned> {
    gate.enter(ask, &holder.to_string()).await
}

/// How many of so many pass.
async fn passing(gate: &Gate, ask: &Ask, count: usize) -> usize {
    let mut passed = 0;
    for holder in 0..count {
        passed += usize::from(enter(gate, ask, holder).await.is_ok());
    }
    passed
}

fn refused(turned: Turned) -> crate::ticket::Refused {
    match turned {
        Turned::Refused(refused) => refused,
        Turned::TooLarge(large) => panic!("not refused but too large: {large:?}"),
    }
}

#[tokio::test]
async fn nothing_is_counted_where_nothing_is_limited() {
    let gate = Gate::default();
    let unlimited = ask(&[(Scope::AccessKey, Limits::default())], 1_000_000);
    let ticket = enter(&gate, &unlimited, 0).await.unwrap();
    assert!(ticket.standings.all.is_empty());
    gate.leave(ticket, 5).await;
}

#[tokio::test]
async fn the_tightest_limit_is_told_and_what_is_used_is_made_good() {
    let gate = Gate::default();
    let rules = [
        (Scope::AccessKey, limits(10, 60_000, 0)),
        (Scope::User, limits(5, 90_000, 0)),
    ];
    let asked = ask(&rules, 30_000);
    let ticket = enter(&gate, &asked, 0).await.unwrap();
    let left = |ticket: &Ticket, kind| ticket.standings.tightest(kind).unwrap();
    assert_eq!(left(&ticket, Kind::Requests).limit, 5);
    assert_eq!(left(&ticket, Kind::Requests).remaining, 4);
    assert_eq!(left(&ticket, Kind::Tokens).limit, 60_000);
    assert_eq!(left(&ticket, Kind::Tokens).remaining, 30_000);
    gate.leave(ticket, 10_000).await;
    let next = enter(&gate, &asked, 1).await.unwrap();
    assert!(left(&next, Kind::Tokens).remaining >= 20_000);
    let third = refused(enter(&gate, &asked, 2).await.unwrap_err());
    assert_eq!((third.scope, third.kind), (Scope::AccessKey, Kind::Tokens));
    let wait = third.retry_after.unwrap();
    assert!(
        wait <= Duration::from_secs(10) && wait > Duration::from_secs(8),
        "{wait:?}"
    );
}

#[tokio::test]
async fn a_request_larger_than_a_limit_can_never_pass() {
    let large = ask(&[(Scope::User, limits(0, 1_000, 0))], 1_001);
    let Err(Turned::TooLarge(large)) = enter(&Gate::default(), &large, 0).await else {
        panic!("let in or told to wait");
    };
    assert_eq!((large.limit, large.asked), (1_000, 1_001));
}

#[tokio::test]
async fn a_refused_request_takes_no_slot_and_a_full_one_no_rate() {
    for redis in [None, Some(PrivateRedis::start())] {
        let gate = redis
            .as_ref()
            .map_or_else(Gate::default, |redis| shared(redis, 1).0);
        let both = ask(&[(Scope::AccessKey, limits(3, 0, 2))], 0);
        let first = enter(&gate, &both, 1).await.unwrap();
        let second = enter(&gate, &both, 2).await.unwrap();
        let third = refused(enter(&gate, &both, 3).await.unwrap_err());
        assert_eq!((third.kind, third.limit), (Kind::Concurrency, 2));
        gate.leave(second, 0).await;
        let fourth = enter(&gate, &both, 4)
            .await
            .expect("the third cost no request");
        gate.leave(fourth, 0).await;
        let fifth = refused(enter(&gate, &both, 5).await.unwrap_err());
        assert_eq!(fifth.kind, Kind::Requests);
        let slots = ask(&[(Scope::AccessKey, limits(0, 0, 2))], 0);
        enter(&gate, &slots, 6)
            .await
            .expect("the fifth left its slot");
        gate.leave(first, 0).await;
    }
}

#[tokio::test]
async fn processes_share_a_limit_through_redis() {
    let redis = PrivateRedis::start();
    let ((one, _), (other, _)) = (shared(&redis, 1), shared(&redis, 1));
    let asked = ask(&[(Scope::Organization, limits(60, 0, 0))], 0);
    let passed = tokio::join!(passing(&one, &asked, 60), passing(&other, &asked, 60));
    assert!((60..=62).contains(&(passed.0 + passed.1)), "{passed:?}");
}

#[tokio::test]
async fn limits_are_counted_over_tls_by_who_is_signed_by_the_authority_alone() {
    let redis = PrivateRedis::start();
    let over_tls = |ca_file| RedisConfig {
        url: keyward_secret::Secret::new(redis.tls_url()),
        ca_file,
        timeout: PATIENCE,
    };
    let trusted = RedisLimiter::new(&over_tls(Some(redis.authority()))).unwrap();
    trusted.connect().await.unwrap();
    trusted.probe().await.unwrap();
    let foreign = RedisLimiter::new(&over_tls(None)).unwrap();
    let connected = foreign.connect().await;
    assert!(connected.is_err(), "a stranger's certificate was taken");
}

#[tokio::test]
async fn without_redis_each_process_counts_its_part_and_redis_is_found_again() {
    let redis = PrivateRedis::start();
    let (gate, away) = shared(&redis, 2);
    let stopping = CancellationToken::new();
    let asked = ask(&[(Scope::User, limits(10, 0, 0))], 0);
    let test = async {
        let ticket = enter(&gate, &asked, 0).await.unwrap();
        assert!(!ticket.standings.is_degraded);
        redis.kill();
        assert_eq!(passing(&gate, &asked, 10).await, 5, "half of it");
        assert_eq!(away.get(), 1);
        let turned = refused(enter(&gate, &asked, 0).await.unwrap_err());
        assert!(turned.standings.is_degraded);
        assert_eq!(turned.limit, 5);
        redis.start_again();
        wait::until("Redis is found", || async { away.get() == 0 }).await;
        let ticket = enter(&gate, &asked, 0).await.unwrap();
        assert!(!ticket.standings.is_degraded);
        stopping.cancel();
    };
    tokio::join!(gate.keep(stopping.clone()), test);
}

#[tokio::test]
async fn a_redis_that_hangs_holds_nobody_up_for_long() {
    let redis = PrivateRedis::start();
    let (gate, away) = shared_within(Duration::from_millis(200), &redis, 1);
    let stopping = CancellationToken::new();
    let asked = ask(&[(Scope::User, limits(1_000, 0, 10))], 0);
    let test = async {
        redis.pause();
        let start = Instant::now();
        assert_eq!(passing(&gate, &asked, 10).await, 10);
        assert!(
            start.elapsed() < Duration::from_secs(2),
            "{:?}",
            start.elapsed()
        );
        assert_eq!(away.get(), 1);
        redis.resume();
        wait::until("Redis is found", || async { away.get() == 0 }).await;
        stopping.cancel();
    };
    tokio::join!(gate.keep(stopping.clone()), test);
}

#[tokio::test]
async fn what_redis_forgets_is_one_more_burst() {
    let redis = PrivateRedis::start();
    let (gate, away) = shared(&redis, 1);
    let asked = ask(&[(Scope::User, limits(20, 0, 0))], 0);
    assert!((20..=21).contains(&passing(&gate, &asked, 60).await));
    redis.run(&["FLUSHALL"]);
    redis.run(&["SCRIPT", "FLUSH"]);
    assert!((20..=21).contains(&passing(&gate, &asked, 60).await));
    assert_eq!(away.get(), 0, "forgotten scripts are sent again");
}

#[tokio::test(start_paused = true)]
async fn a_slot_stands_as_long_as_its_request_and_no_longer() {
    let gate = Gate::default();
    let one = ask(&[(Scope::AccessKey, limits(0, 0, 1))], 0);
    let stopping = CancellationToken::new();
    let test = async {
        let long = enter(&gate, &one, 1).await.unwrap();
        tokio::time::sleep(Duration::from_mins(10)).await;
        let turned = refused(enter(&gate, &one, 2).await.unwrap_err());
        assert_eq!(turned.kind, Kind::Concurrency);
        // Lost, as by a fault: it is not handed back.
        drop(long);
        tokio::time::sleep(Duration::from_secs(21)).await;
        enter(&gate, &one, 3).await.expect("its slot expired");
        stopping.cancel();
    };
    tokio::join!(gate.keep(stopping.clone()), test);
}
