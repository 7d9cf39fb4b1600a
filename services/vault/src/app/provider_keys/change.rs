//! Changing, rotating and destroying a provider key. Without a tag from the caller, a change that
//! collides with another is made again on top of it.

use jiff::Timestamp;
use keyward_secret::Secret;
use uuid::Uuid;

use super::WHAT;
use super::create::checked_weight;
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
use crate::store::{Effects, StoreError};

/// What is to be changed; absent members stay as they are.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyPatch {
    /// A name for people.
    pub label: Option<String>,
    /// Switched on, which also clears an error, or off.
    pub enabled: Option<bool>,
    /// Share among several; 0 means 1.
    pub weight: Option<u32>,
    /// When it stops being used; `Some(None)` is never.
    #[allow(
        clippy::option_option,
        reason = "kept, never and a time are three things"
    )]
    pub expire_time: Option<Option<Timestamp>>,
}

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
    /// Changes label, weight, expiry, or whether it is switched on.
    pub(crate) async fn provider_key_update(
        &self,
        command: &Command<'_, Changed>,
        id: &str,
        patch: KeyPatch,
        etag: &str,
    ) -> Result<Changed> {
        let action = patch.action();
        let (owner, id) = self.managed_key(command, id, action).await?;
        let patch = patch.checked()?;
        for _ in 0..CHANGE_TRIES {
            let before = self.provider_key_load(owner, id).await?.key;
            check::etag(etag, &before.etag())?;
            let after = patch.apply(before.clone(), command.now);
            match self.replace(command, action, &before, after, None).await {
                Err(VaultError::Stale) => {}
                result => return result,
            }
        }
        Err(VaultError::Stale)
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
            let before = self.provider_key_load(owner, id).await?.key;
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
                Ok(sequence) => return Ok(self.publish(sequence).await),
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
        let any_form = before.settings.skip_format_check;
        let secret = check_key(&before.provider, secret.expose(), any_form)
            .map_err(|error| VaultError::invalid("key", error))?;
        let owner = before.owner.uid;
        let fingerprint = self
            .fingerprints
            .fingerprint(owner, &before.provider, secret.as_bytes());
        let after = ProviderKey {
            masked: mask(secret),
            fingerprint,
            version: before.version + 1,
            health: Health::Untested,
            health_reason: String::new(),
            update_time: command.now,
            secret_time: command.now,
            failing_since: None,
            revision: before.revision + 1,
            ..before.clone()
        };
        self.refuse_twin(&after).await?;
        let record = self.seal(&after.binding(), secret.as_bytes()).await?;
        self.replace(
            command,
            Action::ProviderKeyRotate,
            &before,
            after,
            Some(record),
        )
        .await
    }

    async fn replace(
        &self,
        command: &Command<'_, Changed>,
        action: Action,
        before: &ProviderKey,
        after: ProviderKey,
        record: Option<Vec<u8>>,
    ) -> Result<Changed> {
        let event = command.event(action, after.id).version(after.version);
        let event = match &record {
            Some(record) => event.record(record),
            None => event,
        };
        let effects = Effects::new(event, Change::provider_key(after.id, after.owner));
        let authority = Authority::over(after.owner, Thing::ProviderKeys);
        let effects = self
            .remembering(command, authority, (after.clone(), 0), effects)
            .await?;
        let sequence = self
            .store
            .provider_key_update(after.clone(), record, before.revision, effects)
            .await?;
        Ok((after, self.publish(sequence).await))
    }
}

impl KeyPatch {
    fn action(&self) -> Action {
        match self.enabled {
            Some(true) => Action::ProviderKeyEnable,
            Some(false) => Action::ProviderKeyDisable,
            None => Action::ProviderKeyUpdate,
        }
    }

    fn checked(self) -> Result<Self> {
        if let Some(label) = &self.label {
            check::label("label", label)?;
        }
        let weight = self.weight.map(checked_weight).transpose()?;
        Ok(Self {
            weight,
            expire_time: self.expire_time.map(check::whole_millis),
            ..self
        })
    }

    fn apply(&self, mut key: ProviderKey, now: Timestamp) -> ProviderKey {
        if let Some(label) = &self.label {
            key.label.clone_from(label);
        }
        if let Some(enabled) = self.enabled {
            key.enabled = enabled;
        }
        if self.enabled == Some(true)
            && matches!(key.health, Health::Rejected | Health::QuotaExhausted)
        {
            key.health = Health::Untested;
            key.health_reason = String::new();
            key.failing_since = None;
        }
        key.weight = self.weight.unwrap_or(key.weight);
        key.expire_time = self.expire_time.unwrap_or(key.expire_time);
        key.update_time = now;
        key.revision += 1;
        key
    }
}
