//! Asks providers whether keys work: a stored key, in the name of somebody who manages it or because it
//! is due, or one that is not saved, of which nothing is kept. What is found of a stored key is
//! reported before it is told.

mod asking;
mod scheduled;

use std::num::NonZeroU64;

use keyward_limits::{Ask, Limits, Rule, Scope, Turned};
use keyward_proto::vault::v1 as vault;
use keyward_proto::vault::v1::{KeyOutcome, KeyStatus};
use keyward_runtime::error::{Reason, metadata};
use keyward_runtime::ids;
use keyward_secret::{Secret, redact};

use super::vault::TestLease;
use super::{Behalf, Core, RouteError};
use crate::domain::key_test::{Finding, Verdict};
use crate::domain::rate_limits;
pub(crate) use scheduled::keep_tested;

/// How many keys a caller tests in a minute: people try a few, and nobody shall try many.
const TESTS_PER_MINUTE: u64 = 10;
/// The most of a provider's words that is told.
const DETAIL_CHARS_MAX: usize = 500;

/// Which key is to be tested.
#[derive(Debug)]
pub(crate) enum Subject {
    /// A stored one.
    Stored(String),
    /// One that is not saved.
    Unsaved(vault::CheckProviderKeyRequest),
}

/// A key that was tested.
#[derive(Debug)]
pub(crate) struct Tested {
    /// What was found; the provider's words are redacted.
    pub(crate) verdict: Verdict,
    /// How the key stands now.
    pub(crate) status: KeyStatus,
}

impl Core {
    /// Tests a key in the caller's name.
    pub(crate) async fn test_key(
        &self,
        subject: Subject,
        behalf: &Behalf,
    ) -> Result<Tested, RouteError> {
        self.admit_test(behalf).await?;
        match subject {
            Subject::Stored(id) => {
                let lease = self.vault.unseal_for_test(&id, Some(behalf)).await?;
                self.test_stored(&lease).await
            }
            Subject::Unsaved(wish) => {
                let secret = Secret::new(wish.key.trim());
                let key = self.vault.check_key(wish, behalf).await?;
                let verdict = self.verdict(&key, &secret).await?;
                let status = status_after(verdict.finding, KeyStatus::Untested);
                Ok(Tested { verdict, status })
            }
        }
    }

    /// Tests a stored key, and has what was found stored.
    async fn test_stored(&self, lease: &TestLease) -> Result<Tested, RouteError> {
        let verdict = self.verdict(&lease.key, &lease.secret).await?;
        self.note_test(lease, &verdict).await;
        let status = status_after(verdict.finding, lease.key.status());
        Ok(Tested { verdict, status })
    }

    async fn verdict(
        &self,
        key: &vault::ProviderKey,
        secret: &Secret,
    ) -> Result<Verdict, RouteError> {
        let mut verdict = asking::verdict(self, key, secret).await?;
        let clean = redact(&verdict.said, &[secret]);
        verdict.said = clean.chars().take(DETAIL_CHARS_MAX).collect();
        for model in &mut verdict.models {
            *model = redact(model, &[secret]);
        }
        tracing::info!(
            provider = %key.provider,
            key.id = %key.provider_key_id,
            "a key was tested: {}",
            verdict.finding.message(),
        );
        Ok(verdict)
    }

    /// What says something of the key is stored. Nothing is held any more against one that is good,
    /// here at once, and at other routers as they hear of it.
    async fn note_test(&self, lease: &TestLease, verdict: &Verdict) {
        let outcome = match verdict.finding {
            Finding::Accepted => KeyOutcome::Accepted,
            Finding::Rejected => KeyOutcome::Rejected,
            Finding::NoCredit => KeyOutcome::QuotaExhausted,
            _ => return,
        };
        let id = &lease.key.provider_key_id;
        let report = vault::ReportKeyOutcomeRequest {
            request_id: ids::new_text(),
            provider_key_id: id.clone(),
            version: lease.version,
            outcome: outcome.into(),
            reason: match outcome {
                KeyOutcome::Accepted => String::new(),
                _ if verdict.said.is_empty() => verdict.finding.message().to_owned(),
                _ => verdict.said.clone(),
            },
            inference_id: String::new(),
            tested: true,
        };
        self.vault.report(report).await;
        match outcome {
            KeyOutcome::Accepted => {
                let provider = &lease.key.provider;
                self.health.found_well(id, lease.version, provider);
            }
            outcome => self.meters.key_failure(&lease.key.provider, outcome),
        }
    }

    /// Few in a minute for a user, whatever access keys it has: otherwise keys that were found
    /// somewhere could be tried out here by the thousand.
    async fn admit_test(&self, behalf: &Behalf) -> Result<(), RouteError> {
        let principal = behalf.principal();
        let subject = principal.user.as_ref().or(principal.organization.as_ref());
        let who = subject.map_or(principal.access_key_id.as_str(), |subject| &subject.uid);
        let ask = Ask {
            account: who.to_owned(),
            rules: vec![Rule {
                scope: Scope::User,
                id: format!("{who}/key-tests"),
                limits: Limits {
                    requests_per_minute: NonZeroU64::new(TESTS_PER_MINUTE),
                    ..Limits::default()
                },
            }],
            tokens: 0,
        };
        match self.gate.enter(&ask, &ids::new_text()).await {
            Ok(_) => Ok(()),
            Err(Turned::Refused(refused)) => {
                let message = format!("at most {TESTS_PER_MINUTE} keys are tested a minute");
                let wait = rate_limits::wait_ms(&refused).to_string();
                Err(RouteError::new(Reason::RateLimitExceeded, message)
                    .with(metadata::RETRY_AFTER_MS, wait))
            }
            Err(Turned::TooLarge(_)) => Err(RouteError::new(
                Reason::Internal,
                "a test is larger than its limit",
            )),
        }
    }
}

/// How a key stands after a test, where it stood otherwise before.
fn status_after(finding: Finding, before: KeyStatus) -> KeyStatus {
    match finding {
        Finding::Accepted => KeyStatus::Connected,
        Finding::Rejected | Finding::NoCredit => KeyStatus::Error,
        _ => before,
    }
}
