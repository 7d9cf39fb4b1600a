//! A second attempt beside one that takes its time: `routing.hedge`.

use std::time::Duration;

use keyward_proto::metering::v1::{AttemptStatus, UsageEvent};
use keyward_proto::router::v1::RoutingOptions;
use keyward_router::{Hedge, RouterConfig};
use keyward_runtime::error::Reason;

use crate::harness::{ANSWER, Harness, PLAIN, STREAMED, until};
use crate::upstream::Scripted;

const CONTENT: &str = r#"{"choices":[{"delta":{"content":"hi"}}]}"#;
const FINISH: &str = r#"{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5}}"#;
/// Longer than any test.
const LONG: Duration = Duration::from_mins(10);
/// Longer than a usual answer here, on a busy machine too.
const SLOW: Duration = Duration::from_secs(3);
/// Enough that the slowest twentieth is known, for as long as a test takes.
const RUNS: usize = 30;

/// A router whose usual pace is known, with keys at two providers: the one that goes first, and the
/// other.
struct Paced {
    harness: Harness,
    first: &'static str,
    second: &'static str,
}

impl Paced {
    /// With the platform's keys.
    async fn new(body: &str, change: impl FnOnce(&mut RouterConfig)) -> Self {
        let harness = Harness::with(change).await;
        harness.system_key("openai");
        harness.system_key("openrouter");
        Self::knowing(harness, body).await
    }

    async fn knowing(harness: Harness, body: &str) -> Self {
        for provider in ["openai", "openrouter"] {
            harness.upstream.script(provider, [good(body)]);
        }
        let provider = harness.call(body).await.unwrap().head.provider;
        for _ in 1..RUNS {
            harness.call(body).await.unwrap();
        }
        let (first, second) = match provider.as_str() {
            "openai" => ("openai", "openrouter"),
            _ => ("openrouter", "openai"),
        };
        let state = &harness.metering.0;
        until(|| {
            state.voided.lock().len() + state.settled.lock().len() + state.recorded.lock().len()
                >= RUNS
        })
        .await;
        state.voided.lock().clear();
        state.settled.lock().clear();
        *state.balance.lock() = 1_000_000_000;
        Self {
            harness,
            first,
            second,
        }
    }

    fn script(&self, first: Scripted, second: Scripted) {
        self.harness.upstream.script(self.first, [first]);
        self.harness.upstream.script(self.second, [second]);
    }

    /// What was given back, once there is so much of it, by attempt.
    async fn voided(&self, count: usize) -> Vec<UsageEvent> {
        let voided = &self.harness.metering.0.voided;
        until(|| voided.lock().len() == count).await;
        let mut events = voided.lock().clone();
        events.sort_by_key(|event| event.attempt);
        events
    }

    /// Both are settled: one was charged, and the other is told as what it was.
    async fn check_one_of_two(&self, served: u32, charged: i64) {
        let state = &self.harness.metering.0;
        until(|| state.settled.lock().len() == 2).await;
        let settled = state.settled.lock().clone();
        let of = |attempt| settled.iter().find(|event| event.attempt == attempt);
        let (won, lost) = (of(served).unwrap(), of(3 - served).unwrap());
        assert_eq!(won.status(), AttemptStatus::Ok);
        assert_eq!(lost.status(), AttemptStatus::Hedged);
        assert_eq!(lost.reason, "hedged: another attempt answered first");
        assert!(lost.usage.unwrap().input_tokens > 0, "its prompt was sent");
        assert_eq!(won.inference_id, lost.inference_id);
        assert!(state.voided.lock().is_empty());
        assert_eq!(1_000_000_000 - *state.balance.lock(), charged);
        assert!(charged > 0);
    }
}

fn hedging(config: &mut RouterConfig) {
    config.failover.hedge = Hedge::P95;
    config.timeouts.drain = Duration::from_millis(200);
}

fn good(body: &str) -> Scripted {
    match body == STREAMED {
        true => Scripted::stream(&[CONTENT, FINISH, "[DONE]"]),
        false => Scripted::json(200, ANSWER),
    }
}

