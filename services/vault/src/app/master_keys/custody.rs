//! The seal, and what replicas learn from the store: whether it is sealed, which master key is
//! active, whose data keys are gone.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{REPLICA_SHOWN, admin, unusable};
use crate::app::{Command, Context, Core};
use crate::domain::access::Thing;
use crate::domain::audit::Action;
use crate::domain::change::{Change, ChangeKind};
use crate::domain::master_key::MasterKeyState;
use crate::domain::name::{LABEL_CHARS_MAX, one_line};
use crate::domain::owner::Owner;
use crate::domain::replay::Authority;
use crate::error::Result;
use crate::store::{Custody, Effects, Replica};

/// How often a replica looks whether another one was told to seal: routers hear of it at once, and
/// this bounds for how long a replica that was not told itself could still answer them.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How many looks there are to one sign of life.
const LOOKS_PER_SIGN: u32 = 120;

/// How many changes are read at a look.
const CHANGES: u32 = 1_000;

impl Core {
    /// How the vault stands.
    pub(crate) async fn custody(&self, context: &Context) -> Result<Custody> {
        admin(context)?;
        Ok(self.store.custody().await?)
    }

    /// Seals it, on every replica: master keys and data keys leave memory, routers drop what they
    /// hold, no key is opened. Returns also how many routers have not confirmed.
    pub(crate) async fn seal_vault(
        &self,
        command: &Command<'_, (Custody, u32)>,
        reason: &str,
    ) -> Result<(Custody, u32)> {
        admin(command)?;
        let before = self.store.custody().await?;
        // Here at once, and again below: until the store says so too, a look could undo it.
        self.masters.seal();
        let after = Custody {
            sealed: true,
            sealed_changed: Some(command.now),
            ..before.clone()
        };
        if before.sealed {
            let authority = Authority::over(Owner::SYSTEM, Thing::Standing);
            self.remember_only(command, authority, (before.clone(), 0))
                .await?;
            return Ok((before, 0));
        }
        let effects = seal_effects(command, Action::VaultSeal, reason);
        let authority = Authority::over(Owner::SYSTEM, Thing::Standing);
        let effects = self
            .remembering(command, authority, (after.clone(), 0), effects)
            .await?;
        let sequence = self
            .store
            .custody_seal(true, command.now, effects)
            .await
            .inspect_err(|_| self.follow_soon.notify_one())?;
        self.masters.seal();
        tracing::warn!("the vault is sealed: no key is opened until it is unsealed");
        let laggards = self.publish(sequence).await;
        Ok((after, laggards))
    }

    /// Reads the master keys again and opens keys from now on.
    pub(crate) async fn unseal_vault(
        &self,
        command: &Command<'_, Custody>,
        reason: &str,
    ) -> Result<Custody> {
        admin(command)?;
        let seals = self.masters.seals();
        let before = self.store.custody().await?;
        let authority = Authority::over(Owner::SYSTEM, Thing::Standing);
        // Before it is said to be unsealed: without its keys it would not be.
        self.masters_read(seals, &before).await?;
        if !before.sealed {
            self.remember_only(command, authority, before.clone())
                .await?;
            return Ok(before);
        }
        let after = Custody {
            sealed: false,
            sealed_changed: Some(command.now),
            ..before
        };
        let effects = seal_effects(command, Action::VaultUnseal, reason);
        let effects = self
            .remembering(command, authority, after.clone(), effects)
            .await?;
        let stored = self.store.custody_seal(false, command.now, effects).await;
        let sequence = stored.inspect_err(|_| self.masters.seal())?;
        // A look in between found it sealed.
        if self.masters.is_sealed() {
            self.masters_reload().await?;
        }
        tracing::warn!("the vault is unsealed");
        self.publish(sequence).await;
        Ok(after)
    }

