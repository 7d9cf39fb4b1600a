//! What is left alone, what is probed, and how far a request goes to be served.

use std::time::Duration;

use keyward_limits::RedisConfig;
use keyward_proto::vault::v1::OwnerKind;
use keyward_router::SharedLimits;
use keyward_runtime::error::Reason;
use keyward_secret::Secret;
use keyward_testkit::PrivateRedis;

use crate::harness::{ANSWER, Harness, PLAIN, STREAMED, until};
use crate::upstream::Scripted;

const CONTENT: &str = r#"{"choices":[{"delta":{"content":"hi"}}]}"#;
const FINISH: &str = r#"{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":20}}"#;

/// With an own key for OpenRouter, which goes first, and one for OpenAI, which answers.
async fn two_keys(probe_interval: Duration) -> Harness {
    let harness = Harness::with(|config| config.failover.probe_interval = probe_interval).await;
    harness.own_key("openrouter");
    harness.own_key("openai");
    let answer = Scripted::json(200, ANSWER);
    harness.upstream.script("openai", [answer]);
    harness
}

fn asked(harness: &Harness, key: &str) -> usize {
    let keys = harness.upstream.keys();
    keys.into_iter().filter(|shown| shown == key).count()
}

#[tokio::test]
async fn a_provider_that_fails_every_other_time_is_left_within_twenty_requests() {
    let harness = two_keys(Duration::from_mins(10)).await;
    let pair = [Scripted::error(500, "oops"), Scripted::json(200, ANSWER)];
    let course = pair.iter().cycle().take(100).cloned();
    harness.upstream.script("openrouter", course);
    for _ in 0..40 {
        harness.call(PLAIN).await.unwrap();
    }
    assert_eq!(asked(&harness, "own-openrouter"), 9);
    let shown = harness.provider("openrouter").await.unwrap();
    assert_eq!(
        shown.breaker(),
        keyward_proto::router::v1::ProviderBreaker::Open
    );
    assert!(shown.failed_of_10_000.is_some_and(|failed| failed > 5_000));
}

#[tokio::test]
async fn what_failed_is_probed_by_a_free_call_and_returned_to_once_it_answers() {
    let interval = Duration::from_millis(300);
    for status in [500, 408] {
        let harness = two_keys(interval).await;
        let failures = vec![Scripted::error(500, "oops"); 3];
        let healed = [Scripted::json(200, ANSWER)];
        let course = failures.into_iter().chain(healed);
        harness.upstream.script("openrouter", course);
        harness.upstream.answer_free_calls(status);
        for _ in 0..4 {
            assert_eq!(harness.call(PLAIN).await.unwrap().head.provider, "openai");
        }
        assert_eq!(asked(&harness, "own-openrouter"), 3);
        tokio::time::sleep(interval).await;
        let answer = harness.call(PLAIN).await.unwrap();
        assert_eq!(
            (answer.head.provider.as_str(), answer.head.attempts),
            ("openai", 1)
        );
        assert_eq!(
            (
                harness.upstream.free_calls(),
                asked(&harness, "own-openrouter")
            ),
            (1, 3)
        );
        harness.upstream.answer_free_calls(401);
        tokio::time::sleep(interval).await;
        for _ in 0..3 {
            let answer = harness.call(PLAIN).await.unwrap();
            assert_eq!(answer.head.provider, "openrouter", "it answers again");
        }
        assert_eq!(harness.upstream.free_calls(), 2, "one probe each");
    }
}

#[tokio::test]
async fn a_key_that_stands_alone_is_tried_though_it_rests() {
    let harness = Harness::start().await;
    harness.own_key("openai");
    let failures = vec![Scripted::error(500, "oops"); 5];
    let healed = [Scripted::json(200, ANSWER)];
    let course = failures.into_iter().chain(healed);
    harness.upstream.script("openai", course);
    for _ in 0..5 {
        let error = harness.call(PLAIN).await.unwrap_err();
        assert_eq!(error.reason, Reason::UpstreamError);
    }
    assert_eq!(harness.call(PLAIN).await.unwrap().head.attempts, 1);
    assert_eq!(harness.upstream.free_calls(), 0);
}

