//! Asks for leave before an attempt: what has rested is probed by one request at a time, with a call
//! that costs nothing where the provider has one, and the others go elsewhere meanwhile.

use std::sync::Arc;
use std::time::Duration;

use super::Dispatch;
use crate::app::attempt::{OpenKey, place};
use crate::app::health::{Entered, HealthBook, Taken};
use crate::domain::failure::Failure;
use crate::domain::plan::Candidate;
use crate::domain::providers::Provider;
use crate::upstream::{self, FreeCall};

/// How long a free call is waited for: a request waits with it, and there is another candidate.
const FREE_CALL_WAIT: Duration = Duration::from_secs(1);

/// A probe under way; over when it is dropped.
#[derive(Debug)]
pub(in crate::app) struct Probe {
    health: Arc<HealthBook>,
    candidate: Candidate,
    taken: Taken,
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.health.release(&place(&self.candidate), self.taken);
    }
}

/// Whether a candidate may be tried now.
pub(super) enum Leave {
    /// It may; as a probe, perhaps.
    Given(Option<Box<Probe>>),
    /// It is being probed, or was and did not answer: after all others.
    Later,
}

impl Dispatch {
    /// Asks whether a candidate may be tried. `is_last` says that nothing else is left.
    pub(super) async fn leave_for(
        &self,
        candidate: &Candidate,
        provider: &Provider,
        key: &OpenKey,
        is_last: bool,
    ) -> Leave {
        let health = &self.core.health;
        let taken = match health.enter(&place(candidate)) {
            Entered::Free => return Leave::Given(None),
            Entered::Busy if is_last => return Leave::Given(None),
            Entered::Busy => return Leave::Later,
            Entered::Probe(taken) => taken,
        };
        let probe = Probe {
            health: Arc::clone(health),
            candidate: candidate.clone(),
            taken,
        };
        let call = FreeCall {
            provider,
            key_base_url: candidate.base_url(),
            key: key.secret(),
        };
        if is_last || !upstream::has_free_call(provider) {
            return Leave::Given(Some(Box::new(probe)));
        }
        let asking = upstream::answers(&self.core.egress, call);
        let answered = tokio::time::timeout(FREE_CALL_WAIT, asking).await;
        let is_there = answered.unwrap_or(false);
        health.probed(&candidate.provider, is_there);
        if is_there {
            return Leave::Given(Some(Box::new(probe)));
        }
        let account = self.account();
        health.failed(&place(candidate), Failure::Unreachable, &account);
        Leave::Later
    }
}
