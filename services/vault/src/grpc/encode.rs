//! From what use cases return to the contract's messages.

use jiff::Timestamp;
use keyward_auth::Scope;
use keyward_proto::vault::v1 as proto;
use keyward_runtime::{page, time};
use prost_types::Timestamp as ProtoTimestamp;
use uuid::Uuid;

use crate::app::audit::verify::{AuditProof, ProvenChain};
use crate::app::concerns::{Concerns, KeyConcern};
use crate::app::master_keys::{MasterKeyView, RewrapProgress};
use crate::app::watch::Notice;
use crate::domain::audit::AuditEvent;
use crate::domain::change::{Change, ChangeKind};
use crate::domain::hygiene::Hygiene;
use crate::domain::identity::{AccessKey, Account, Member, Named, Project};
use crate::domain::master_key::MasterKeyState;
use crate::domain::owner::{Owner, OwnerKind};
use crate::domain::provider_key::{Health, KeySettings, ProviderKey, Status};
use crate::store::{Custody, Page};

#[allow(clippy::unnecessary_wraps, reason = "message fields are optional")]
fn some(timestamp: Timestamp) -> Option<ProtoTimestamp> {
    Some(time::to_proto(timestamp))
}

/// A page's entries and the token of the next.
pub(super) fn paged<T, M>(
    rows: Vec<T>,
    page: Page,
    uid: impl Fn(&T) -> Uuid,
    encode: impl Fn(T) -> M,
) -> (Vec<M>, String) {
    let (rows, next) = page::cut(rows, page.size, |row| uid(row).to_string());
    (rows.into_iter().map(encode).collect(), next)
}

pub(super) fn owner_kind(kind: OwnerKind) -> proto::OwnerKind {
    match kind {
        OwnerKind::User => proto::OwnerKind::User,
        OwnerKind::Organization => proto::OwnerKind::Organization,
        OwnerKind::Project => proto::OwnerKind::Project,
        OwnerKind::System => proto::OwnerKind::System,
    }
}

pub(super) fn provider_key(key: ProviderKey, now: Timestamp) -> proto::ProviderKey {
    let status = match key.status(now) {
        Status::Untested => proto::KeyStatus::Untested,
        Status::Connected => proto::KeyStatus::Connected,
        Status::Error => proto::KeyStatus::Error,
        Status::Disabled => proto::KeyStatus::Disabled,
        Status::Expired => proto::KeyStatus::Expired,
    };
    let etag = key.etag();
    let hygiene = hygiene(Hygiene::of(&key, now));
    proto::ProviderKey {
        provider_key_id: key.id.to_string(),
        owner: Some(proto::Owner {
            kind: owner_kind(key.owner.kind).into(),
            id: key.owner_id,
        }),
        provider: key.provider,
        label: key.label,
        masked_key: key.masked,
        fingerprint: key.fingerprint.shown(),
        status: status.into(),
        status_reason: key.health_reason,
        enabled: key.enabled,
        version: key.version,
        base_url: key.base_url,
        settings: Some(settings(key.settings)),
        weight: key.weight,
        create_time: some(key.create_time),
        update_time: some(key.update_time),
        expire_time: key.expire_time.map(time::to_proto),
        last_used_time: key.last_used_time.map(time::to_proto),
        last_tested_time: key.last_tested_time.map(time::to_proto),
        etag,
        secret_time: some(key.secret_time),
        hygiene: Some(hygiene),
        allowed_models: key.filters.models,
        allowed_users: key.filters.users.into_iter().map(|user| user.id).collect(),
    }
}

fn hygiene(hygiene: Hygiene) -> proto::KeyHygiene {
    proto::KeyHygiene {
        age_days: hygiene.age_days,
        rotation_due: hygiene.rotation_due,
        rotation_due_time: some(hygiene.rotation_due_time),
        expiring: hygiene.expiring,
        unused_since_time: hygiene.unused_since.map(time::to_proto),
        failing_since_time: hygiene.failing_since.map(time::to_proto),
    }
}

