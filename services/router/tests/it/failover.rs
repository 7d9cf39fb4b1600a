//! What happens when a provider fails.

use std::time::Duration;

use keyward_proto::metering::v1::{AttemptStatus, KeySource};
use keyward_proto::router::v1 as proto;
use keyward_proto::vault::v1::KeyOutcome;
use keyward_runtime::error::Reason;

use crate::harness::{ANSWER, Harness, PLAIN, STREAMED, until};
use crate::upstream::Scripted;

const ROLE: &str = r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#;
const CONTENT: &str = r#"{"choices":[{"delta":{"content":"hi"}}]}"#;
const FINISH: &str = r#"{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;

#[tokio::test]
async fn each_failure_of_an_own_key_has_its_code_and_its_mark_on_the_key() {
    let quota = r#"{"error":{"message":"no quota","code":"insufficient_quota"}}"#;
    let rejected = Some(KeyOutcome::Rejected);
    let exhausted = Some(KeyOutcome::QuotaExhausted);
    for (scripted, reason, outcome) in [
        (
            Scripted::error(401, "wrong key"),
            Reason::ProviderKeyRejected,
            rejected,
        ),
        (
            Scripted::error(403, "forbidden"),
            Reason::ProviderKeyRejected,
            rejected,
        ),
        (
            Scripted::error(402, "no credit"),
            Reason::ProviderQuotaExhausted,
            exhausted,
        ),
        (
            Scripted::json(429, quota),
            Reason::ProviderQuotaExhausted,
            exhausted,
        ),
        (
            Scripted::error(429, "slow down"),
            Reason::ProviderRateLimited,
            None,
        ),
        (Scripted::error(500, "oops"), Reason::UpstreamError, None),
        (Scripted::error(503, "busy"), Reason::Overloaded, None),
        (Scripted::error(408, "late"), Reason::UpstreamTimeout, None),
        (Scripted::json(200, "<html>"), Reason::UpstreamError, None),
        (
            Scripted::json(200, ANSWER).cut(),
            Reason::UpstreamError,
            None,
        ),
    ] {
        let harness = Harness::start().await;
        harness.own_key("openai");
        harness.upstream.script("openai", [scripted.clone()]);
        let error = harness.call(PLAIN).await.unwrap_err();
        assert_eq!(error.reason, reason, "{scripted:?}");
        assert_eq!(error.fact("provider"), Some("openai"));
        assert_eq!(
            (error.fact("attempts"), error.fact("key_source")),
            (Some("1"), Some("user"))
        );
        let outcomes = harness.vault.0.outcomes.lock().clone();
        assert_eq!(
            outcomes
                .first()
                .map(keyward_proto::vault::v1::ReportKeyOutcomeRequest::outcome),
            outcome,
            "{scripted:?}"
        );
        let recorded = harness.metering.0.recorded.lock().clone();
        assert_eq!(recorded.len(), 1, "{scripted:?}");
        assert_eq!(recorded[0].status(), AttemptStatus::Failed);
    }
}

#[tokio::test]
async fn an_own_key_fails_over_to_the_next_own_key() {
    let harness = Harness::start().await;
    harness.own_key("openrouter");
    harness.own_key("openai");
    harness
        .upstream
        .script("openrouter", [Scripted::error(500, "oops")]);
    harness
        .upstream
        .script("openai", [Scripted::json(200, ANSWER)]);
    let answer = harness.call(PLAIN).await.unwrap();
    assert_eq!(
        (answer.head.attempts, answer.head.provider.as_str()),
        (2, "openai")
    );
    let recorded = harness.metering.0.recorded.lock().clone();
    let attempts: Vec<_> = recorded
        .iter()
        .map(|event| (event.attempt, event.status()))
        .collect();
    assert_eq!(
        attempts,
        [(1, AttemptStatus::Failed), (2, AttemptStatus::Ok)]
    );
    let none = proto::RoutingOptions {
        fallback: proto::Fallback::None as i32,
        ..Default::default()
    };
    let error = harness.call_with(PLAIN, none, false).await.unwrap_err();
    assert_eq!(error.reason, Reason::UpstreamError);
}

#[tokio::test]
async fn a_missing_model_is_passed_on_where_nobody_else_has_it() {
    let harness = Harness::start().await;
    harness.own_key("openai");
    harness
        .upstream
        .script("openai", [Scripted::error(404, "no such model")]);
    let answer = harness.call(PLAIN).await.unwrap();
    assert_eq!(answer.head.http_status, 404);
    assert!(answer.body.contains("no such model"));
}

#[tokio::test]
async fn a_limited_key_is_waited_for_once_if_that_is_short() {
    let harness = Harness::start().await;
    harness.own_key("openai");
    let limited = Scripted::error(429, "slow down").with("retry-after", "0.05");
    harness
        .upstream
        .script("openai", [limited.clone(), Scripted::json(200, ANSWER)]);
    let answer = harness.call(PLAIN).await.unwrap();
    assert_eq!((answer.head.http_status, answer.head.attempts), (200, 2));
    harness.upstream.script("openai", [limited]);
    let error = harness.call(PLAIN).await.unwrap_err();
    assert_eq!(error.reason, Reason::ProviderRateLimited);
    assert_eq!(error.fact("retry_after_ms"), Some("50"));
}

