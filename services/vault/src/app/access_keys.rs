//! Access keys: issued once, shown masked, revoked for good.

mod issue;

use super::{Command, Context, Core};
use crate::domain::access::{Deed, Thing};
use crate::domain::audit::Action;
use crate::domain::change::Change;
use crate::domain::identity::AccessKey;
use crate::domain::owner::{Owner, OwnerKind};
use crate::domain::replay::Authority;
use crate::error::{Result, VaultError};
use crate::store::{Effects, Page, StoreError};

pub(super) use issue::generated_id;
pub(crate) use issue::{Issued, NewAccessKey};

const WHAT: &str = "access key";

/// Whose access keys: the caller's where both are empty.
#[derive(Debug, Clone, Default)]
pub(crate) struct AccessKeyHolder {
    /// A user's id.
    pub user: String,
    /// An organisation's id.
    pub organization: String,
}

impl Core {
    /// An access key, masked.
    pub(crate) async fn access_key_get(&self, context: &Context, id: &str) -> Result<AccessKey> {
        let key = self.access_key_load(id).await?;
        self.access_key_allowed(context, &key, Deed::See).await?;
        Ok(key)
    }

    /// A page of a user's or organisation's access keys, masked.
    pub(crate) async fn access_key_list(
        &self,
        context: &Context,
        holder: &AccessKeyHolder,
        page: Page,
    ) -> Result<Vec<AccessKey>> {
        let owner = match (holder.user.as_str(), holder.organization.as_str()) {
            ("", "") => context
                .user_uid()
                .map(Owner::user)
                .or(context.organization_uid().map(Owner::organization))
                .ok_or(VaultError::NotFound("owner"))?,
            (user, "") => self.account(OwnerKind::User, user).await?.owner,
            ("", organization) => {
                self.account(OwnerKind::Organization, organization)
                    .await?
                    .owner
            }
            _ => {
                return Err(VaultError::invalid(
                    "user",
                    "name a user or an organisation, not both",
                ));
            }
        };
        let what = if owner.kind == OwnerKind::User {
            "user"
        } else {
            "organization"
        };
        self.authorise(context, owner, (Thing::AccessKeys, Deed::See), what)
            .await?;
        Ok(self.store.access_key_list(owner, page).await?)
    }

    /// Revokes an access key; returns how many watchers have not confirmed it. Once revoked it stays
    /// so, and revoking it again changes nothing.
    pub(crate) async fn access_key_revoke(
        &self,
        command: &Command<'_, u32>,
        id: &str,
    ) -> Result<u32> {
        let key = self.access_key_load(id).await?;
        match self.access_key_allowed(command, &key, Deed::Manage).await {
            Ok(owner) => self.access_key_end(command, &key, owner).await,
            Err(error) => {
                self.audit_refusal(command, Action::AccessKeyRevoke, id, &error)
                    .await?;
                Err(error)
            }
        }
    }

    /// The same in the name of one of its owners, without asking who does it.
    pub(super) async fn access_key_end(
        &self,
        command: &Command<'_, u32>,
        key: &AccessKey,
        by: Owner,
    ) -> Result<u32> {
        let event = command.event(Action::AccessKeyRevoke, &key.id);
        let effects = Effects::new(event, Change::access_key(&key.id, key_owner(key)?));
        let authority = Authority::over(by, Thing::AccessKeys);
        let effects = self.remembering(command, authority, 0, effects).await?;
        match self
            .store
            .access_key_revoke(&key.id, command.now, effects)
            .await
        {
            Ok(sequence) => Ok(self.publish(sequence).await),
            Err(StoreError::Changed) => {
                self.remember_only(command, authority, 0).await?;
                Ok(0)
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn access_key_load(&self, id: &str) -> Result<AccessKey> {
        let found = self.store.access_key_get(id).await?;
        found.ok_or(VaultError::NotFound(WHAT))
    }

    /// Its user may, and whoever manages the organisation it acts in: returns which of the two.
    async fn access_key_allowed(
        &self,
        context: &Context,
        key: &AccessKey,
        deed: Deed,
    ) -> Result<Owner> {
        if deed == Deed::Manage && context.needs_keys_scope().is_err() {
            // Whoever holds a key may give it up.
            let own = context.principal()?.access_key_id == key.id;
            return if own {
                key_owner(key)
            } else {
                Self::scope_missing(context, key)
            };
        }
        let user = key.user.as_ref().map(|user| Owner::user(user.uid));
        let organization = key
            .organization
            .as_ref()
            .map(|o| Owner::organization(o.uid));
        let mut verdict = Err(VaultError::NotFound(WHAT));
        for owner in [user, organization].into_iter().flatten() {
            match self
                .authorise(context, owner, (Thing::AccessKeys, deed), WHAT)
                .await
            {
                Ok(()) => return Ok(owner),
                Err(VaultError::NotFound(_)) => {}
                Err(VaultError::Forbidden(_)) => verdict = Err(VaultError::NotFound(WHAT)),
                Err(error) => return Err(error),
            }
        }
        verdict
    }

    fn scope_missing(context: &Context, key: &AccessKey) -> Result<Owner> {
        let own =
            key.user.as_ref().map(|user| user.uid) == context.user_uid() && key.user.is_some();
        Err(if own {
            VaultError::Forbidden("this: it needs the scope `keys`")
        } else {
            VaultError::NotFound(WHAT)
        })
    }
}

fn key_owner(key: &AccessKey) -> Result<Owner> {
    let owner = key.owner();
    owner.ok_or(VaultError::Internal("an access key without owner"))
}
