//! What the vault keeps, by topic. Every engine implements these traits, and one suite holds them to
//! the same behaviour. Mutations take their audit events and changes along, so that all is written
//! in one transaction or nothing is.

mod audit;
mod columns;
mod generations;
pub mod postgres;
pub mod sqlite;
#[cfg(test)]
mod suite;
pub mod tables;

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use crate::domain::audit::AuditEvent;
use crate::domain::change::{Change, NumberedChange};
use crate::domain::hygiene::{Bounds, Census};
use crate::domain::identity::{AccessKey, Account, Member, Project};
use crate::domain::key_tests::DueTests;
use crate::domain::master_key::{KnownMasterKey, MasterKeyState};
use crate::domain::owner::{Owner, OwnerKind};
use crate::domain::provider_key::ProviderKey;
use crate::domain::replay::{Replay, ReplayId};
use crate::domain::row_state::StateMac;

pub use generations::{GenerationStore, RowStateStore, RowStates, SignedFloor, StoredSecret};

pub use audit::{Append, AuditFilter, AuditScope, AuditStore, Batch, Chain, Linked};

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Something with that id, hash or fingerprint is there already.
    #[error("it exists already")]
    Exists,
    /// It has changed since it was read, or is gone.
    #[error("it has changed meanwhile")]
    Changed,
    /// What it belongs to is gone.
    #[error("what it belongs to does not exist")]
    OwnerGone,
    /// The master key that wrapped it was retired meanwhile.
    #[error("the master key was retired a moment ago")]
    MasterKeyRetired,
    /// The call that it belongs to has been answered already.
    #[error("the same request was answered already")]
    Answered,
    /// A text that the engine does not take: one with a NUL character.
    #[error("a text has a character that is not stored")]
    Text,
    /// A row does not hold what it should.
    #[error("a stored value is malformed: {0}")]
    Malformed(&'static str),
    /// The audit event could not be written, so nothing was.
    #[error("the audit event could not be written")]
    Unaudited(#[source] Box<StoreError>),
    /// The store itself failed.
    #[error("the store failed")]
    Fault(#[from] keyward_storage::StorageError),
}

/// What every store method returns.
pub type Stored<T> = Result<T, StoreError>;

/// What is written together with a mutation.
#[derive(Debug, Clone, Default)]
pub struct Effects {
    /// Who did it.
    pub audit: Vec<AuditEvent>,
    /// Who must learn of it.
    pub changes: Vec<Change>,
    /// What is remembered of it, for a caller who might ask again.
    pub replay: Option<Replay>,
}

impl Effects {
    /// One event and one change.
    pub fn new(audit: AuditEvent, change: Change) -> Self {
        Self {
            audit: vec![audit],
            changes: vec![change],
            replay: None,
        }
    }

    /// One event that nobody need learn of.
    pub fn audit(event: AuditEvent) -> Self {
        Self {
            audit: vec![event],
            changes: Vec::new(),
            replay: None,
        }
    }
}

/// Which page of a list is wanted; lists are newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// At most this many rows; one more is returned where there is one.
    pub size: u32,
    /// Only rows older than this one.
    pub before: Option<Uuid>,
}

/// Users and organisations.
#[async_trait]
pub trait AccountStore: Send + Sync {
    /// Stores a new one; its id must be free.
    async fn account_insert(&self, account: Account, effects: Effects) -> Stored<u64>;
    /// The one with this id.
    async fn account_find(&self, kind: OwnerKind, id: &str) -> Stored<Option<Account>>;
    /// The one with this UUID.
    async fn account_get(&self, owner: Owner) -> Stored<Option<Account>>;
    /// All of a kind.
    async fn account_list(&self, kind: OwnerKind, page: Page) -> Stored<Vec<Account>>;
    /// The organisations that a user is a member of.
    async fn organizations_of(&self, user: Uuid, page: Page) -> Stored<Vec<Account>>;
    /// Replaces it if its stored revision is still `revision`.
    async fn account_update(
        &self,
        account: Account,
        revision: u64,
        effects: Effects,
    ) -> Stored<u64>;
    /// Deletes it with its projects, members, access keys and provider keys, and destroys their
    /// data keys.
    async fn account_delete(&self, owner: Owner, now: Timestamp, effects: Effects) -> Stored<u64>;
}

/// Projects.
#[async_trait]
pub trait ProjectStore: Send + Sync {
    /// Stores a new one; its id must be free within its holder.
    async fn project_insert(&self, project: Project, effects: Effects) -> Stored<u64>;
    /// The one with this id of this holder.
    async fn project_find(&self, holder: Owner, id: &str) -> Stored<Option<Project>>;
    /// The one with this UUID.
    async fn project_get(&self, uid: Uuid) -> Stored<Option<Project>>;
    /// Those of a holder.
    async fn project_list(&self, holder: Owner, page: Page) -> Stored<Vec<Project>>;
    /// Replaces it if its stored revision is still `revision`.
    async fn project_update(
        &self,
        project: Project,
        revision: u64,
        effects: Effects,
    ) -> Stored<u64>;
    /// Deletes it with its access keys and provider keys, and destroys its data key.
    async fn project_delete(&self, uid: Uuid, now: Timestamp, effects: Effects) -> Stored<u64>;
}

/// Memberships.
#[async_trait]
pub trait MemberStore: Send + Sync {
    /// Adds a member, or changes its role; with `create_only` it must not be one yet.
    async fn member_set(&self, member: Member, create_only: bool, effects: Effects) -> Stored<u64>;
    /// A user's membership in an organisation.
    async fn member_get(&self, organization: Uuid, user: Uuid) -> Stored<Option<Member>>;
    /// The members of an organisation.
    async fn member_list(&self, organization: Uuid, page: Page) -> Stored<Vec<Member>>;
    /// A user's memberships, at most `limit`.
    async fn memberships_of(&self, user: Uuid, limit: u32) -> Stored<Vec<Member>>;
    /// Takes a member out.
    async fn member_remove(&self, organization: Uuid, user: Uuid, effects: Effects) -> Stored<u64>;
}

/// Access keys.
#[async_trait]
pub trait AccessKeyStore: Send + Sync {
    /// Stores a new one under the SHA-256 of its secret.
    async fn access_key_insert(
        &self,
        key: AccessKey,
        hash: [u8; 32],
        effects: Effects,
    ) -> Stored<u64>;
    /// The one of that secret, whether it works or not.
    async fn access_key_by_hash(&self, hash: [u8; 32]) -> Stored<Option<AccessKey>>;
    /// The one with this id.
    async fn access_key_get(&self, id: &str) -> Stored<Option<AccessKey>>;
    /// Those of a user, or those of an organisation.
    async fn access_key_list(&self, owner: Owner, page: Page) -> Stored<Vec<AccessKey>>;
    /// The users with one that works and lets them administrate the platform, at most `limit`.
    async fn administrators(&self, now: Timestamp, limit: u32) -> Stored<Vec<Uuid>>;
    /// Revokes one of this owner; it must not be revoked yet.
    async fn access_key_revoke(&self, id: &str, now: Timestamp, effects: Effects) -> Stored<u64>;
}

/// A provider key with its sealed secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedKey {
    /// What is known of it.
    pub key: ProviderKey,
    /// The sealed secret.
    pub record: Vec<u8>,
    /// The MAC over both; none in a row from before there were any.
    pub state: Option<StateMac>,
}

