//! What each model does, whichever form it is asked in.

use std::time::Duration;

use serde_json::{Value, json};

use crate::asked::Asked;

/// What a model does.
#[derive(Debug)]
pub(crate) enum Scene {
    /// It answers.
    Answers(Reply),
    /// It fails.
    Fails(Failure),
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) said: Said,
    /// How long a plain answer takes.
    pub(crate) wait: Duration,
    /// How long each piece of a stream takes.
    pub(crate) pace: Duration,
    /// Whether a stream breaks off before its end.
    pub(crate) is_cut: bool,
}

/// What is said.
#[derive(Debug)]
pub(crate) enum Said {
    /// A text, in words where it is streamed.
    Text(String),
    /// Calls of tools: names and arguments.
    Calls(&'static [(&'static str, &'static str)]),
    /// The members of a choice that only OpenAI's chat form has.
    Choice(Value),
}

/// A failure.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: &'static str,
    /// For how many seconds to stay away.
    pub(crate) retry_after: Option<u32>,
}

/// Longer than the patience of the tests' clients, shorter than that of who waits for a test.
const SLOW: Duration = Duration::from_secs(3);

/// Between two words of `scenario-trickle`.
const TRICKLE: Duration = Duration::from_millis(50);

const ONE: &[(&str, &str)] = &[("get_weather", r#"{"city":"Paris"}"#)];
const TWO: &[(&str, &str)] = &[
    ("get_weather", r#"{"city":"Paris"}"#),
    ("get_time", r#"{"zone":"Europe/Paris"}"#),
];

/// What the model does, the `count`th time that it is asked.
pub(crate) fn scene(asked: &Asked, count: u32) -> Scene {
    if asked.is_malformed {
        return fails(400, "scenario_malformed", "This is no conversation.", None);
    }
    let name = asked.model.strip_prefix("scenario-").unwrap_or_default();
    match name.split('_').next().unwrap_or_default() {
        "plain" => says("one two three"),
        "long" => says("word ".repeat(2_000).trim_end()),
        "trickle" => Scene::Answers(Reply {
            pace: TRICKLE,
            ..reply(Said::Text("drop ".repeat(200)))
        }),
        "slow" => Scene::Answers(Reply {
            wait: SLOW,
            ..reply(Said::Text("late".to_owned()))
        }),
        "cut" => Scene::Answers(Reply {
            is_cut: true,
            ..reply(Said::Text("one two ".to_owned()))
        }),
        "flaky" if count == 1 => fails(500, "server_error", "The server had an error.", None),
        "flaky" => says(&format!("attempt {count}")),
        "limited" => fails(429, "rate_limit_exceeded", "Rate limit reached.", Some(7)),
        "bad" => fails(
            400,
            "scenario_bad",
            "The scenario does not like this request.",
            None,
        ),
        "tools" => calls(asked, ONE),
        "parallel" => calls(asked, TWO),
        "schema" if asked.wants_object => says(r#"{"name":"Ada","age":36}"#),
        "schema" => fails(
            400,
            "scenario_schema",
            "This scenario needs a JSON schema.",
            None,
        ),
        "image" => says(&format!("{} bytes", asked.image_bytes)),
        "refusal" => choice(json!({"message": {
            "role": "assistant", "content": null, "refusal": "I will not.",
        }})),
        "logprobs" => choice(json!({
            "message": {"role": "assistant", "content": "yes", "refusal": null},
            "logprobs": {"refusal": null, "content": [
                {"token": "yes", "logprob": -0.25, "bytes": [121, 101, 115], "top_logprobs": []},
            ]},
        })),
        _ => fails(404, "model_not_found", "There is no such scenario.", None),
    }
}

fn reply(said: Said) -> Reply {
    Reply {
        said,
        wait: Duration::ZERO,
        pace: Duration::ZERO,
        is_cut: false,
    }
}

fn says(text: &str) -> Scene {
    Scene::Answers(reply(Said::Text(text.to_owned())))
}

/// Calls tools, and says what came of the first once that is known.
fn calls(asked: &Asked, tools: &'static [(&'static str, &'static str)]) -> Scene {
    match &asked.tool_result {
        Some(result) => says(&format!("It is {result}.")),
        None if asked.has_tools => Scene::Answers(reply(Said::Calls(tools))),
        None => fails(400, "scenario_tools", "This scenario needs `tools`.", None),
    }
}

fn choice(members: Value) -> Scene {
    Scene::Answers(reply(Said::Choice(members)))
}

fn fails(
    status: u16,
    code: &'static str,
    message: &'static str,
    retry_after: Option<u32>,
) -> Scene {
    Scene::Fails(Failure {
        status,
        code,
        message,
        retry_after,
    })
}
