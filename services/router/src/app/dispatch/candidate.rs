//! Tries a candidate: opens its key, holds what it may cost, and makes an attempt.

use std::panic::AssertUnwindSafe;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use futures::FutureExt as _;
use keyward_proto::metering::v1::KeySource;
use keyward_runtime::error::Reason;
use keyward_runtime::{ids, time};

use super::holding::Reserved;
use super::probing::{Leave, Probe};
use super::sending::Sent;
use super::{Dispatch, Outcome};
use crate::app::attempt::{Attempt, Ending, OpenKey};
use crate::app::race::Lane;
use crate::app::vault::UnsealError;
use crate::app::voice::Words;
use crate::app::{RouteError, spans};
use crate::domain::plan::Candidate;
use crate::domain::providers::Provider;

/// All that an attempt needs.
struct Prepared<'a> {
    candidate: &'a Candidate,
    provider: &'a Provider,
    key: OpenKey,
    probe: Option<Box<Probe>>,
    words: Words,
    reserved: Reserved<'a>,
}

impl Dispatch {
    pub(super) async fn try_candidate(
        &self,
        candidate: &Candidate,
        is_last: bool,
        lane: &Lane,
    ) -> Outcome {
        let Some(provider) = self.core.providers.get(&candidate.provider) else {
            return Outcome::Skipped(RouteError::away(&candidate.provider));
        };
        let prepared = match self.prepare(candidate, provider, is_last).await {
            Ok(prepared) => prepared,
            Err(outcome) => return outcome,
        };
        if self.audience(lane).is_gone() {
            return Outcome::Over;
        }
        match self.begin(prepared, lane) {
            Ok(mut attempt) => self.make(&mut attempt, provider).await,
            Err(error) => Outcome::Stop(Self::about(error, candidate)),
        }
    }

    async fn prepare<'a>(
        &'a self,
        candidate: &'a Candidate,
        provider: &'a Provider,
        is_last: bool,
    ) -> Result<Prepared<'a>, Outcome> {
        let skipped = |error| Outcome::Skipped(Self::about(error, candidate));
        if candidate.source == KeySource::System {
            self.enter_account(candidate).await.map_err(skipped)?;
        }
        let key = self.open(candidate).await?;
        let probe = match self.leave_for(candidate, provider, &key, is_last).await {
            Leave::Given(probe) => probe,
            Leave::Later => return Err(Outcome::Later),
        };
        let words = self.words_for(candidate, provider).map_err(skipped)?;
        let reserved = self.reserve(candidate).await.map_err(Outcome::Skipped)?;
        // Holding takes its time, in which a key may be revoked.
        let key = match reserved.is_something() {
            true => self.open(candidate).await?,
            false => key,
        };
        Ok(Prepared {
            candidate,
            provider,
            key,
            probe,
            words,
            reserved,
        })
    }

    /// Begins an attempt, with its place in the spool: nothing is dispatched that could not be
    /// recorded.
    fn begin(&self, prepared: Prepared<'_>, lane: &Lane) -> Result<Attempt, RouteError> {
        let entry = self.core.metering.place()?;
        let candidate = prepared.candidate;
        let (hold, expected) = prepared.reserved.take();
        let number = self.attempts.fetch_add(1, Ordering::Relaxed) + 1;
        if candidate.is_fallback() {
            self.core.meters.fallback();
        }
        let is_stream = self.request.is_stream();
        let mut attempt = Attempt {
            number,
            candidate: candidate.clone(),
            words: prepared.words,
            key: prepared.key,
            hold,
            expected,
            entry,
            event_id: ids::new_text(),
            started: Instant::now(),
            start_time: time::now(),
            first_byte: None,
            committed: OnceLock::new(),
            http_status: 0,
            is_closed: AtomicBool::new(false),
            lane: lane.clone(),
            _probe: prepared.probe,
            span: spans::attempt(number, candidate, prepared.provider, is_stream),
        };
        let intent = attempt.event(self.facts(), &Ending::failed(String::new()));
        let Attempt { entry, hold, .. } = &mut attempt;
        self.core
            .metering
            .dispatching(entry, hold.as_ref(), &intent);
        lane.sent();
        Ok(attempt)
    }

    /// Makes an attempt that has begun; its books are closed whatever comes of it.
    async fn make(&self, attempt: &mut Attempt, provider: &Provider) -> Outcome {
        let attempted = AssertUnwindSafe(self.attempt(attempt, provider)).catch_unwind();
        if let Ok(outcome) = attempted.await {
            return outcome;
        }
        // A fault of ours: what it used is recorded all the same, and nobody is charged for it.
        if !attempt.is_closed() {
            let ending = Ending::failed("an internal fault".to_owned());
            self.close(attempt, &ending).await;
        }
        Outcome::Stop(RouteError::new(Reason::Internal, "an internal fault"))
    }

    async fn attempt(&self, attempt: &mut Attempt, provider: &Provider) -> Outcome {
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
            Sent::Left => self.left(attempt, Ending::left()).await,
        }
    }

    async fn open(&self, candidate: &Candidate) -> Result<OpenKey, Outcome> {
        let Some(key) = candidate.stored() else {
            let inline = self.inline_key.clone().map(OpenKey::Inline);
            return inline.ok_or_else(|| Outcome::Skipped(RouteError::away("the inline key")));
        };
        let opened = self
            .core
            .vault
            .unseal(&key.id, key.version, &self.behalf, &self.inference_id)
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
}
