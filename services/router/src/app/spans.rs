//! The spans of a request in the router: one for what was asked, under it one for each attempt at a
//! provider. Only attempts say what was used, so that sums over spans count it once.

use std::borrow::Cow;

use keyward_money::{Nanos, Usage};
use keyward_proto::metering::v1::{AttemptStatus, KeySource};
use keyward_runtime::error::Reason;
use keyward_runtime::telemetry::names::{self, shown};
use keyward_runtime::trace::{Kind, Span};
use keyward_secret::redact;
use memchr::memmem;
use url::Url;

use super::attempt::{Attempt, Ending, key_source_text};
use super::meters::outcome;
use crate::domain::failure::Failure;
use crate::domain::plan::Candidate;
use crate::domain::providers::Provider;

/// How far into an answer its model is looked for; providers name it before the content.
const MODEL_WITHIN_BYTES: usize = 2048;

/// The span of a request as it was asked.
pub(super) fn asked(model: &str, inference_id: &str, tier: &str) -> Span {
    let span = Span::new(Kind::Internal, || name(model));
    if span.is_recording() {
        span.set(names::GEN_AI_OPERATION_NAME, names::CHAT);
        span.set(names::GEN_AI_REQUEST_MODEL, shown(model));
        span.set(names::REQUEST_ID, inference_id.to_owned());
        span.set(names::TIER, tier.to_owned());
    }
    span
}

/// Who served it, and what was charged.
pub(super) fn served(asked: &Span, attempt: &Attempt, charge: Option<Nanos>) {
    if !asked.is_recording() {
        return;
    }
    let candidate = &attempt.candidate;
    asked.set(names::KEY_SOURCE, key_source_text(candidate));
    asked.set(names::BYOK, attempt.is_own());
    asked.set(names::FALLBACK, candidate.is_fallback());
    if let Some(charge) = charge {
        asked.set(names::CREDITS_CHARGED, charge.get());
    }
}

/// It was not served. Whose fault that is, the reason tells.
pub(super) fn refused(asked: &Span, reason: Reason) {
    match reason.http_status() {
        500.. => asked.fault(reason.as_str()),
        _ => asked.set(names::ERROR_TYPE, reason.as_str()),
    }
}

/// The span of an attempt, from the moment its request is sent.
pub(super) fn attempt(
    number: u32,
    candidate: &Candidate,
    provider: &Provider,
    streamed: bool,
) -> Span {
    let model = &candidate.upstream_model;
    let span = Span::new(Kind::Client, || name(model));
    if !span.is_recording() {
        return span;
    }
    span.set(names::GEN_AI_OPERATION_NAME, names::CHAT);
    let provider_name = names::gen_ai_provider(&candidate.provider);
    span.set(names::GEN_AI_PROVIDER_NAME, provider_name.to_owned());
    span.set(names::GEN_AI_REQUEST_MODEL, shown(model));
    span.set(names::GEN_AI_REQUEST_STREAM, streamed);
    set_server(&span, candidate, provider);
    span.set(names::ATTEMPT, i64::from(number));
    span.set(names::KEY_SOURCE, key_source_text(candidate));
    span.set(names::BYOK, candidate.source != KeySource::System);
    span.set(names::FALLBACK, candidate.is_fallback());
    span.set(names::CANDIDATE_REASON, candidate.in_our_words());
    if let Some(key) = candidate.stored() {
        span.set(names::KEY_ID, key.id.clone());
    }
    span
}

fn set_server(span: &Span, candidate: &Candidate, provider: &Provider) {
    let own = candidate.base_url().and_then(|url| Url::parse(url).ok());
    let Some(url) = own.as_ref().or(provider.base_url.as_ref()) else {
        return;
    };
    if let Some(host) = url.host_str() {
        span.set(names::SERVER_ADDRESS, host.to_owned());
    }
    if let Some(port) = url.port_or_known_default() {
        span.set(names::SERVER_PORT, i64::from(port));
    }
}

/// The first piece of a stream is here.
pub(super) fn first_chunk(attempt: &Attempt, chunk: &[u8]) {
    if attempt.span.is_recording() {
        let seconds = attempt.started.elapsed().as_secs_f64();
        attempt
            .span
            .set(names::GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK, seconds);
        answering_model(attempt, chunk);
    }
}

