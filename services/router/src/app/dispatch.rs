//! One request being served: walks a plan, one candidate after the other, until one is committed. Runs
//! in a task of its own, which ends only when the books are closed, whether or not the caller is still
//! there.

mod candidate;
pub(super) mod hedging;
mod holding;
pub(super) mod probing;
mod sending;
mod walk;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Instant;

use http::HeaderMap;
use keyward_money::Usage;
use keyward_runtime::error::{ServiceError as _, metadata};
use keyward_runtime::telemetry::names;
use keyward_runtime::trace::Span;
use keyward_secret::Secret;

use super::answer::{AnswerSender, CacheOutcome};
use super::attempt::{RequestFacts, key_source_text};
use super::cached::Caching;
use super::closing::Closing;
use super::idempotency::Turn;
use super::limits::Admission;
use super::race::{Audience, Lane};
use super::{Behalf, Core, RouteError, spans};
use crate::domain::failure::Failure;
use crate::domain::plan::{Candidate, Plan};
use crate::domain::request::ModelRequest;
use crate::domain::shown::Shown;

/// One request being served.
pub(super) struct Dispatch {
    pub(super) core: Arc<Core>,
    pub(super) behalf: Behalf,
    pub(super) request: Arc<ModelRequest>,
    pub(super) inline_key: Option<Arc<Secret>>,
    pub(super) inference_id: String,
    pub(super) tags: HashMap<String, String>,
    pub(super) client_request_id: String,
    /// Headers of the caller's for who is spoken to in its form.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body_metadata: bool,
    pub(super) answer: AnswerSender,
    pub(super) closing: Arc<Closing>,
    /// How many attempts were begun.
    pub(super) attempts: Arc<AtomicU32>,
    /// Whether two attempts were made side by side, which is done once.
    pub(super) hedged: AtomicBool,
    /// When it began.
    pub(super) began: Instant,
    pub(super) admission: Admission,
    /// The plan as the receipt keeps it.
    pub(super) shown: Shown,
    /// Whether its answer may be stored and come from the store, if it says so.
    pub(super) caching_said: Option<bool>,
    pub(super) caching: Arc<Caching>,
    /// What makes it repeatable; empty for nothing.
    pub(super) idempotency_key: String,
    pub(super) turn: Option<Arc<Turn>>,
    /// The span of the request as it was asked.
    pub(super) span: Arc<Span>,
}

/// What became of a candidate.
pub(super) enum Outcome {
    /// It answered, or the caller left; the books are closed.
    Over,
    /// It failed before anything was delivered; the books are closed.
    Failed(Failed),
    /// It was not tried.
    Skipped(RouteError),
    /// It is being probed, or a probe has just failed: it is tried after all others.
    Later,
    /// Nothing else may be tried.
    Stop(RouteError),
}

/// A failed attempt.
pub(super) struct Failed {
    pub(super) failure: Failure,
    pub(super) error: RouteError,
    /// The provider's own answer, where it is to be passed on if nothing else serves.
    pub(super) answer: Option<Box<ProviderAnswer>>,
}

/// A provider's answer that is about the request itself.
pub(crate) struct ProviderAnswer {
    pub(super) candidate: Candidate,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: bytes::Bytes,
}

impl std::fmt::Debug for ProviderAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProviderAnswer")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl Dispatch {
    /// Serves the request, within its span.
    pub(super) async fn run(mut self, plan: Plan) {
        let trace = self.span.context().clone();
        trace.scope(self.walk_within_limits(plan)).await;
        self.span.set(names::ATTEMPTS, i64::from(self.attempts()));
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
        if self.take_turn().await? {
            return Ok(());
        }
        let held = self.hold_turn();
        tokio::select! {
            biased;
            answered = self.look_or_walk(plan) => answered,
            never = held => match never {},
        }
    }

    async fn look_or_walk(&mut self, plan: Plan) -> Result<(), RouteError> {
        if self.answer_from_store(&plan).await? {
            return Ok(());
        }
        self.walk(plan).await
    }

    fn fail(&self, error: RouteError) {
        spans::refused(&self.span, error.reason());
        let error = error
            .with(metadata::INFERENCE_ID, self.inference_id.clone())
            .with(metadata::ATTEMPTS, self.attempts().to_string());
        self.answer.fail(match self.caching.outcome() {
            CacheOutcome::Miss => error.with(metadata::CACHE, CacheOutcome::Miss.as_str()),
            CacheOutcome::Hit | CacheOutcome::Bypass => error,
        });
    }

    fn about(error: RouteError, candidate: &Candidate) -> RouteError {
        error
            .with(metadata::PROVIDER, candidate.provider.to_string())
            .with(
                metadata::UPSTREAM_MODEL,
                candidate.upstream_model.to_string(),
            )
            .with(metadata::KEY_SOURCE, key_source_text(candidate))
    }

    /// How many attempts were begun by now.
    pub(super) fn attempts(&self) -> u32 {
        self.attempts.load(Ordering::Relaxed)
    }

    pub(super) fn has_hedged(&self) -> bool {
        self.hedged.load(Ordering::Relaxed)
    }

    pub(super) fn hedged(&self) {
        self.hedged.store(true, Ordering::Relaxed);
    }

    /// Who is there for an attempt in this lane.
    pub(super) fn audience<'a>(&'a self, lane: &'a Lane) -> Audience<'a> {
        let answer = &self.answer;
        Audience { answer, lane }
    }

    /// The account that asks, for those who tell one from the other; empty where there is none.
    pub(super) fn account(&self) -> String {
        let account = self.behalf.principal().billing_account();
        account.map(|account| account.key()).unwrap_or_default()
    }

    pub(super) fn facts(&self) -> RequestFacts<'_> {
        RequestFacts {
            inference_id: &self.inference_id,
            principal: self.behalf.principal(),
            requested_model: self.request.model(),
            endpoint: self.request.form().name(),
            shown: &self.shown,
            vault: &self.core.vault,
            streamed: self.request.is_stream(),
            tags: &self.tags,
            client_request_id: &self.client_request_id,
        }
    }
}
