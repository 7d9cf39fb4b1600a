//! Tries a candidate: opens its key, holds what it may cost, and makes an attempt.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use futures::FutureExt as _;
use keyward_auth::OrganizationRole;
use keyward_proto::metering::v1::{KeySource, PlaceHoldRequest};
use keyward_runtime::error::Reason;
use keyward_runtime::{ids, time};

use super::probing::Leave;
use super::sending::Sent;
use super::{Dispatch, Outcome};
use crate::app::attempt::{Attempt, Ending, OpenKey};
use crate::app::metering::Hold;
use crate::app::metering::leases::{LeasedHold, Wanted};
use crate::app::race::Lane;
use crate::app::vault::UnsealError;
use crate::app::{RouteError, spans};
use crate::domain::estimate::Expected;
use crate::domain::form::Form;
use crate::domain::plan::{Candidate, CandidateKey};
use crate::domain::providers::Provider;
use crate::domain::request::UpstreamBody;
use crate::domain::wire;

/// A hold stands for the longest answer there is.
const HOLD_LIFETIME_SECONDS: i64 = 900;

impl Dispatch {
    pub(super) async fn try_candidate(
        &self,
        candidate: &Candidate,
        is_last: bool,
        lane: &Lane,
    ) -> Outcome {
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
        let _probe = match self.leave_for(candidate, provider, &key, is_last).await {
            Leave::Given(probe) => probe,
            Leave::Later => return Outcome::Later,
        };
        let asked = self.request.form();
        let form = wire::form(provider.dialect, asked).unwrap_or(asked);
        let form = wire::streamed(form, self.request.is_stream() && form != asked);
        let body = match self.body_for(candidate, provider, form) {
            Ok(body) => body,
            Err(error) => return Outcome::Skipped(Self::about(error, candidate)),
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
        if self.audience(lane).is_gone() {
            if let Some(hold) = hold {
                core.metering.give_back(hold);
            }
            return Outcome::Over;
        }
        let mut attempt = match self.begin(
            candidate,
            provider,
            key,
            (form, body),
            (hold, expected),
            lane,
        ) {
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
        &self,
        candidate: &Candidate,
        provider: &Provider,
        key: OpenKey,
        (form, body): (Form, UpstreamBody),
        (hold, expected): (Option<Hold>, Option<Expected>),
        lane: &Lane,
    ) -> Result<Attempt, RouteError> {
        let metering = &self.core.metering;
        let place = metering.place();
        let place = place.inspect_err(|_| {
            if let Some(hold) = &hold {
                metering.give_back(hold.clone());
            }
        });
        let entry = place?;
        let number = self.attempts.fetch_add(1, Ordering::Relaxed) + 1;
        if candidate.is_fallback() {
            self.core.meters.fallback();
        }
        let mut attempt = Attempt {
            number,
            candidate: candidate.clone(),
            form,
            body,
            key,
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
            span: spans::attempt(number, candidate, provider, self.request.is_stream()),
        };
        let intent = attempt.event(self.facts(), &Ending::failed(String::new()));
        let Attempt { entry, hold, .. } = &mut attempt;
        self.core
            .metering
            .dispatching(entry, hold.as_ref(), &intent);
        lane.sent();
        Ok(attempt)
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
}