/// Provider keys.
#[async_trait]
pub trait ProviderKeyStore: Send + Sync {
    /// Whose key this is: all that may be asked without naming the owner.
    async fn provider_key_owner(&self, id: Uuid) -> Stored<Option<Owner>>;
    /// Stores a new one; its fingerprint must be free for its owner and provider, and the data key
    /// that sealed it must still open.
    async fn provider_key_insert(&self, sealed: SealedKey, effects: Effects) -> Stored<u64>;
    /// One of this owner.
    async fn provider_key_get(&self, owner: Owner, id: Uuid) -> Stored<Option<SealedKey>>;
    /// The one of this owner and provider with that fingerprint.
    async fn provider_key_by_fingerprint(
        &self,
        owner: Owner,
        provider: &str,
        fingerprint: [u8; 16],
    ) -> Stored<Option<Uuid>>;
    /// Those of an owner.
    async fn provider_key_list(&self, owner: Owner, page: Page) -> Stored<Vec<ProviderKey>>;
    /// Those of several owners, at most `limit` of each.
    async fn provider_keys_usable(&self, owners: &[Owner], limit: u32) -> Stored<Vec<ProviderKey>>;
    /// Those after that id, in the order of their ids and at most `limit`, which somebody should look
    /// at by these bounds, whosever they are.
    async fn provider_keys_of_concern(
        &self,
        bounds: Bounds,
        after: Uuid,
        limit: u32,
    ) -> Stored<Vec<ProviderKey>>;
    /// How many there are of each kind, of all owners. One pass over all of them.
    async fn provider_key_census(&self, bounds: Bounds) -> Stored<Census>;
    /// Those that are due for a test and no router has, at most `limit`, those first that were not
    /// tested for longest; from then on one has them. Of all owners: it tells only their ids.
    async fn provider_keys_claim_tests(&self, due: DueTests, limit: u32) -> Stored<Vec<Uuid>>;
    /// Whether a router has this one for a test.
    async fn provider_key_is_claimed(&self, id: Uuid, now: Timestamp) -> Stored<bool>;
    /// Replaces it if its stored revision is still `revision` and the data key that sealed the
    /// record must still open; another record overwrites the old one.
    async fn provider_key_update(
        &self,
        sealed: SealedKey,
        revision: u64,
        effects: Effects,
    ) -> Stored<u64>;
    /// Overwrites and deletes it if its stored revision is still `revision`.
    async fn provider_key_delete(
        &self,
        owner: Owner,
        id: Uuid,
        revision: u64,
        effects: Effects,
    ) -> Stored<u64>;
    /// Those leases whose key is still at that version, enabled and not expired. Of the keys it says
    /// nothing else, whosever they are.
    async fn leases_holding(
        &self,
        leases: Vec<HeldLease>,
        now: Timestamp,
    ) -> Stored<Vec<HeldLease>>;
    /// What is stored of keys after that one, in the order of their ids, at most `limit`; for proofs.
    async fn provider_key_records(&self, after: Uuid, limit: u32) -> Stored<Vec<StoredRecord>>;
}

