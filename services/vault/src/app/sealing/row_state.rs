//! What makes rows tamper-evident: checked before a key is opened or changed, made anew with every
//! change. Rows from before get theirs once, at the start that makes the key of these MACs; without
//! that key, but with MACs, the vault does not start, and making it leaves an event.

use uuid::Uuid;
use zeroize::Zeroizing;

use super::generations::FIRST;
use super::{SYSTEM_CIPHER, Seals, open_record, random, seal_record, system_binding};
use crate::app::{Clock, Context};
use crate::domain::audit::Action;
use crate::domain::envelope::{DATA_KEY_BYTES, DataKey, OpenError};
use crate::domain::generation::SEALS_MAX;
use crate::domain::owner::Owner;
use crate::domain::provider_key::ProviderKey;
use crate::domain::row_state::StateKey;
use crate::error::{Result, VaultError};
use crate::kek::MasterKeys;
use crate::store::{Effects, RowStates, SealedKey, SignedFloor, Store, StoredSecret};

/// The system secret that the MACs are made with.
const NAME: &str = "row-state";

/// How many rows are read at a time.
const BATCH: u32 = 1_000;

impl Seals {
    /// A key with its record, ready to be stored.
    pub(crate) fn state(&self, key: ProviderKey, record: Vec<u8>) -> SealedKey {
        let state = Some(self.states.sign_key(&key, &record));
        SealedKey { key, record, state }
    }

    /// The highest revision of a key that was seen; to be asked before its row is read.
    pub(crate) fn seen(&self, id: Uuid) -> u64 {
        self.marks.revision(id)
    }

    /// Refuses a row that the vault did not write, or that is older than one it has seen.
    pub(crate) fn check_row(&self, sealed: &SealedKey, seen: u64) -> Result<()> {
        let state = sealed.state.unwrap_or_default();
        if !self.states.is_key(&sealed.key, &sealed.record, &state) {
            return Err(VaultError::KeyUnavailable(OpenError::RowChanged));
        }
        if sealed.key.revision < seen {
            return Err(VaultError::KeyUnavailable(OpenError::RolledBack));
        }
        self.saw(sealed.key.id, sealed.key.revision);
        Ok(())
    }

    /// A row of this revision is in the store.
    pub(crate) fn saw(&self, id: Uuid, revision: u64) {
        self.marks.saw_revision(id, revision);
    }

    /// No row of this key is in the store any more, nor ever again.
    pub(crate) fn saw_deleted(&self, id: Uuid) {
        self.marks.saw_revision(id, u64::MAX);
    }
}

/// The key of the MACs; made, with the MACs of all that is there, where there is none yet.
pub(super) async fn state_key(
    store: &dyn Store,
    masters: &MasterKeys,
    clock: &Clock,
) -> Result<StateKey> {
    if store.system_secret_get(NAME).await?.is_none() {
        match begin(store, masters, clock).await {
            // Another replica was faster.
            Err(VaultError::AlreadyExists { .. }) => {}
            begun => begun?,
        }
    }
    let stored = store.system_secret_get(NAME).await?;
    let (uid, version, record) = stored.ok_or(VaultError::Internal("a system secret is gone"))?;
    let binding = system_binding(NAME, uid, version);
    let secret = open_record(store, masters, &binding, &record).await?;
    Ok(StateKey::new(&secret))
}

async fn begin(store: &dyn Store, masters: &MasterKeys, clock: &Clock) -> Result<()> {
    if store.row_states_exist().await? {
        let message = "the key of the row states is gone, and rows have states: \
            somebody changed the store";
        return Err(VaultError::Internal(message));
    }
    let secret = random::<32>()?;
    let states = StateKey::new(secret.as_slice());
    let secret = sealed_secret(store, masters, clock, &secret).await?;
    let keys = key_states(store, &states).await?;
    let effects = match keys.len() {
        0 => Effects::default(),
        count => begun(clock, count),
    };
    let floors = floors(store, &states).await?;
    let states = RowStates {
        secret,
        keys,
        floors,
    };
    Ok(store.row_states_begin(states, effects).await?)
}

/// The platform's data key is there already or is the first: it has no floor yet.
async fn sealed_secret(
    store: &dyn Store,
    masters: &MasterKeys,
    clock: &Clock,
    secret: &Zeroizing<[u8; 32]>,
) -> Result<StoredSecret> {
    let stored = if let Some(stored) = store.data_key_get(Owner::SYSTEM, None).await? {
        stored
    } else {
        let fresh = DataKey::new(Owner::SYSTEM, FIRST, random::<DATA_KEY_BYTES>()?);
        let wrapped = masters.wrap(&fresh).await?;
        store.data_key_put(wrapped, clock.now()).await?
    };
    let counted = store
        .generation_count_seal(Owner::SYSTEM, stored.generation, SEALS_MAX)
        .await?;
    if !counted {
        return Err(VaultError::SealsExhausted);
    }
    let (uid, version) = (keyward_runtime::ids::new(), 1);
    let binding = system_binding(NAME, uid, version);
    let data_key = masters.unwrap(&stored).await?;
    let record = seal_record(&data_key, SYSTEM_CIPHER, &binding, secret.as_slice())?;
    let name = NAME.to_owned();
    Ok(StoredSecret {
        name,
        uid,
        version,
        record,
    })
}

async fn key_states(store: &dyn Store, states: &StateKey) -> Result<Vec<(Uuid, [u8; 32])>> {
    let mut signed = Vec::new();
    let mut after = None;
    loop {
        let keys = store.row_states_missing(after, BATCH).await?;
        let Some(last) = keys.last() else {
            return Ok(signed);
        };
        after = Some(last.key.id);
        let sign = |sealed: &SealedKey| {
            let mac = states.sign_key(&sealed.key, &sealed.record);
            (sealed.key.id, mac)
        };
        signed.extend(keys.iter().map(sign));
    }
}

async fn floors(store: &dyn Store, states: &StateKey) -> Result<Vec<SignedFloor>> {
    let floors = store.row_floors_missing().await?;
    let sign = |floor| SignedFloor {
        floor,
        mac: states.sign_floor(&floor),
    };
    Ok(floors.into_iter().map(sign).collect())
}

/// A store gets its states once: a second event of this kind says that somebody took them away.
fn begun(clock: &Clock, count: usize) -> Effects {
    let context = Context::vault(clock.now());
    let mut event = context.event(Action::RowStatesBegin, NAME);
    event.reason = format!("{count} rows of provider keys have a state from now on");
    Effects::audit(event)
}
