//! Credentials to grants: who is it, in which organisation, with whose tier.

use jiff::Timestamp;
use keyward_auth::{GrantToken, OrganizationRole, Principal, Subject, access_key};
use keyward_proto::vault::v1::GrantKey;
use keyward_secret::Secret;
use uuid::Uuid;

use super::Core;
use crate::domain::identity::{AccessKey, Account, Named};
use crate::domain::owner::{Owner, OwnerKind};
use crate::error::{Result, VaultError};

/// Somebody acting in an organisation.
struct Acting {
    organization: Account,
    role: OrganizationRole,
}

impl Core {
    /// Exchanges an access key for a grant. `organization` says which to act in; empty for the
    /// key's own, else the only one of its user.
    ///
    /// # Errors
    /// [`VaultError::InvalidAccessKey`] for whatever does not work, and [`VaultError::NotFound`] for
    /// an organisation that is none of the caller's, whether there is one or not.
    pub(crate) async fn exchange(
        &self,
        credential: &Secret,
        organization: &str,
    ) -> Result<GrantToken> {
        let now = self.clock.now();
        let key = self.working_key(credential, now).await?;
        let user = self.acting_user(&key).await?;
        let acting = self.acting_in(&key, user.as_ref(), organization).await?;
        let billed = acting
            .as_ref()
            .map(|acting| &acting.organization)
            .or(user.as_ref());
        let tier = billed.map(|account| account.tier.clone());
        let principal = Principal {
            access_key_id: key.id,
            user: user.as_ref().map(account_subject),
            organization: acting
                .as_ref()
                .map(|acting| account_subject(&acting.organization)),
            project: key.project.as_ref().map(named_subject),
            organization_role: acting.as_ref().map(|acting| acting.role),
            scopes: key.scopes,
            tier: tier.ok_or(VaultError::InvalidAccessKey)?,
            allowed_models: key.allowed_models,
            limits: key.limits,
            cache: key.cache,
        };
        Ok(self
            .signer
            .sign(&keyward_runtime::ids::new_text(), &principal, now))
    }

    /// The keys by which grants are verified.
    pub(crate) fn grant_keys(&self) -> Vec<GrantKey> {
        vec![self.signer.grant_key()]
    }

    async fn working_key(&self, credential: &Secret, now: Timestamp) -> Result<AccessKey> {
        let hash = access_key::hash(credential.expose());
        let key = self.store.access_key_by_hash(hash).await?;
        key.filter(|key| key.works(now))
            .ok_or(VaultError::InvalidAccessKey)
    }

    async fn acting_user(&self, key: &AccessKey) -> Result<Option<Account>> {
        let Some(user) = &key.user else {
            return Ok(None);
        };
        let account = self.store.account_get(Owner::user(user.uid)).await?;
        account.map(Some).ok_or(VaultError::InvalidAccessKey)
    }

    async fn acting_in(
        &self,
        key: &AccessKey,
        user: Option<&Account>,
        asked: &str,
    ) -> Result<Option<Acting>> {
        match &key.organization {
            Some(bound) if asked.is_empty() || asked == bound.id => {
                self.bound_organization(bound, user).await.map(Some)
            }
            Some(_) => Err(VaultError::NotFound("organization")),
            None => match user {
                Some(user) if asked.is_empty() => self.only_organization(user.owner.uid).await,
                Some(user) => self
                    .asked_organization(user.owner.uid, asked)
                    .await
                    .map(Some),
                None => Err(VaultError::InvalidAccessKey),
            },
        }
    }

    /// A key of a user that acts in an organisation ends with the membership.
    async fn bound_organization(&self, bound: &Named, user: Option<&Account>) -> Result<Acting> {
        let role = match user {
            None => OrganizationRole::Admin,
            Some(user) => {
                let member = self.store.member_get(bound.uid, user.owner.uid).await?;
                member.ok_or(VaultError::InvalidAccessKey)?.role
            }
        };
        self.acting(bound.uid, role).await
    }

    /// A member of exactly one organisation acts in it, unless it only looks on.
    async fn only_organization(&self, user: Uuid) -> Result<Option<Acting>> {
        match self.store.memberships_of(user, 2).await?.as_slice() {
            [only] if only.role >= OrganizationRole::Member => self
                .acting(only.organization_uid, only.role)
                .await
                .map(Some),
            _ => Ok(None),
        }
    }

    async fn asked_organization(&self, user: Uuid, asked: &str) -> Result<Acting> {
        const NONE: VaultError = VaultError::NotFound("organization");
        let found = self
            .store
            .account_find(OwnerKind::Organization, asked)
            .await?;
        let organization = found.ok_or(NONE)?;
        let member = self.store.member_get(organization.owner.uid, user).await?;
        let role = member.ok_or(NONE)?.role;
        Ok(Acting { organization, role })
    }

    async fn acting(&self, organization: Uuid, role: OrganizationRole) -> Result<Acting> {
        let found = self
            .store
            .account_get(Owner::organization(organization))
            .await?;
        let organization = found.ok_or(VaultError::InvalidAccessKey)?;
        Ok(Acting { organization, role })
    }
}

fn account_subject(account: &Account) -> Subject {
    Subject {
        id: account.id.clone(),
        uid: account.owner.uid.to_string(),
    }
}

fn named_subject(named: &Named) -> Subject {
    Subject {
        id: named.id.clone(),
        uid: named.uid.to_string(),
    }
}