#[tokio::test]
async fn a_fast_second_serves_instead_of_a_slow_first_and_one_is_charged() {
    for body in [PLAIN, STREAMED] {
        let paced = Paced::new(body, hedging).await;
        paced.script(good(body).thinking(LONG), good(body));
        let answer = paced.harness.call(body).await.unwrap();
        assert_eq!(
            (answer.head.provider.as_str(), answer.head.attempts),
            (paced.second, 2)
        );
        paced.check_one_of_two(2, answer.summary.charge_nanos).await;
        let metrics = &paced.harness.process.metrics;
        let told = r#"router_hedges_total{outcome="won"}"#;
        until(|| metrics.encode().unwrap().contains(told)).await;
    }
}

#[tokio::test]
async fn a_first_that_answers_after_all_serves_and_the_second_is_cancelled() {
    for body in [PLAIN, STREAMED] {
        let paced = Paced::new(body, hedging).await;
        paced.script(good(body).thinking(SLOW), good(body).thinking(LONG));
        let answer = paced.harness.call(body).await.unwrap();
        assert_eq!(
            (answer.head.provider.as_str(), answer.head.attempts),
            (paced.first, 2)
        );
        paced.check_one_of_two(1, answer.summary.charge_nanos).await;
    }
}

#[tokio::test]
async fn who_leaves_while_both_run_pays_for_neither() {
    let paced = Paced::new(PLAIN, hedging).await;
    paced.script(good(PLAIN).thinking(LONG), good(PLAIN).thinking(LONG));
    let sent = paced.harness.upstream.shown().len();
    tokio::select! {
        _ = paced.harness.begin(PLAIN, RoutingOptions::default(), false) => panic!("it had answered already"),
        () = until(|| paced.harness.upstream.shown().len() == sent + 2) => {}
    }
    for event in paced.voided(2).await {
        assert_eq!(event.status(), AttemptStatus::Abandoned);
        assert_eq!(event.reason, "the caller left");
    }
    assert!(paced.harness.metering.0.settled.lock().is_empty());
    paced.harness.stop().await;
}

#[tokio::test]
async fn where_both_fail_the_first_failure_is_told() {
    let paced = Paced::new(PLAIN, hedging).await;
    paced.script(
        Scripted::error(500, "oops").thinking(SLOW),
        Scripted::error(503, "busy"),
    );
    let error = paced.harness.call(PLAIN).await.unwrap_err();
    assert_eq!(error.reason, Reason::UpstreamError);
    assert_eq!(error.fact("attempts"), Some("2"));
    for event in paced.voided(2).await {
        assert_eq!(event.status(), AttemptStatus::Failed);
        assert!(!event.reason.contains("hedged"), "{}", event.reason);
    }
}

#[tokio::test]
async fn a_request_that_the_provider_refuses_is_refused_once() {
    let paced = Paced::new(PLAIN, hedging).await;
    paced.script(good(PLAIN).thinking(LONG), Scripted::error(400, "too hot"));
    let answer = paced.harness.call(PLAIN).await.unwrap();
    assert_eq!(answer.head.http_status, 400);
    assert!(answer.body.contains("too hot"), "{}", answer.body);
    assert_eq!(paced.voided(1).await[0].attempt, 2);
    let state = &paced.harness.metering.0;
    until(|| state.settled.lock().len() == 1).await;
    let lost = state.settled.lock()[0].clone();
    assert_eq!((lost.attempt, lost.status()), (1, AttemptStatus::Hedged));
    assert_eq!(*state.balance.lock(), 1_000_000_000, "the platform's");
}

#[tokio::test]
async fn nothing_runs_side_by_side_unless_it_is_turned_on() {
    let paced = Paced::new(PLAIN, |_| {}).await;
    paced.script(good(PLAIN).thinking(SLOW), good(PLAIN));
    let answer = paced.harness.call(PLAIN).await.unwrap();
    assert_eq!(
        (answer.head.provider.as_str(), answer.head.attempts),
        (paced.first, 1)
    );
}

#[tokio::test]
async fn own_keys_never_run_side_by_side() {
    let harness = Harness::with(hedging).await;
    harness.own_key("openai");
    harness.own_key("openrouter");
    let paced = Paced::knowing(harness, PLAIN).await;
    paced.script(good(PLAIN).thinking(SLOW), good(PLAIN));
    let answer = paced.harness.call(PLAIN).await.unwrap();
    assert_eq!(
        (answer.head.provider.as_str(), answer.head.attempts),
        (paced.first, 1)
    );
}
