//! Storing a new provider key.

use keyward_secret::Secret;

use super::filters::checked_models;
use super::{NewKey, WHAT};
use crate::app::{Command, Context, Core, OwnerRef, check};
use crate::domain::access::Thing;
use crate::domain::audit::{Action, AuditEvent};
use crate::domain::base_url::check_base_url;
use crate::domain::change::Change;
use crate::domain::key_filters::KeyFilters;
use crate::domain::key_format::check_key;
use crate::domain::mask::mask;
use crate::domain::name::{is_valid_id, is_valid_model};
use crate::domain::owner::Owner;
use crate::domain::provider_key::{
    DEPLOYMENTS_MAX, Health, KeySettings, Origin, ProviderKey, WEIGHT_DEFAULT, WEIGHT_MAX,
};
use crate::domain::replay::Authority;
use crate::error::{Result, VaultError};
use crate::store::{Effects, StoreError};

impl Core {
    /// Checks, seals and stores a key.
    pub(crate) async fn provider_key_create(
        &self,
        command: &Command<'_, ProviderKey>,
        new: NewKey,
    ) -> Result<ProviderKey> {
        let action = Action::ProviderKeyCreate;
        let owner = self.new_key_owner(command, &new, action).await?;
        let users = self.checked_users(owner, &new.allowed_users).await?;
        let (mut key, secret) = self.checked_key(command, owner, new, "key")?;
        key.filters.users = users;
        key.owner_id = self.owner_id(owner).await?;
        let event = command.event(action, key.id).version(key.version);
        self.provider_key_store(command, key, &secret, event).await
    }

    /// Whose a new key will be, if the caller may store one there; a refusal is audited.
    pub(super) async fn new_key_owner(
        &self,
        context: &Context,
        new: &NewKey,
        action: Action,
    ) -> Result<Owner> {
        let name = new.owner.clone().unwrap_or_else(OwnerRef::caller);
        let owner = self.resolve(context, &name).await?;
        let denied = (action, "", "owner");
        self.authorise_change(context, owner, Thing::ProviderKeys, denied)
            .await?;
        Ok(owner)
    }

    /// The key as it will be stored, and its secret, which came in the field `secret_field`.
    pub(super) fn checked_key(
        &self,
        context: &Context,
        owner: Owner,
        new: NewKey,
        secret_field: &'static str,
    ) -> Result<(ProviderKey, Secret)> {
        self.check_provider(&new.provider)?;
        check::label("label", &new.label)?;
        let weight = checked_weight(new.weight)?;
        let models = checked_models(&new.allowed_models)?;
        check::not_past(new.expire_time, context.now)?;
        let secret = check_key(
            &new.provider,
            new.secret.expose(),
            new.settings.skip_format_check,
        )
        .map_err(|error| VaultError::invalid(secret_field, error))?;
        let base_url = self.checked_url("base_url", &new.base_url)?;
        let settings = self.checked_settings(&new.provider, &base_url, new.settings)?;
        let fingerprint =
            self.fingerprints
                .fingerprint(owner.uid, &new.provider, secret.as_bytes());
        let key = ProviderKey {
            id: keyward_runtime::ids::new(),
            owner,
            owner_id: String::new(),
            masked: mask(secret),
            fingerprint,
            provider: new.provider,
            label: new.label,
            enabled: true,
            health: Health::Untested,
            health_reason: String::new(),
            version: 1,
            base_url,
            settings,
            weight,
            filters: KeyFilters {
                models,
                users: Vec::new(),
            },
            origin: Origin::Caller,
            create_time: context.now,
            update_time: context.now,
            secret_time: context.now,
            failing_since: None,
            expire_time: check::whole_millis(new.expire_time),
            last_used_time: None,
            last_tested_time: None,
            revision: 1,
        };
        Ok((key, Secret::new(secret)))
    }

