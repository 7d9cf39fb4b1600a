//! What the store keeps of data keys' generations, and of the states of rows.

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use super::{Effects, SealedKey, Stored, StoredDataKey};
use crate::domain::generation::Generation;
use crate::domain::owner::Owner;
use crate::domain::row_state::{Floor, StateMac};

/// A floor as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedFloor {
    /// Which generations there are.
    pub floor: Floor,
    /// The MAC over it.
    pub mac: StateMac,
}

/// One of the vault's own secrets, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSecret {
    /// Its name.
    pub name: String,
    /// Its UUID.
    pub uid: Uuid,
    /// Which secret of that name.
    pub version: u64,
    /// The sealed secret.
    pub record: Vec<u8>,
}

/// Generations of data keys.
#[async_trait]
pub trait GenerationStore: Send + Sync {
    /// An owner's newest data key that is not destroyed.
    async fn generation_newest(&self, owner: Owner) -> Stored<Option<Generation>>;
    /// Which generations of an owner there are; none before the first, and when it is gone.
    async fn generation_floor(&self, owner: Owner) -> Stored<Option<SignedFloor>>;
    /// Stores a data key as its owner's newest, with the floor that says so. `Changed` if it is not
    /// the one after the newest.
    async fn generation_begin(
        &self,
        key: StoredDataKey,
        floor: SignedFloor,
        now: Timestamp,
    ) -> Stored<()>;
    /// Counts a record that is about to be sealed. False, with nothing counted, if the data key has
    /// sealed `limit` already, or is not there.
    async fn generation_count_seal(&self, owner: Owner, number: u32, limit: u64) -> Stored<bool>;
    /// Owners whose newest data key was made at or before `time`, at most `limit`.
    async fn generations_aged(&self, time: Timestamp, limit: u32) -> Stored<Vec<Owner>>;
    /// Floors of owners who have more than one generation, after `after`, at most `limit`.
    async fn generations_open(&self, after: Option<Owner>, limit: u32) -> Stored<Vec<SignedFloor>>;
    /// An owner's provider keys whose records are of generations below `below`, at most `limit`.
    async fn provider_keys_sealed_below(
        &self,
        owner: Owner,
        below: u32,
        limit: u32,
    ) -> Stored<Vec<SealedKey>>;
    /// The vault's own secrets.
    async fn system_secrets(&self) -> Stored<Vec<StoredSecret>>;
    /// Gives one of the vault's own secrets another record, if its record is still `before`.
    async fn system_secret_reseal(
        &self,
        name: &str,
        before: Vec<u8>,
        record: Vec<u8>,
    ) -> Stored<()>;
    /// Raises an owner's minimum to that of `floor`, and overwrites the data keys below it.
    /// `Changed` if a record still needs one of them, or the newest is another.
    async fn generation_raise(
        &self,
        floor: SignedFloor,
        now: Timestamp,
        effects: Effects,
    ) -> Stored<()>;
    /// Lets nothing that was overwritten stay readable beside the store, as in a write-ahead log.
    /// False where somebody reads it just now: ask again.
    async fn traces_erase(&self) -> Stored<bool>;
}

/// What makes the rows of an older store tamper-evident, all at once.
#[derive(Debug, Clone)]
pub struct RowStates {
    /// The sealed key that the MACs are made with.
    pub secret: StoredSecret,
    /// The MAC of each provider key.
    pub keys: Vec<(Uuid, StateMac)>,
    /// The floor of each owner.
    pub floors: Vec<SignedFloor>,
}

/// States of rows in a store from before there were any.
#[async_trait]
pub trait RowStateStore: Send + Sync {
    /// Whether any row has a state, or any owner a floor.
    async fn row_states_exist(&self) -> Stored<bool>;
    /// All provider keys in the order of their ids, after `after`, at most `limit`.
    async fn row_states_missing(&self, after: Option<Uuid>, limit: u32) -> Stored<Vec<SealedKey>>;
    /// The newest generation of each owner who has a data key, and the oldest.
    async fn row_floors_missing(&self) -> Stored<Vec<Floor>>;
    /// Writes all of it, or nothing. `Exists` if there is such a secret already.
    async fn row_states_begin(&self, states: RowStates, effects: Effects) -> Stored<()>;
}
