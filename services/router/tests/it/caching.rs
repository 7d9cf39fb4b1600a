//! The same requests at once, where their answers may be stored.

use std::time::Duration;

use futures::StreamExt as _;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use keyward_proto::router::v1 as proto;
use keyward_proto::router::v1::CacheOutcome;
use keyward_runtime::error::{Reason, WireError};

use crate::harness::{ANSWER, Answer, Harness, PLAIN};
use crate::upstream::Scripted;

/// Long enough for all requests to have come.
const THINKS: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_mins(10);
const AT_ONCE: usize = 8;

async fn serving(answers: impl IntoIterator<Item = Scripted>) -> Harness {
    let harness = Harness::start().await;
    harness.own_key("openai");
    harness.upstream.script("openai", answers);
    harness
}

async fn call(harness: &Harness) -> Result<Answer, WireError> {
    let options = proto::RoutingOptions {
        caching: proto::Caching::On.into(),
        ..proto::RoutingOptions::default()
    };
    harness.call_with(PLAIN, options, false).await
}

#[tokio::test]
async fn where_the_first_fails_the_next_one_asks_and_the_others_go_on_waiting() {
    let failing = || Scripted::error(500, "oops").thinking(THINKS);
    let good = Scripted::json(200, ANSWER).thinking(THINKS);
    let harness = serving([failing(), failing(), good]).await;
    let answers = join_all((0..AT_ONCE).map(|_| call(&harness))).await;
    let (good, failed): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    for error in failed.iter().filter_map(|answer| answer.as_ref().err()) {
        assert_eq!(error.reason, Reason::UpstreamError);
        assert_eq!(error.fact("cache"), Some("miss"));
    }
    assert_eq!((good.len(), failed.len()), (AT_ONCE - 2, 2));
    assert_eq!(harness.upstream.shown().len(), 3);
    let hits = good.into_iter().flatten();
    let hits = hits.filter(|answer| answer.head.cache() == CacheOutcome::Hit);
    assert_eq!(hits.count(), AT_ONCE - 3);
}

#[tokio::test]
async fn a_refusal_of_the_request_itself_is_told_to_all_who_wait_with_it() {
    let refusal = Scripted::error(400, "too hot").thinking(THINKS);
    let harness = serving([refusal]).await;
    let answers = join_all((0..AT_ONCE).map(|_| call(&harness))).await;
    let mut attempts = Vec::new();
    let mut ids = std::collections::HashSet::new();
    for answer in answers {
        let answer = answer.unwrap();
        assert_eq!(answer.head.http_status, 400);
        assert_eq!(answer.head.cache(), CacheOutcome::Miss);
        assert!(answer.body.contains("too hot"), "{}", answer.body);
        attempts.push(answer.head.attempts);
        ids.insert(answer.head.inference_id);
    }
    assert_eq!(ids.len(), AT_ONCE);
    assert_eq!(attempts.iter().sum::<u32>(), 1);
    assert_eq!(harness.upstream.shown().len(), 1);
    assert_eq!(harness.metering.0.recorded.lock().len(), 1);
}

#[tokio::test]
async fn who_waits_for_what_is_not_stored_asks_without_waiting_for_others() {
    let large = ANSWER.replace("hi", &"a".repeat(1024 * 1024));
    let large = |thinks| Scripted::json(200, &large).thinking(thinks);
    let harness = serving([large(THINKS), large(LONG), large(Duration::ZERO)]).await;
    let mut calls: FuturesUnordered<_> = (0..3).map(|_| call(&harness)).collect();
    for _ in 0..2 {
        let answer = tokio::time::timeout(Duration::from_secs(10), calls.next()).await;
        let answer = answer.expect("nobody waits for the slow one").unwrap();
        assert_eq!(answer.unwrap().head.cache(), CacheOutcome::Miss);
    }
    assert_eq!(harness.upstream.shown().len(), 3);
}
