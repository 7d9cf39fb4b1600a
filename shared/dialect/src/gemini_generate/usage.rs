//! Usage: thoughts and what tools read are counted beside the answer and the prompt, cached tokens
//! within the prompt.

use keyward_money::{OverlappingUsage, Usage};
use serde::Deserialize;
use serde_json::Value;

use crate::json::Object;

/// Usage as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Reported {
    prompt_token_count: i64,
    cached_content_token_count: i64,
    candidates_token_count: i64,
    thoughts_token_count: i64,
    tool_use_prompt_token_count: i64,
    prompt_tokens_details: Vec<Detail>,
    cache_tokens_details: Vec<Detail>,
    candidates_tokens_details: Vec<Detail>,
}

/// The tokens of one modality.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Detail {
    modality: String,
    token_count: i64,
}

fn of(details: &[Detail], modality: &str) -> i64 {
    let counts = details.iter().filter(|detail| detail.modality == modality);
    counts.fold(0, |sum, detail| sum.saturating_add(detail.token_count))
}

impl Reported {
    /// In disjoint buckets. What of a modality was cached is counted as cached.
    pub(super) fn usage(&self) -> Usage {
        let fresh = |modality: &str| {
            let cached = of(&self.cache_tokens_details, modality);
            of(&self.prompt_tokens_details, modality).saturating_sub(cached)
        };
        Usage::from_overlapping(OverlappingUsage {
            prompt_tokens: self
                .prompt_token_count
                .saturating_add(self.tool_use_prompt_token_count),
            cached_tokens: self.cached_content_token_count,
            prompt_audio_tokens: fresh("AUDIO"),
            prompt_image_tokens: fresh("IMAGE"),
            completion_tokens: self
                .candidates_token_count
                .saturating_add(self.thoughts_token_count),
            reasoning_tokens: self.thoughts_token_count,
            completion_audio_tokens: of(&self.candidates_tokens_details, "AUDIO"),
            completion_image_tokens: of(&self.candidates_tokens_details, "IMAGE"),
            ..OverlappingUsage::default()
        })
        .usage
    }
}

/// Writes usage. Writes to a cache have no place here and are part of the prompt.
pub(super) fn write(usage: &Usage) -> Value {
    let (prompt, completion) = (usage.prompt_tokens(), usage.completion_tokens());
    let told = |count: i64| (count > 0).then_some(count);
    Object::default()
        .with("promptTokenCount", prompt)
        .maybe("cachedContentTokenCount", told(usage.cache_read_tokens))
        .with(
            "candidatesTokenCount",
            completion.saturating_sub(usage.reasoning_tokens),
        )
        .maybe("thoughtsTokenCount", told(usage.reasoning_tokens))
        .with("totalTokenCount", prompt.saturating_add(completion))
        .into()
}
