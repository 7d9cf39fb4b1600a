//! Sends an attempt and waits for its head; closes its books where it fails before anything was
//! delivered.

use http::Response;
use keyward_egress::SendError;
use keyward_runtime::error::metadata;
use keyward_secret::redact;

use super::{Dispatch, Failed, Outcome, ProviderAnswer};
use crate::app::attempt::{Attempt, Ending, key_source_text};
use crate::app::{RouteError, spans};
use crate::domain::failure::Failure;
use crate::domain::providers::Provider;
use crate::domain::wire::Addressed;
use crate::upstream::{self, AnswerBody, Call};

/// What came of sending.
pub(super) enum Sent {
    Answered(Response<AnswerBody>),
    Failed(Failure, String),
    /// The caller left, and nobody waits for the answer.
    Left,
}

/// In words that do not tell what is wrong with the platform's key.
fn plain_words(failure: Failure) -> &'static str {
    match failure {
        Failure::KeyRejected | Failure::QuotaExhausted => "cannot serve at present",
        _ => failure.words(),
    }
}

impl Dispatch {
    pub(super) async fn send(&self, attempt: &Attempt, provider: &Provider) -> Sent {
        let call = Call {
            provider,
            addressed: Addressed {
                form: attempt.form(),
                model: &attempt.candidate.upstream_model,
                events: self.request.asks_events(),
                api_version: attempt.candidate.api_version(),
            },
            headers: &self.headers,
            content_type: self.request.content_type(),
            key_base_url: attempt.candidate.base_url(),
            key: attempt.key.secret(),
            body: attempt.words.body.clone(),
            streamed: self.request.is_stream(),
            trace: self.core.trace_providers.then(|| attempt.span.context()),
        };
        let timeouts = &self.core.timeouts;
        let limit = match self.request.is_stream() {
            true => timeouts.first_byte_streamed,
            false => timeouts.first_byte_plain,
        };
        let mut sending = std::pin::pin!(upstream::send(&self.core.egress, call));
        let sent = tokio::select! {
            sent = tokio::time::timeout(limit, &mut sending) => sent,
            () = self.closing.over() => {
                return Sent::Failed(Failure::Stopping, "this gateway is stopping".to_owned());
            }
            () = self.audience(&attempt.lane).gone() => {
                let bills = !provider.cancel_stops_billing && !attempt.lane.is_lost();
                let Some(_drain) = bills.then(|| self.core.drains.begin()).flatten() else {
                    return Sent::Left;
                };
                let drained = tokio::time::timeout(timeouts.drain.min(limit), &mut sending).await;
                match drained {
                    Err(_) => return Sent::Left,
                    sent => sent,
                }
            }
        };
        match sent {
            Ok(Ok(response)) => Sent::Answered(response),
            Ok(Err(error @ SendError::Connect(_))) => {
                Sent::Failed(Failure::Unreachable, error.to_string())
            }
            Ok(Err(error)) => {
                tracing::debug!(error = %keyward_runtime::error::chain(&error), "a call failed");
                Sent::Failed(Failure::Unreachable, error.to_string())
            }
            Err(_) => Sent::Failed(Failure::TimedOut, "no answer began in time".to_owned()),
        }
    }

    /// Closes the books of an attempt that failed before anything was delivered.
    pub(in crate::app) async fn failed(
        &self,
        attempt: &Attempt,
        failure: Failure,
        said: String,
        answer: Option<Box<ProviderAnswer>>,
    ) -> Outcome {
        let candidate = &attempt.candidate;
        spans::failed(attempt, failure);
        let said = redact(&said, &[attempt.key.secret()]);
        tracing::info!(
            inference.id = %self.inference_id,
            attempt = attempt.number,
            provider = %candidate.provider,
            key.source = %key_source_text(candidate),
            http.status = attempt.http_status,
            "an attempt failed: the provider {}", failure.words(),
        );
        let reason = format!("{} {}: {said}", candidate.provider, failure.words());
        let ending = Ending::failed(reason.clone());
        // Both before the caller's answer ends: what is said of a key is stored by then.
        tokio::join!(
            self.close(attempt, &ending),
            self.note_failure(attempt, failure, &said)
        );
        let reason_code = failure.reason(attempt.is_own());
        let message = if attempt.is_own() {
            format!("{} {}: {said}", candidate.provider, failure.words())
        } else {
            format!("{} {}", candidate.provider, plain_words(failure))
        };
        let mut error = Self::about(RouteError::new(reason_code, message), candidate);
        if let Failure::RateLimited { retry_after_ms } = failure {
            error = error.with(metadata::RETRY_AFTER_MS, retry_after_ms.to_string());
        }
        Outcome::Failed(Failed {
            failure,
            error,
            answer,
        })
    }
}