    /// Seals and stores a key that was checked.
    pub(in crate::app) async fn provider_key_store(
        &self,
        command: &Command<'_, ProviderKey>,
        key: ProviderKey,
        secret: &Secret,
        event: AuditEvent,
    ) -> Result<ProviderKey> {
        self.refuse_twin(&key).await?;
        let record = self.seal(&key.binding(), secret.expose_bytes()).await?;
        let event = event.record(&record);
        let effects = Effects::new(event, Change::provider_key(key.id, key.owner));
        let authority = Authority::over(key.owner, Thing::ProviderKeys);
        let effects = self
            .remembering(command, authority, key.clone(), effects)
            .await?;
        let sealed = self.seals.state(key.clone(), record);
        match self.store.provider_key_insert(sealed, effects).await {
            Ok(sequence) => {
                self.seals.saw(key.id, key.revision);
                self.publish(sequence).await;
                Ok(key)
            }
            Err(StoreError::Exists) => {
                // Somebody was faster with the same key.
                self.refuse_twin(&key).await?;
                Err(VaultError::Stale)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The same key twice for one owner is an error that names the first.
    pub(in crate::app) async fn refuse_twin(&self, key: &ProviderKey) -> Result<()> {
        let twin = self
            .store
            .provider_key_by_fingerprint(key.owner, &key.provider, key.fingerprint.0)
            .await?;
        match twin {
            Some(id) if id != key.id => Err(VaultError::AlreadyExists {
                what: WHAT,
                existing: id.to_string(),
            }),
            _ => Ok(()),
        }
    }

    pub(super) fn checked_url(&self, param: &'static str, url: &str) -> Result<String> {
        if url.trim().is_empty() {
            return Ok(String::new());
        }
        check_base_url(url, &self.private_allow).map_err(|error| VaultError::invalid(param, error))
    }

    /// A name that nobody can serve would be a key that never works: better said now.
    fn check_provider(&self, provider: &str) -> Result<()> {
        if !is_valid_id(provider) {
            let message = "provider must be a provider's name, such as `openai`";
            return Err(VaultError::invalid("provider", message));
        }
        if self.providers.is_empty() || self.providers.contains(provider) {
            return Ok(());
        }
        let known: Vec<&str> = self.providers.iter().map(String::as_str).collect();
        let message = format!(
            "there is no provider of that name here; known: {}",
            known.join(", ")
        );
        Err(VaultError::invalid("provider", message))
    }

    pub(super) fn checked_settings(
        &self,
        provider: &str,
        base_url: &str,
        settings: KeySettings,
    ) -> Result<KeySettings> {
        let endpoint = self.checked_url("settings.endpoint", &settings.endpoint)?;
        if provider == "azure" && endpoint.is_empty() && base_url.is_empty() {
            let message = "an Azure key needs `settings.endpoint`, https://NAME.openai.azure.com";
            return Err(VaultError::invalid("settings.endpoint", message));
        }
        if provider == "azure" && settings.api_version.is_empty() {
            let message = "an Azure key needs `settings.api_version`, such as 2024-10-21";
            return Err(VaultError::invalid("settings.api_version", message));
        }
        if !is_api_version(&settings.api_version) {
            let message = "the API version may have letters, digits, `.` and `-` only";
            return Err(VaultError::invalid("settings.api_version", message));
        }
        let all_fit = settings
            .deployments
            .iter()
            .all(|(model, name)| is_valid_model(model) && is_valid_model(name));
        if settings.deployments.len() > DEPLOYMENTS_MAX || !all_fit {
            let message = "at most 200 deployments with names of one line of at most 256 bytes";
            return Err(VaultError::invalid("settings.deployments", message));
        }
        Ok(KeySettings {
            endpoint,
            ..settings
        })
    }
}

/// The share of a key; 0 means the default.
pub(super) fn checked_weight(weight: u32) -> Result<u32> {
    match weight {
        0 => Ok(WEIGHT_DEFAULT),
        1..=WEIGHT_MAX => Ok(weight),
        _ => Err(VaultError::invalid(
            "weight",
            "weight must be at most 1000000",
        )),
    }
}

fn is_api_version(text: &str) -> bool {
    text.len() <= 64
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
}
