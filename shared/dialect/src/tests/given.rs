//! Anything that every form of a chat can express.

use proptest::prelude::*;
use serde_json::{Number, json};

use crate::canonical::{
    Answer, Choice, Content, Media, Message, Origin, Output, Part, Request, Role, Schema,
    Signature, Source, StopReason, Tool, ToolCall, ToolChoice, ToolResult, Usage,
};

fn words() -> impl Strategy<Value = String> {
    "[a-zé☃\"\\\\\n ]{0,12}[a-z]"
}

fn name() -> impl Strategy<Value = String> {
    "[a-z][a-z_]{0,8}"
}

fn image() -> impl Strategy<Value = Part> {
    "[A-Za-z0-9]{4}".prop_map(|data| {
        Part::new(Content::Image(Media {
            source: Source::Base64 {
                media_type: "image/png".to_owned(),
                data,
            },
            name: None,
            detail: None,
        }))
    })
}

/// Calls with ids of their own, and their results.
fn calls(turn: usize) -> impl Strategy<Value = (Vec<Part>, Vec<Part>)> {
    let one = (name(), "[a-z0-9]{1,5}", words());
    proptest::collection::vec(one, 1..4).prop_map(move |calls| {
        let mut both = (Vec::new(), Vec::new());
        for (number, (name, value, text)) in calls.into_iter().enumerate() {
            let id = format!("call_{turn}_{number}");
            both.0.push(Part::new(Content::ToolCall(ToolCall {
                id: id.clone(),
                name,
                arguments: json!({"a": value, "b": [1, 2.5]}).to_string(),
            })));
            both.1.push(Part::new(Content::ToolResult(ToolResult {
                call_id: id,
                name: None,
                parts: vec![Part::text(text)],
                is_error: false,
            })));
        }
        both
    })
}

fn turns() -> impl Strategy<Value = Vec<Message>> {
    let user = (words(), proptest::option::of(image()));
    (words(), user, words(), calls(0), words()).prop_map(|(system, user, said, calls, last)| {
        let message = |role, parts| Message { role, parts };
        let mut asked = vec![Part::text(user.0)];
        asked.extend(user.1);
        let mut answered = vec![Part::text(said)];
        answered.extend(calls.0);
        vec![
            message(Role::System, vec![Part::text(system)]),
            message(Role::User, asked),
            message(Role::Assistant, answered),
            message(Role::Tool, calls.1),
            message(Role::Assistant, vec![Part::text(last.clone())]),
            message(Role::User, vec![Part::text(last)]),
        ]
    })
}

fn tool() -> impl Strategy<Value = Tool> {
    (name(), proptest::option::of(words())).prop_map(|(name, description)| Tool {
        name,
        description,
        parameters: Some(json!({"type": "object", "properties": {"a": {"type": "string"}}})),
        strict: None,
        cache: None,
    })
}

fn choice() -> impl Strategy<Value = ToolChoice> {
    prop_oneof![
        Just(ToolChoice::Auto),
        Just(ToolChoice::None),
        Just(ToolChoice::Any),
        name().prop_map(ToolChoice::Named),
    ]
}

fn output() -> impl Strategy<Value = Output> {
    let schema = Schema {
        name: None,
        description: None,
        schema: json!({"type": "object", "properties": {"b": {"type": "number"}}}),
        strict: None,
    };
    prop_oneof![Just(Output::Text), Just(Output::Schema(schema))]
}

/// A request that says nothing which any of the forms lacks.
pub(crate) fn request() -> impl Strategy<Value = Request> {
    let tools = proptest::collection::vec(tool(), 1..3);
    let tenths = || {
        proptest::option::of(
            (1_u32..10).prop_map(|n| Number::from_f64(f64::from(n) / 10.0).unwrap()),
        )
    };
    let settings = (1_u64..9_000, tenths(), tenths(), any::<bool>());
    (turns(), tools, choice(), output(), settings).prop_map(
        |(messages, tools, choice, output, (max, temperature, top_p, stream))| Request {
            messages,
            tools,
            tool_choice: Some(choice),
            output,
            max_tokens: Some(max),
            temperature,
            top_p,
            stream,
            ..Request::default()
        },
    )
}

fn thoughts() -> impl Strategy<Value = Part> {
    (words(), "[A-Za-z0-9+/=]{1,9}").prop_map(|(text, value)| {
        let signature = Signature {
            origin: Origin::Anthropic,
            value,
        };
        Part::new(Content::Reasoning {
            text,
            signature: Some(signature),
            redacted: false,
        })
    })
}

fn usage() -> impl Strategy<Value = Usage> {
    let few = || 0_i64..1_000;
    // Gemini has no word for writes to a cache.
    (few(), few(), few(), few()).prop_map(|(input, read, output, reasoning)| Usage {
        input_tokens: input,
        cache_read_tokens: read,
        output_tokens: output,
        reasoning_tokens: reasoning,
        ..Usage::default()
    })
}

/// An answer that says nothing which any of the forms lacks: thoughts, a text, calls.
pub(crate) fn answer() -> impl Strategy<Value = Answer> {
    let calls = proptest::option::of(calls(9).prop_map(|calls| calls.0));
    (
        proptest::option::of(thoughts()),
        words(),
        calls,
        any::<bool>(),
        usage(),
    )
        .prop_map(|(thoughts, text, calls, long, usage)| {
            let stop = match (&calls, long) {
                (Some(_), _) => StopReason::ToolCalls,
                (None, true) => StopReason::Length,
                (None, false) => StopReason::End,
            };
            let mut parts: Vec<Part> = thoughts.into_iter().collect();
            parts.push(Part::text(text));
            parts.extend(calls.into_iter().flatten());
            Answer {
                id: None,
                model: Some("m".to_owned()),
                choices: vec![Choice {
                    parts,
                    stop: Some(stop),
                    logprobs: Vec::new(),
                }],
                usage: Some(usage),
            }
        })
}

/// Bytes in pieces: cut at any places.
pub(crate) fn cut(bytes: &[u8], cuts: &[usize]) -> Vec<Vec<u8>> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places
        .windows(2)
        .map(|pair| bytes[pair[0]..pair[1]].to_vec())
        .collect()
}
