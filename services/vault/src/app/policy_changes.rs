//! Changes of routing policies, which are the router's: what is written of them before they are made.

use keyward_auth::Peer;

use super::{Context, Core};
use crate::domain::access::Thing;
use crate::domain::audit::{Action, AuditEvent, Outcome};
use crate::domain::name::one_line;
use crate::domain::owner::{Owner, OwnerKind};
use crate::error::{Result, VaultError};

/// How much is kept of the names of members, and of why a change failed: a policy has some fifteen
/// members with short names.
const REASON_CHARS_MAX: usize = 500;

/// A change that the router is about to make, or could not make after all.
#[derive(Debug, Clone)]
pub(crate) struct PolicyChange {
    /// Whose policy.
    pub owner: Owner,
    /// The version that it makes.
    pub version: u64,
    /// The names of the members that it changes.
    pub changed_members: Vec<String>,
    /// Why it was not made after all; empty for one that is to be made.
    pub failure: String,
}

impl Core {
    /// Writes it down, durably, if the caller may make it; what the caller may not is written down,
    /// too.
    ///
    /// # Errors
    /// [`VaultError::AuditUnavailable`] if no sink takes the event: then the change must not be made.
    pub(crate) async fn policy_change_record(
        &self,
        context: &Context,
        change: PolicyChange,
    ) -> Result<()> {
        if context.peer != Peer::Router {
            return Err(VaultError::PeerNotAllowed);
        }
        let resource = self.policy_name(change.owner).await?;
        let action = Action::RoutingPolicyUpdate;
        let denied = (action, resource.as_str(), "owner");
        self.authorise_change(context, change.owner, Thing::ProviderKeys, denied)
            .await?;
        let event = context.event(action, &resource).version(change.version);
        self.audit_append(change.told_in(event), None).await?;
        Ok(())
    }

    /// What an event calls a policy: its owner, as people do.
    async fn policy_name(&self, owner: Owner) -> Result<String> {
        if owner.kind == OwnerKind::Project {
            let project = self.store.project_get(owner.uid).await?;
            let project = project.ok_or(VaultError::NotFound("owner"))?;
            let holder = collection(project.holder.kind)?;
            return Ok(format!(
                "{holder}/{}/projects/{}",
                project.holder_id, project.id
            ));
        }
        let collection = collection(owner.kind)?;
        Ok(format!("{collection}/{}", self.owner_id(owner).await?))
    }
}

impl PolicyChange {
    fn told_in(&self, event: AuditEvent) -> AuditEvent {
        if !self.failure.is_empty() {
            let failure = one_line(&self.failure, REASON_CHARS_MAX);
            return event.not_done(Outcome::Failed, failure);
        }
        let members = self.changed_members.join(", ");
        AuditEvent {
            reason: one_line(&members, REASON_CHARS_MAX),
            ..event
        }
    }
}

fn collection(kind: OwnerKind) -> Result<&'static str> {
    match kind {
        OwnerKind::User => Ok("users"),
        OwnerKind::Organization => Ok("organizations"),
        OwnerKind::Project | OwnerKind::System => {
            let message = "only a user, a project or an organization has a policy";
            Err(VaultError::invalid("owner_kind", message))
        }
    }
}
