//! What callers are told.

use keyward_proto::metering::v1::{AttemptStatus, KeySource, UsageSource};
use keyward_proto::router::v1 as proto;
use keyward_proto::router::v1::chat_part::Content;
use keyward_proto::router::v1::chat_response::Event;
use serde_json::Value;

use super::{CLAUDE, GPT, MESSAGES, chat, hello, says, serving};
use crate::harness::Harness;
use crate::upstream::Scripted;

/// A text, then two calls whose arguments come by turns.
pub(super) const CHUNKS: [&str; 9] = [
    r#"{"id":"a","model":"gpt-4o","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#,
    r#"{"id":"a","choices":[{"index":0,"delta":{"content":"Let "}}]}"#,
    r#"{"id":"a","choices":[{"index":0,"delta":{"content":"me see"}}]}"#,
    r#"{"id":"a","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c0","type":"function","function":{"name":"one","arguments":""}},{"index":1,"id":"c1","type":"function","function":{"name":"two","arguments":""}}]}}]}"#,
    r#"{"id":"a","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"{\"b\":"}},{"index":0,"function":{"arguments":"{\"a\":"}}]}}]}"#,
    r#"{"id":"a","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"1}"}},{"index":1,"function":{"arguments":"2}"}}]}}]}"#,
    r#"{"id":"a","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
    r#"{"id":"a","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":4}}}"#,
    "[DONE]",
];
pub(super) const PLAIN: &str = r#"{"id":"a","model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"Let me see","tool_calls":[{"id":"c0","type":"function","function":{"name":"one","arguments":"{\"a\":1}"}},{"id":"c1","type":"function","function":{"name":"two","arguments":"{\"b\":2}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":4}}}"#;

/// Thoughts, then a text, ended by a text of the caller's.
const BLOCKS: [&str; 9] = [
    r#"{"type":"message_start","message":{"id":"msg_1","model":"claude-sonnet-4-5","usage":{"input_tokens":10,"output_tokens":1}}}"#,
    r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqkE"}}"#,
    r#"{"type":"content_block_stop","index":0}"#,
    r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#,
    r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"hi"}}"#,
    r#"{"type":"content_block_stop","index":1}"#,
    r#"{"type":"message_delta","delta":{"stop_reason":"stop_sequence","stop_sequence":"END"},"usage":{"output_tokens":5}}"#,
];
const STOP: &str = r#"{"type":"message_stop"}"#;

fn messages() -> Scripted {
    let events: Vec<&str> = BLOCKS.into_iter().chain([STOP]).collect();
    Scripted::stream(&events)
}

fn at(part: u32) -> proto::ChatPlace {
    proto::ChatPlace { choice: 0, part }
}

fn text(part: u32, text: &str) -> Event {
    Event::Text(proto::ChatTextDelta {
        place: Some(at(part)),
        text: text.to_owned(),
    })
}

fn call(part: u32, call_id: &str, name: &str) -> Event {
    Event::ToolCall(proto::ChatToolCallBegin {
        place: Some(at(part)),
        call_id: call_id.to_owned(),
        name: name.to_owned(),
    })
}

fn arguments(part: u32, json: &str) -> Event {
    Event::Arguments(proto::ChatArgumentsDelta {
        place: Some(at(part)),
        json: json.to_owned(),
    })
}

fn thought(text: &str, signature: &str) -> Event {
    Event::Reasoning(proto::ChatReasoningDelta {
        place: Some(at(0)),
        text: text.to_owned(),
        signature: signature.to_owned(),
        redacted: false,
    })
}

fn stop(reason: proto::ChatStopReason, sequence: &str) -> Event {
    Event::Stop(proto::ChatStop {
        choice: 0,
        reason: reason.into(),
        sequence: sequence.to_owned(),
    })
}

/// Whatever is said of each part, in one piece: what a whole answer says.
fn gathered(events: Vec<Event>) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut add = |place: Option<proto::ChatPlace>, more: &str| {
        let number = place.unwrap().part as usize;
        parts.resize(parts.len().max(number + 1), String::new());
        parts[number].push_str(more);
    };
    let mut stops = Vec::new();
    for event in events {
        match event {
            Event::Text(delta) => add(delta.place, &delta.text),
            Event::ToolCall(call) => add(call.place, &format!("{} {} ", call.call_id, call.name)),
            Event::Arguments(delta) => add(delta.place, &delta.json),
            Event::Stop(stop) => stops.push(format!("{stop:?}")),
            other => panic!("nothing of {other:?} is expected"),
        }
    }
    parts.extend(stops);
    parts
}

#[tokio::test]
async fn a_stream_is_told_as_it_comes_with_the_place_of_each_piece() {
    let harness = serving().await;
    let streamed = Scripted::stream(&CHUNKS).with("x-ratelimit-remaining-requests", "7");
    harness.upstream.script("openai", [streamed]);
    let told = chat(&harness, hello(GPT)).await.unwrap();
    let expect = [
        text(0, "Let "),
        text(0, "me see"),
        call(1, "c0", "one"),
        call(2, "c1", "two"),
        arguments(2, "{\"b\":"),
        arguments(1, "{\"a\":"),
        arguments(1, "1}"),
        arguments(2, "2}"),
        stop(proto::ChatStopReason::ToolCalls, ""),
    ];
    assert_eq!(told.events, expect);
    assert_eq!(told.failure, None);
    let head = told.head;
    assert_eq!(
        (head.provider.as_str(), head.upstream_model.as_str()),
        ("openai", GPT)
    );
    assert_eq!((head.key_source(), head.attempts), (KeySource::User, 1));
    let names: Vec<_> = head.headers.iter().map(|one| one.name.as_str()).collect();
    assert!(names.contains(&"x-ratelimit-remaining-requests"));
    assert!(!names.contains(&"content-type"));
    let summary = told.summary.unwrap();
    let usage = summary.usage.unwrap();
    assert_eq!(
        (
            usage.input_tokens,
            usage.cache_read_tokens,
            usage.output_tokens
        ),
        (6, 4, 5)
    );
    assert_eq!(summary.usage_source(), UsageSource::Reported);
    assert_eq!(summary.charge_nanos, 0);

    let recorded = harness.metering.0.recorded.lock().clone();
    assert_eq!(recorded.len(), 1);
    let event = &recorded[0];
    assert_eq!(event.inference_id, head.inference_id);
    assert_eq!(
        (event.endpoint.as_str(), event.streamed),
        ("chat.completions", true)
    );
    assert_eq!(
        (
            event.tags["team"].as_str(),
            event.client_request_id.as_str()
        ),
        ("search", "mine")
    );
}

