//! Usage in Anthropic's form, whose buckets are disjoint but for thoughts, which are output.

use keyward_money::Usage;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::json::Object;

/// Usage as it is written. In a stream what comes later replaces what came before, member by member.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[allow(clippy::struct_field_names)] // The names are the wire's.
pub(super) struct Reported {
    input_tokens: Option<i64>,
    cache_creation_input_tokens: Option<i64>,
    cache_read_input_tokens: Option<i64>,
    cache_creation: Option<CacheCreation>,
    output_tokens: Option<i64>,
    output_tokens_details: Option<OutputDetails>,
    server_tool_use: Option<ServerTools>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
#[derive(Default)]
struct CacheCreation {
    ephemeral_1h_input_tokens: i64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct OutputDetails {
    thinking_tokens: i64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct ServerTools {
    web_search_requests: i64,
}

impl Reported {
    /// Takes a later report.
    pub(super) fn take(&mut self, later: Self) {
        let Self {
            input_tokens,
            cache_creation_input_tokens,
            cache_read_input_tokens,
            cache_creation,
            output_tokens,
            output_tokens_details,
            server_tool_use,
        } = later;
        replace(&mut self.input_tokens, input_tokens);
        replace(
            &mut self.cache_creation_input_tokens,
            cache_creation_input_tokens,
        );
        replace(&mut self.cache_read_input_tokens, cache_read_input_tokens);
        replace(&mut self.cache_creation, cache_creation);
        replace(&mut self.output_tokens, output_tokens);
        replace(&mut self.output_tokens_details, output_tokens_details);
        replace(&mut self.server_tool_use, server_tool_use);
    }

    /// In disjoint buckets.
    pub(super) fn usage(&self) -> Usage {
        let hour = self
            .cache_creation
            .as_ref()
            .map_or(0, |made| made.ephemeral_1h_input_tokens);
        let writes = self.cache_creation_input_tokens.unwrap_or_default();
        let thoughts = self
            .output_tokens_details
            .as_ref()
            .map_or(0, |told| told.thinking_tokens);
        let output = self.output_tokens.unwrap_or_default();
        let searches = self
            .server_tool_use
            .as_ref()
            .map_or(0, |used| used.web_search_requests);
        let usage = Usage {
            input_tokens: self.input_tokens.unwrap_or_default(),
            cache_read_tokens: self.cache_read_input_tokens.unwrap_or_default(),
            cache_write_5m_tokens: writes.saturating_sub(hour),
            cache_write_1h_tokens: hour,
            output_tokens: output.saturating_sub(thoughts),
            reasoning_tokens: thoughts,
            searches,
            ..Usage::default()
        };
        Usage::from_disjoint(usage).usage
    }
}

fn replace<T>(held: &mut Option<T>, later: Option<T>) {
    if later.is_some() {
        *held = later;
    }
}

/// Writes usage. What this form has no bucket for is in the one that it would be counted in.
pub(super) fn write(usage: &Usage) -> Value {
    let input = [usage.input_audio_tokens, usage.input_image_tokens]
        .into_iter()
        .fold(usage.input_tokens, i64::saturating_add);
    let (short, long) = (usage.cache_write_5m_tokens, usage.cache_write_1h_tokens);
    let mut written = Object::default()
        .with("input_tokens", input)
        .with("cache_creation_input_tokens", short.saturating_add(long))
        .with("cache_read_input_tokens", usage.cache_read_tokens)
        .with(
            "cache_creation",
            json!({"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long}),
        )
        .with("output_tokens", usage.completion_tokens());
    if usage.reasoning_tokens > 0 {
        let details = json!({"thinking_tokens": usage.reasoning_tokens});
        written.set("output_tokens_details", details);
    }
    if usage.searches > 0 {
        written.set(
            "server_tool_use",
            json!({"web_search_requests": usage.searches}),
        );
    }
    written.into()
}