#[tokio::test]
async fn the_requests_own_faults_put_nobody_to_rest() {
    let harness = two_keys(Duration::from_mins(10)).await;
    let refusal = Scripted::error(400, "too hot");
    harness.upstream.script("openrouter", [refusal]);
    for _ in 0..30 {
        let answer = harness.call(PLAIN).await.unwrap();
        assert_eq!((answer.head.http_status, answer.head.attempts), (400, 1));
    }
    assert_eq!(asked(&harness, "own-openai"), 0);
}

#[tokio::test]
async fn a_limited_key_rests_until_the_used_up_limit_is_reset() {
    let harness = Harness::start().await;
    harness.own_key("openai");
    let limited = Scripted::error(429, "slow down")
        .with("x-ratelimit-remaining-requests", "0")
        .with("x-ratelimit-reset-requests", "6m0s")
        .with("x-ratelimit-remaining-tokens", "1000")
        .with("x-ratelimit-reset-tokens", "1s");
    harness.upstream.script("openai", [limited]);
    let error = harness.call(PLAIN).await.unwrap_err();
    assert_eq!(error.reason, Reason::ProviderRateLimited);
    assert_eq!(error.fact("retry_after_ms"), Some("360000"));
}

#[tokio::test]
async fn a_request_makes_so_many_attempts_and_no_more() {
    let harness = Harness::with(|config| config.failover.max_attempts = 3).await;
    for number in 0..6 {
        let secret = format!("own-{number}");
        harness.vault.add(OwnerKind::User, "openai", &secret);
    }
    let failure = Scripted::error(500, "oops");
    harness.upstream.script("openai", [failure]);
    for body in [PLAIN, STREAMED] {
        let error = harness.call(body).await.unwrap_err();
        assert_eq!(error.fact("attempts"), Some("3"));
    }
}

#[tokio::test]
async fn no_attempt_is_begun_after_the_time_for_them_is_over() {
    let harness = Harness::with(|config| {
        config.failover.budget = Duration::from_millis(50);
    })
    .await;
    harness.own_key("openrouter");
    harness.own_key("openai");
    let late = Scripted::error(500, "oops").thinking(Duration::from_millis(200));
    harness.upstream.script("openrouter", [late]);
    let error = harness.call(PLAIN).await.unwrap_err();
    assert_eq!(error.fact("attempts"), Some("1"));
    assert_eq!(asked(&harness, "own-openai"), 0);
}

#[tokio::test]
async fn providers_show_how_fast_they_answer() {
    let harness = Harness::start().await;
    harness.own_key("openai");
    let stream = Scripted::stream(&[CONTENT, FINISH, "[DONE]"]);
    let slow = stream.pausing(Duration::from_millis(30));
    harness.upstream.script("openai", [slow]);
    let unseen = harness.provider("openai").await.unwrap();
    assert_eq!(
        (unseen.first_byte_ms, unseen.failed_of_10_000),
        (None, None)
    );
    harness.call(STREAMED).await.unwrap();
    let seen = harness.provider("openai").await.unwrap();
    assert!(
        seen.first_byte_ms.is_some_and(|millis| millis >= 24),
        "{seen:?}"
    );
    assert!(
        seen.tokens_per_second.is_some_and(|tokens| tokens > 0),
        "{seen:?}"
    );
    assert_eq!(seen.failed_of_10_000, Some(0));
}

/// Two routers that share a Redis, each with its own vault and providers, over the same keys.
async fn two_routers(redis: Option<&PrivateRedis>) -> [Harness; 2] {
    let shared = redis.map(|redis| SharedLimits {
        redis: RedisConfig {
            url: Secret::new(redis.url()),
            ca_file: None,
            timeout: Duration::from_millis(50),
        },
        routers: std::num::NonZeroU64::MIN,
    });
    let start = async || {
        let shared = shared.clone();
        let harness = Harness::with(|config| config.shared_limits = shared).await;
        harness.own_key("openrouter");
        harness.own_key("openai");
        let answer = Scripted::json(200, ANSWER);
        harness.upstream.script("openrouter", [answer.clone()]);
        harness.upstream.script("openai", [answer]);
        harness
    };
    [start().await, start().await]
}

