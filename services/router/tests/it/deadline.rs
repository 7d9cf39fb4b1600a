//! Callers who say how long they wait, as gRPC has it.

use std::time::Duration;

use keyward_proto::metering::v1::{AttemptStatus, UsageEvent};
use keyward_proto::router::v1::invoke_response::Part;
use keyward_router::Prefer;
use keyward_runtime::error::{Reason, WireError};

use crate::harness::{ANSWER, Harness, PLAIN, STREAMED, until};
use crate::upstream::Scripted;

const ROLE: &str = r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#;
const CONTENT: &str = r#"{"choices":[{"delta":{"content":"hi"}}]}"#;
/// Long enough for what is here on a busy machine, and shorter than any time-out.
const WAITS: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_mins(10);

/// What a caller is told who waits too short.
async fn told(harness: &Harness, body: &str) -> WireError {
    let status = harness.begin_within(body, WAITS).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::DeadlineExceeded, "{status}");
    let error = WireError::from(&status);
    assert_eq!(error.reason, Reason::UpstreamTimeout);
    assert!(error.message.contains("deadline"), "{}", error.message);
    assert!(error.fact("inference_id").is_some());
    error
}

/// The events of attempts with own keys, once there are so many.
async fn recorded(harness: &Harness, attempts: usize) -> Vec<UsageEvent> {
    until(|| harness.metering.0.recorded.lock().len() == attempts).await;
    harness.metering.0.recorded.lock().clone()
}

#[tokio::test]
async fn a_deadline_before_the_first_content_is_told_and_counts_as_leaving() {
    for (body, slow) in [
        (PLAIN, Scripted::json(200, ANSWER).thinking(LONG)),
        (STREAMED, Scripted::stream(&[CONTENT]).thinking(LONG)),
        (STREAMED, Scripted::stream(&[ROLE]).hanging()),
        (PLAIN, Scripted::json(200, "{").hanging()),
    ] {
        let harness = Harness::with(|config| config.timeouts.commit = LONG).await;
        harness.own_key("openai");
        harness.upstream.script("openai", [slow.clone()]);
        let error = told(&harness, body).await;
        assert_eq!(error.fact("attempts"), Some("1"), "{slow:?}");
        let event = recorded(&harness, 1).await.remove(0);
        assert_eq!(event.status(), AttemptStatus::Abandoned, "{slow:?}");
        assert_eq!(event.reason, "the caller's deadline passed");
        harness.stop().await;
    }
}

#[tokio::test]
async fn a_deadline_bounds_all_attempts_together() {
    let harness = Harness::start().await;
    harness.own_key("openrouter");
    harness.own_key("openai");
    let slow = Scripted::json(200, ANSWER).thinking(LONG);
    harness
        .upstream
        .script("openrouter", [Scripted::error(500, "oops")]);
    harness.upstream.script("openai", [slow]);
    let error = told(&harness, PLAIN).await;
    assert_eq!(error.fact("attempts"), Some("2"));
    let statuses: Vec<_> = recorded(&harness, 2)
        .await
        .iter()
        .map(UsageEvent::status)
        .collect();
    assert_eq!(statuses, [AttemptStatus::Failed, AttemptStatus::Abandoned]);
}

#[tokio::test]
async fn a_provider_that_was_given_too_little_time_keeps_its_place() {
    let harness = Harness::with(|config| config.prefer = Prefer::Provider).await;
    harness.own_key("openai");
    harness.own_key("openrouter");
    let slow = Scripted::json(200, ANSWER).thinking(LONG);
    harness.upstream.script("openai", [slow]);
    // A breaker opens after three failures in a row.
    for attempts in 1..=4 {
        told(&harness, PLAIN).await;
        recorded(&harness, attempts).await;
    }
    harness
        .upstream
        .script("openai", [Scripted::json(200, ANSWER)]);
    let answer = harness.call(PLAIN).await.unwrap();
    assert_eq!(
        (answer.head.provider.as_str(), answer.head.attempts),
        ("openai", 1)
    );
}

#[tokio::test]
async fn what_is_billed_all_the_same_is_read_to_its_end_after_the_caller_was_told() {
    let harness = Harness::start().await;
    harness.system_key("openrouter");
    let slow = Scripted::json(200, ANSWER).thinking(WAITS * 2);
    harness.upstream.script("openrouter", [slow]);
    told(&harness, PLAIN).await;
    assert!(harness.metering.0.settled.lock().is_empty());
    until(|| !harness.metering.0.settled.lock().is_empty()).await;
    let event = harness.metering.0.settled.lock()[0].clone();
    assert_eq!(event.status(), AttemptStatus::Abandoned);
    let usage = event.usage.unwrap();
    // The answer itself nobody saw.
    assert_eq!((usage.input_tokens, usage.output_tokens), (10, 0));
}

#[tokio::test]
async fn a_stream_that_has_begun_ends_at_the_deadline_and_is_metered() {
    let harness = Harness::start().await;
    harness.own_key("openai");
    harness
        .upstream
        .script("openai", [Scripted::stream(&[CONTENT]).hanging()]);
    let mut parts = harness.begin_within(STREAMED, WAITS).await.unwrap();
    let mut text = Vec::new();
    let status = loop {
        match parts.message().await {
            Ok(message) => {
                if let Part::Chunk(chunk) = message.unwrap().part.unwrap() {
                    text.extend_from_slice(&chunk);
                }
            }
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), tonic::Code::DeadlineExceeded);
    assert_eq!(
        String::from_utf8(text).unwrap(),
        format!("data: {CONTENT}\n\n")
    );
    let event = recorded(&harness, 1).await.remove(0);
    assert_eq!(event.status(), AttemptStatus::Abandoned);
    assert!(event.usage.unwrap().output_tokens > 0);
}

#[tokio::test]
async fn a_limited_key_is_not_waited_for_beyond_the_deadline() {
    let harness = Harness::start().await;
    harness.own_key("openai");
    let limited = Scripted::error(429, "slow down").with("retry-after", "1.9");
    harness.upstream.script("openai", [limited]);
    let status = harness.begin_within(PLAIN, WAITS).await.unwrap_err();
    let error = WireError::from(&status);
    assert_eq!(error.reason, Reason::ProviderRateLimited);
    assert_eq!(harness.upstream.keys().len(), 1);
}

#[tokio::test]
async fn who_waits_long_enough_is_served() {
    let harness = Harness::start().await;
    harness.own_key("openai");
    harness
        .upstream
        .script("openai", [Scripted::json(200, ANSWER)]);
    let mut parts = harness.begin_within(PLAIN, LONG).await.unwrap();
    let mut summaries = 0;
    while let Some(message) = parts.message().await.unwrap() {
        summaries += usize::from(matches!(message.part, Some(Part::Summary(_))));
    }
    assert_eq!(summaries, 1);
}
