//! What a provider's answer said about a key.

use keyward_auth::Peer;
use keyward_secret::redact_key_shapes;

use super::{CHANGE_TRIES, Command, Context, Core};
use crate::domain::audit::{Action, INFERENCE_ID_CHARS_MAX};
use crate::domain::change::Change;
use crate::domain::name::one_line;
use crate::domain::provider_key::{Health, ProviderKey, cut_reason};
use crate::domain::replay::Authority;
use crate::error::{Result, VaultError};
use crate::store::{Effects, SealedKey};

/// What an answer said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyOutcome {
    /// It was accepted.
    Accepted,
    /// It was refused for good.
    Rejected,
    /// It has no credit left.
    QuotaExhausted,
}

/// A report of the router.
#[derive(Debug, Clone)]
pub(crate) struct OutcomeReport {
    /// Which key.
    pub id: String,
    /// Which version was used.
    pub version: u64,
    /// What the answer said.
    pub outcome: KeyOutcome,
    /// The provider's reason.
    pub reason: String,
    /// The inference it was seen in.
    pub inference_id: String,
    /// Whether it was seen in a test, which is noted and told whatever is known already.
    pub tested: bool,
}

impl Core {
    /// Stores it, unless it is of an older version, or nothing new outside of a test: from that, all
    /// routers learn that what they hold against the key is void. A key that is gone is no error:
    /// its last request may outlive it.
    pub(crate) async fn report_outcome(
        &self,
        command: &Command<'_, ()>,
        report: &OutcomeReport,
    ) -> Result<()> {
        if command.peer != Peer::Router {
            return Err(VaultError::PeerNotAllowed);
        }
        let (owner, id) = match self.provider_key_find(&report.id).await {
            Err(VaultError::NotFound(_)) => return Ok(()),
            found => found?,
        };
        for _ in 0..CHANGE_TRIES {
            let sealed = match self.provider_key_checked(owner, id).await {
                Err(VaultError::NotFound(_)) => return Ok(()),
                found => found?,
            };
            let Some(after) = report.apply(&sealed.key, command) else {
                return Ok(());
            };
            match self.store_outcome(command, report, &sealed, after).await {
                Err(VaultError::Stale) => {}
                result => return result,
            }
        }
        Err(VaultError::Stale)
    }

    async fn store_outcome(
        &self,
        command: &Command<'_, ()>,
        report: &OutcomeReport,
        before: &SealedKey,
        after: ProviderKey,
    ) -> Result<()> {
        let mut event = command
            .event(Action::ProviderKeyReport, after.id)
            .version(after.version);
        if report.tested {
            "test".clone_into(&mut event.purpose);
        }
        event.reason.clone_from(&after.health_reason);
        event.inference_id = one_line(&report.inference_id, INFERENCE_ID_CHARS_MAX);
        let effects = Effects::new(event, Change::provider_key(after.id, after.owner));
        let authority = Authority::of_service(after.owner);
        let effects = self.remembering(command, authority, (), effects).await?;
        let (id, revision) = (after.id, after.revision);
        let sealed = self.seals.state(after, before.record.clone());
        let sequence = self
            .store
            .provider_key_update(sealed, before.key.revision, effects)
            .await?;
        self.seals.saw(id, revision);
        // Nobody need confirm it: the router that reports it knows already.
        self.hub.announce(sequence);
        Ok(())
    }
}

impl OutcomeReport {
    /// The key as it is after this; none where nothing changes.
    fn apply(&self, key: &ProviderKey, context: &Context) -> Option<ProviderKey> {
        let (health, reason) = match self.outcome {
            KeyOutcome::Accepted => (Health::Connected, String::new()),
            KeyOutcome::Rejected => (Health::Rejected, self.kept_reason()),
            KeyOutcome::QuotaExhausted => (Health::QuotaExhausted, self.kept_reason()),
        };
        let is_known = (key.health, &key.health_reason) == (health, &reason);
        if self.version != key.version || (is_known && !self.tested) {
            return None;
        }
        Some(ProviderKey {
            failing_since: key.failing_since_with(health, context.now),
            health,
            health_reason: reason,
            update_time: match is_known {
                true => key.update_time,
                false => context.now,
            },
            revision: key.revision + 1,
            ..key.clone()
        })
    }

    /// Redacted here again: what is stored must not depend on somebody else's care.
    fn kept_reason(&self) -> String {
        cut_reason(&redact_key_shapes(&self.reason))
    }
}
