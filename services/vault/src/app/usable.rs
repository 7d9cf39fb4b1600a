//! The keys that may serve a caller, without secrets.

use keyward_auth::{OrganizationRole, Peer, Scope};

use super::{Context, Core};
use crate::domain::owner::Owner;
use crate::domain::provider_key::ProviderKey;
use crate::error::{Result, VaultError};

/// The most keys of one owner that a plan looks at: far more than anybody pools.
const KEYS_MAX: u32 = 500;

impl Core {
    /// Keys of the caller's user, project and organisation, and the platform's, but for those that are
    /// for other users, with the change sequence that the listing includes.
    pub(crate) async fn usable_keys(&self, context: &Context) -> Result<(Vec<ProviderKey>, u64)> {
        if context.peer != Peer::Router {
            return Err(VaultError::PeerNotAllowed);
        }
        // Read before anything that it stands for, memberships among it: what is committed meanwhile
        // is announced with a later number, even where it is listed already.
        let sequence = self.store.change_head().await?;
        let owners = self.usable_owners(context).await?;
        let mut keys = self.store.provider_keys_usable(&owners, KEYS_MAX).await?;
        let user = context.user_uid();
        keys.retain(|key| key.filters.permits_user(user));
        Ok((keys, sequence))
    }

    /// Whose keys the caller may use, by what the store says now.
    pub(super) async fn usable_owners(&self, context: &Context) -> Result<Vec<Owner>> {
        let mut owners: Vec<Owner> = context.user_uid().map(Owner::user).into_iter().collect();
        if let Some(project) = context.project_uid() {
            owners.extend(
                self.usable_project(context, Owner::project(project))
                    .await?,
            );
        }
        if let Some(organization) = context.organization_uid()
            && self.role(context, organization).await? >= Some(OrganizationRole::Member)
        {
            owners.push(Owner::organization(organization));
        }
        if context.has(Scope::Inference) {
            owners.push(Owner::SYSTEM);
        }
        Ok(owners)
    }

    /// A project's keys serve whom its holder's would.
    async fn usable_project(&self, context: &Context, project: Owner) -> Result<Option<Owner>> {
        let Some(found) = self.store.project_get(project.uid).await? else {
            return Ok(None);
        };
        let holder = found.holder;
        let usable = Some(holder) == context.user_uid().map(Owner::user)
            || self.role(context, holder.uid).await? >= Some(OrganizationRole::Member);
        Ok(usable.then_some(project))
    }
}
