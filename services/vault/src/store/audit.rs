//! The audit log as a store keeps it: events, each at its place in the chain of an instance. Only the
//! one writer of an instance gives out places.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use parking_lot::Mutex;
use uuid::Uuid;

use super::{Lease, Page, Stored};
use crate::domain::audit::chain::{Head, LinkedEvent};
use crate::domain::audit::{Action, AuditEvent};

/// Whose audit events are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AuditScope {
    /// Everybody's.
    #[default]
    All,
    /// Those in the name of this user.
    User(Uuid),
    /// Those in the name of this organisation.
    Organization(Uuid),
}

/// Which audit events are wanted: those to which all that is given applies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Whose the reader may see.
    pub scope: AuditScope,
    /// In the name of the user with this id.
    pub user: Option<String>,
    /// In the name of the organisation with this id.
    pub organization: Option<String>,
    /// In the name of this access key.
    pub access_key_id: Option<String>,
    /// An action's name.
    pub action: Option<String>,
    /// An outcome's name.
    pub outcome: Option<String>,
    /// About this.
    pub resource_id: Option<String>,
    /// In this trace.
    pub trace_id: Option<String>,
    /// For this inference.
    pub inference_id: Option<String>,
    /// At this time or later.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
}

/// The chain of an instance, by the store's own account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Whose.
    pub instance: String,
    /// Its end.
    pub head: Head,
    /// The key by which its checkpoints are signed.
    pub public_key: [u8; 32],
}

/// An event that is to be given a place.
#[derive(Debug, Clone)]
pub struct Append {
    /// The event; it may be stored already, without a place.
    pub event: AuditEvent,
    /// What must hold for it: the key's time of use is written with it.
    pub lease: Option<Lease>,
}

/// What became of a batch.
#[derive(Debug)]
pub struct Linked {
    /// The chain's new end.
    pub head: Head,
    /// The events that got a place, in order.
    pub events: Vec<LinkedEvent>,
    /// For each that was asked for, whether it got one: a lease that does not hold gets none, nor an
    /// event that has one already.
    pub granted: Vec<bool>,
}

/// Events that are linked in one transaction. Its result is agreed on before the transaction
/// commits, so that whoever stops waiting knows which places it gives out, or that it gives out none.
#[derive(Debug)]
pub struct Batch {
    /// Whose chain.
    pub instance: String,
    /// Its end before.
    pub head: Head,
    /// Events with a place that the store may lack; those it has stay as they are.
    pub backlog: Vec<LinkedEvent>,
    /// What is to be linked, in this order.
    pub wanted: Vec<Append>,
    stage: Mutex<Stage>,
}

#[derive(Debug)]
enum Stage {
    Open,
    GivenUp,
    Linked(Linked),
}

impl Batch {
    /// A batch that nobody has worked on.
    pub fn new(instance: &str, head: Head, backlog: Vec<LinkedEvent>, wanted: Vec<Append>) -> Self {
        Self {
            instance: instance.to_owned(),
            head,
            backlog,
            wanted,
            stage: Mutex::new(Stage::Open),
        }
    }

    /// For the store, in its transaction: says what it is about to commit. False if nobody waits for
    /// it any more; then nothing may be committed.
    pub fn publish(&self, linked: Linked) -> bool {
        let mut stage = self.stage.lock();
        match *stage {
            Stage::Open => {
                *stage = Stage::Linked(linked);
                true
            }
            Stage::GivenUp | Stage::Linked(_) => false,
        }
    }

    /// Where the chain ends by what was said, if anything was.
    pub fn published(&self) -> Option<Head> {
        match &*self.stage.lock() {
            Stage::Linked(linked) => Some(linked.head),
            Stage::Open | Stage::GivenUp => None,
        }
    }

    /// For the writer: what was, or is about to be committed. Where there is nothing yet, nothing
    /// ever will be.
    pub fn settle(&self) -> Option<Linked> {
        match std::mem::replace(&mut *self.stage.lock(), Stage::GivenUp) {
            Stage::Linked(linked) => Some(linked),
            Stage::Open | Stage::GivenUp => None,
        }
    }
}

/// The audit log.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// Writes an event of its own, such as a refusal, without a place.
    async fn audit_insert(&self, event: AuditEvent) -> Stored<()>;
    /// Events, newest first.
    async fn audit_list(&self, filter: AuditFilter, page: Page) -> Stored<Vec<AuditEvent>>;
    /// Whether the key was opened to serve the caller with this access key, or anybody, since
    /// `since`.
    async fn audit_served_since(
        &self,
        key: Uuid,
        access_key_id: Option<&str>,
        since: Timestamp,
    ) -> Stored<bool>;
    /// Events without a place, in the order in which they were committed, at most `limit`.
    async fn audit_unlinked(&self, limit: u32) -> Stored<Vec<AuditEvent>>;
    /// How many events have no place, of those before `before`.
    async fn audit_unlinked_count(&self, before: Timestamp) -> Stored<u64>;
    /// Begins a chain, unless there is one of that instance.
    async fn audit_chain_begin(&self, chain: Chain) -> Stored<()>;
    /// All chains, in the order of their instances.
    async fn audit_chains(&self) -> Stored<Vec<Chain>>;
    /// A chain's events after `sequence`, in order, at most `limit`.
    async fn audit_chain(
        &self,
        instance: &str,
        sequence: u64,
        limit: u32,
    ) -> Stored<Vec<LinkedEvent>>;
    /// Events with a place that say this of something, each with the instance in whose chain it is;
    /// newest first, at most `limit`.
    async fn audit_linked_about(
        &self,
        action: Action,
        resource_id: &str,
        limit: u32,
    ) -> Stored<Vec<(String, LinkedEvent)>>;
    /// Links a batch in one transaction: the backlog first, then what is wanted, each lease checked
    /// and written with its event. An error means that nothing of it was or will be committed.
    async fn audit_link(&self, batch: Arc<Batch>) -> Stored<()>;
}
