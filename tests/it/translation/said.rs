//! What is asked and what is answered, whatever the form.

use serde_json::{Value, json};

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Said {
    pub(super) text: String,
    pub(super) calls: Vec<Call>,
    pub(super) stop: Stop,
    pub(super) used: Used,
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) arguments: Value,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    End,
    Length,
    Calls,
}

/// What was used, in disjoint buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Used {
    pub(super) input: u64,
    pub(super) cache_read: u64,
    pub(super) cache_write: u64,
    pub(super) output: u64,
    pub(super) reasoning: u64,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// For words.
    Words,
    /// With a tool that may be called.
    Tools,
    /// After two calls of it, with what they brought.
    Results,
}

/// The tool.
pub(super) const TOOL: &str = "weather";
/// Where it was called for, with which id, and what it brought.
pub(super) const RESULTS: [(&str, &str, &str); 2] = [
    ("call_rome", "Rome", "18 degrees"),
    ("call_oslo", "Oslo", "4 degrees"),
];
/// What the user says.
pub(super) const QUESTION: &str = "Is it warm in Rome and in Oslo?";

impl Asked {
    pub(super) fn has_tools(self) -> bool {
        self != Self::Words
    }
}

impl Call {
    pub(super) fn new(name: impl Into<String>, arguments: Value) -> Self {
        Self {
            name: name.into(),
            arguments,
        }
    }

    /// A call of the tool.
    pub(super) fn of(city: &str) -> Self {
        Self::new(TOOL, json!({"city": city}))
    }
}

impl Stop {
    /// Of an answer that has no word of its own for calls.
    pub(super) fn or_calls(self, calls: &[Call]) -> Self {
        match self {
            Self::End if !calls.is_empty() => Self::Calls,
            stop => stop,
        }
    }
}

/// The tool's arguments, as a schema.
pub(super) fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    })
}

/// A count; 0 where there is none.
pub(super) fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

/// A text; empty where there is none.
pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Arguments that are written as JSON in a text.
pub(super) fn arguments(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| panic!("no arguments: {text:?}"))
}

/// The elements of a list; none where it is no list.
pub(super) fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