fn settings(settings: KeySettings) -> proto::ProviderKeySettings {
    proto::ProviderKeySettings {
        endpoint: settings.endpoint,
        api_version: settings.api_version,
        deployments: settings.deployments.into_iter().collect(),
        skip_format_check: settings.skip_format_check,
    }
}

pub(super) fn concerns(concerns: Concerns, now: Timestamp) -> proto::ListKeyConcernsResponse {
    let concern = |KeyConcern { key, accounts }| proto::KeyConcern {
        provider_key: Some(provider_key(key, now)),
        accounts: accounts.into_iter().filter_map(account).collect(),
    };
    proto::ListKeyConcernsResponse {
        key_concerns: concerns.keys.into_iter().map(concern).collect(),
        next_page_token: page::token(&concerns.next.text()),
        caught_up: concerns.caught_up,
    }
}

/// An account by the internal id of its owner; none for what has no account of its own.
fn account(owner: Owner) -> Option<String> {
    match owner.kind {
        OwnerKind::User => Some(format!("users/{}", owner.uid)),
        OwnerKind::Organization => Some(format!("organizations/{}", owner.uid)),
        OwnerKind::Project | OwnerKind::System => None,
    }
}

pub(super) fn usable_key(key: ProviderKey, now: Timestamp) -> proto::UsableKey {
    proto::UsableKey {
        quota_exhausted: key.health == Health::QuotaExhausted,
        provider_key: Some(provider_key(key, now)),
    }
}

pub(super) fn user(account: Account) -> proto::User {
    proto::User {
        etag: account.etag(),
        user_id: account.id,
        uid: account.owner.uid.to_string(),
        tier: account.tier,
        display_name: account.display_name,
        create_time: some(account.create_time),
        update_time: some(account.update_time),
    }
}

pub(super) fn organization(account: Account) -> proto::Organization {
    proto::Organization {
        etag: account.etag(),
        organization_id: account.id,
        uid: account.owner.uid.to_string(),
        tier: account.tier,
        display_name: account.display_name,
        create_time: some(account.create_time),
        update_time: some(account.update_time),
    }
}

pub(super) fn project(project: Project) -> proto::Project {
    let etag = project.etag();
    let (organization, user) = match project.holder.kind {
        OwnerKind::Organization => (project.holder_id, String::new()),
        _ => (String::new(), project.holder_id),
    };
    proto::Project {
        project_id: project.id,
        uid: project.uid.to_string(),
        organization,
        user,
        display_name: project.display_name,
        create_time: some(project.create_time),
        update_time: some(project.update_time),
        etag,
    }
}

pub(super) fn member(member: Member) -> proto::Member {
    proto::Member {
        organization: member.organization,
        user: member.user,
        role: member.role.to_proto().into(),
        create_time: some(member.create_time),
    }
}

pub(super) fn access_key(key: AccessKey) -> proto::AccessKey {
    let id = |named: Option<Named>| named.map(|named| named.id).unwrap_or_default();
    proto::AccessKey {
        access_key_id: key.id,
        user: id(key.user),
        organization: id(key.organization),
        project: id(key.project),
        label: key.label,
        scopes: key
            .scopes
            .iter()
            .map(Scope::to_proto)
            .map(Into::into)
            .collect(),
        expire_time: key.expire_time.map(time::to_proto),
        allowed_models: key.allowed_models,
        limits: Some(proto::AccessKeyLimits {
            requests_per_minute: key.limits.requests_per_minute,
            tokens_per_minute: key.limits.tokens_per_minute,
            concurrency: key.limits.concurrency,
        }),
        cache: key.cache,
        masked_key: key.masked,
        create_time: some(key.create_time),
        revoke_time: key.revoke_time.map(time::to_proto),
    }
}

