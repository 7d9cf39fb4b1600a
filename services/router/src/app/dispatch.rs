//! Walks a plan: one candidate after the other until one is committed. Runs in a task of its own,
//! which ends only when the books are closed, whether or not the caller is still there.

use std::collections::{HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use http::{HeaderMap, Response};
use keyward_auth::OrganizationRole;
use keyward_egress::SendError;
use keyward_money::Usage;
use keyward_proto::metering::v1::{KeySource, PlaceHoldRequest};
use keyward_runtime::error::{Reason, ServiceError as _, metadata};
use keyward_runtime::telemetry::names;
use keyward_runtime::trace::Span;
use keyward_runtime::{ids, time};
use keyward_secret::{Secret, redact};

use super::answer::AnswerSender;
use super::attempt::{Attempt, Ending, OpenKey, RequestFacts, key_source_text};
use super::cached::Caching;
use super::closing::Closing;
use super::idempotency::Turn;
use super::limits::Admission;
use super::metering::Hold;
use super::metering::leases::{LeasedHold, Wanted};
use super::vault::UnsealError;
use super::{Behalf, Core, RouteError, spans};
use crate::domain::estimate::Expected;
use crate::domain::failure::Failure;
use crate::domain::plan::{Candidate, CandidateKey, Plan, Refusal};
use crate::domain::providers::{OPENROUTER, Provider};
use crate::domain::request::{ChatRequest, Splice};
use crate::domain::shown::Shown;
use crate::upstream::{self, AnswerBody, Call};

/// A hold stands for the longest answer there is.
const HOLD_LIFETIME_SECONDS: i64 = 900;
/// The longest wait for a key that is limited, where nothing else can serve.
const SHORT_WAIT_MS_MAX: u64 = 2_000;

/// The most attempts of one request: a pool of keys may be larger, a caller's patience is not.
const ATTEMPTS_MAX: u32 = 16;

/// One request being served.
pub(super) struct Dispatch {
    pub(super) core: Arc<Core>,
    pub(super) behalf: Behalf,
    pub(super) request: ChatRequest,
    pub(super) inline_key: Option<Arc<Secret>>,
    pub(super) inference_id: String,
    pub(super) tags: HashMap<String, String>,
    pub(super) client_request_id: String,
    pub(super) body_metadata: bool,
    pub(super) answer: AnswerSender,
    pub(super) closing: Arc<Closing>,
    pub(super) attempts: u32,
    pub(super) admission: Admission,
    /// The plan as the receipt keeps it.
    pub(super) shown: Shown,
    pub(super) began: Instant,
    /// Whether its answer may be stored and come from the store, if it says so.
    pub(super) caching_said: Option<bool>,
    pub(super) caching: Arc<Caching>,
    /// What makes it repeatable; empty for nothing.
    pub(super) idempotency_key: String,
    pub(super) turn: Option<Arc<Turn>>,
    /// The span of the request as it was asked.
    pub(super) span: Span,
}

/// What became of a candidate.
pub(super) enum Outcome {
    /// It answered, or the caller left; the books are closed.
    Over,
    /// It failed before anything was delivered; the books are closed.
    Failed(Failed),
    /// It was not tried.
    Skipped(RouteError),
    /// Nothing else may be tried.
    Stop(RouteError),
}

/// What a caller could be told where nothing serves: the first of each.
#[derive(Default)]
struct Told {
    own: Option<Failed>,
    system: Option<Failed>,
    skipped: Option<RouteError>,
}

/// A failed attempt.
pub(super) struct Failed {
    pub(super) failure: Failure,
    pub(super) error: RouteError,
    /// The provider's own answer, where it is to be passed on if nothing else serves.
    pub(super) answer: Option<Box<ProviderAnswer>>,
}

/// A provider's answer that is about the request itself.
pub(super) struct ProviderAnswer {
    pub(super) candidate: Candidate,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: bytes::Bytes,
}

impl Dispatch {
    /// Serves the request, within its span.
    pub(super) async fn run(mut self, plan: Plan) {
        let trace = self.span.context().clone();
        trace.scope(self.walk_within_limits(plan)).await;
        self.span.set(names::ATTEMPTS, i64::from(self.attempts));
    }

    async fn walk_within_limits(&mut self, plan: Plan) {
        let walked = match self.enter(&plan).await {
            Ok(()) => self.answer_or_walk(plan).await,
            Err(error) => Err(error),
        };
        // What was not served used nothing; before the caller learns of it, and tries again.
        self.leave(Usage::default()).await;
        self.end_turn().await;
        if let Err(error) = walked {
            self.fail(error);
        }
    }

    async fn answer_or_walk(&mut self, plan: Plan) -> Result<(), RouteError> {
        if self.take_turn().await? || self.answer_from_store(&plan).await? {
            return Ok(());
        }
        self.walk(plan).await
    }

    /// The error is to be told.
    async fn walk(&mut self, plan: Plan) -> Result<(), RouteError> {
        let mut queue: VecDeque<Candidate> = plan.candidates.into();
        let mut told = Told::default();
        let mut patience = Patience::default();
        while let Some(candidate) = patience.next(&mut queue).await {
            if self.answer.is_closed() {
                return Ok(());
            }
            if self.attempts >= ATTEMPTS_MAX || self.closing.is_over() {
                break;
            }
            match Box::pin(self.try_candidate(&candidate)).await {
                Outcome::Over => return Ok(()),
                Outcome::Stop(error) => {
                    told.skipped = Some(error);
                    break;
                }
                Outcome::Skipped(error) => {
                    told.skipped.get_or_insert(error);
                }
                Outcome::Failed(failed) if !failed.failure.fails_over() => {
                    return Err(failed.error);
                }
                Outcome::Failed(failed) => {
                    patience.consider(&candidate, failed.failure);
                    if failed.failure == Failure::ModelAbsent {
                        queue.retain(|next| next.provider != candidate.provider);
                    }
                    if candidate.source == KeySource::System {
                        told.system.get_or_insert(failed);
                    } else {
                        told.own.get_or_insert(failed);
                    }
                }
            }
        }
        self.give_up(told, plan.refusal.as_ref()).await
    }

    /// Nothing served. What the caller learns is its own key's failure, the first one by precedence:
    /// the platform's keys were only to help.
    async fn give_up(&mut self, told: Told, refusal: Option<&Refusal>) -> Result<(), RouteError> {
        let refused = || refusal.map(|refusal| RouteError::refused(refusal, self.request.model()));
        let failed = match (told.own, refused(), told.system) {
            (Some(own), _, _) => own,
            (None, Some(refused), _) => return Err(refused),
            (None, None, Some(system)) => system,
            (None, None, None) => {
                let skipped = told.skipped;
                return Err(skipped.unwrap_or_else(|| RouteError::away("every provider")));
            }
        };
        match failed.answer {
            Some(answer) => {
                self.pass_on(*answer).await;
                Ok(())
            }
            None => Err(failed.error),
        }
    }

    fn fail(&mut self, error: RouteError) {
        spans::refused(&self.span, error.reason());
        let error = error
            .with(metadata::INFERENCE_ID, self.inference_id.clone())
            .with(metadata::ATTEMPTS, self.attempts.to_string());
        self.answer.fail(error);
    }

    async fn try_candidate(&mut self, candidate: &Candidate) -> Outcome {
        let core = Arc::clone(&self.core);
        let Some(provider) = core.providers.get(&candidate.provider) else {
            return Outcome::Skipped(RouteError::away(&candidate.provider));
        };
        if candidate.source == KeySource::System
            && let Err(error) = self.enter_account(candidate).await
        {
            return Outcome::Skipped(Self::about(error, candidate));
        }
        let key = match self.open(candidate).await {
            Ok(key) => key,
            Err(outcome) => return outcome,
        };
        let (hold, expected) = match self.hold(candidate).await {
            Ok(held) => held.unzip(),
            Err(error) => return Outcome::Skipped(error),
        };
        // Holding takes its time, in which a key may be revoked.
        let key = match &hold {
            None => key,
            Some(hold) => match self.open(candidate).await {
                Ok(key) => key,
                Err(outcome) => {
                    core.metering.give_back(hold.clone());
                    return outcome;
                }
            },
        };
        let mut attempt = match self.begin(candidate, provider, key, hold, expected) {
            Ok(attempt) => attempt,
            Err(error) => return Outcome::Stop(Self::about(error, candidate)),
        };
        let attempted = AssertUnwindSafe(self.attempt(&mut attempt, provider)).catch_unwind();
        let Ok(outcome) = attempted.await else {
            // A fault of ours: what it used is recorded all the same, and nobody is charged for it.
            if !attempt.is_closed() {
                let ending = Ending::failed("an internal fault".to_owned());
                self.close(&attempt, &ending).await;
            }
            return Outcome::Stop(RouteError::new(Reason::Internal, "an internal fault"));
        };
        outcome
    }

    /// Begins an attempt, with its place in the spool: nothing is dispatched that could not be
    /// recorded.
    fn begin(
        &mut self,
        candidate: &Candidate,
        provider: &Provider,
        key: OpenKey,
        hold: Option<Hold>,
        expected: Option<Expected>,
    ) -> Result<Attempt, RouteError> {
        let metering = &self.core.metering;
        let place = metering.place();
        let place = place.inspect_err(|_| {
            if let Some(hold) = &hold {
                metering.give_back(hold.clone());
            }
        });
        let entry = place?;
        self.attempts += 1;
        if candidate.is_fallback() {
            self.core.meters.fallback();
        }
        let mut attempt = Attempt {
            number: self.attempts,
            candidate: candidate.clone(),
            key,
            hold,
            expected,
            entry,
            event_id: ids::new_text(),
            started: Instant::now(),
            start_time: time::now(),
            first_byte: None,
            http_status: 0,
            is_closed: AtomicBool::new(false),
            span: spans::attempt(self.attempts, candidate, provider, self.request.is_stream()),
        };
        let intent = attempt.event(self.facts(), &Ending::failed(String::new()));
        let Attempt { entry, hold, .. } = &mut attempt;
        self.core
            .metering
            .dispatching(entry, hold.as_ref(), &intent);
        Ok(attempt)
    }

    async fn attempt(&mut self, attempt: &mut Attempt, provider: &Provider) -> Outcome {
        match self.send(attempt, provider).await {
            Sent::Answered(response) => {
                attempt.first_byte = Some(Instant::now());
                attempt.http_status = response.status().as_u16();
                // What it waits for was under way while the provider was thinking.
                if let Err(error) = attempt.entry.safe().await {
                    let ending = Ending::failed("it could not be recorded in time".to_owned());
                    self.close(attempt, &ending).await;
                    return Outcome::Stop(Self::about(error, &attempt.candidate));
                }
                self.serve(attempt, provider, response).await
            }
            Sent::Failed(failure, why) => self.failed(attempt, failure, why, None).await,
            Sent::Left => {
                self.close(attempt, &Ending::left()).await;
                Outcome::Over
            }
        }
    }

    async fn open(&self, candidate: &Candidate) -> Result<OpenKey, Outcome> {
        let CandidateKey::Stored { id, version, .. } = &candidate.key else {
            let inline = self.inline_key.clone().map(OpenKey::Inline);
            return inline.ok_or_else(|| Outcome::Skipped(RouteError::away("the inline key")));
        };
        let opened = self
            .core
            .vault
            .unseal(id, *version, &self.behalf, &self.inference_id)
            .await;
        opened.map(OpenKey::Leased).map_err(|error| match error {
            // The owner must learn of it; paying in its stead would hide it.
            UnsealError::Broken if candidate.source != KeySource::System => {
                let message = format!(
                    "your key for {} cannot be opened; nothing else was tried",
                    candidate.provider
                );
                let error = RouteError::new(Reason::ProviderKeyUnavailable, message);
                Outcome::Stop(Self::about(error, candidate))
            }
            UnsealError::Broken => Outcome::Skipped(RouteError::away("the platform's key")),
            UnsealError::Gone => Outcome::Skipped(RouteError::new(
                Reason::NoKeyForModel,
                format!(
                    "the key for {} was changed just now; try again",
                    candidate.provider
                ),
            )),
            UnsealError::Sealed => Outcome::Stop(RouteError::sealed()),
            UnsealError::Away => Outcome::Stop(RouteError::away("the vault")),
        })
    }

    async fn hold(&self, candidate: &Candidate) -> Result<Option<(Hold, Expected)>, RouteError> {
        if candidate.source != KeySource::System {
            return Ok(None);
        }
        let expected = self.expected(candidate).await;
        if let Some(hold) = self.hold_from_lease(candidate, &expected) {
            return Ok(Some((Hold::Leased(Arc::new(hold)), expected)));
        }
        let request = PlaceHoldRequest {
            request_id: ids::new_text(),
            inference_id: self.inference_id.clone(),
            provider: candidate.provider.clone(),
            model: candidate.model.clone(),
            estimate: Some(expected.usage.into()),
            service_tier: self.request.service_tier().unwrap_or_default().to_owned(),
            charge_cap_nanos: candidate.charge_cap.map(keyward_money::Nanos::get),
            lifetime: Some(prost_types::Duration {
                seconds: HOLD_LIFETIME_SECONDS,
                nanos: 0,
            }),
            tags: self.tags.clone(),
        };
        let held = self.core.metering.hold(request, &self.behalf).await;
        held.map(|hold| Some((hold, expected)))
            .map_err(|error| Self::about(error, candidate))
    }

    /// A hold without a call, if a lease covers it. What is special about a request is metering's to
    /// judge: a cap, or a caller who may not spend.
    fn hold_from_lease(&self, candidate: &Candidate, expected: &Expected) -> Option<LeasedHold> {
        let principal = self.behalf.principal();
        let only_looks = principal.organization_role == Some(OrganizationRole::Viewer);
        if candidate.charge_cap.is_some() || only_looks {
            return None;
        }
        let wanted = Wanted {
            account: &principal.billing_account()?.key(),
            tier: &principal.tier,
            provider: &candidate.provider,
            model: &candidate.model,
            service_tier: self.request.service_tier().unwrap_or_default(),
            usage: &expected.usage,
        };
        let catalog = self.core.catalog.current();
        self.core.metering.leases().hold(wanted, &catalog)
    }

    async fn send(&self, attempt: &Attempt, provider: &Provider) -> Sent {
        let splice = Splice {
            upstream_model: &attempt.candidate.upstream_model,
            keep_provider: attempt.candidate.provider == OPENROUTER,
            // With the platform's key only the model that was priced may be served.
            keep_models: attempt.candidate.provider == OPENROUTER && attempt.is_own(),
            force_usage: provider.takes_stream_options,
        };
        let body = match self.request.splice(&splice) {
            Ok(body) => body,
            Err(error) => return Sent::Failed(Failure::Broken, error.to_string()),
        };
        let call = Call {
            provider,
            key_base_url: attempt.candidate.base_url.as_deref(),
            key: attempt.key.secret(),
            body,
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
                return Sent::Failed(Failure::Overloaded, "this gateway is stopping".to_owned());
            }
            () = self.answer.closed() => {
                let bills = !provider.cancel_stops_billing;
                let Some(_drain) = bills.then(|| self.core.drains.begin()).flatten() else {
                    return Sent::Left;
                };
                tokio::time::timeout(timeouts.drain.min(limit), &mut sending).await
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
    pub(super) async fn failed(
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

    fn about(error: RouteError, candidate: &Candidate) -> RouteError {
        error
            .with(metadata::PROVIDER, candidate.provider.clone())
            .with(metadata::UPSTREAM_MODEL, candidate.upstream_model.clone())
            .with(metadata::KEY_SOURCE, key_source_text(candidate))
    }

    pub(super) fn facts(&self) -> RequestFacts<'_> {
        RequestFacts {
            inference_id: &self.inference_id,
            principal: self.behalf.principal(),
            requested_model: self.request.model(),
            shown: &self.shown,
            vault: &self.core.vault,
            streamed: self.request.is_stream(),
            tags: &self.tags,
            client_request_id: &self.client_request_id,
        }
    }
}

/// What came of sending.
enum Sent {
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

/// Waits once for a limited key that will serve soon, where nothing else did.
#[derive(Default)]
struct Patience {
    /// The first such candidate, and when it will serve.
    limited: Option<(Candidate, tokio::time::Instant)>,
    waited: bool,
}

impl Patience {
    fn consider(&mut self, candidate: &Candidate, failure: Failure) {
        if let Some(wait) = short_wait(failure)
            && !self.waited
        {
            let until = tokio::time::Instant::now() + wait;
            self.limited
                .get_or_insert_with(|| (candidate.clone(), until));
        }
    }

    /// The next candidate; when there are no more, the limited one, after its wait.
    async fn next(&mut self, queue: &mut VecDeque<Candidate>) -> Option<Candidate> {
        if let Some(candidate) = queue.pop_front() {
            return Some(candidate);
        }
        let (candidate, until) = self.limited.take()?;
        self.waited = true;
        tokio::time::sleep_until(until).await;
        Some(candidate)
    }
}

fn short_wait(failure: Failure) -> Option<Duration> {
    match failure {
        Failure::RateLimited { retry_after_ms } if retry_after_ms <= SHORT_WAIT_MS_MAX => {
            Some(Duration::from_millis(retry_after_ms))
        }
        _ => None,
    }
}
