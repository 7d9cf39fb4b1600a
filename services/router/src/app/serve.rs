//! Takes a provider's answer in: failures are classified, the caller's own errors passed on, the
//! rest served plain or streamed.

use std::sync::Arc;

use http::{HeaderMap, Response, header};
use keyward_money::{Nanos, Usage};
use keyward_proto::metering::v1::AttemptStatus;
use keyward_secret::{Secret, redact};
use memchr::memmem;

use super::answer::AnswerHead;
use super::attempt::{Attempt, Ending};
use super::body::{Drain, Reader};
use super::cache::Landing;
use super::dispatch::{Dispatch, Outcome, ProviderAnswer};
use crate::domain::failure::{self, Answer, Failure};
use crate::domain::plan::Candidate;
use crate::domain::providers::Provider;
use crate::domain::resets;
use crate::upstream::AnswerBody;

/// The most of an error body that is read; it is text for people.
const ERROR_BODY_BYTES_MAX: usize = 64 * 1024;

impl Dispatch {
    pub(super) async fn serve(
        &self,
        attempt: &Attempt,
        provider: &Provider,
        response: Response<AnswerBody>,
    ) -> Outcome {
        let (mut parts, body) = response.into_parts();
        drop_those_with_the_key(&mut parts.headers, attempt.key.secret());
        let timeouts = &self.core.timeouts;
        let mut reader = Reader::new(
            body,
            timeouts.idle,
            Drain {
                drains: self.core.drains.clone(),
                longest: timeouts.drain,
                cancel_stops_billing: provider.cancel_stops_billing,
            },
            Arc::clone(&self.closing),
        );
        if !parts.status.is_success() {
            let body = reader
                .beginning(self.audience(&attempt.lane), ERROR_BODY_BYTES_MAX)
                .await;
            return self.refused(attempt, parts.headers, body).await;
        }
        let is_stream = parts
            .headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        if is_stream {
            Box::pin(self.serve_stream(attempt, &parts.headers, reader)).await
        } else {
            Box::pin(self.serve_plain(attempt, &parts.headers, reader)).await
        }
    }

    /// A status that is no success.
    async fn refused(&self, attempt: &Attempt, headers: HeaderMap, body: bytes::Bytes) -> Outcome {
        let status = attempt.http_status;
        let answer = Answer {
            status,
            body: &body,
            retry_after_ms: rest_ms(&headers),
        };
        let failure = Failure::classify(answer);
        let said = failure::message(&body).unwrap_or_else(|| format!("status {status}"));
        let answer = matches!(failure, Failure::Caller | Failure::ModelAbsent).then(|| {
            let text = redact(&String::from_utf8_lossy(&body), &[attempt.key.secret()]);
            Box::new(ProviderAnswer {
                candidate: attempt.candidate.clone(),
                status,
                headers,
                body: self.error_in_callers_form(attempt, text),
            })
        });
        let outcome = self.failed(attempt, failure, said, answer).await;
        if failure.fails_over() {
            return outcome;
        }
        if let Outcome::Failed(failed) = outcome
            && let Some(answer) = failed.answer
            && attempt.lane.claim()
        {
            self.pass_on(*answer).await;
        }
        Outcome::Over
    }

    /// Passes a provider's own refusal of the request on, to those too who wait with the same request.
    /// Its books are closed: nothing is charged.
    pub(super) async fn pass_on(&self, answer: ProviderAnswer) {
        let answer = Arc::new(answer);
        self.caching.land(Landing::Refused(Arc::clone(&answer)));
        self.tell_refusal(&answer).await;
    }

    pub(super) async fn tell_refusal(&self, answer: &ProviderAnswer) {
        self.leave(Usage::default()).await;
        let head = self.head(
            &answer.candidate,
            answer.status,
            &answer.headers,
            Some(Nanos::ZERO),
        );
        if self.answer.head(head).is_err() || self.answer.send(answer.body.clone()).await.is_err() {
            return;
        }
        self.answer.finish(super::answer::Summary::nothing()).await;
    }

    /// The head of an attempt's answer.
    pub(super) fn head_of(
        &self,
        attempt: &Attempt,
        headers: &HeaderMap,
        charge: Option<Nanos>,
    ) -> AnswerHead {
        AnswerHead {
            dropped: attempt.words.dropped.clone(),
            ..self.head(&attempt.candidate, attempt.http_status, headers, charge)
        }
    }

    fn head(
        &self,
        candidate: &Candidate,
        http_status: u16,
        headers: &HeaderMap,
        charge: Option<Nanos>,
    ) -> AnswerHead {
        let is_own = candidate.source != keyward_proto::metering::v1::KeySource::System;
        let mut passed = headers_to_pass_on(headers, is_own);
        if !self.request.asks_events() {
            // A stream that was translated into an array of answers is none of events any more.
            for (_, kind) in passed.iter_mut().filter(|(name, _)| name == "content-type") {
                "application/json".clone_into(kind);
            }
        }
        passed.extend(self.limit_headers(is_own));
        AnswerHead {
            inference_id: self.inference_id.clone(),
            http_status,
            headers: passed,
            dropped: Vec::new(),
            provider: candidate.provider.to_string(),
            upstream_model: candidate.upstream_model.to_string(),
            source: candidate.source,
            attempts: self.attempts(),
            charge,
            cache: self.caching.outcome(),
        }
    }