/// A lease that a router holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldLease {
    /// Of which key.
    pub key: Uuid,
    /// Which version was opened.
    pub version: u64,
    /// Its name.
    pub id: String,
}

/// A key that is about to be given out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Whose key.
    pub owner: Owner,
    /// Which.
    pub id: Uuid,
    /// Which version was opened.
    pub version: u64,
    /// When.
    pub now: Timestamp,
    /// Whether it is for a test.
    pub is_test: bool,
}

impl From<&Lease> for HeldLease {
    fn from(lease: &Lease) -> Self {
        Self {
            key: lease.id,
            version: lease.version,
            id: String::new(),
        }
    }
}

/// What proofs need to know of a stored key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// Which key.
    pub id: Uuid,
    /// Its version.
    pub version: u64,
    /// SHA-256 in hexadecimal of its sealed secret.
    pub record_sha256: String,
}

/// A wrapped data key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDataKey {
    /// Whose.
    pub owner: Owner,
    /// Which of the owner's.
    pub generation: u32,
    /// Which master key wraps it.
    pub master_key_id: String,
    /// The wrapped key.
    pub wrapped: Vec<u8>,
}

/// Data keys and the vault's own secrets.
#[async_trait]
pub trait SealStore: Send + Sync {
    /// Stores an owner's data key unless there is one of that generation; returns the one that is
    /// stored.
    async fn data_key_put(&self, key: StoredDataKey, now: Timestamp) -> Stored<StoredDataKey>;
    /// An owner's data key of a generation, or its newest; none if destroyed.
    async fn data_key_get(
        &self,
        owner: Owner,
        generation: Option<u32>,
    ) -> Stored<Option<StoredDataKey>>;
    /// One of the vault's own secrets: its UUID, version and record.
    async fn system_secret_get(&self, name: &str) -> Stored<Option<(Uuid, u64, Vec<u8>)>>;
    /// Stores one unless there is one of that name.
    async fn system_secret_put(&self, name: &str, uid: Uuid, record: Vec<u8>) -> Stored<()>;
}

/// How far data keys were rewrapped: behind this one.
pub type DataKeyName = (Owner, u32);

/// A data key that is to be wrapped otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrapping {
    /// As it is stored now; nothing is written where it is not any more.
    pub before: StoredDataKey,
    /// The id of the master key that wraps it then.
    pub master_key_id: String,
    /// What it is wrapped to then.
    pub wrapped: Vec<u8>,
}

/// What the replicas of a vault agree on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Custody {
    /// Whether it is sealed.
    pub sealed: bool,
    /// Since when.
    pub sealed_changed: Option<Timestamp>,
    /// The master key that wraps new data keys; none before the first start is over.
    pub active: Option<String>,
}

/// A process of the vault, and the master keys that it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replica {
    /// Its name.
    pub name: String,
    /// The ids of its master keys.
    pub master_keys: Vec<String>,
    /// When it was last heard of.
    pub seen: Timestamp,
}