    /// At the start: sealed if it was, else with the master keys that are not destroyed.
    pub(crate) async fn enter_custody(&self) -> Result<()> {
        if self.store.custody().await?.sealed {
            tracing::warn!("the vault is sealed: no key is opened until it is unsealed");
            self.masters.seal();
        }
        self.masters_reload().await
    }

    /// At the end: nobody waits for this process any more.
    pub(crate) async fn leave_custody(&self) {
        if let Err(error) = self.store.replica_forget(&self.replica).await {
            tracing::debug!(%error, "others will see this process for a while yet");
        }
    }

    /// Reads the master keys again, unless it is sealed.
    pub(super) async fn masters_reload(&self) -> Result<()> {
        let seals = self.masters.seals();
        let custody = self.store.custody().await?;
        match custody.sealed {
            true => Ok(()),
            false => self.masters_read(seals, &custody).await,
        }
    }

    /// `seals` is from before `custody` was read.
    async fn masters_read(&self, seals: u64, custody: &Custody) -> Result<()> {
        let known = self.store.master_keys_list().await?.into_iter();
        let destroyed = known.filter(|(key, _)| key.state == MasterKeyState::Destroyed);
        let destroyed: Vec<String> = destroyed.map(|(key, _)| key.id).collect();
        let providers = self
            .kek_source
            .providers(false, &destroyed)
            .map_err(unusable)?;
        let active = custody.active.clone().unwrap_or_default();
        self.masters.take(seals, providers, &active);
        self.sign_of_life().await
    }

    /// Follows what other replicas were told, until the process stops.
    pub(crate) async fn follow(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut seen = self.store.change_head().await.unwrap_or_default();
        let mut looks = 0_u32;
        loop {
            tokio::select! {
                () = self.stopping.cancelled() => return,
                () = self.follow_soon.notified() => {}
                _ = ticks.tick() => {}
            }
            // Without the store nothing is opened either; the next look may go better.
            if let Err(error) = self.look(&mut seen).await {
                tracing::debug!(%error, "the vault's state cannot be read now");
            }
            if looks.is_multiple_of(LOOKS_PER_SIGN) && self.sign_of_life().await.is_err() {
                tracing::debug!("no sign of life can be left now");
            }
            looks = looks.wrapping_add(1);
        }
    }

    async fn look(&self, seen: &mut u64) -> Result<()> {
        let seals = self.masters.seals();
        let custody = self.store.custody().await?;
        match (custody.sealed, self.masters.is_sealed()) {
            (true, false) => self.masters.seal(),
            (false, true) => self.masters_read(seals, &custody).await?,
            _ => {}
        }
        if let Some(active) = &custody.active {
            self.masters.activate(active);
        }
        let changes = self.store.changes_after(*seen, CHANGES).await?;
        for numbered in changes {
            *seen = numbered.sequence;
            let kind = numbered.change.kind;
            let is_owner = matches!(
                kind,
                ChangeKind::User | ChangeKind::Organization | ChangeKind::Project
            );
            if let (true, Some(owner)) = (is_owner, numbered.change.owner) {
                self.masters.forget(owner);
            }
            if kind == ChangeKind::MasterKey && !self.masters.is_sealed() {
                self.sign_of_life().await?;
            }
        }
        Ok(())
    }

    async fn sign_of_life(&self) -> Result<()> {
        let now = self.clock.now();
        let replica = Replica {
            name: self.replica.clone(),
            master_keys: self.masters.ids(),
            seen: now,
        };
        // Who else is in a store of one process alone has ended.
        let before = match self.store.is_shared() {
            true => now.checked_sub(REPLICA_SHOWN).unwrap_or(now),
            false => Timestamp::MAX,
        };
        Ok(self.store.replica_seen(replica, before).await?)
    }
}

fn seal_effects(context: &Context, action: Action, reason: &str) -> Effects {
    let mut event = context.event(action, "vault");
    event.purpose = one_line(reason, LABEL_CHARS_MAX);
    Effects::new(event, Change::seal())
}