#[tokio::test]
async fn a_stream_that_fails_before_its_first_content_fails_over() {
    for broken in [
        Scripted::stream(&[ROLE, r#"{"error":{"code":502,"message":"upstream"}}"#]),
        Scripted::stream(&[ROLE]).cut(),
        Scripted::stream(&[ROLE]),
        Scripted::error(500, "oops"),
    ] {
        let harness = Harness::start().await;
        harness.own_key("openrouter");
        harness.own_key("openai");
        harness.upstream.script("openrouter", [broken]);
        harness
            .upstream
            .script("openai", [Scripted::stream(&[CONTENT, FINISH, "[DONE]"])]);
        let answer = harness.call(STREAMED).await.unwrap();
        assert_eq!(
            (answer.head.attempts, answer.head.provider.as_str()),
            (2, "openai")
        );
        assert!(
            answer.body.starts_with(&format!("data: {CONTENT}")),
            "{}",
            answer.body
        );
        assert!(answer.body.ends_with("data: [DONE]\n\n"));
    }
}

#[tokio::test]
async fn the_callers_own_error_in_a_stream_or_a_good_status_is_not_failed_over() {
    let refusal = r#"{"error":{"code":400,"message":"too long"}}"#;
    for (body, scripted) in [
        (STREAMED, Scripted::stream(&[ROLE, refusal])),
        (PLAIN, Scripted::json(200, refusal)),
    ] {
        let harness = Harness::start().await;
        harness.own_key("openrouter");
        harness.own_key("openai");
        harness.upstream.script("openrouter", [scripted]);
        let error = harness.call(body).await.unwrap_err();
        assert_eq!(error.reason, Reason::InvalidRequest);
        assert!(error.message.contains("too long"), "{}", error.message);
        assert_eq!(harness.upstream.keys(), ["own-openrouter"]);
    }
}

#[tokio::test]
async fn a_stream_that_breaks_later_ends_with_an_error_and_no_false_end() {
    for broken in [
        Scripted::stream(&[CONTENT]).cut(),
        Scripted::stream(&[CONTENT]),
    ] {
        let harness = Harness::start().await;
        harness.own_key("openrouter");
        harness.own_key("openai");
        harness.upstream.script("openrouter", [broken]);
        let answer = harness.call(STREAMED).await.unwrap();
        assert!(
            answer.body.contains("data: {\"error\":{"),
            "{}",
            answer.body
        );
        assert!(!answer.body.contains("[DONE]"));
        assert!(answer.body.contains(": x-credits-charged 0.00\n\n"));
        let recorded = harness.metering.0.recorded.lock().clone();
        assert_eq!(
            (recorded.len(), recorded[0].status()),
            (1, AttemptStatus::Cut)
        );
        assert!(recorded[0].usage.unwrap().output_tokens > 0);
    }
}

#[tokio::test]
async fn a_providers_own_error_in_mid_stream_is_passed_on_with_what_follows() {
    const ERROR: &str =
        r#"{"id":"1","error":{"code":502,"message":"upstream own-openrouter"},"choices":[]}"#;
    const CLEAN: &str =
        r#"{"id":"1","error":{"code":502,"message":"upstream [redacted]"},"choices":[]}"#;
    let comment = ": x-credits-charged 0.00\n\n";
    for (events, end) in [
        (
            vec![CONTENT, ERROR, "[DONE]"],
            format!("{comment}data: [DONE]\n\n"),
        ),
        (vec![CONTENT, ERROR], comment.to_owned()),
    ] {
        for cut in [false, true] {
            let harness = Harness::start().await;
            harness.own_key("openrouter");
            harness.own_key("openai");
            let mut broken = Scripted::stream(&events);
            broken.cut = cut;
            harness.upstream.script("openrouter", [broken]);
            let answer = harness.call(STREAMED).await.unwrap();
            let expect = format!("data: {CONTENT}\n\ndata: {CLEAN}\n\n{end}");
            assert_eq!(answer.body, expect);
            let recorded = harness.metering.0.recorded.lock().clone();
            assert_eq!(
                (recorded.len(), recorded[0].status()),
                (1, AttemptStatus::Cut)
            );
            assert!(!recorded[0].reason.contains("own-openrouter"));
        }
    }
}

#[tokio::test]
async fn a_last_event_without_its_blank_line_is_not_lost() {
    let harness = Harness::start().await;
    harness.own_key("openai");
    let mut stream = Scripted::stream(&[CONTENT, FINISH]);
    stream.chunks.push("data: [DONE]".into());
    harness.upstream.script("openai", [stream]);
    let answer = harness.call(STREAMED).await.unwrap();
    assert!(answer.body.ends_with("data: [DONE]\n\n"), "{}", answer.body);
}

#[tokio::test]
async fn silence_before_the_first_content_commits_in_the_end() {
    let harness = Harness::start().await;
    harness.own_key("openai");
    let slow = Scripted::stream(&[ROLE, CONTENT, FINISH, "[DONE]"]);
    harness
        .upstream
        .script("openai", [slow.pausing(Duration::from_millis(250))]);
    let answer = harness.call(STREAMED).await.unwrap();
    assert!(answer.body.starts_with(&format!("data: {ROLE}")));
    assert!(answer.body.ends_with("data: [DONE]\n\n"));
}

#[tokio::test]
async fn a_provider_that_never_answers_is_given_up() {
    let short = Duration::from_millis(50);
    let harness = Harness::with(|config| {
        config.timeouts.first_byte_plain = short;
        config.timeouts.first_byte_streamed = short;
    })
    .await;
    harness.vault.add(
        keyward_proto::vault::v1::OwnerKind::User,
        "sandbox",
        "sk-sandbox-1",
    );
    for body in [PLAIN, STREAMED] {
        let error = harness
            .call(&body.replace("gpt-4o", "sandbox/hang"))
            .await
            .unwrap_err();
        assert_eq!(error.reason, Reason::UpstreamTimeout);
    }
}

#[tokio::test]
async fn a_provider_that_does_not_begin_in_time_is_hidden_by_the_next() {
    let limit = Duration::from_secs(1);
    for (body, good) in [
        (PLAIN, Scripted::json(200, ANSWER)),
        (STREAMED, Scripted::stream(&[CONTENT, FINISH, "[DONE]"])),
    ] {
        let harness = Harness::with(|config| {
            config.timeouts.first_byte_plain = limit;
            config.timeouts.first_byte_streamed = limit;
        })
        .await;
        harness.own_key("openrouter");
        harness.own_key("openai");
        let never = good.clone().thinking(Duration::from_mins(10));
        harness.upstream.script("openrouter", [never]);
        harness.upstream.script("openai", [good]);
        let answer = harness.call(body).await.unwrap();
        assert_eq!(
            (answer.head.provider.as_str(), answer.head.attempts),
            ("openai", 2)
        );
        let recorded = harness.metering.0.recorded.lock().clone();
        assert_eq!(recorded[0].status(), AttemptStatus::Failed);
        let reason = &recorded[0].reason;
        assert!(reason.contains("did not answer in time"), "{reason}");
    }
}

#[tokio::test]
async fn the_sandbox_fails_over_like_any_provider() {
    use keyward_proto::vault::v1::OwnerKind::{Project, User};
    let harness = Harness::start().await;
    harness.vault.add(User, "sandbox", "sk-sandbox-revoked");
    harness.vault.add(Project, "sandbox", "sk-sandbox-2");
    let answer = harness
        .call(&PLAIN.replace("gpt-4o", "sandbox/echo"))
        .await
        .unwrap();
    assert_eq!(answer.head.attempts, 2);
    assert!(answer.body.contains("one two three"));
    assert_eq!(answer.summary.list_cost_nanos, Some(9_000));
    let cut = harness
        .call(&STREAMED.replace("gpt-4o", "sandbox/cut"))
        .await
        .unwrap();
    assert!(
        cut.body.contains("\"error\"") && !cut.body.contains("[DONE]"),
        "{}",
        cut.body
    );
}

#[tokio::test]
async fn a_caller_who_leaves_is_accounted_for() {
    let harness = Harness::start().await;
    harness.own_key("openai");
    let events = [vec![CONTENT; 50], vec![FINISH, "[DONE]"]].concat();
    let slow = Scripted::stream(&events).pausing(Duration::from_millis(20));
    harness.upstream.script("openai", [slow]);
    let mut parts = harness
        .begin(STREAMED, proto::RoutingOptions::default(), false)
        .await
        .unwrap();
    for _ in 0..3 {
        parts.message().await.unwrap();
    }
    drop(parts);
    until(|| !harness.metering.0.recorded.lock().is_empty()).await;
    let event = harness.metering.0.recorded.lock()[0].clone();
    assert_eq!(
        (event.status(), event.key_source()),
        (AttemptStatus::Abandoned, KeySource::User)
    );
    harness.stop().await;
}

#[tokio::test]
async fn an_abandoned_answer_is_read_to_its_end_where_it_is_billed_all_the_same() {
    let harness = Harness::start().await;
    harness.own_key("groq");
    let slow = Scripted::stream(&[CONTENT, CONTENT, CONTENT, FINISH, "[DONE]"]);
    harness
        .upstream
        .script("groq", [slow.pausing(Duration::from_millis(20))]);
    let body = STREAMED.replace("gpt-4o", "groq/some-model");
    let mut parts = harness
        .begin(&body, proto::RoutingOptions::default(), false)
        .await
        .unwrap();
    parts.message().await.unwrap();
    drop(parts);
    until(|| !harness.metering.0.recorded.lock().is_empty()).await;
    let event = harness.metering.0.recorded.lock()[0].clone();
    assert_eq!(event.status(), AttemptStatus::Abandoned);
    assert_eq!(
        event.usage_source(),
        keyward_proto::metering::v1::UsageSource::Reported
    );
}
