//! Usage, where details are parts of their totals.

use keyward_money::{OverlappingUsage, Usage};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::openai_chat::usage::cache_writes;

/// Usage as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[allow(clippy::struct_field_names)] // The names are the wire's.
pub(super) struct Reported {
    input_tokens: i64,
    input_tokens_details: InputDetails,
    output_tokens: i64,
    output_tokens_details: OutputDetails,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[allow(clippy::struct_field_names)] // The names are the wire's.
struct InputDetails {
    cached_tokens: i64,
    cache_write_tokens: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OutputDetails {
    reasoning_tokens: i64,
}

impl Reported {
    /// In disjoint buckets.
    pub(super) fn usage(&self) -> Usage {
        Usage::from_overlapping(OverlappingUsage {
            prompt_tokens: self.input_tokens,
            cached_tokens: self.input_tokens_details.cached_tokens,
            cache_write_tokens: self.input_tokens_details.cache_write_tokens,
            completion_tokens: self.output_tokens,
            reasoning_tokens: self.output_tokens_details.reasoning_tokens,
            ..OverlappingUsage::default()
        })
        .usage
    }
}

pub(super) fn write(usage: &Usage) -> Value {
    let (input, output) = (usage.prompt_tokens(), usage.completion_tokens());
    json!({
        "input_tokens": input,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read_tokens,
            "cache_write_tokens": cache_writes(usage),
        },
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": input.saturating_add(output),
    })
}
