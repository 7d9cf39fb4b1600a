//! What is to be changed about a provider key.

use jiff::Timestamp;
use keyward_secret::Secret;

use super::create::checked_weight;
use super::filters::checked_models;
use crate::app::check;
use crate::domain::audit::Action;
use crate::domain::provider_key::{Health, KeySettings, ProviderKey};
use crate::error::{Result, VaultError};

/// What is to be changed; absent members stay as they are.
#[derive(Default)]
pub(crate) struct KeyPatch {
    /// A name for people.
    pub label: Option<String>,
    /// Switched on, which also clears an error, or off.
    pub enabled: Option<bool>,
    /// Share among several; 0 means 1.
    pub weight: Option<u32>,
    /// Patterns of the models that it may serve; empty for any.
    pub allowed_models: Option<Vec<String>>,
    /// The ids of the users whom it may serve; empty for any.
    pub allowed_users: Option<Vec<String>>,
    /// When it stops being used; `Some(None)` is never.
    #[allow(
        clippy::option_option,
        reason = "kept, never and a time are three things"
    )]
    pub expire_time: Option<Option<Timestamp>>,
    /// Where requests go; empty for the provider's own address.
    pub base_url: Option<String>,
    /// All further settings.
    pub settings: Option<KeySettings>,
    /// The secret, entered again for another place.
    pub secret: Option<Secret>,
}

impl KeyPatch {
    pub(super) fn action(&self) -> Action {
        if self.is_retarget() {
            return Action::ProviderKeyRetarget;
        }
        match self.enabled {
            Some(true) => Action::ProviderKeyEnable,
            Some(false) => Action::ProviderKeyDisable,
            None => Action::ProviderKeyUpdate,
        }
    }

    /// Whether it is about where the key is sent.
    pub(super) fn is_retarget(&self) -> bool {
        self.base_url.is_some() || self.settings.is_some()
    }

    pub(super) fn checked(self, now: Timestamp) -> Result<Self> {
        if let Some(label) = &self.label {
            check::label("label", label)?;
        }
        if self.secret.is_some() && !self.is_retarget() {
            let message = "a key is taken with `base_url` or `settings`; to replace it, rotate it";
            return Err(VaultError::invalid("key", message));
        }
        let weight = self.weight.map(checked_weight).transpose()?;
        let models = self.allowed_models.as_deref();
        let allowed_models = models.map(checked_models).transpose()?;
        let expire_time = self.expire_time.map(check::whole_millis);
        check::not_past(expire_time.flatten(), now)?;
        Ok(Self {
            weight,
            allowed_models,
            expire_time,
            ..self
        })
    }

    /// All but where it is sent and whom it may serve.
    pub(super) fn apply(&self, mut key: ProviderKey, now: Timestamp) -> ProviderKey {
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
        if let Some(models) = &self.allowed_models {
            key.filters.models.clone_from(models);
        }
        key.expire_time = self.expire_time.unwrap_or(key.expire_time);
        key.update_time = now;
        key.revision += 1;
        key
    }
}
