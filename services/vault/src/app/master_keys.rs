//! Master keys: which there are, which wraps, and their end. The keys themselves are the business of
//! `kek`; here are their ids, in the store that all replicas share.

mod custody;
mod meet;
mod rewrap;

use jiff::SignedDuration;

use super::key_file;
use super::{Command, Context, Core};
use crate::domain::access::Thing;
use crate::domain::audit::Action;
use crate::domain::change::Change;
use crate::domain::master_key::{KnownMasterKey, MasterKeyState, is_valid_id};
use crate::domain::owner::Owner;
use crate::domain::replay::Authority;
use crate::error::{Result, VaultError};
use crate::store::{Effects, Replica, StoreError};

pub(crate) use rewrap::RewrapProgress;

/// What these are called in errors.
const WHAT: &str = "master key";

/// How long a replica that is not heard of any more is shown.
pub(crate) const REPLICA_SHOWN: SignedDuration = SignedDuration::from_mins(2);

/// A master key as people see it.
#[derive(Debug, Clone)]
pub(crate) struct MasterKeyView {
    /// What the store knows.
    pub key: KnownMasterKey,
    /// Who keeps it here; empty if nobody does.
    pub provider: &'static str,
    /// How many data keys it wraps.
    pub data_keys: u64,
    /// The replicas that have it.
    pub replicas: Vec<String>,
}

impl Core {
    /// All master keys, the latest first.
    pub(crate) async fn master_keys(&self, context: &Context) -> Result<Vec<MasterKeyView>> {
        admin(context)?;
        let replicas = self.live_replicas(context).await?;
        let known = self.store.master_keys_list().await?;
        let view = |(key, data_keys): (KnownMasterKey, u64)| {
            let has = |replica: &&Replica| replica.master_keys.contains(&key.id);
            MasterKeyView {
                provider: self.masters.kind_of(&key.id),
                data_keys,
                replicas: replicas
                    .iter()
                    .filter(has)
                    .map(|r| r.name.clone())
                    .collect(),
                key,
            }
        };
        Ok(known.into_iter().map(view).collect())
    }

    /// Makes a key and adds it to the key file. It opens from now on, and wraps nothing yet.
    pub(crate) async fn master_key_add(
        &self,
        command: &Command<'_, MasterKeyView>,
        id: &str,
    ) -> Result<MasterKeyView> {
        admin(command)?;
        let id = match id {
            "" => key_file::generated_id(),
            id if is_valid_id(id) => id.to_owned(),
            _ => {
                let message = "a master key's id is 1 to 64 of [A-Za-z0-9._-]";
                return Err(VaultError::invalid("master_key_id", message));
            }
        };
        let Some(file) = self.kek_source.file() else {
            return Err(VaultError::NotNow(
                "the master keys are in the settings: add this one to `vault.master_keys` behind \
                 the others, start again, and activate it"
                    .to_owned(),
            ));
        };
        self.masters.refuse_if_sealed()?;
        let known = KnownMasterKey::new(&id, command.now);
        let view = self.seen_as(known.clone(), 0);
        let effects = self
            .master_key_effects(command, Action::MasterKeyAdd, &view)
            .await?;
        // The store first: an id is taken once, whatever becomes of the file.
        let inserted = match self.store.master_key_insert(known, effects).await {
            Err(StoreError::Exists) => {
                return Err(VaultError::AlreadyExists {
                    what: WHAT,
                    existing: id,
                });
            }
            stored => stored?,
        };
        file.add(key_file::generate(&id).map_err(unusable)?)
            .map_err(unusable)?;
        self.masters_reload().await?;
        self.publish(inserted).await;
        Ok(view)
    }

    /// Has new data keys wrapped by this one, on every replica.
    pub(crate) async fn master_key_activate(
        &self,
        command: &Command<'_, MasterKeyView>,
        id: &str,
    ) -> Result<MasterKeyView> {
        let lacking = self.replicas_without(command, id).await?;
        if self.masters.kind_of(id).is_empty() && self.known(id).await.is_ok() {
            let message = format!("master key {id} is not here: put it back first");
            return Err(VaultError::NotNow(message));
        }
        if !lacking.is_empty() {
            let message = format!("master key {id} is not yet on {}", lacking.join(", "));
            return Err(VaultError::NotNow(message));
        }
        let action = Action::MasterKeyActivate;
        let view = self
            .master_key_become(command, id, MasterKeyState::Active, action)
            .await?;
        self.masters.activate(id);
        Ok(view)
    }

    /// Puts one away that wraps nothing any more.
    pub(crate) async fn master_key_retire(
        &self,
        command: &Command<'_, MasterKeyView>,
        id: &str,
    ) -> Result<MasterKeyView> {
        let action = Action::MasterKeyRetire;
        self.master_key_become(command, id, MasterKeyState::Retired, action)
            .await
    }