#[tokio::test]
async fn a_whole_answer_says_what_the_stream_does() {
    let harness = serving().await;
    harness
        .upstream
        .script("openai", [Scripted::stream(&CHUNKS)]);
    let streamed = chat(&harness, hello(GPT)).await.unwrap();
    harness
        .upstream
        .script("openai", [Scripted::json(200, PLAIN)]);
    let asked = proto::ChatRequest {
        whole: true,
        ..hello(GPT)
    };
    let whole = chat(&harness, asked).await.unwrap();
    let body: Value = serde_json::from_str(&harness.upstream.shown()[1].body).unwrap();
    assert_eq!(body.get("stream"), None);
    assert_eq!(streamed.summary, whole.summary);
    assert_eq!(gathered(whole.events), gathered(streamed.events));
}

#[tokio::test]
async fn thoughts_come_with_their_signature_and_go_back_with_it() {
    let harness = serving().await;
    harness.upstream.script_at(MESSAGES, [messages()]);
    let mut asked = hello(CLAUDE);
    asked.thought = Some(proto::ChatThought {
        max_tokens: Some(2_000),
        ..proto::ChatThought::default()
    });
    let told = chat(&harness, asked.clone()).await.unwrap();
    let expect = [
        thought("hm", ""),
        thought("", "EqkE"),
        text(1, "hi"),
        stop(proto::ChatStopReason::Sequence, "END"),
    ];
    assert_eq!(told.events, expect);
    let body: Value = serde_json::from_str(&harness.upstream.shown()[0].body).unwrap();
    assert_eq!(body["thinking"]["budget_tokens"], 2_000);

    let thoughts = Content::Reasoning(proto::ChatReasoning {
        text: "hm".to_owned(),
        signature: "EqkE".to_owned(),
        redacted: false,
    });
    let said = Content::Text("hi".to_owned());
    asked
        .messages
        .push(says(proto::ChatRole::Assistant, [thoughts, said]));
    asked.messages.extend(hello(CLAUDE).messages);
    chat(&harness, asked).await.unwrap();
    let body: Value = serde_json::from_str(&harness.upstream.shown()[1].body).unwrap();
    let back = serde_json::json!([
        {"type": "thinking", "thinking": "hm", "signature": "EqkE"},
        {"type": "text", "text": "hi"},
    ]);
    assert_eq!(body["messages"][1]["content"], back);
}

#[tokio::test]
async fn credits_pay_for_it_as_for_any_request() {
    let harness = Harness::start().await;
    harness.system_key("openai");
    harness
        .upstream
        .script("openai", [Scripted::stream(&CHUNKS)]);
    let told = chat(&harness, hello(GPT)).await.unwrap();
    let summary = told.summary.unwrap();
    // 6 × 2.50 + 5 × 10.00 credits a million, and 5 %: what was cached is free at this metering.
    assert_eq!(summary.list_cost_nanos, Some(65_000));
    assert_eq!(summary.charge_nanos, 68_250);
    assert_eq!(*harness.metering.0.balance.lock(), 1_000_000_000 - 68_250);
    assert_eq!(harness.metering.0.holds.lock().len(), 1);
    let settled = harness.metering.0.settled.lock().clone();
    assert_eq!(settled[0].status(), AttemptStatus::Ok);
}

#[tokio::test]
async fn another_candidate_serves_where_the_first_fails() {
    let harness = serving().await;
    harness.own_key("openrouter");
    let failing = Scripted::error(500, "oops");
    harness.upstream.script("openrouter", [failing]);
    harness
        .upstream
        .script("openai", [Scripted::stream(&CHUNKS)]);
    let told = chat(&harness, hello(GPT)).await.unwrap();
    assert_eq!(
        (told.head.provider.as_str(), told.head.attempts),
        ("openai", 2)
    );
    assert_eq!(gathered(told.events)[0], "Let me see");
    assert_eq!(harness.metering.0.recorded.lock().len(), 2);
}

#[tokio::test]
async fn a_whole_answer_comes_again_under_its_key() {
    let harness = Harness::start().await;
    harness.system_key("openai");
    harness
        .upstream
        .script("openai", [Scripted::json(200, PLAIN)]);
    let asked = proto::ChatRequest {
        whole: true,
        idempotency_key: "again".to_owned(),
        metadata: (0..9).map(|n| (format!("n{n}"), "v".to_owned())).collect(),
        ..hello(GPT)
    };
    let first = chat(&harness, asked.clone()).await.unwrap();
    let again = chat(&harness, asked).await.unwrap();
    assert_eq!(again.events, first.events);
    assert_eq!(again.head.inference_id, first.head.inference_id);
    assert_eq!(harness.upstream.shown().len(), 1);
    assert_eq!(harness.metering.0.settled.lock().len(), 1);
}
