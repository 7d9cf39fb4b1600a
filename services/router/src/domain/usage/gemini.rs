//! Usage as Gemini reports it, in each event of a stream of all so far: the prompt with what was
//! cached, what tools read beside it, the answer without its reasoning, each by modality.

use keyward_money::{MeasuredUsage, OverlappingUsage, Usage};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Number;

use super::{believable, whole};

/// An answer or an event, as far as usage goes.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Envelope {
    usage_metadata: Option<Reported>,
    candidates: Vec<Candidate>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Candidate {
    grounding_metadata: Option<Grounding>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Grounding {
    web_search_queries: Vec<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Reported {
    prompt_token_count: Option<Number>,
    cached_content_token_count: Option<Number>,
    candidates_token_count: Option<Number>,
    thoughts_token_count: Option<Number>,
    tool_use_prompt_token_count: Option<Number>,
    prompt_tokens_details: Vec<Modality>,
    cache_tokens_details: Vec<Modality>,
    candidates_tokens_details: Vec<Modality>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Modality {
    modality: String,
    token_count: Option<Number>,
}

pub(super) fn read(json: &[u8]) -> Option<MeasuredUsage> {
    let envelope: Envelope = serde_json::from_slice(json).ok()?;
    let grounded = envelope.candidates.iter();
    let grounded = grounded.filter_map(|candidate| candidate.grounding_metadata.as_ref());
    let searches = grounded.map(|grounding| grounding.web_search_queries.len());
    let searches = i64::try_from(searches.sum::<usize>()).unwrap_or(i64::MAX);
    disjoint(&envelope.usage_metadata?, searches)
}

/// Reads the usage out of the end of a large answer, whose beginning is gone already.
pub(super) fn read_tail(tail: &[u8]) -> Option<MeasuredUsage> {
    const MEMBER: &[u8] = b"\"usageMetadata\"";
    let at = memchr::memmem::rfind(tail, MEMBER)? + MEMBER.len();
    let value = tail[at..].trim_ascii_start().strip_prefix(b":")?;
    let mut values = serde_json::Deserializer::from_slice(value).into_iter::<Reported>();
    disjoint(&values.next()?.ok()?, 0)
}

fn disjoint(reported: &Reported, searches: i64) -> Option<MeasuredUsage> {
    let prompt_tokens = reported.prompt_token_count.as_ref();
    prompt_tokens.or(reported.candidates_token_count.as_ref())?;
    let prompt_tokens = whole(prompt_tokens);
    let read_by_tools = whole(reported.tool_use_prompt_token_count.as_ref());
    let reasoning_tokens = whole(reported.thoughts_token_count.as_ref());
    let candidates = whole(reported.candidates_token_count.as_ref());
    // What was cached is paid for as such, whatever it is of.
    let fresh = |modality| {
        let of_prompt = tokens(&reported.prompt_tokens_details, modality);
        of_prompt.saturating_sub(tokens(&reported.cache_tokens_details, modality))
    };
    believable(Usage::from_overlapping(OverlappingUsage {
        prompt_tokens: prompt_tokens.saturating_add(read_by_tools),
        cached_tokens: whole(reported.cached_content_token_count.as_ref()),
        prompt_audio_tokens: fresh("AUDIO").max(0),
        prompt_image_tokens: fresh("IMAGE").max(0),
        completion_tokens: candidates.saturating_add(reasoning_tokens),
        reasoning_tokens,
        completion_audio_tokens: tokens(&reported.candidates_tokens_details, "AUDIO"),
        completion_image_tokens: tokens(&reported.candidates_tokens_details, "IMAGE"),
        searches,
        ..OverlappingUsage::default()
    }))
}

fn tokens(details: &[Modality], modality: &str) -> i64 {
    let of_it = details.iter().filter(|detail| detail.modality == modality);
    let counts = of_it.map(|detail| whole(detail.token_count.as_ref()));
    counts.fold(0, i64::saturating_add)
}
