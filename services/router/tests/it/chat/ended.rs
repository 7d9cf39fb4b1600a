//! How calls end that do not end well.

use std::time::Duration;

use keyward_proto::metering::v1::AttemptStatus;
use keyward_proto::router::v1 as proto;
use keyward_proto::router::v1::chat_response::Event;
use keyward_runtime::error::{Reason, WireError};
use tonic::{Code, Request};

use super::{CLAUDE, GPT, MESSAGES, all, begin, chat, hello, serving};
use crate::harness::{Harness, until};
use crate::upstream::Scripted;

const CONTENT: &str = r#"{"id":"a","choices":[{"index":0,"delta":{"content":"hi"}}]}"#;

#[tokio::test]
async fn a_call_fails_as_invoke_does() {
    let harness = Harness::start().await;
    for (model, code, reason) in [
        ("no-such-model", Code::NotFound, Reason::ModelNotFound),
        (GPT, Code::NotFound, Reason::NoKeyForModel),
    ] {
        let status = begin(&harness, hello(model)).await.unwrap_err();
        let error = WireError::from(&status);
        assert_eq!((status.code(), error.reason), (code, reason));
        assert!(error.fact("inference_id").is_some());
    }
    for (http_status, code, reason) in [
        (401, Code::FailedPrecondition, Reason::ProviderKeyRejected),
        (500, Code::Unavailable, Reason::UpstreamError),
    ] {
        let harness = Harness::start().await;
        harness.own_key("openai");
        let failing = Scripted::error(http_status, "no");
        harness.upstream.script("openai", [failing]);
        let status = begin(&harness, hello(GPT)).await.unwrap_err();
        let error = WireError::from(&status);
        assert_eq!((status.code(), error.reason), (code, reason), "{status}");
        assert_eq!(error.fact("provider"), Some("openai"));
    }
}

#[tokio::test]
async fn a_providers_own_refusal_is_a_status_in_its_words() {
    let harness = serving().await;
    let openai =
        r#"{"error":{"message":"too many","type":"invalid_request_error","param":"stop"}}"#;
    let anthropic =
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"too many"}}"#;
    harness
        .upstream
        .script("openai", [Scripted::json(400, openai)]);
    harness
        .upstream
        .script_at(MESSAGES, [Scripted::json(400, anthropic)]);
    for (model, param) in [(GPT, Some("stop")), (CLAUDE, None)] {
        let status = begin(&harness, hello(model)).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        let error = WireError::from(&status);
        assert_eq!(error.reason, Reason::InvalidRequest);
        assert_eq!(error.message, "too many");
        assert_eq!(error.fact("provider_status"), Some("400"));
        assert_eq!(error.fact("attempts"), Some("1"));
        assert_eq!(error.fact("param"), param);
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_tells_what_it_cost_and_then_its_failure() {
    let harness = Harness::start().await;
    harness.system_key("openai");
    let told_error = r#"{"error":{"message":"slow down","code":429}}"#;
    for (broken, reason) in [
        (Scripted::stream(&[CONTENT]).cut(), Reason::UpstreamError),
        (Scripted::stream(&[CONTENT]), Reason::UpstreamError),
        (
            Scripted::stream(&[CONTENT, told_error]),
            Reason::ProviderRateLimited,
        ),
    ] {
        let case = format!("{broken:?}");
        harness.upstream.script("openai", [broken]);
        let told = chat(&harness, hello(GPT)).await.unwrap();
        assert_eq!(told.events.len(), 1, "{case}");
        assert!(matches!(&told.events[0], Event::Text(delta) if delta.text == "hi"));
        assert!(told.summary.unwrap().charge_nanos > 0, "{case}");
        let failure = told.failure.unwrap();
        assert_eq!(failure.reason, reason, "{case}");
        assert_eq!(
            failure.fact("inference_id"),
            Some(told.head.inference_id.as_str())
        );
    }
}

#[tokio::test]
async fn who_leaves_ends_the_attempt() {
    let harness = serving().await;
    let hanging = Scripted::stream(&[CONTENT]).hanging();
    harness.upstream.script("openai", [hanging]);
    let mut responses = begin(&harness, hello(GPT)).await.unwrap();
    loop {
        let response = responses.message().await.unwrap().unwrap();
        if matches!(response.event, Some(Event::Text(_))) {
            break;
        }
    }
    drop(responses);
    until(|| harness.metering.0.recorded.lock().len() == 1).await;
    let event = harness.metering.0.recorded.lock()[0].clone();
    assert_eq!(event.status(), AttemptStatus::Abandoned);
    assert_eq!(event.client_request_id, "mine");
}

#[tokio::test]
async fn a_deadline_ends_the_stream() {
    let harness = serving().await;
    let hanging = Scripted::stream(&[CONTENT]).hanging();
    harness.upstream.script("openai", [hanging]);
    let mut request = Request::new(hello(GPT));
    request.set_timeout(Duration::from_secs(1));
    let responses = harness.client.clone().chat(request).await.unwrap();
    let told = all(responses.into_inner()).await;
    assert_eq!(told.events.len(), 1);
    assert_eq!(told.summary, None::<proto::ChatSummary>);
    assert_eq!(told.failure.unwrap().reason, Reason::UpstreamTimeout);
}
