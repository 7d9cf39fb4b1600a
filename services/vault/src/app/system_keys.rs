//! The platform's own keys, as the operator's settings have them.

use std::collections::BTreeMap;

use keyward_secret::Secret;

use super::{Command, Context, Core};
use crate::domain::audit::Action;
use crate::domain::change::Change;
use crate::domain::key_filters::KeyFilters;
use crate::domain::key_format::check_key;
use crate::domain::mask::mask;
use crate::domain::owner::Owner;
use crate::domain::provider_key::{Health, KeySettings, Origin, ProviderKey, WEIGHT_DEFAULT};
use crate::error::{Result, VaultError};
use crate::store::{Effects, Page};

/// The sandbox provider and its key, which are there wherever the sandbox is on.
const SANDBOX: (&str, &str) = ("sandbox", "sk-sandbox-system");

/// What people see as the name of such a key.
const LABEL: &str = "from settings";

/// Far more than there are providers.
const KEYS_MAX: u32 = 10_000;

impl Core {
    /// Makes the store's system keys those of the settings: new ones are sealed, changed ones
    /// rotated, and those that are no longer there destroyed. Keys that an administrator entered
    /// are left alone.
    pub(crate) async fn sync_system_keys(
        &self,
        mut wanted: BTreeMap<String, Secret>,
        sandbox: bool,
    ) -> Result<()> {
        if self.masters.is_sealed() {
            tracing::warn!("the vault is sealed: system keys stay as they are");
            return Ok(());
        }
        let context = Context::vault(self.clock.now());
        if sandbox {
            let (provider, key) = SANDBOX;
            wanted
                .entry(provider.to_owned())
                .or_insert_with(|| Secret::new(key));
        }
        let page = Page {
            size: KEYS_MAX,
            before: None,
        };
        let mut present = self.store.provider_key_list(Owner::SYSTEM, page).await?;
        present.retain(|key| key.origin == Origin::Settings);
        for key in &present {
            if !wanted.contains_key(&key.provider) {
                self.system_key_remove(&context, key).await?;
            }
        }
        for (provider, secret) in &wanted {
            let old = present.iter().find(|key| key.provider == *provider);
            self.system_key_set(&context, provider, secret, old).await?;
        }
        Ok(())
    }

    async fn system_key_set(
        &self,
        context: &Context,
        provider: &str,
        secret: &Secret,
        old: Option<&ProviderKey>,
    ) -> Result<()> {
        let secret = check_key(provider, secret.expose(), true)
            .map_err(|error| VaultError::invalid("system_key", format!("{provider}: {error}")))?;
        let key = self.system_key(context, provider, secret);
        if let Some(old) = old {
            match self.opens(old).await? {
                true if old.fingerprint == key.fingerprint => return Ok(()),
                true => {
                    let secret = Secret::new(secret);
                    self.rotate_once(&Command::own(context), old.clone(), &secret)
                        .await?;
                    return Ok(());
                }
                // What its row states cannot be trusted either.
                false => self.system_key_remove(context, old).await?,
            }
        }
        let event = context
            .event(Action::ProviderKeyCreate, key.id)
            .version(key.version);
        match self
            .provider_key_store(&Command::own(context), key, &Secret::new(secret), event)
            .await
        {
            // An administrator has entered the very same key.
            Err(VaultError::AlreadyExists { .. }) => Ok(()),
            stored => stored.map(drop),
        }
    }

    async fn system_key_remove(&self, context: &Context, key: &ProviderKey) -> Result<()> {
        let event = context
            .event(Action::ProviderKeyDelete, key.id)
            .version(key.version);
        let effects = Effects::new(event, Change::provider_key(key.id, key.owner));
        let (owner, id, revision) = (key.owner, key.id, key.revision);
        let sequence = self
            .store
            .provider_key_delete(owner, id, revision, effects)
            .await?;
        self.seals.saw_deleted(id);
        self.publish(sequence).await;
        Ok(())
    }

    /// Whether its record opens; the settings can mend one that does not.
    async fn opens(&self, key: &ProviderKey) -> Result<bool> {
        let opened = match self.provider_key_checked(key.owner, key.id).await {
            Ok(sealed) => self.open(&sealed.key.binding(), &sealed.record).await,
            Err(error) => Err(error),
        };
        match opened {
            Ok(_) => Ok(true),
            Err(VaultError::KeyUnavailable(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn system_key(&self, context: &Context, provider: &str, secret: &str) -> ProviderKey {
        let uid = Owner::SYSTEM.uid;
        ProviderKey {
            id: keyward_runtime::ids::new(),
            owner: Owner::SYSTEM,
            owner_id: String::new(),
            provider: provider.to_owned(),
            label: LABEL.to_owned(),
            masked: mask(secret),
            fingerprint: self
                .fingerprints
                .fingerprint(uid, provider, secret.as_bytes()),
            enabled: true,
            health: Health::Untested,
            health_reason: String::new(),
            version: 1,
            base_url: String::new(),
            settings: KeySettings {
                skip_format_check: true,
                ..KeySettings::default()
            },
            weight: WEIGHT_DEFAULT,
            filters: KeyFilters::default(),
            origin: Origin::Settings,
            create_time: context.now,
            update_time: context.now,
            secret_time: context.now,
            failing_since: None,
            expire_time: None,
            last_used_time: None,
            last_tested_time: None,
            revision: 1,
        }
    }
}
