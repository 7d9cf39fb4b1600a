//! Sealing anew, in the background and little by little, what older data keys sealed; and then
//! destroying those. There is no state to keep: what is left to do is asked of the store.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use super::{SYSTEM_CIPHER, Seals, open_record, system_binding};
use crate::app::{Context, Core};
use crate::domain::audit::Action;
use crate::domain::generation::aged_before;
use crate::domain::owner::Owner;
use crate::domain::provider_key::ProviderKey;
use crate::domain::row_state::Floor;
use crate::error::{Result, VaultError};
use crate::store::{Effects, SealedKey, SignedFloor};

/// How many owners, and how many keys of one, are taken at a time.
const BATCH: u32 = 100;

/// Runs until the process stops.
pub(crate) async fn sweep(core: Arc<Core>, every: Duration) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = core.stopping.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let swept = tokio::select! {
            () = core.stopping.cancelled() => return,
            swept = core.sweep_once() => swept,
        };
        if let Err(error) = swept {
            tracing::warn!(
                error = &error as &dyn Error,
                "data keys cannot be looked after now"
            );
        }
        if let Err(error) = core.store.traces_erase().await {
            tracing::warn!(
                error = &error as &dyn Error,
                "the store's log cannot be cut now"
            );
        }
    }
}

impl Core {
    /// Replaces data keys by age, and seals anew what older ones sealed. What cannot be, stays for
    /// the next time, and is no reason to leave the rest.
    pub(crate) async fn sweep_once(&self) -> Result<()> {
        // Nothing can be opened: it is not worth a word each round.
        if self.masters.is_sealed() {
            return Ok(());
        }
        self.replace_aged().await?;
        let mut after = None;
        loop {
            let open = self.store.generations_open(after, BATCH).await?;
            let Some(last) = open.last() else {
                return Ok(());
            };
            after = Some(last.floor.owner);
            for SignedFloor { floor, .. } in open {
                if let Err(error) = self.close_old(floor.owner).await {
                    tracing::warn!(
                        error = &error as &dyn Error,
                        owner.uid = %floor.owner.uid,
                        "an owner's older data keys are still needed"
                    );
                }
            }
        }
    }

    async fn replace_aged(&self) -> Result<()> {
        let Some(time) = aged_before(self.clock.now()) else {
            return Ok(());
        };
        for owner in self.store.generations_aged(time, BATCH).await? {
            let replaced = match self.seals.floor(owner).await {
                Ok(floor) => self.seals.rotate_data_key(owner, floor.newest).await,
                Err(error) => Err(error),
            };
            if let Err(error) = replaced {
                tracing::warn!(
                    error = &error as &dyn Error,
                    owner.uid = %owner.uid,
                    "a data key is a year old, and cannot be replaced now"
                );
            }
        }
        Ok(())
    }

    /// Seals anew all that an owner's older data keys sealed, and destroys those.
    async fn close_old(&self, owner: Owner) -> Result<()> {
        let floor = self.seals.floor(owner).await?;
        if owner == Owner::SYSTEM {
            self.seals.reseal_secrets(floor.newest).await?;
        }
        loop {
            let keys = self
                .store
                .provider_keys_sealed_below(owner, floor.newest, BATCH)
                .await?;
            if keys.is_empty() {
                break;
            }
            let mut done = 0;
            for sealed in keys {
                done += u32::from(self.reseal_key(sealed).await?);
            }
            if done == 0 {
                return Ok(());
            }
        }
        self.destroy_old(floor).await
    }

    /// Whether it was sealed anew. One that does not open stays as it is: its owner is told when it
    /// is used.
    async fn reseal_key(&self, sealed: SealedKey) -> Result<bool> {
        let SealedKey { key: before, .. } = &sealed;
        let seen = self.seals.seen(before.id);
        let Some(fresh) = self.store.provider_key_get(before.owner, before.id).await? else {
            return Ok(true);
        };
        let plaintext = match self.seals.check_row(&fresh, seen) {
            Ok(()) => self.open(&fresh.key.binding(), &fresh.record).await,
            Err(error) => Err(error),
        };
        let plaintext = match plaintext {
            Err(VaultError::KeyUnavailable(_)) => return Ok(false),
            plaintext => plaintext?,
        };
        let record = self.seal(&fresh.key.binding(), &plaintext).await?;
        let (id, revision) = (fresh.key.id, fresh.key.revision);
        let after = ProviderKey {
            revision: revision + 1,
            ..fresh.key
        };
        let event = Context::vault(self.clock.now())
            .event(Action::ProviderKeyReseal, id)
            .version(after.version)
            .record(&record);
        let sealed = self.seals.state(after, record);
        let updated = self
            .store
            .provider_key_update(sealed, revision, Effects::audit(event))
            .await;
        match updated.map_err(VaultError::from) {
            Ok(_) => self.seals.saw(id, revision + 1),
            // Changed meanwhile: the next round takes it.
            Err(VaultError::Stale) => {}
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    /// Raises the minimum, unless something still needs what is below it.
    async fn destroy_old(&self, floor: Floor) -> Result<()> {
        let raised = Floor {
            minimum: floor.newest,
            ..floor
        };
        let context = Context::vault(self.clock.now());
        let mut event = context.event(Action::DataKeyDestroy, floor.owner.uid);
        event.resource_version = floor.newest.into();
        let effects = Effects::audit(event);
        let signed = self.seals.signed(raised);
        let stored = self
            .store
            .generation_raise(signed, context.now, effects)
            .await;
        match stored.map_err(VaultError::from) {
            Ok(()) => {
                self.seals.marks.saw_minimum(floor.owner, raised.minimum);
                self.masters.forget(floor.owner);
            }
            Err(VaultError::Stale) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl Seals {
    async fn reseal_secrets(&self, newest: u32) -> Result<()> {
        for stored in self.store.system_secrets().await? {
            let generation = crate::domain::envelope::record_generation(&stored.record);
            if generation.map_err(VaultError::KeyUnavailable)? >= newest {
                continue;
            }
            let binding = system_binding(&stored.name, stored.uid, stored.version);
            let (store, masters) = (self.store.as_ref(), &self.masters);
            let secret = open_record(store, masters, &binding, &stored.record).await?;
            let record = self.seal(SYSTEM_CIPHER, &binding, &secret).await?;
            self.store
                .system_secret_reseal(&stored.name, stored.record, record)
                .await?;
        }
        Ok(())
    }
}
