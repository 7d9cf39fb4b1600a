//! Usage, where details are parts of their totals. Servers that know no details write `null`.

use keyward_money::{OverlappingUsage, Usage};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::json::or_default;
use crate::openai_chat::usage::cache_writes;

/// Usage as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[allow(clippy::struct_field_names)] // The names are the wire's.
pub(super) struct Reported {
    #[serde(deserialize_with = "or_default")]
    input_tokens: i64,
    #[serde(deserialize_with = "or_default")]
    input_tokens_details: InputDetails,
    #[serde(deserialize_with = "or_default")]
    output_tokens: i64,
    #[serde(deserialize_with = "or_default")]
    output_tokens_details: OutputDetails,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[allow(clippy::struct_field_names)] // The names are the wire's.
struct InputDetails {
    #[serde(deserialize_with = "or_default")]
    cached_tokens: i64,
    #[serde(deserialize_with = "or_default")]
    cache_write_tokens: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OutputDetails {
    #[serde(deserialize_with = "or_default")]
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