    /// Ends one for good: marked in the store, erased from the key file. True if it was erased
    /// here.
    pub(crate) async fn master_key_destroy(
        &self,
        command: &Command<'_, (MasterKeyView, bool)>,
        id: &str,
    ) -> Result<(MasterKeyView, bool)> {
        admin(command)?;
        let (known, data_keys) = self.known(id).await?;
        let file = self.kek_source.file();
        let erases = file.is_some() && self.masters.kind_of(id) == "local";
        let view = self.seen_as(
            known
                .clone()
                .become_at(MasterKeyState::Destroyed, command.now),
            data_keys,
        );
        // Again after a crash in between: the mark is there, the bytes may be too.
        if known.state != MasterKeyState::Destroyed {
            may_become(&known, data_keys, MasterKeyState::Destroyed)?;
            let authority = Authority::over(Owner::SYSTEM, Thing::Standing);
            let effects = master_key_changed(command, Action::MasterKeyDestroy, id);
            let outcome = (view.clone(), erases);
            let effects = self
                .remembering(command, authority, outcome, effects)
                .await?;
            let stored = self
                .store
                .master_key_update(view.key.clone(), known.state, effects)
                .await;
            self.publish(stored?).await;
        }
        if let Some(file) = file {
            file.erase(id).map_err(unusable)?;
        }
        self.masters_reload().await?;
        Ok((view, erases))
    }

    async fn master_key_become(
        &self,
        command: &Command<'_, MasterKeyView>,
        id: &str,
        state: MasterKeyState,
        action: Action,
    ) -> Result<MasterKeyView> {
        admin(command)?;
        let (known, data_keys) = self.known(id).await?;
        if known.state == state {
            let view = self.seen_as(known, data_keys);
            let authority = Authority::over(Owner::SYSTEM, Thing::Standing);
            self.remember_only(command, authority, view.clone()).await?;
            return Ok(view);
        }
        may_become(&known, data_keys, state)?;
        let before = known.state;
        let view = self.seen_as(known.become_at(state, command.now), data_keys);
        let effects = self.master_key_effects(command, action, &view).await?;
        let stored = self
            .store
            .master_key_update(view.key.clone(), before, effects)
            .await;
        self.publish(stored?).await;
        Ok(view)
    }

    async fn known(&self, id: &str) -> Result<(KnownMasterKey, u64)> {
        let mut known = self.store.master_keys_list().await?.into_iter();
        let found = known.find(|(key, _)| key.id == id);
        found.ok_or(VaultError::NotFound(WHAT))
    }

    fn seen_as(&self, key: KnownMasterKey, data_keys: u64) -> MasterKeyView {
        MasterKeyView {
            provider: self.masters.kind_of(&key.id),
            replicas: Vec::new(),
            data_keys,
            key,
        }
    }

    async fn master_key_effects(
        &self,
        command: &Command<'_, MasterKeyView>,
        action: Action,
        view: &MasterKeyView,
    ) -> Result<Effects> {
        let effects = master_key_changed(command, action, &view.key.id);
        let authority = Authority::over(Owner::SYSTEM, Thing::Standing);
        self.remembering(command, authority, view.clone(), effects)
            .await
    }

    async fn live_replicas(&self, context: &Context) -> Result<Vec<Replica>> {
        let since = context.now.checked_sub(REPLICA_SHOWN);
        let since = since.unwrap_or(context.now);
        let mut replicas = self.store.replicas().await?;
        replicas.retain(|replica| replica.seen >= since);
        Ok(replicas)
    }

    async fn replicas_without(&self, context: &Context, id: &str) -> Result<Vec<String>> {
        admin(context)?;
        let mut replicas = self.live_replicas(context).await?;
        replicas.retain(|replica| {
            replica.name != self.replica && !replica.master_keys.iter().any(|known| known == id)
        });
        Ok(replicas.into_iter().map(|replica| replica.name).collect())
    }
}

fn admin(context: &Context) -> Result<()> {
    match context.viewer().platform_admin {
        true => Ok(()),
        false => Err(VaultError::Forbidden("this: it needs the scope `admin`")),
    }
}

/// What the answer to a change that is not to be made yet says.
fn may_become(known: &KnownMasterKey, data_keys: u64, next: MasterKeyState) -> Result<()> {
    let id = &known.id;
    let refusal = match (known.state, next) {
        (MasterKeyState::Destroyed, _) => format!("master key {id} was destroyed"),
        (MasterKeyState::Active, _) => {
            format!("master key {id} is active: activate another one first")
        }
        (_, MasterKeyState::Retired | MasterKeyState::Destroyed) if data_keys > 0 => {
            format!("master key {id} still wraps {data_keys} data keys: rewrap them first")
        }
        (_, MasterKeyState::Destroyed) if !known.state.may_become(next) => {
            format!("master key {id} is not retired: retire it first")
        }
        (state, _) if state.may_become(next) => return Ok(()),
        _ => format!("master key {id} cannot become that"),
    };
    Err(VaultError::NotNow(refusal))
}

fn master_key_changed(context: &Context, action: Action, id: &str) -> Effects {
    Effects::new(context.event(action, id), Change::master_key(id))
}

/// The key file cannot be read or written.
#[allow(
    clippy::needless_pass_by_value,
    reason = "it is what `map_err` hands over"
)]
pub(super) fn unusable(error: impl std::error::Error) -> VaultError {
    let text = keyward_runtime::error::chain(&error);
    VaultError::MasterKeyAway(crate::kek::KekError::Away(text))
}