    /// The caller left, or its deadline passed: what was delivered until then is what counts. With the
    /// platform's key nobody pays for an answer of which it saw nothing. It says nothing of the
    /// provider, which had less time than it is given otherwise.
    pub(super) async fn left(&self, attempt: &Attempt, used: Ending) -> Outcome {
        let mut ending = match attempt.hold.is_some() && !self.answer.has_begun() {
            true => used.clone().unseen(),
            false => used.clone(),
        };
        // Of two attempts at most one is charged; the platform pays for all that the other one used.
        if attempt.lane.is_lost() || ending.delivered && !attempt.lane.claim() {
            return self.lost(attempt, used).await;
        }
        ending.status = AttemptStatus::Abandoned;
        self.answer.why_gone().clone_into(&mut ending.reason);
        self.close(attempt, &ending).await;
        Outcome::Over
    }
}

impl Dispatch {
    /// Another attempt answered first. What this one has used is the platform's.
    async fn lost(&self, attempt: &Attempt, used: Ending) -> Outcome {
        let (measured, source) = match used.delivered {
            true => (used.measured, used.source),
            // The prompt was sent, and that is all that is known.
            false => self.estimated(&attempt.candidate, 0).await,
        };
        let ending = Ending {
            service_tier: used.service_tier,
            ..Ending::hedged(measured, source)
        };
        if attempt.lane.is_first() {
            self.waited_for(attempt);
        }
        self.close(attempt, &ending).await;
        Outcome::Over
    }
}

/// Headers by which a provider tells the limits of a key begin so.
const LIMITS: [&str; 3] = ["x-ratelimit-", "anthropic-ratelimit-", "retry-after"];
/// How long the provider says that it worked.
const WORKED: &str = "openai-processing-ms";

/// Drops headers in which a provider repeats the key.
fn drop_those_with_the_key(headers: &mut HeaderMap, key: &Secret) {
    let holds_key = |value: &http::HeaderValue| {
        !key.is_empty() && memmem::find(value.as_bytes(), key.expose_bytes()).is_some()
    };
    let names: Vec<_> = headers
        .iter()
        .filter(|(_, value)| holds_key(value))
        .map(|(name, _)| name.clone())
        .collect();
    for name in names {
        headers.remove(name);
    }
}

/// What of a provider's headers the caller gets: the content's type, the provider's own request id,
/// how long it worked, and with an own key the limits that it tells.
fn headers_to_pass_on(headers: &HeaderMap, is_own: bool) -> Vec<(String, String)> {
    let mut passed = Vec::new();
    let mut pass = |name: &str, value: Option<&http::HeaderValue>| {
        if let Some(text) = value.and_then(|value| value.to_str().ok()) {
            passed.push((name.to_owned(), text.to_owned()));
        }
    };
    pass("content-type", headers.get(header::CONTENT_TYPE));
    let request_id = headers
        .get("x-request-id")
        .or_else(|| headers.get("request-id"));
    pass("x-provider-request-id", request_id);
    pass(WORKED, headers.get(WORKED));
    if is_own {
        for (name, value) in headers {
            if LIMITS.iter().any(|limit| name.as_str().starts_with(limit)) {
                pass(name.as_str(), Some(value));
            }
        }
        passed.push((
            "x-ratelimit-bypass".to_owned(),
            "BYOK API key used".to_owned(),
        ));
    }
    passed
}

/// How long a limited key is to rest by the provider's word.
fn rest_ms(headers: &HeaderMap) -> Option<u64> {
    let headers: Vec<(&str, &str)> = headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
        .collect();
    resets::rest_ms(&headers, super::now_ms())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_meant_for_the_caller_is_passed_on() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-type", "application/json"),
            ("x-request-id", "req_1"),
            ("x-ratelimit-remaining-requests", "9"),
            ("anthropic-ratelimit-tokens-remaining", "80"),
            ("openai-processing-ms", "120"),
            ("retry-after", "2"),
            ("set-cookie", "a=b"),
            ("openai-organization", "org"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        let names = |is_own| {
            let passed = headers_to_pass_on(&headers, is_own);
            passed.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        };
        let always = [
            "content-type",
            "x-provider-request-id",
            "openai-processing-ms",
        ];
        assert_eq!(names(false), always);
        let limits = [
            "x-ratelimit-remaining-requests",
            "anthropic-ratelimit-tokens-remaining",
            "retry-after",
            "x-ratelimit-bypass",
        ];
        assert_eq!(names(true), [always.as_slice(), &limits].concat());
    }
}