/// The model that an answer says it is from.
pub(super) fn answering_model(attempt: &Attempt, answer: &[u8]) {
    if attempt.span.is_recording()
        && let Some(model) = model_in(answer)
    {
        // A provider may write anything there, the key that it was shown among it.
        let model = redact(&model, &[attempt.key.secret()]);
        attempt
            .span
            .set(names::GEN_AI_RESPONSE_MODEL, shown(&model));
    }
}

/// An attempt failed at the provider.
pub(super) fn failed(attempt: &Attempt, failure: Failure) {
    if !attempt.span.is_recording() {
        return;
    }
    match attempt.http_status {
        status @ 400.. => attempt.span.fault(status.to_string()),
        _ => attempt.span.fault(kind(failure)),
    }
}

/// An attempt is over; its books are closed after.
pub(super) fn over(attempt: &Attempt, ending: &Ending) {
    let span = &attempt.span;
    if !span.is_recording() {
        return;
    }
    span.set(names::OUTCOME, outcome(ending.status));
    if attempt.http_status > 0 {
        let status = i64::from(attempt.http_status);
        span.set(names::HTTP_RESPONSE_STATUS_CODE, status);
    }
    if ending.status != AttemptStatus::Failed {
        set_usage(span, &ending.usage());
    }
    span.end();
}

/// Totals as the conventions have them: with what was cached, and with reasoning.
fn set_usage(span: &Span, usage: &Usage) {
    let input = usage.input_tokens
        + usage.cache_read_tokens
        + usage.cache_write_5m_tokens
        + usage.cache_write_1h_tokens
        + usage.input_audio_tokens
        + usage.input_image_tokens;
    let output = usage.output_tokens
        + usage.reasoning_tokens
        + usage.output_audio_tokens
        + usage.output_image_tokens;
    span.set(names::GEN_AI_USAGE_INPUT_TOKENS, input);
    span.set(names::GEN_AI_USAGE_OUTPUT_TOKENS, output);
    for (name, tokens) in [
        (
            names::GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS,
            usage.cache_read_tokens,
        ),
        (
            names::GEN_AI_USAGE_REASONING_OUTPUT_TOKENS,
            usage.reasoning_tokens,
        ),
    ] {
        if tokens > 0 {
            span.set(name, tokens);
        }
    }
}

fn kind(failure: Failure) -> &'static str {
    match failure {
        Failure::KeyRejected => "key_rejected",
        Failure::QuotaExhausted => "quota_exhausted",
        Failure::RateLimited { .. } => "rate_limited",
        Failure::Broken => "broken_answer",
        Failure::Overloaded => "overloaded",
        Failure::Unreachable => "unreachable",
        Failure::TimedOut => "timeout",
        Failure::ModelAbsent => "model_absent",
        Failure::Caller => "invalid_request",
        Failure::Stopping => "stopping",
    }
}

fn name(model: &str) -> Cow<'static, str> {
    format!("{} {}", names::CHAT, shown(model)).into()
}

/// The first member `model`: within a text its quotes would be escaped, so it is no content.
fn model_in(answer: &[u8]) -> Option<String> {
    let head = &answer[..answer.len().min(MODEL_WITHIN_BYTES)];
    let at = memmem::find(head, b"\"model\"")? + b"\"model\"".len();
    let rest = head[at..].trim_ascii_start().strip_prefix(b":")?;
    let value = rest.trim_ascii_start().strip_prefix(b"\"")?;
    let end = memchr::memchr(b'"', value)?;
    let name = std::str::from_utf8(&value[..end]).ok()?;
    (!name.contains('\\')).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::model_in;

    #[test]
    fn the_answering_model_is_read_where_it_stands() {
        for (answer, expect) in [
            (
                r#"data: {"id":"1","model":"gpt-4o-mini","choices":[]}"#,
                Some("gpt-4o-mini"),
            ),
            (r#"{ "model" : "m" }"#, Some("m")),
            (r#"{"content":"\"model\":\"not me\""}"#, None),
            (r#"{"model":null}"#, None),
            (r#"{"model":"cut o"#, None),
        ] {
            assert_eq!(model_in(answer.as_bytes()).as_deref(), expect, "{answer}");
        }
    }
}
