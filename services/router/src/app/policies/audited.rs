//! No change of a policy without its event: the vault writes it down first. An event can be of a change
//! that was not made after all, which a second one says; never the other way round.

use keyward_proto::router::v1 as proto;
use keyward_proto::vault::v1::{OwnerKind as NamedKind, RecordPolicyChangeRequest};
use prost::Message as _;

use super::book;
use crate::app::{Behalf, Core, RouteError};
use crate::domain::policy::{OwnerKind, PolicyOwner, changed_members};
use crate::store::{Changed, PolicyChange, StoredPolicy};

/// How often a change is begun anew because another one came first.
const TRIES: usize = 4;

impl Core {
    /// Makes a change whose event is on disk.
    ///
    /// # Errors
    /// What the vault says where it does not write the event: then nothing is changed.
    pub(super) async fn change_audited(
        &self,
        behalf: &Behalf,
        change: PolicyChange,
        policy: &proto::RoutingPolicy,
    ) -> Result<Changed, RouteError> {
        for _ in 0..TRIES {
            if let Some(call) = change.call.clone()
                && let Some(before) = self.policies.answered(call).await?
            {
                return Ok(before);
            }
            let current = self.policies.stored(change.owner.clone()).await?;
            let revision = current.as_ref().map_or(0, |current| current.revision);
            if change.expected.is_some_and(|expected| expected != revision) {
                return Ok(Changed::Stale);
            }
            let event = RecordPolicyChangeRequest {
                version: revision + 1,
                changed_members: members(current.as_ref(), policy)?,
                ..about(&change.owner)
            };
            self.vault
                .record_policy_change(behalf, event.clone())
                .await?;
            let exact = PolicyChange {
                expected: Some(revision),
                ..change.clone()
            };
            let made = self.policies.change(exact).await;
            let failure = match &made {
                Ok(Changed::Now(_)) => return made,
                Ok(Changed::Stale) => "another change came first",
                Ok(_) => "the same request came before",
                Err(_) => "the store did not confirm it",
            };
            self.record_failure(behalf, event, failure).await;
            if !matches!(made, Ok(Changed::Stale)) {
                return made;
            }
        }
        Ok(Changed::Stale)
    }

    /// Has the vault's log say who tried what it may not.
    pub(super) async fn record_refusal(&self, behalf: &Behalf, owner: &PolicyOwner) {
        // The vault refuses it too: that is the event.
        let refused = self.vault.record_policy_change(behalf, about(owner)).await;
        drop(refused);
    }

    async fn record_failure(
        &self,
        behalf: &Behalf,
        event: RecordPolicyChangeRequest,
        failure: &str,
    ) {
        let event = RecordPolicyChangeRequest {
            failure: failure.to_owned(),
            ..event
        };
        if let Err(error) = self.vault.record_policy_change(behalf, event).await {
            let error = keyward_runtime::error::chain(&error);
            tracing::warn!(%error, "a change of a routing policy is in the audit log and was not made");
        }
    }
}

fn about(owner: &PolicyOwner) -> RecordPolicyChangeRequest {
    let kind = match owner.kind {
        OwnerKind::Organization => NamedKind::Organization,
        OwnerKind::Project => NamedKind::Project,
        OwnerKind::User => NamedKind::User,
    };
    RecordPolicyChangeRequest {
        owner_kind: kind.into(),
        owner_uid: owner.uid.clone(),
        ..RecordPolicyChangeRequest::default()
    }
}

fn members(
    current: Option<&StoredPolicy>,
    policy: &proto::RoutingPolicy,
) -> Result<Vec<String>, RouteError> {
    let before = match current {
        Some(stored) => proto::RoutingPolicy::decode(&*stored.document)
            .map_err(|_| book::unreadable(&stored.owner))?,
        None => proto::RoutingPolicy::default(),
    };
    let members = changed_members(&before, policy);
    Ok(members.into_iter().map(str::to_owned).collect())
}