#[tokio::test]
async fn what_one_router_learns_holds_on_the_others_soon() {
    let limited = Scripted::error(429, "slow down").with("retry-after", "60");
    for failure in [
        limited,
        Scripted::error(500, "oops"),
        Scripted::error(404, "no such model"),
        Scripted::error(402, "no credit"),
        Scripted::error(401, "wrong key"),
    ] {
        let redis = PrivateRedis::start();
        let [one, other] = two_routers(Some(&redis)).await;
        // What is posted before the other hears lies there for it.
        one.upstream.script("openrouter", [failure.clone()]);
        for _ in 0..3 {
            assert_eq!(one.call(PLAIN).await.unwrap().head.provider, "openai");
        }
        let learnt = std::time::Instant::now();
        while other.call(PLAIN).await.unwrap().head.provider != "openai" {
            let waited = learnt.elapsed();
            assert!(waited < Duration::from_secs(10), "{failure:?}: never heard");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        println!("{}: heard within {:?}", failure.status, learnt.elapsed());
        assert!(asked(&one, "own-openrouter") <= 3);
    }
}

#[tokio::test]
async fn a_good_test_at_one_router_ends_a_keys_rest_at_the_others() {
    let redis = PrivateRedis::start();
    let [one, other] = two_routers(Some(&redis)).await;
    let limited = Scripted::error(429, "slow down").with("retry-after", "600");
    one.upstream.script("openrouter", [limited]);
    assert_eq!(one.call(PLAIN).await.unwrap().head.provider, "openai");
    served_by(&other, "openai").await;
    for (path, told) in [("key", r#"{"data":{}}"#), ("credits", "{}")] {
        let path = format!("/openrouter/v1/{path}");
        one.upstream.script_at(&path, [Scripted::json(200, told)]);
    }
    let id = one.key_of("openrouter");
    assert!(one.test_stored(&id).await.valid);
    served_by(&other, "openrouter").await;
    // Nor does it lie there for those that start later.
    let count = "return #redis.call('KEYS', 'keyward:health:*')";
    let lies_there = || redis.run(&["EVAL", count, "0"]) != "0";
    until(|| !lies_there()).await;
}

/// Waits until this provider serves there.
async fn served_by(harness: &Harness, provider: &str) {
    let serving = async {
        while harness.call(PLAIN).await.unwrap().head.provider != provider {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(10), serving).await;
    waited.unwrap_or_else(|_| panic!("{provider} never served"));
}

#[tokio::test]
async fn without_redis_each_router_goes_by_what_it_sees() {
    let [one, other] = two_routers(None).await;
    let limited = Scripted::error(429, "slow down").with("retry-after", "60");
    one.upstream.script("openrouter", [limited]);
    assert_eq!(one.call(PLAIN).await.unwrap().head.attempts, 2);
    assert_eq!(one.call(PLAIN).await.unwrap().head.attempts, 1);
    let answer = other.call(PLAIN).await.unwrap();
    assert_eq!(answer.head.provider, "openrouter");
}

#[tokio::test]
async fn a_redis_that_is_away_delays_no_request() {
    let redis = PrivateRedis::start();
    let [one, _] = two_routers(Some(&redis)).await;
    drop(redis);
    one.upstream
        .script("openrouter", [Scripted::error(429, "slow down")]);
    let asked_at = std::time::Instant::now();
    assert_eq!(one.call(PLAIN).await.unwrap().head.attempts, 2);
    assert_eq!(one.call(PLAIN).await.unwrap().head.attempts, 1);
    assert!(asked_at.elapsed() < Duration::from_secs(2));
}