pub(super) fn audit_event(event: AuditEvent) -> proto::AuditEvent {
    proto::AuditEvent {
        audit_event_id: event.id.to_string(),
        event_time: some(event.time),
        action: event.action,
        outcome: event.outcome,
        reason: event.reason,
        peer: event.actor.peer,
        access_key_id: event.actor.access_key_id,
        user: event.actor.user,
        organization: event.actor.organization,
        resource_id: event.resource_id,
        resource_version: event.resource_version,
        inference_id: event.inference_id,
        lease_id: event.lease_id,
        trace_id: event.actor.trace_id,
        purpose: event.purpose,
        record_sha256: event.record_sha256,
    }
}

pub(super) fn audit_proof(proof: AuditProof) -> proto::VerifyAuditLogResponse {
    let chain = |chain: ProvenChain| proto::AuditChain {
        instance: chain.instance,
        event_count: chain.head.sequence,
        head_hash: chain.head.hash.to_string(),
    };
    proto::VerifyAuditLogResponse {
        proven: proof.is_proven(),
        chains: proof.chains.into_iter().map(chain).collect(),
        unlinked_events: proof.unlinked,
        faults: proof.faults.iter().map(ToString::to_string).collect(),
    }
}

pub(super) fn notice(notice: Notice) -> proto::WatchChangesResponse {
    proto::WatchChangesResponse {
        sequence: notice.sequence,
        change: notice.change.map(change),
        send_time: some(notice.time),
    }
}

fn change(change: Change) -> proto::Change {
    let kind = match change.kind {
        ChangeKind::ProviderKey => proto::ChangeKind::ProviderKey,
        ChangeKind::AccessKey => proto::ChangeKind::AccessKey,
        ChangeKind::User => proto::ChangeKind::User,
        ChangeKind::Organization => proto::ChangeKind::Organization,
        ChangeKind::Project => proto::ChangeKind::Project,
        ChangeKind::Seal => proto::ChangeKind::Seal,
        ChangeKind::MasterKey => proto::ChangeKind::MasterKey,
    };
    let uid = |owner: Owner| match owner.kind {
        OwnerKind::System => String::new(),
        _ => owner.uid.to_string(),
    };
    let kind_of_owner = change
        .owner
        .map(|owner| owner_kind(owner.kind))
        .unwrap_or_default();
    proto::Change {
        kind: kind.into(),
        resource_id: change.resource_id,
        owner_uid: change.owner.map(uid).unwrap_or_default(),
        owner_kind: kind_of_owner.into(),
    }
}

pub(super) fn master_key(view: MasterKeyView) -> proto::MasterKey {
    let state = match view.key.state {
        MasterKeyState::Opens => proto::MasterKeyState::Opens,
        MasterKeyState::Active => proto::MasterKeyState::Active,
        MasterKeyState::Retired => proto::MasterKeyState::Retired,
        MasterKeyState::Destroyed => proto::MasterKeyState::Destroyed,
    };
    proto::MasterKey {
        master_key_id: view.key.id,
        provider: view.provider.to_owned(),
        state: state.into(),
        data_keys: view.data_keys,
        replicas: view.replicas,
        create_time: some(view.key.create_time),
        activate_time: view.key.activate_time.and_then(some),
        retire_time: view.key.retire_time.and_then(some),
        destroy_time: view.key.destroy_time.and_then(some),
    }
}

pub(super) fn vault_state(custody: Custody) -> proto::VaultState {
    proto::VaultState {
        sealed: custody.sealed,
        change_time: custody.sealed_changed.and_then(some),
        active_master_key_id: custody.active.unwrap_or_default(),
    }
}

pub(super) fn rewrap_progress(progress: RewrapProgress) -> proto::RewrapKeysResponse {
    proto::RewrapKeysResponse {
        rewrapped: progress.rewrapped,
        remaining: progress.remaining,
        failed: progress.failed,
    }
}
