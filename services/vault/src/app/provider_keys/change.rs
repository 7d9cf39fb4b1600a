//! Changing, rotating and destroying a provider key. Without a tag from the caller, a change that
//! collides with another is made again on top of it.

use keyward_secret::Secret;
use uuid::Uuid;

use super::WHAT;
use super::patch::KeyPatch;
use crate::app::{CHANGE_TRIES, Command, Context, Core, check};
use crate::domain::access::Thing;
use crate::domain::audit::Action;
use crate::domain::change::Change;
use crate::domain::key_format::check_key;
use crate::domain::mask::mask;
use crate::domain::owner::Owner;
use crate::domain::provider_key::{Health, ProviderKey};
use crate::domain::replay::Authority;
use crate::error::{Result, VaultError};
use crate::store::{Effects, SealedKey, StoreError};

/// A new secret for a key.
#[derive(Debug)]
pub(crate) struct Rotation {
    /// Which key.
    pub id: String,
    /// The new secret; the same one is accepted.
    pub secret: Secret,
    /// The tag it must have; empty for any.
    pub etag: String,
}

/// A key with how many watchers have not confirmed its change.
pub(crate) type Changed = (ProviderKey, u32);

impl Core {
    /// Changes label, weight, expiry, what it may serve, or whether it is switched on.
    pub(crate) async fn provider_key_update(
        &self,
        command: &Command<'_, Changed>,
        id: &str,
        patch: KeyPatch,
        etag: &str,
    ) -> Result<Changed> {
        let action = patch.action();
        let (owner, id) = self.managed_key(command, id, action).await?;
        let patch = patch.checked(command.now)?;
        let users = match &patch.allowed_users {
            Some(ids) => Some(self.checked_users(owner, ids).await?),
            None => None,
        };
        for _ in 0..CHANGE_TRIES {
            let before = self.provider_key_checked(owner, id).await?;
            check::etag(etag, &before.key.etag())?;
            let mut after = patch.apply(before.key.clone(), command.now);
            if let Some(users) = &users {
                after.filters.users.clone_from(users);
            }
            let after = self.retargeted(&patch, &before, after).await?;
            match self.replace(command, action, &before.key, after).await {
                Err(VaultError::Stale) => {}
                result => return result,
            }
        }
        Err(VaultError::Stale)
    }

    /// The key as the patch wants it, sent where the patch says. What the secret is sealed for
    /// changes only with the secret itself: nothing that was sealed for one place is ever sealed
    /// anew for another.
    async fn retargeted(
        &self,
        patch: &KeyPatch,
        before: &SealedKey,
        mut after: ProviderKey,
    ) -> Result<SealedKey> {
        if let Some(url) = &patch.base_url {
            after.base_url = self.checked_url("base_url", url)?;
        }
        if patch.is_retarget() {
            let settings = patch.settings.as_ref().unwrap_or(&after.settings).clone();
            after.settings = self.checked_settings(&after.provider, &after.base_url, settings)?;
        }
        if let Some(secret) = &patch.secret {
            return self.resecured(after, secret).await;
        }
        if after.binding() != before.key.binding() {
            return Err(VaultError::SecretRequired);
        }
        Ok(SealedKey {
            key: after,
            ..before.clone()
        })
    }

    /// The key with a secret that was entered: the next version, as good as new.
    async fn resecured(&self, key: ProviderKey, secret: &Secret) -> Result<SealedKey> {
        let any_form = key.settings.skip_format_check;
        let secret = check_key(&key.provider, secret.expose(), any_form)
            .map_err(|error| VaultError::invalid("key", error))?;
        let fingerprint =
            self.fingerprints
                .fingerprint(key.owner.uid, &key.provider, secret.as_bytes());
        let key = ProviderKey {
            masked: mask(secret),
            fingerprint,
            version: key.version + 1,
            health: Health::Untested,
            health_reason: String::new(),
            secret_time: key.update_time,
            failing_since: None,
            ..key
        };
        self.refuse_twin(&key).await?;
        let record = self.seal(&key.binding(), secret.as_bytes()).await?;
        Ok(SealedKey {
            key,
            record,
            state: None,
        })
    }

    /// Gives it a new secret: same id, next version, as good as new.
    pub(crate) async fn provider_key_rotate(
        &self,
        command: &Command<'_, Changed>,
        rotation: Rotation,
    ) -> Result<Changed> {
        let action = Action::ProviderKeyRotate;
        let (owner, id) = self.managed_key(command, &rotation.id, action).await?;
        for _ in 0..CHANGE_TRIES {
            let before = self.provider_key_checked(owner, id).await?.key;
            check::etag(&rotation.etag, &before.etag())?;
            match self.rotate_once(command, before, &rotation.secret).await {
                Err(VaultError::Stale) => {}
                result => return result,
            }
        }
        Err(VaultError::Stale)
    }

    /// Overwrites and deletes it.
    pub(crate) async fn provider_key_delete(
        &self,
        command: &Command<'_, u32>,
        id: &str,
        etag: &str,
    ) -> Result<u32> {
        let action = Action::ProviderKeyDelete;
        let (owner, id) = self.managed_key(command, id, action).await?;
        let authority = Authority::over(owner, Thing::ProviderKeys);
        for _ in 0..CHANGE_TRIES {
            let key = self.provider_key_load(owner, id).await?.key;
            check::etag(etag, &key.etag())?;
            let event = command.event(action, id).version(key.version);
            let effects = Effects::new(event, Change::provider_key(id, owner));
            let effects = self.remembering(command, authority, 0, effects).await?;
            match self
                .store
                .provider_key_delete(owner, id, key.revision, effects)
                .await
            {
                Ok(sequence) => {
                    self.seals.saw_deleted(id);
                    return Ok(self.publish(sequence).await);
                }
                Err(StoreError::Changed) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(VaultError::Stale)
    }

    /// The key, if the caller may manage it; a refusal is audited.
    async fn managed_key(
        &self,
        context: &Context,
        id: &str,
        action: Action,
    ) -> Result<(Owner, Uuid)> {
        let (owner, uid) = self.provider_key_find(id).await?;
        let denied = (action, id, WHAT);
        self.authorise_change(context, owner, Thing::ProviderKeys, denied)
            .await?;
        Ok((owner, uid))
    }

    pub(in crate::app) async fn rotate_once(
        &self,
        command: &Command<'_, Changed>,
        before: ProviderKey,
        secret: &Secret,
    ) -> Result<Changed> {
        let after = ProviderKey {
            update_time: command.now,
            revision: before.revision + 1,
            ..before.clone()
        };
        let after = self.resecured(after, secret).await?;
        self.replace(command, Action::ProviderKeyRotate, &before, after)
            .await
    }

    async fn replace(
        &self,
        command: &Command<'_, Changed>,
        action: Action,
        before: &ProviderKey,
        after: SealedKey,
    ) -> Result<Changed> {
        let SealedKey {
            key: after, record, ..
        } = after;
        let event = command.event(action, after.id).version(after.version);
        let event = event.record(&record);
        let effects = Effects::new(event, Change::provider_key(after.id, after.owner));
        let authority = Authority::over(after.owner, Thing::ProviderKeys);
        let effects = self
            .remembering(command, authority, (after.clone(), 0), effects)
            .await?;
        let sequence = self
            .store
            .provider_key_update(
                self.seals.state(after.clone(), record),
                before.revision,
                effects,
            )
            .await?;
        self.seals.saw(after.id, after.revision);
        Ok((after, self.publish(sequence).await))
    }
}
