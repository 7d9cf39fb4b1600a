//! Usage in OpenAI's form, where details are parts of their totals. Takes the variants that are seen in
//! the wild: details, DeepSeek's cache hits, reasoning or sound counted beside the rest.

use keyward_money::{MeasuredUsage, OverlappingUsage, Usage};
use serde::Deserialize;
use serde_json::{Number, Value, json};

/// Usage as chat and legacy completions report it, with what others put beside it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Reported {
    prompt_tokens: Option<Number>,
    completion_tokens: Option<Number>,
    total_tokens: Option<Number>,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
    /// DeepSeek.
    prompt_cache_hit_tokens: Option<Number>,
    /// Perplexity.
    num_search_queries: Option<Number>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[allow(clippy::struct_field_names)] // The names are the wire's.
struct PromptDetails {
    cached_tokens: Option<Number>,
    cache_write_tokens: Option<Number>,
    audio_tokens: Option<Number>,
    image_tokens: Option<Number>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[allow(clippy::struct_field_names)] // The names are the wire's.
struct CompletionDetails {
    reasoning_tokens: Option<Number>,
    audio_tokens: Option<Number>,
    image_tokens: Option<Number>,
}

impl Reported {
    /// In disjoint buckets; `None` where nothing is reported.
    pub(crate) fn usage(self) -> Option<Usage> {
        self.measured().map(|measured| measured.usage)
    }

    /// In disjoint buckets; `None` where nothing is reported: an empty object says nothing, and zero
    /// would be a claim.
    pub fn measured(self) -> Option<MeasuredUsage> {
        let told = self.prompt_tokens.is_some() || self.completion_tokens.is_some();
        told.then(|| Usage::from_overlapping(self.figures()))
    }

    /// The same where only a total is told: all of it is the prompt, as nothing else is counted.
    pub fn only_total(self) -> Option<MeasuredUsage> {
        let prompt_tokens = Some(self.total_tokens?);
        let prompt = Self {
            prompt_tokens,
            ..Self::default()
        };
        prompt.measured()
    }

    fn figures(self) -> OverlappingUsage {
        let prompt = self.prompt_tokens_details.unwrap_or_default();
        let completion = self.completion_tokens_details.unwrap_or_default();
        let mut figures = OverlappingUsage {
            prompt_tokens: whole(self.prompt_tokens),
            cached_tokens: whole(prompt.cached_tokens.or(self.prompt_cache_hit_tokens)),
            cache_write_tokens: whole(prompt.cache_write_tokens),
            prompt_audio_tokens: whole(prompt.audio_tokens),
            prompt_image_tokens: whole(prompt.image_tokens),
            completion_tokens: whole(self.completion_tokens),
            reasoning_tokens: whole(completion.reasoning_tokens),
            completion_audio_tokens: whole(completion.audio_tokens),
            completion_image_tokens: whole(completion.image_tokens),
            searches: whole(self.num_search_queries),
        };
        let total = whole(self.total_tokens);
        if reasons_beside_the_answer(&figures, total) {
            let all = figures
                .completion_tokens
                .saturating_add(figures.reasoning_tokens);
            figures.completion_tokens = all;
        }
        if hears_beside_the_prompt(&figures, total) {
            let all = figures
                .prompt_tokens
                .saturating_add(figures.prompt_audio_tokens);
            figures.prompt_tokens = all;
        }
        figures
    }
}

/// Mistral counts sound beside `prompt_tokens`, others within: the total tells which.
fn hears_beside_the_prompt(figures: &OverlappingUsage, total: i64) -> bool {
    let without = figures
        .prompt_tokens
        .saturating_add(figures.completion_tokens);
    let audio = figures.prompt_audio_tokens;
    audio > 0 && total == without.saturating_add(audio)
}

/// xAI counts reasoning beside `completion_tokens`, others within: the total tells which.
fn reasons_beside_the_answer(figures: &OverlappingUsage, total: i64) -> bool {
    let without = figures
        .prompt_tokens
        .saturating_add(figures.completion_tokens);
    figures.reasoning_tokens > 0 && total == without.saturating_add(figures.reasoning_tokens)
}

/// Some servers write counts as `12.0`.
#[allow(clippy::cast_possible_truncation)]
pub(crate) fn whole(number: Option<Number>) -> i64 {
    let Some(number) = number else { return 0 };
    let rounded = || number.as_f64().map(|count| count.round() as i64);
    number.as_i64().or_else(rounded).unwrap_or(0)
}

/// All tokens that were written to a cache.
pub(crate) fn cache_writes(usage: &Usage) -> i64 {
    usage
        .cache_write_5m_tokens
        .saturating_add(usage.cache_write_1h_tokens)
}

/// Writes usage as chat and legacy completions have it.
pub(crate) fn write(usage: &Usage) -> Value {
    let (prompt, completion) = (usage.prompt_tokens(), usage.completion_tokens());
    json!({
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt.saturating_add(completion),
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read_tokens,
            "cache_write_tokens": cache_writes(usage),
            "audio_tokens": usage.input_audio_tokens,
            "image_tokens": usage.input_image_tokens,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": usage.output_audio_tokens,
            "image_tokens": usage.output_image_tokens,
        },
    })
}
