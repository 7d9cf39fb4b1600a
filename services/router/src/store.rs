//! What the router keeps beside its spool: routing policies, and answers to repeatable requests. One
//! suite of tests (`suite`) states what every engine must do.

pub(crate) mod answers;
pub(crate) mod postgres;
pub(crate) mod sqlite;
#[cfg(test)]
mod suite;
pub(crate) mod tables;

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_storage::StorageError;

use crate::domain::policy::{OwnerKind, PolicyOwner};

/// What goes wrong with the store itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The engine refused.
    #[error("the store failed")]
    Storage(#[from] StorageError),
    /// A row holds what this program never writes.
    #[error("the store holds an unreadable {0}")]
    Corrupt(&'static str),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(error.into())
    }
}

/// A policy as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredPolicy {
    pub(crate) owner: PolicyOwner,
    /// The place of its last change among those of all policies, from 1.
    pub(crate) sequence: u64,
    /// Counts its own changes, from 1.
    pub(crate) revision: u64,
    /// What it says, encoded as the contract has it.
    pub(crate) document: Vec<u8>,
    pub(crate) update_time: Timestamp,
}

/// A change as its caller may ask for it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// Who asks.
    pub(crate) caller: String,
    /// The id that they gave it.
    pub(crate) request_id: String,
    /// What is asked for, encoded.
    pub(crate) request: Vec<u8>,
    /// The same call may have come since then.
    pub(crate) since: Timestamp,
}

/// A change of a policy.
#[derive(Debug, Clone)]
pub(crate) struct PolicyChange {
    pub(crate) owner: PolicyOwner,
    /// The revision that it is meant for, 0 for none; any where absent.
    pub(crate) expected: Option<u64>,
    pub(crate) document: Vec<u8>,
    pub(crate) time: Timestamp,
    /// None where the caller gave no id.
    pub(crate) call: Option<Call>,
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Changed {
    /// It is made.
    Now(StoredPolicy),
    /// It was made before, and gave this revision then.
    Before { revision: u64, time: Timestamp },
    /// Another change was asked for under the same id before.
    Mismatch,
    /// The policy is at another revision.
    Stale,
}

/// Policies.
#[async_trait]
pub(crate) trait PolicyStore: std::fmt::Debug + Send + Sync {
    /// An owner's policy.
    async fn policy(&self, owner: PolicyOwner) -> Result<Option<StoredPolicy>, StoreError>;

    /// What a call came to before, if it came.
    async fn policy_answered(&self, call: Call) -> Result<Option<Changed>, StoreError>;

    /// Makes a change, once for each call. Durable once it returns.
    async fn policy_change(&self, change: PolicyChange) -> Result<Changed, StoreError>;

    /// At most `limit` policies that were changed after that place, by the place of their last
    /// change. None that is to be seen later comes before one that is seen.
    async fn changes(&self, after: u64, limit: u32) -> Result<Vec<StoredPolicy>, StoreError>;

    /// The place of the last change of all; 0 where there was none.
    async fn last_change(&self) -> Result<u64, StoreError>;

    /// Whether others may write to it, too.
    fn is_shared(&self) -> bool;

    /// Ends what was asked for, and takes on nothing more.
    async fn close(&self);
}

fn kind(name: &str) -> Result<OwnerKind, StoreError> {
    OwnerKind::named(name).ok_or(StoreError::Corrupt("owner"))
}

fn unsigned(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| StoreError::Corrupt("number"))
}

fn signed(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::Corrupt("number"))
}

/// What a change comes to where a policy is at this revision; `None` where it must not be made.
fn next_revision(expected: Option<u64>, current: u64) -> Option<u64> {
    let is_meant = expected.is_none_or(|expected| expected == current);
    is_meant.then_some(current + 1)
}

/// What is answered to a call that came before with that request.
fn again(call: &Call, request: &[u8], (revision, millis): (u64, i64)) -> Changed {
    match call.request == request {
        true => Changed::Before {
            revision,
            time: keyward_runtime::time::from_millis(millis),
        },
        false => Changed::Mismatch,
    }
}
