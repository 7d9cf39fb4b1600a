//! Provider keys for their owners: stored, shown masked, changed, rotated, destroyed. Nothing here
//! ever opens one.

mod change;
mod check;
mod create;
mod filters;
mod import;
mod patch;

use keyward_secret::Secret;
use uuid::Uuid;

use super::{Context, Core, OwnerRef};
use crate::domain::access::{Deed, Thing};
use crate::domain::owner::{Owner, OwnerKind};
use crate::domain::provider_key::{KeySettings, ProviderKey};
use crate::error::{Result, VaultError};
use crate::store::{Page, SealedKey};

pub(crate) use change::{Changed, Rotation};
pub(crate) use import::Import;
pub(crate) use patch::KeyPatch;

/// What errors call a provider key.
const WHAT: &str = "provider key";

/// A key that is to be stored.
#[derive(Debug)]
pub(crate) struct NewKey {
    /// Whose; the calling user's where absent.
    pub owner: Option<OwnerRef>,
    /// The provider it opens.
    pub provider: String,
    /// The secret.
    pub secret: Secret,
    /// A name for people.
    pub label: String,
    /// Where to send requests instead of the provider's own address.
    pub base_url: String,
    /// Further settings.
    pub settings: KeySettings,
    /// When it stops being used.
    pub expire_time: Option<jiff::Timestamp>,
    /// Share among several; 0 means 1.
    pub weight: u32,
    /// Patterns of the models that it may serve; empty for any.
    pub allowed_models: Vec<String>,
    /// The ids of the users whom it may serve; empty for any.
    pub allowed_users: Vec<String>,
}

impl Core {
    /// One key, masked.
    pub(crate) async fn provider_key_get(
        &self,
        context: &Context,
        id: &str,
    ) -> Result<ProviderKey> {
        let (owner, id) = self.provider_key_find(id).await?;
        self.authorise(context, owner, (Thing::ProviderKeys, Deed::See), WHAT)
            .await?;
        Ok(self.provider_key_load(owner, id).await?.key)
    }

    /// A page of an owner's keys, masked.
    pub(crate) async fn provider_key_list(
        &self,
        context: &Context,
        owner: Option<OwnerRef>,
        page: Page,
    ) -> Result<Vec<ProviderKey>> {
        let owner = self
            .resolve(context, &owner.unwrap_or_else(OwnerRef::caller))
            .await?;
        self.authorise(context, owner, (Thing::ProviderKeys, Deed::See), "owner")
            .await?;
        Ok(self.store.provider_key_list(owner, page).await?)
    }

    /// Whose key it is. The caller is not yet known to be allowed to know.
    pub(super) async fn provider_key_find(&self, id: &str) -> Result<(Owner, Uuid)> {
        const NONE: VaultError = VaultError::NotFound(WHAT);
        let id: Uuid = id.parse().map_err(|_| NONE)?;
        let owner = self.store.provider_key_owner(id).await?.ok_or(NONE)?;
        Ok((owner, id))
    }

    pub(super) async fn provider_key_load(&self, owner: Owner, id: Uuid) -> Result<SealedKey> {
        let found = self.store.provider_key_get(owner, id).await?;
        found.ok_or(VaultError::NotFound(WHAT))
    }

    /// The same, if its row is as the vault wrote it last: what is opened or changed must not be
    /// what somebody else made of it.
    pub(super) async fn provider_key_checked(&self, owner: Owner, id: Uuid) -> Result<SealedKey> {
        let seen = self.seals.seen(id);
        let sealed = self.provider_key_load(owner, id).await?;
        self.seals.check_row(&sealed, seen)?;
        Ok(sealed)
    }
}

impl OwnerRef {
    /// The calling user.
    pub(crate) fn caller() -> Self {
        Self {
            kind: OwnerKind::User,
            id: String::new(),
        }
    }
}
