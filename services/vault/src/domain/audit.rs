//! Audit events: who touched what, when, with what outcome. They never hold a secret: what callers
//! and providers wrote is cut, and redacted before it gets here. [`body`] is what of an event is hashed, [`chain`] links events,
//! [`checkpoint`] vouches for a chain outside the store, [`proof`] checks all of it.

pub mod body;
pub mod chain;
pub mod checkpoint;
pub mod proof;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use uuid::Uuid;

use super::name::one_line;

/// How much is kept of the name of what an event is about.
const RESOURCE_CHARS_MAX: usize = 256;
/// How much is kept of the name of an inference.
pub const INFERENCE_ID_CHARS_MAX: usize = 64;

/// What was done. The names are what people search for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A provider key was stored.
    ProviderKeyCreate,
    /// Taken over from a token of other software.
    ProviderKeyImport,
    /// Label, weight, expiry.
    ProviderKeyUpdate,
    /// Switched on.
    ProviderKeyEnable,
    /// Switched off.
    ProviderKeyDisable,
    /// Sent somewhere else, with its secret entered again.
    ProviderKeyRetarget,
    /// Given a new secret.
    ProviderKeyRotate,
    /// Its secret sealed anew, under its owner's newest data key.
    ProviderKeyReseal,
    /// Destroyed.
    ProviderKeyDelete,
    /// Opened.
    ProviderKeyUnseal,
    /// Its status changed by what a provider answered.
    ProviderKeyReport,
    /// An owner's older data keys were destroyed: nothing needs them any more.
    DataKeyDestroy,
    /// The rows of a store from before there were any got their states.
    RowStatesBegin,
    /// Issued.
    AccessKeyCreate,
    /// Revoked.
    AccessKeyRevoke,
    /// Made.
    UserCreate,
    /// Changed.
    UserUpdate,
    /// Deleted, with its data key.
    UserDelete,
    /// Made.
    OrganizationCreate,
    /// Changed.
    OrganizationUpdate,
    /// Deleted, with its data key.
    OrganizationDelete,
    /// Made.
    ProjectCreate,
    /// Changed.
    ProjectUpdate,
    /// Deleted, with its data key.
    ProjectDelete,
    /// Added, or given another role.
    MemberSet,
    /// Taken out.
    MemberRemove,
    /// Changed, at the router.
    RoutingPolicyUpdate,
    /// Made known to the store.
    MasterKeyAdd,
    /// Made the one that wraps.
    MasterKeyActivate,
    /// Made to wrap what another one wrapped.
    MasterKeyRewrap,
    /// Found to wrap nothing, and put away.
    MasterKeyRetire,
    /// Erased.
    MasterKeyDestroy,
    /// No key is opened any more.
    VaultSeal,
    /// Keys are opened again.
    VaultUnseal,
    /// A role, or somebody else with a certificate of ours, called what it may not.
    PeerRefused,
    /// Events from before there was a chain were linked.
    AuditAdopt,
    /// A store older than its checkpoints was accepted; a chain ends, and this one goes on.
    AuditAcceptOlderStore,
}

impl Action {
    /// Its name in the audit log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProviderKeyCreate => "provider_key.create",
            Self::ProviderKeyImport => "provider_key.import",
            Self::ProviderKeyUpdate => "provider_key.update",
            Self::ProviderKeyEnable => "provider_key.enable",
            Self::ProviderKeyDisable => "provider_key.disable",
            Self::ProviderKeyRetarget => "provider_key.retarget",
            Self::ProviderKeyRotate => "provider_key.rotate",
            Self::ProviderKeyReseal => "provider_key.reseal",
            Self::ProviderKeyDelete => "provider_key.delete",
            Self::ProviderKeyUnseal => "provider_key.unseal",
            Self::ProviderKeyReport => "provider_key.report",
            Self::DataKeyDestroy => "data_key.destroy",
            Self::RowStatesBegin => "row_states.begin",
            Self::AccessKeyCreate => "access_key.create",
            Self::AccessKeyRevoke => "access_key.revoke",
            Self::UserCreate => "user.create",
            Self::UserUpdate => "user.update",
            Self::UserDelete => "user.delete",
            Self::OrganizationCreate => "organization.create",
            Self::OrganizationUpdate => "organization.update",
            Self::OrganizationDelete => "organization.delete",
            Self::ProjectCreate => "project.create",
            Self::ProjectUpdate => "project.update",
            Self::ProjectDelete => "project.delete",
            Self::MemberSet => "member.set",
            Self::MemberRemove => "member.remove",
            Self::RoutingPolicyUpdate => "routing_policy.update",
            Self::MasterKeyAdd => "master_key.add",
            Self::MasterKeyActivate => "master_key.activate",
            Self::MasterKeyRewrap => "master_key.rewrap",
            Self::MasterKeyRetire => "master_key.retire",
            Self::MasterKeyDestroy => "master_key.destroy",
            Self::VaultSeal => "vault.seal",
            Self::VaultUnseal => "vault.unseal",
            Self::PeerRefused => "peer.refuse",
            Self::AuditAdopt => "audit.adopt",
            Self::AuditAcceptOlderStore => "audit.accept_older_store",
        }
    }
}

