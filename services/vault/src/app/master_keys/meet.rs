//! The start: the master keys that are here and those that the store knows are brought together.

use crate::app::{Context, Core};
use crate::domain::audit::Action;
use crate::domain::master_key::{KnownMasterKey, MasterKeyState};
use crate::error::{Result, VaultError};
use crate::store::StoreError;

use super::master_key_changed;

impl Core {
    /// Makes the store know the master keys that are here. The first of them becomes active where
    /// the store does not know it yet, or has none; otherwise the store's word holds.
    ///
    /// # Errors
    /// [`VaultError::NotNow`] if the active one is not here.
    pub(crate) async fn meet_master_keys(&self) -> Result<()> {
        let context = Context::vault(self.clock.now());
        let ids = self.masters.ids();
        for (place, id) in ids.iter().enumerate() {
            let is_new = self.master_key_meet(&context, id).await?;
            let none_is_active = self.store.custody().await?.active.is_none();
            if place == 0 && (is_new || none_is_active) {
                self.master_key_lead(&context, id).await?;
            }
        }
        let active = self.store.custody().await?.active.unwrap_or_default();
        if !ids.contains(&active) {
            let message = format!(
                "master key {active} wraps new data keys, by the store's account, and is not here: \
                 put it back"
            );
            return Err(VaultError::NotNow(message));
        }
        self.masters.activate(&active);
        Ok(())
    }

    /// Whether it was not known.
    async fn master_key_meet(&self, context: &Context, id: &str) -> Result<bool> {
        let known = self.store.master_keys_list().await?;
        if known.iter().any(|(key, _)| key.id == id) {
            return Ok(false);
        }
        let key = KnownMasterKey::new(id, context.now);
        let effects = master_key_changed(context, Action::MasterKeyAdd, id);
        match self.store.master_key_insert(key, effects).await {
            // Another replica was faster.
            Err(StoreError::Exists) => Ok(false),
            stored => {
                stored?;
                Ok(true)
            }
        }
    }

    async fn master_key_lead(&self, context: &Context, id: &str) -> Result<()> {
        let (key, _) = self.known(id).await?;
        if !key.state.may_become(MasterKeyState::Active) {
            return Ok(());
        }
        let before = key.state;
        let key = key.become_at(MasterKeyState::Active, context.now);
        let effects = master_key_changed(context, Action::MasterKeyActivate, id);
        match self.store.master_key_update(key, before, effects).await {
            Err(StoreError::Changed) => Ok(()),
            stored => Ok(stored.map(drop)?),
        }
    }
}
