//! OpenAI's chat completions.

use serde_json::{Value, json};

use super::{TOKENS, data, halves};
use crate::asked::Asked;
use crate::play::Events;
use crate::scenario::Said;

pub(super) fn plain(asked: &Asked, said: &Said) -> Value {
    let mut choice = json!({"index": 0, "finish_reason": stop(said), "logprobs": null});
    choice["message"] = match said {
        Said::Text(text) => json!({"role": "assistant", "content": text, "refusal": null}),
        Said::Calls(_) => {
            let calls: Vec<Value> = said.calls().map(call).collect();
            json!({"role": "assistant", "content": null, "tool_calls": calls})
        }
        Said::Choice(_) => Value::Null,
    };
    if let Said::Choice(Value::Object(members)) = said {
        for (name, value) in members {
            choice[name] = value.clone();
        }
    }
    json!({
        "id": "chatcmpl-scenario", "object": "chat.completion", "created": 1_700_000_000,
        "model": asked.model, "choices": [choice], "usage": usage(),
    })
}

pub(super) fn events(asked: &Asked, said: &Said) -> Events {
    let chunk = |delta: Value, finish: Option<&str>| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        data(&chunk(asked, &json!([choice])))
    };
    let words = said.words().map(|word| json!({"content": word}));
    let calls = said.calls().flat_map(deltas);
    let pieces = words.chain(calls.map(|call| json!({"tool_calls": [call]})));
    let mut closing = vec![chunk(json!({}), Some(stop(said)))];
    if asked.wants_usage {
        let mut last = self::chunk(asked, &json!([]));
        last["usage"] = usage();
        closing.push(data(&last));
    }
    closing.push("data: [DONE]\n\n".to_owned());
    Events {
        opening: vec![chunk(
            json!({"role": "assistant", "content": said.text().map(|_| "")}),
            None,
        )],
        pieces: pieces.map(|delta| chunk(delta, None)).collect(),
        closing,
    }
}

fn chunk(asked: &Asked, choices: &Value) -> Value {
    json!({
        "id": "chatcmpl-scenario", "object": "chat.completion.chunk", "created": 1_700_000_000,
        "model": asked.model, "choices": choices,
    })
}

fn call((index, name, arguments): (usize, &str, &str)) -> Value {
    json!({
        "id": format!("call_{index}"), "type": "function",
        "function": {"name": name, "arguments": arguments},
    })
}

/// A call without its arguments, then those in pieces.
fn deltas((index, name, arguments): (usize, &str, &str)) -> Vec<Value> {
    let mut head = call((index, name, ""));
    head["index"] = json!(index);
    let piece = |piece| json!({"index": index, "function": {"arguments": piece}});
    let pieces = halves(arguments).map(piece);
    std::iter::once(head).chain(pieces).collect()
}

fn stop(said: &Said) -> &'static str {
    match said.is_calls() {
        true => "tool_calls",
        false => "stop",
    }
}

fn usage() -> Value {
    json!({
        "prompt_tokens": TOKENS.0, "completion_tokens": TOKENS.1, "total_tokens": TOKENS.0 + TOKENS.1,
    })
}