/// Whether it was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was.
    Ok,
    /// It was not allowed.
    Refused,
    /// It was allowed, and did not work.
    Failed,
    /// It was allowed, and what is stored is not what the vault wrote.
    IntegrityFailure,
}

impl Outcome {
    /// Its name in the audit log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::IntegrityFailure => "integrity_failure",
        }
    }
}

/// In whose name something is done, and through whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Actor {
    /// The role that called: `edge`, `router`, `metering`, `caller`; `vault` for the vault itself.
    pub peer: String,
    /// The access key; empty for the platform itself.
    pub access_key_id: String,
    /// The user's id; empty for none.
    pub user: String,
    /// The user's internal UUID.
    pub user_uid: Option<Uuid>,
    /// The organisation's id; empty for none.
    pub organization: String,
    /// The organisation's internal UUID.
    pub organization_uid: Option<Uuid>,
    /// W3C trace id; empty for none.
    pub trace_id: String,
}

/// One audit event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEvent {
    /// Its id, a UUIDv7.
    pub id: Uuid,
    /// When it happened.
    pub time: Timestamp,
    /// What was done: an [`Action`]'s name.
    pub action: String,
    /// An [`Outcome`]'s name.
    pub outcome: String,
    /// Why it was refused or failed; of a routing policy which members were changed; empty otherwise.
    pub reason: String,
    /// In whose name.
    pub actor: Actor,
    /// What it was about.
    pub resource_id: String,
    /// Its version, where it has one.
    pub resource_version: u64,
    /// SHA-256 in hexadecimal of the sealed secret that was stored or opened; empty for none.
    pub record_sha256: String,
    /// What a key was opened for: `serve`, `refresh`, `test`; empty otherwise.
    pub purpose: String,
    /// The inference it belongs to; empty for none.
    pub inference_id: String,
    /// The lease that was given; empty for none.
    pub lease_id: String,
}

impl AuditEvent {
    /// An event about something that was done.
    pub fn new(id: Uuid, time: Timestamp, actor: &Actor, action: Action, resource: &str) -> Self {
        Self {
            id,
            time,
            action: action.name().to_owned(),
            outcome: Outcome::Ok.name().to_owned(),
            reason: String::new(),
            actor: actor.clone(),
            // Of something that was not found, it is what the caller wrote.
            resource_id: one_line(resource, RESOURCE_CHARS_MAX),
            resource_version: 0,
            record_sha256: String::new(),
            purpose: String::new(),
            inference_id: String::new(),
            lease_id: String::new(),
        }
    }

    /// The same, about a version.
    #[must_use]
    pub fn version(mut self, version: u64) -> Self {
        self.resource_version = version;
        self
    }

    /// The same, about a sealed secret.
    #[must_use]
    pub fn record(mut self, record: &[u8]) -> Self {
        self.record_sha256 = record_digest(record);
        self
    }

    /// The same, but it was not done.
    #[must_use]
    pub fn not_done(mut self, outcome: Outcome, reason: impl Into<String>) -> Self {
        outcome.name().clone_into(&mut self.outcome);
        self.reason = reason.into();
        self
    }

    /// The same, for the platform's eyes only: whoever tried keeps its name in it and does not find
    /// it in its own log.
    #[must_use]
    pub fn unlisted(mut self) -> Self {
        self.actor.user_uid = None;
        self.actor.organization_uid = None;
        self
    }
}

/// What an event says of a sealed secret: its SHA-256 in hexadecimal.
pub fn record_digest(record: &[u8]) -> String {
    hex::encode(ring::digest::digest(&ring::digest::SHA256, record))
}
