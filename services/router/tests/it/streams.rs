//! What a request is expected to use, and what it is charged however its answer ends. Prices are those
//! of gpt-4o, 2.50 and 10.00 for a million tokens, with 5 % on them.

use std::time::Duration;

use keyward_money::{Nanos, Usage};
use keyward_proto::metering::v1::{self as metering, AttemptStatus, UsageSource};
use keyward_proto::router::v1 as proto;
use keyward_proto::router::v1::invoke_response::Part;
use keyward_router::OnCreditExhausted;

use crate::harness::{ANSWER, Harness, PLAIN, STREAMED, until};
use crate::upstream::Scripted;

/// One token to gpt-4o.
const ONE: &str = r#"{"id":"a","choices":[{"delta":{"content":" one"}}]}"#;
const ROLE: &str = r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#;
/// As Anthropic opens its streams: the prompt, counted exactly.
const OPENING: &str = r#"{"choices":[{"delta":{"role":"assistant"}}],"usage":{"prompt_tokens":1000,"completion_tokens":1}}"#;
const FINISH: &str = r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#;
const USAGE: &str = r#"{"choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":500}}"#;
const DONE: &str = "[DONE]";

/// A router with the platform's key for a provider: OpenAI, which stops billing what is cancelled, or
/// OpenRouter, which does not.
async fn serving(provider: &str) -> Harness {
    let harness = Harness::start().await;
    harness.system_key(provider);
    harness
}

/// Asks until tokens are counted exactly: the vocabulary is loaded beside the first requests.
async fn counting(harness: &Harness) {
    harness
        .upstream
        .script("openai", [Scripted::json(200, ANSWER)]);
    let counting = async {
        while last_held(harness).await.input_tokens != 10 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(2), counting)
        .await
        .expect("the vocabulary is loaded");
    harness.metering.0.settled.lock().clear();
    harness.metering.0.holds.lock().clear();
    *harness.metering.0.balance.lock() = 1_000_000_000;
}

async fn last_held(harness: &Harness) -> metering::Usage {
    harness.call(PLAIN).await.unwrap();
    held(harness)
}

fn held(harness: &Harness) -> metering::Usage {
    let holds = harness.metering.0.holds.lock();
    holds.last().unwrap().estimate.unwrap()
}

fn settled(harness: &Harness) -> Vec<metering::UsageEvent> {
    harness.metering.0.settled.lock().clone()
}

fn voided(harness: &Harness) -> Vec<metering::UsageEvent> {
    harness.metering.0.voided.lock().clone()
}

fn used(event: &metering::UsageEvent) -> (i64, i64) {
    let usage: Usage = event.usage.unwrap().into();
    (usage.prompt_tokens(), usage.completion_tokens())
}

fn charged(harness: &Harness) -> i64 {
    1_000_000_000 - *harness.metering.0.balance.lock()
}

/// Reads an answer until it holds so many tokens, and leaves.
async fn leaves_after(harness: &Harness, tokens: usize) {
    let options = proto::RoutingOptions::default();
    let mut parts = harness.begin(STREAMED, options, false).await.unwrap();
    let mut text = Vec::new();
    while String::from_utf8_lossy(&text).matches(" one").count() < tokens {
        if let Part::Chunk(chunk) = parts.message().await.unwrap().unwrap().part.unwrap() {
            text.extend_from_slice(&chunk);
        }
    }
}

