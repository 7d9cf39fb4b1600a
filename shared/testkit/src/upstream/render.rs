//! From a script to the bytes of an answer, in OpenAI's chat form.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::script::{Completion, Ending, Step};

/// What every answer calls itself.
const ID: &str = "chatcmpl-scripted";

/// A plain answer.
pub(super) fn plain(answer: &Completion, model: &str) -> Bytes {
    let mut body = json!({
        "id": ID, "object": "chat.completion", "created": 1_700_000_000, "model": model,
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": answer.text},
            "finish_reason": "stop",
        }],
    });
    if let Some(usage) = usage(answer) {
        body["usage"] = usage;
    }
    merge(&mut body, &answer.extra);
    body.to_string().into()
}

/// A streamed answer: its usage only where it was asked for.
pub(super) fn streamed(answer: &Completion, model: &str, include_usage: bool) -> Vec<Step> {
    let mut events = vec![": OPENROUTER PROCESSING".to_owned(); answer.comments];
    let chunk = |delta: Value, finish: Value| {
        let mut chunk = json!({
            "id": ID, "object": "chat.completion.chunk", "created": 1_700_000_000, "model": model,
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        });
        merge(&mut chunk, &answer.extra);
        format!("data: {chunk}")
    };
    if answer.role_only {
        events.push(chunk(
            json!({"role": "assistant", "content": ""}),
            Value::Null,
        ));
    }
    let pieces: Vec<&str> = answer.text.split_inclusive(' ').collect();
    let kept = match answer.ending {
        Ending::Done => pieces.len(),
        Ending::Cut(count) | Ending::Error(count, _) | Ending::Hang(count) => count,
    };
    for piece in pieces.iter().take(kept) {
        events.push(chunk(json!({"content": piece}), Value::Null));
    }
    match &answer.ending {
        Ending::Done => {
            events.push(chunk(json!({}), json!("stop")));
            if let Some(usage) = usage(answer).filter(|_| include_usage) {
                let last = json!({
                    "id": ID, "object": "chat.completion.chunk", "created": 1_700_000_000,
                    "model": model, "choices": [], "usage": usage,
                });
                events.push(format!("data: {last}"));
            }
            events.push("data: [DONE]".to_owned());
        }
        Ending::Error(_, error) => events.push(format!("data: {}", json!({"error": error}))),
        Ending::Cut(_) | Ending::Hang(_) => {}
    }
    frames(answer, &events)
}

fn frames(answer: &Completion, events: &[String]) -> Vec<Step> {
    let end = if answer.crlf { "\r\n\r\n" } else { "\n\n" };
    let mut steps = Vec::new();
    for event in events {
        if answer.delay > Duration::ZERO {
            steps.push(Step::Wait(answer.delay));
        }
        steps.push(Step::Send(format!("{event}{end}").into()));
    }
    if let Some(bytes) = answer.frame_bytes {
        steps = recut(&steps, bytes);
    }
    match answer.ending {
        Ending::Cut(_) => steps.push(Step::Cut),
        Ending::Hang(_) => steps.push(Step::Hang),
        Ending::Done | Ending::Error(..) => {}
    }
    steps
}

/// The same bytes in frames of another size.
fn recut(steps: &[Step], bytes: usize) -> Vec<Step> {
    let sent = steps.iter().filter_map(|step| match step {
        Step::Send(bytes) => Some(bytes.as_ref()),
        _ => None,
    });
    let whole: Vec<u8> = sent.flatten().copied().collect();
    whole
        .chunks(bytes)
        .map(|frame| Step::Send(Bytes::copy_from_slice(frame)))
        .collect()
}

fn usage(answer: &Completion) -> Option<Value> {
    answer.usage.map(|(prompt, completion)| {
        json!({
            "prompt_tokens": prompt, "completion_tokens": completion,
            "total_tokens": prompt + completion,
        })
    })
}

fn merge(into: &mut Value, members: &Value) {
    for (name, value) in members.as_object().into_iter().flatten() {
        into[name] = value.clone();
    }
}
