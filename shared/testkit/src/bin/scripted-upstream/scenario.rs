//! What each model does.

use std::time::Duration;

use serde_json::{Value, json};

/// What is answered.
pub(crate) enum Play {
    /// After a wait: a status, a body, and for how long to stay away.
    Answer(Duration, u16, Value, Option<u32>),
    /// An event stream.
    Stream(Vec<Step>),
}

/// One step of a stream.
pub(crate) enum Step {
    /// An event with its end.
    Send(String),
    /// Nothing for so long.
    Wait(Duration),
    /// The connection breaks.
    Cut,
}

/// Longer than the patience of the tests' clients, shorter than that of who waits for a test.
const SLOW: Duration = Duration::from_secs(3);

/// Between two words of `scenario-trickle`.
const TRICKLE: Duration = Duration::from_millis(50);

/// What the model does, the `count`th time that it is asked.
pub(crate) fn play(model: &str, asked: &Value, count: u32) -> Play {
    let name = model.strip_prefix("scenario-").unwrap_or_default();
    match name.split('_').next().unwrap_or_default() {
        "plain" => words(model, asked, "one two three"),
        "long" => words(model, asked, "word ".repeat(2_000).trim_end()),
        "trickle" => trickle(model),
        "slow" => Play::Answer(SLOW, 200, answer(model, &message("late"), "stop"), None),
        "flaky" if count == 1 => error(500, "server_error", "The server had an error.", None),
        "flaky" => words(model, asked, &format!("attempt {count}")),
        "limited" => error(429, "rate_limit_exceeded", "Rate limit reached.", Some(7)),
        "bad" => error(
            400,
            "scenario_bad",
            "The scenario does not like this request.",
            None,
        ),
        "tools" => tools(model, asked, &[("get_weather", r#"{"city":"Paris"}"#)]),
        "parallel" => tools(
            model,
            asked,
            &[
                ("get_weather", r#"{"city":"Paris"}"#),
                ("get_time", r#"{"zone":"Europe/Paris"}"#),
            ],
        ),
        "schema" => schema(model, asked),
        "refusal" => {
            let refusal = json!({"role": "assistant", "content": null, "refusal": "I will not."});
            now(answer(model, &refusal, "stop"))
        }
        "logprobs" => {
            let mut body = answer(model, &message("yes"), "stop");
            body["choices"][0]["logprobs"] = json!({"refusal": null, "content": [
                {"token": "yes", "logprob": -0.25, "bytes": [121, 101, 115], "top_logprobs": []},
            ]});
            now(body)
        }
        "image" => words(model, asked, &format!("{} bytes", image_bytes(asked))),
        "cut" => {
            let mut steps = vec![chunk(
                model,
                &json!({"role": "assistant", "content": "one "}),
                None,
            )];
            steps.push(chunk(model, &json!({"content": "two "}), None));
            steps.push(Step::Cut);
            Play::Stream(steps)
        }
        _ => error(404, "model_not_found", "There is no such scenario.", None),
    }
}

fn now(body: Value) -> Play {
    Play::Answer(Duration::ZERO, 200, body, None)
}

fn error(status: u16, code: &str, message: &str, retry_after: Option<u32>) -> Play {
    let body = json!({"error": {
        "message": message, "type": "scenario_error", "param": null, "code": code,
    }});
    Play::Answer(Duration::ZERO, status, body, retry_after)
}

fn message(text: &str) -> Value {
    json!({"role": "assistant", "content": text, "refusal": null})
}

fn answer(model: &str, message: &Value, finish: &str) -> Value {
    json!({
        "id": "chatcmpl-scenario", "object": "chat.completion", "created": 1_700_000_000,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": null}],
        "usage": usage(),
    })
}

/// The same for every scenario: what is counted here is tested elsewhere.
fn usage() -> Value {
    json!({"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8})
}

fn chunk(model: &str, delta: &Value, finish: Option<&str>) -> Step {
    let chunk = json!({
        "id": "chatcmpl-scenario", "object": "chat.completion.chunk", "created": 1_700_000_000,
        "model": model, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    });
    Step::Send(format!("data: {chunk}\n\n"))
}

/// The end of a stream; its usage only where it is asked for.
fn ending(model: &str, asked: &Value, finish: &str) -> Vec<Step> {
    let mut steps = vec![chunk(model, &json!({}), Some(finish))];
    if asked["stream_options"]["include_usage"] == true {
        let last = json!({
            "id": "chatcmpl-scenario", "object": "chat.completion.chunk",
            "created": 1_700_000_000, "model": model, "choices": [], "usage": usage(),
        });
        steps.push(Step::Send(format!("data: {last}\n\n")));
    }
    steps.push(Step::Send("data: [DONE]\n\n".to_owned()));
    steps
}

fn words(model: &str, asked: &Value, text: &str) -> Play {
    if asked["stream"] != true {
        return now(answer(model, &message(text), "stop"));
    }
    let first = chunk(model, &json!({"role": "assistant", "content": ""}), None);
    let pieces = text.split_inclusive(' ');
    let pieces = pieces.map(|piece| chunk(model, &json!({"content": piece}), None));
    let end = ending(model, asked, "stop");
    Play::Stream(std::iter::once(first).chain(pieces).chain(end).collect())
}

fn trickle(model: &str) -> Play {
    let piece = || {
        [
            Step::Wait(TRICKLE),
            chunk(model, &json!({"content": "drop "}), None),
        ]
    };
    Play::Stream(std::iter::repeat_with(piece).take(200).flatten().collect())
}

/// Arguments come in pieces, those of parallel calls one after the other.
fn tools(model: &str, asked: &Value, calls: &[(&str, &str)]) -> Play {
    if asked["tools"].as_array().is_none_or(Vec::is_empty) {
        return error(400, "scenario_tools", "This scenario needs `tools`.", None);
    }
    let whole = |(index, (name, arguments)): (usize, &(&str, &str))| {
        json!({
            "id": format!("call_{index}"), "type": "function",
            "function": {"name": name, "arguments": arguments},
        })
    };
    if asked["stream"] != true {
        let calls: Vec<Value> = calls.iter().enumerate().map(whole).collect();
        let message = json!({"role": "assistant", "content": null, "tool_calls": calls});
        return now(answer(model, &message, "tool_calls"));
    }
    let mut steps = vec![chunk(
        model,
        &json!({"role": "assistant", "content": null}),
        None,
    )];
    for (index, (name, arguments)) in calls.iter().enumerate() {
        let call = |call: Value| chunk(model, &json!({"tool_calls": [call]}), None);
        steps.push(call(json!({
            "index": index, "id": format!("call_{index}"), "type": "function",
            "function": {"name": name, "arguments": ""},
        })));
        let (head, tail) = arguments.split_at(arguments.len() / 2);
        for piece in [head, tail] {
            steps.push(call(
                json!({"index": index, "function": {"arguments": piece}}),
            ));
        }
    }
    steps.extend(ending(model, asked, "tool_calls"));
    Play::Stream(steps)
}

/// Answers in the form asked for only if it was asked for.
fn schema(model: &str, asked: &Value) -> Play {
    let format = &asked["response_format"];
    if format["type"] != "json_schema" || format["json_schema"]["schema"]["type"] != "object" {
        return error(
            400,
            "scenario_schema",
            "This scenario needs a JSON schema.",
            None,
        );
    }
    words(model, asked, r#"{"name":"Ada","age":36}"#)
}

/// The length of the first image, as its data URL carries it.
fn image_bytes(asked: &Value) -> usize {
    let parts = asked["messages"][0]["content"].as_array();
    let mut parts = parts.into_iter().flatten();
    let url = parts.find_map(|part| part["image_url"]["url"].as_str());
    let data = url.and_then(|url| url.split_once("base64,"));
    data.map_or(0, |(_, data)| data.trim_end_matches('=').len() * 3 / 4)
}