#[tokio::test]
async fn a_prompt_is_counted_before_it_is_held_for() {
    let harness = serving("openai").await;
    counting(&harness).await;
    harness.call(PLAIN).await.unwrap();
    let estimate = held(&harness);
    assert_eq!((estimate.input_tokens, estimate.output_tokens), (10, 1_024));
    let bounded = PLAIN.replacen('{', r#"{"max_completion_tokens":500,"n":2,"#, 1);
    harness.call(&bounded).await.unwrap();
    assert_eq!(held(&harness).output_tokens, 1_000);
    let absurd = PLAIN.replacen('{', r#"{"max_tokens":2000000000,"#, 1);
    harness.call(&absurd).await.unwrap();
    assert_eq!(held(&harness).output_tokens, 16_384);
    let long = "one ".repeat(40_000);
    harness
        .call(&PLAIN.replace("one two three", &long))
        .await
        .unwrap();
    let counted = held(&harness).input_tokens;
    assert!((40_000..54_000).contains(&counted), "{counted}");
}

#[tokio::test]
async fn an_unbounded_answer_is_expected_to_be_as_the_models_were() {
    let harness = serving("openai").await;
    let long = ANSWER.replace(r#""completion_tokens":5"#, r#""completion_tokens":4000"#);
    harness
        .upstream
        .script("openai", [Scripted::json(200, &long)]);
    assert_eq!(last_held(&harness).await.output_tokens, 1_024);
    assert_eq!(last_held(&harness).await.output_tokens, 6_000);
    let other = PLAIN.replace("gpt-4o", "gpt-4");
    harness.call(&other).await.unwrap();
    assert_eq!(held(&harness).output_tokens, 1_024, "each model for itself");
    harness.call(&other).await.unwrap();
    assert_eq!(
        held(&harness).output_tokens,
        4_096,
        "never more than it gives"
    );
}

#[tokio::test]
async fn who_leaves_pays_for_the_prompt_and_what_came_until_then() {
    let harness = serving("openai").await;
    counting(&harness).await;
    let events = [vec![OPENING], vec![ONE; 137]].concat();
    harness
        .upstream
        .script("openai", [Scripted::stream(&events).hanging()]);
    leaves_after(&harness, 137).await;
    until(|| !settled(&harness).is_empty()).await;
    let event = settled(&harness)[0].clone();
    assert_eq!(
        (event.status(), event.usage_source(), used(&event)),
        (AttemptStatus::Abandoned, UsageSource::Opening, (1_000, 137))
    );
    assert_eq!(charged(&harness), 4_063_500);
}

#[tokio::test]
async fn what_is_billed_all_the_same_is_read_to_its_end_and_charged() {
    let harness = serving("openrouter").await;
    let events = [vec![ONE; 30], vec![FINISH, USAGE, DONE]].concat();
    let slow = Scripted::stream(&events).pausing(Duration::from_millis(5));
    harness.upstream.script("openrouter", [slow]);
    leaves_after(&harness, 2).await;
    until(|| !settled(&harness).is_empty()).await;
    let event = settled(&harness)[0].clone();
    assert_eq!(
        (event.status(), event.usage_source(), used(&event)),
        (
            AttemptStatus::Abandoned,
            UsageSource::Reported,
            (1_000, 500)
        )
    );
}

#[tokio::test]
async fn who_leaves_before_anything_came_pays_for_the_prompt_if_the_provider_tells_it() {
    let thinks = Duration::from_secs(1);
    let without_usage = r#"{"choices":[{"message":{"content":"hi"}}]}"#;
    let opened = Scripted::stream(&[ROLE, USAGE, FINISH, DONE]);
    for (provider, answer, expect) in [
        ("openrouter", Scripted::error(500, "oops"), None),
        ("openrouter", Scripted::json(200, without_usage), None),
        ("openrouter", Scripted::json(200, ANSWER), Some((10, 0))),
        ("openrouter", opened, Some((1_000, 0))),
        ("openai", Scripted::json(200, ANSWER), None),
    ] {
        let harness = serving(provider).await;
        harness
            .upstream
            .script(provider, [answer.clone().thinking(thinks)]);
        let options = proto::RoutingOptions::default();
        tokio::select! {
            _ = harness.begin(STREAMED, options, false) => panic!("it had answered already"),
            () = until(|| !harness.upstream.shown().is_empty()) => {}
        }
        until(|| settled(&harness).len() + voided(&harness).len() == 1).await;
        let charged = settled(&harness).first().map(used);
        assert_eq!(charged, expect, "{provider}: {answer:?}");
    }
}

#[tokio::test]
async fn a_stream_is_charged_for_what_came_wherever_it_breaks_off() {
    let harness = serving("openai").await;
    counting(&harness).await;
    let (cut, ok) = (AttemptStatus::Cut, AttemptStatus::Ok);
    let (reported, opening) = (UsageSource::Reported, UsageSource::Opening);
    let estimated = UsageSource::Estimated;
    // The prompt of a streamed request is "hi": 1 token, and 7 that frame it.
    let ones = |count: usize, last: &[&'static str]| [vec![ONE; count], last.to_vec()].concat();
    for (events, breaks, expect) in [
        (vec![], true, None),
        (vec![ROLE], true, None),
        (ones(1, &[]), true, Some((cut, estimated, (8, 1)))),
        (ones(30, &[]), true, Some((cut, estimated, (8, 30)))),
        (ones(3, &[FINISH]), true, Some((cut, estimated, (8, 3)))),
        (
            ones(3, &[FINISH, USAGE]),
            true,
            Some((cut, reported, (1_000, 500))),
        ),
        (vec![OPENING], true, None),
        (
            vec![OPENING, ONE, ONE],
            true,
            Some((cut, opening, (1_000, 2))),
        ),
        (
            vec![ONE, USAGE, ONE],
            true,
            Some((cut, opening, (1_000, 501))),
        ),
        (
            ones(3, &[FINISH, DONE]),
            false,
            Some((ok, estimated, (8, 3))),
        ),
        (
            ones(3, &[FINISH, USAGE, DONE]),
            false,
            Some((ok, reported, (1_000, 500))),
        ),
    ] {
        harness.metering.0.settled.lock().clear();
        harness.metering.0.voided.lock().clear();
        let stream = Scripted::stream(&events);
        let stream = if breaks { stream.cut() } else { stream };
        harness.upstream.script("openai", [stream]);
        let answered = harness.call(STREAMED).await;
        let told = settled(&harness)
            .first()
            .map(|event| (event.status(), event.usage_source(), used(event)));
        assert_eq!(told, expect, "{events:?}");
        let Some((_, _, (input, output))) = expect else {
            assert_eq!(voided(&harness)[0].status(), AttemptStatus::Failed);
            continue;
        };
        let charge = answered.unwrap().summary.charge_nanos;
        assert_eq!(charge, (input * 2_500 + output * 10_000) * 105 / 100);
        let whole_hold = (8 * 2_500 + 1_024 * 10_000) * 105 / 100;
        assert!(charge > 0 && charge < whole_hold);
    }
}

#[tokio::test]
async fn only_the_attempt_that_served_is_charged() {
    let harness = serving("openai").await;
    harness.system_key("openai");
    harness.upstream.script(
        "openai",
        [Scripted::error(500, "oops"), Scripted::json(200, ANSWER)],
    );
    let answer = harness.call(PLAIN).await.unwrap();
    assert_eq!(answer.head.attempts, 2);
    let (served, failed) = (settled(&harness), voided(&harness));
    assert_eq!((served.len(), failed.len()), (1, 1));
    assert_eq!((failed[0].attempt, served[0].attempt), (1, 2));
    assert_eq!(charged(&harness), (10 * 2_500 + 5 * 10_000) * 105 / 100);
}

/// A long answer, in pieces of a token.
fn long(tokens: usize) -> Scripted {
    let events = [vec![ONE; tokens], vec![FINISH, USAGE, DONE]].concat();
    Scripted::stream(&events)
}

#[tokio::test]
async fn the_hold_of_a_growing_stream_is_raised() {
    let harness = serving("openai").await;
    harness.upstream.script("openai", [long(1_100)]);
    harness.call(STREAMED).await.unwrap();
    until(|| !harness.metering.0.extensions.lock().is_empty()).await;
    let (hold, asked) = {
        let state = &harness.metering.0;
        (
            state.holds.lock()[0].clone(),
            state.extensions.lock()[0].clone(),
        )
    };
    assert_eq!(asked.hold_id, hold.request_id);
    let estimate = metering::Usage {
        output_tokens: 2_048,
        ..hold.estimate.unwrap()
    };
    assert_eq!(asked.estimate, Some(estimate));
}

#[tokio::test]
async fn a_hold_for_all_that_can_come_is_not_raised() {
    let harness = serving("openai").await;
    harness.upstream.script("openai", [long(1_000)]);
    let bounded = STREAMED.replacen('{', r#"{"max_tokens":1000,"#, 1);
    harness.call(&bounded).await.unwrap();
    let metering = harness.metering.clone();
    harness.stop().await;
    assert_eq!(metering.0.settled.lock().len(), 1);
    assert!(metering.0.extensions.lock().is_empty());
}

#[tokio::test]
async fn a_stream_without_credits_for_more_goes_on_or_ends_at_its_length() {
    // It covers the hold, and not twice as much.
    let balance = 15_000_000;
    let asking = STREAMED.replacen('{', r#"{"stream_options":{"include_usage":true},"#, 1);
    for cuts in [false, true] {
        let harness = Harness::with(|config| {
            config.on_credit_exhausted = match cuts {
                true => OnCreditExhausted::Cut,
                false => OnCreditExhausted::Finish,
            };
        })
        .await;
        harness.system_key("openai");
        *harness.metering.0.balance.lock() = balance;
        let slow = long(4_000).pausing(Duration::from_millis(1));
        harness.upstream.script("openai", [slow]);
        let answer = harness.call(&asking).await.unwrap();
        let event = settled(&harness)[0].clone();
        let passed = answer.body.matches(" one").count();
        let end = format!(": x-credits-charged {}\n\ndata: [DONE]\n\n", {
            Nanos::new(answer.summary.charge_nanos)
        });
        assert!(answer.body.ends_with(&end), "{end}");
        if !cuts {
            assert_eq!((passed, event.status()), (4_000, AttemptStatus::Ok));
            continue;
        }
        assert!((1_024..4_000).contains(&passed), "{passed}");
        assert_eq!(event.status(), AttemptStatus::Cut);
        assert!(event.reason.contains("credits"), "{}", event.reason);
        let length = r#""choices":[{"index":0,"delta":{},"finish_reason":"length"}]}"#;
        assert!(answer.body.contains(&format!(
            r#""id":"a","object":"chat.completion.chunk",{length}"#
        )));
        assert!(answer.body.contains(r#""usage":{"prompt_tokens":"#));
        assert_eq!(event.usage_source(), UsageSource::Estimated);
    }
}

#[tokio::test]
async fn a_translated_stream_without_credits_for_more_ends_with_an_error() {
    let harness = Harness::with(|config| config.on_credit_exhausted = OnCreditExhausted::Cut).await;
    harness.system_key("anthropic");
    // It covers the hold, and not twice as much.
    *harness.metering.0.balance.lock() = 8_000_000;
    let start = r#"{"type":"message_start","message":{"usage":{"input_tokens":9}}}"#;
    let open =
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;
    let one =
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" one"}}"#;
    let events = [vec![start, open], vec![one; 4_000]].concat();
    let slow = Scripted::stream(&events).pausing(Duration::from_millis(1));
    let path = "/anthropic/v1/messages";
    harness.upstream.script_at(path, [slow]);
    let asking = STREAMED.replace("gpt-4o", "claude-haiku-4-5");
    let answer = harness.call(&asking).await.unwrap();
    let passed = answer.body.matches(" one").count();
    assert!((1_024..4_000).contains(&passed), "{passed}");
    let end = answer.body.rsplit("\n\n").nth(1).unwrap();
    assert!(end.contains(r#""code":"insufficient_credits""#), "{end}");
    for good in ["[DONE]", "\"finish_reason\":\"length\""] {
        assert!(!answer.body.contains(good));
    }
    let charge = Nanos::new(answer.summary.charge_nanos);
    let comment = format!(": x-credits-charged {charge}\n\n");
    assert!(charge > Nanos::ZERO && answer.body.contains(&comment));
    let event = settled(&harness)[0].clone();
    assert_eq!(event.status(), AttemptStatus::Cut);
    assert!(event.reason.contains("credits"), "{}", event.reason);
}

#[tokio::test]
async fn only_so_many_answers_are_read_that_nobody_waits_for() {
    let harness = serving("openrouter").await;
    let endless = Scripted::stream(&[ONE, ONE]).hanging();
    harness.upstream.script("openrouter", [endless]);
    for _ in 0..65 {
        leaves_after(&harness, 2).await;
    }
    until(|| !settled(&harness).is_empty()).await;
    let event = settled(&harness)[0].clone();
    let (_, output) = used(&event);
    assert!((1..=3).contains(&output), "{output}");
    assert_eq!(
        (event.status(), event.usage_source()),
        (AttemptStatus::Abandoned, UsageSource::Estimated)
    );
    assert_eq!(settled(&harness).len(), 1, "the others are still read");
}

#[tokio::test]
async fn only_so_much_of_an_answer_is_read_that_nobody_waits_for() {
    let harness = serving("openrouter").await;
    let piece = ONE.replace(" one", &" two".repeat(64 * 1024));
    let events = [vec![ONE, ONE], vec![&piece; 96]].concat();
    let endless = Scripted::stream(&events).hanging();
    harness.upstream.script("openrouter", [endless]);
    leaves_after(&harness, 2).await;
    until(|| !settled(&harness).is_empty()).await;
    let event = settled(&harness)[0].clone();
    assert_eq!(event.status(), AttemptStatus::Abandoned);
    let (_, output) = used(&event);
    assert!(output > 1_000_000, "what came is charged: {output}");
}
