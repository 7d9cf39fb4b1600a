//! Stored answers.

use keyward_proto::router::v1 as proto;
use keyward_proto::router::v1::CacheOutcome;

use super::sent::ANTHROPIC;
use super::told::{CHUNKS, PLAIN};
use super::{CLAUDE, GPT, MESSAGES, chat, hello, serving};
use crate::upstream::Scripted;

fn caching(on: proto::Caching) -> proto::RoutingOptions {
    proto::RoutingOptions {
        caching: on.into(),
        ..proto::RoutingOptions::default()
    }
}

fn stored(request: proto::ChatRequest) -> proto::ChatRequest {
    proto::ChatRequest {
        options: Some(caching(proto::Caching::On)),
        ..request
    }
}

#[tokio::test]
async fn the_same_request_again_is_told_the_same_and_calls_nobody() {
    for (whole, answer) in [
        (true, Scripted::json(200, PLAIN)),
        (false, Scripted::stream(&CHUNKS)),
    ] {
        let harness = serving().await;
        harness.upstream.script("openai", [answer]);
        let request = stored(proto::ChatRequest {
            whole,
            ..hello(GPT)
        });
        let first = chat(&harness, request.clone()).await.unwrap();
        assert_eq!(first.head.cache(), CacheOutcome::Miss);
        let again = chat(&harness, request.clone()).await.unwrap();
        assert_eq!(again.head.cache(), CacheOutcome::Hit);
        assert_eq!((again.head.attempts, again.failure), (0, None));
        assert_ne!(again.head.inference_id, first.head.inference_id);
        assert_eq!(again.events, first.events);
        let (first, again) = (first.summary.unwrap(), again.summary.unwrap());
        assert_eq!((again.usage, again.charge_nanos), (first.usage, 0));
        assert_eq!(harness.upstream.shown().len(), 1);
        let recorded = harness.metering.0.recorded.lock().clone();
        let cached: Vec<bool> = recorded.iter().map(|event| event.cached).collect();
        assert_eq!(cached, [false, true]);
        // The other way to ask for it is stored by itself.
        let other = proto::ChatRequest {
            whole: !whole,
            ..request
        };
        let other = chat(&harness, other).await.unwrap();
        assert_eq!(other.head.cache(), CacheOutcome::Miss);
    }
}

#[tokio::test]
async fn what_was_left_out_for_a_stored_answer_is_said_again() {
    let harness = serving().await;
    let answer = Scripted::json(200, ANTHROPIC);
    harness.upstream.script_at(MESSAGES, [answer]);
    let request = stored(proto::ChatRequest {
        verbosity: "low".to_owned(),
        drop_params: Some(true),
        whole: true,
        ..hello(CLAUDE)
    });
    for outcome in [CacheOutcome::Miss, CacheOutcome::Hit] {
        let head = chat(&harness, request.clone()).await.unwrap().head;
        assert_eq!(head.cache(), outcome);
        assert_eq!(head.dropped_fields, ["verbosity"]);
    }
}

#[tokio::test]
async fn typed_answers_are_stored_when_asked_for_and_for_typed_callers_alone() {
    let harness = serving().await;
    harness
        .upstream
        .script("openai", [Scripted::json(200, PLAIN)]);
    let whole = proto::ChatRequest {
        whole: true,
        ..hello(GPT)
    };
    for _ in 0..2 {
        let head = chat(&harness, whole.clone()).await.unwrap().head;
        assert_eq!(head.cache(), CacheOutcome::Unspecified);
    }
    chat(&harness, stored(whole)).await.unwrap();
    let body = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"hello"}]}"#;
    let on = caching(proto::Caching::On);
    let answer = harness.call_with(body, on, false).await.unwrap();
    assert_eq!(answer.head.cache(), CacheOutcome::Miss);
    assert_eq!(answer.body, PLAIN);
}