/// Master keys by their ids, and the seal of the vault. The keys themselves are never here.
#[async_trait]
pub trait CustodyStore: Send + Sync {
    /// Whether it is sealed, and which master key is active.
    async fn custody(&self) -> Stored<Custody>;
    /// Seals or unseals.
    async fn custody_seal(&self, sealed: bool, now: Timestamp, effects: Effects) -> Stored<u64>;
    /// All master keys ever known, the latest first, with how many data keys each wraps.
    async fn master_keys_list(&self) -> Stored<Vec<(KnownMasterKey, u64)>>;
    /// Stores a new one; its id must never have been used.
    async fn master_key_insert(&self, key: KnownMasterKey, effects: Effects) -> Stored<u64>;
    /// Replaces one if it still stands at `before`. One that becomes active takes the place of the
    /// one that is; one that wraps data keys is not retired.
    async fn master_key_update(
        &self,
        key: KnownMasterKey,
        before: MasterKeyState,
        effects: Effects,
    ) -> Stored<u64>;
    /// Data keys that another master key than `master_key_id` wraps, in a fixed order, at most
    /// `limit`, behind `after`.
    async fn data_keys_not_under(
        &self,
        master_key_id: &str,
        after: Option<DataKeyName>,
        limit: u32,
    ) -> Stored<Vec<StoredDataKey>>;
    /// Replaces what data keys are wrapped to, each only if it is as it was read; returns how many
    /// were. Nothing else of them changes. Refused for a master key that was retired.
    async fn data_keys_rewrap(&self, rewrappings: Vec<Rewrapping>, effects: Effects)
    -> Stored<u64>;
    /// Notes that a replica lives, and forgets those not heard of since `forget_before`.
    async fn replica_seen(&self, replica: Replica, forget_before: Timestamp) -> Stored<()>;
    /// Forgets a replica that ends.
    async fn replica_forget(&self, name: &str) -> Stored<()>;
    /// The replicas heard of.
    async fn replicas(&self) -> Stored<Vec<Replica>>;
}

/// Changes, for those who hold copies.
#[async_trait]
pub trait ChangeStore: Send + Sync {
    /// The number of the last change; 0 before the first.
    async fn change_head(&self) -> Stored<u64>;
    /// Changes after `sequence`, in order, at most `limit`.
    async fn changes_after(&self, sequence: u64, limit: u32) -> Stored<Vec<NumberedChange>>;
    /// Forgets changes older than `before`, except the last.
    async fn changes_prune(&self, before: Timestamp) -> Stored<()>;
}

/// How far the watchers of each vault are that shares this store, for the others to count.
#[async_trait]
pub trait WatcherStore: Send + Sync {
    /// Whether other vaults may use this store too.
    fn is_shared(&self) -> bool;
    /// States up to which change each watcher of this vault has confirmed, in place of what it stated
    /// before.
    async fn watchers_put(&self, vault: Uuid, confirmed: Vec<u64>) -> Stored<()>;
    /// How many watchers of other vaults have not confirmed `sequence`. A vault that has stated nothing
    /// for `age` counts no more.
    async fn watchers_behind(&self, vault: Uuid, sequence: u64, age: Duration) -> Stored<u32>;
}

/// Answers that are remembered, written with what they answer; see [`Effects`].
#[async_trait]
pub trait ReplayStore: Send + Sync {
    /// What was answered to that call since `since`.
    async fn replay_get(&self, id: ReplayId, since: Timestamp) -> Stored<Option<Replay>>;
    /// Remembers the answer to a call that changed nothing.
    async fn replay_put(&self, replay: Replay) -> Stored<()>;
    /// Forgets those older than `before`.
    async fn replays_prune(&self, before: Timestamp) -> Stored<()>;
}

/// The end of it.
#[async_trait]
pub trait CloseStore: Send + Sync {
    /// Ends what was asked for, and takes on nothing more.
    async fn close(&self);
}

/// All of it.
pub trait Store:
    AccountStore
    + ProjectStore
    + MemberStore
    + AccessKeyStore
    + ProviderKeyStore
    + SealStore
    + CustodyStore
    + GenerationStore
    + RowStateStore
    + ChangeStore
    + WatcherStore
    + AuditStore
    + ReplayStore
    + CloseStore
{
}

impl<T> Store for T where
    T: AccountStore
        + ProjectStore
        + MemberStore
        + AccessKeyStore
        + ProviderKeyStore
        + SealStore
        + CustodyStore
        + GenerationStore
        + RowStateStore
        + ChangeStore
        + WatcherStore
        + AuditStore
        + ReplayStore
        + CloseStore
{
}
