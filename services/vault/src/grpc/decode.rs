//! From the contract's messages to what use cases take.

use jiff::{SignedDuration, Timestamp};
use keyward_auth::{AccessKeyLimits, OrganizationRole, Scope, Scopes};
use keyward_proto::vault::v1 as proto;
use keyward_runtime::{page, time};
use keyward_secret::Secret;
use prost_types::{FieldMask, Timestamp as ProtoTimestamp};
use uuid::Uuid;

use crate::app::access_keys::NewAccessKey;
use crate::app::accounts::AccountPatch;
use crate::app::concerns::Place;
use crate::app::policy_changes::PolicyChange;
use crate::app::provider_keys::{Import, KeyPatch, NewKey};
use crate::app::{KeyOutcome, OutcomeReport, OwnerRef, UnsealPurpose, UnsealWish};
use crate::domain::fernet::Decoding;
use crate::domain::owner::{Owner, OwnerKind};
use crate::domain::provider_key::KeySettings;
use crate::error::{Result, VaultError};
use crate::store::{AuditFilter, AuditScope, HeldLease, Page};

pub(super) fn page(size: u32, token: &str) -> Result<Page> {
    let invalid = || VaultError::invalid("page_token", page::InvalidPageToken);
    let key = page::key(token).map_err(|_| invalid())?;
    let before: Option<Uuid> = match key {
        Some(key) => Some(key.parse().map_err(|_| invalid())?),
        None => None,
    };
    Ok(Page {
        size: page::size(size),
        before,
    })
}

/// Where somebody who asks for concerns has come to, and how much they take.
pub(super) fn concerns(message: &proto::ListKeyConcernsRequest) -> Result<(Option<Place>, u32)> {
    let invalid = || VaultError::invalid("page_token", page::InvalidPageToken);
    let key = page::key(&message.page_token).map_err(|_| invalid())?;
    let place = key.map(|key| Place::read(&key).ok_or_else(invalid));
    Ok((place.transpose()?, page::size(message.page_size)))
}

pub(super) fn owner(owner: &proto::Owner) -> Result<OwnerRef> {
    let kind = owner_kind(owner.kind())?;
    let id = owner.id.clone();
    Ok(OwnerRef { kind, id })
}

fn owner_kind(kind: proto::OwnerKind) -> Result<OwnerKind> {
    match kind {
        proto::OwnerKind::User => Ok(OwnerKind::User),
        proto::OwnerKind::Organization => Ok(OwnerKind::Organization),
        proto::OwnerKind::Project => Ok(OwnerKind::Project),
        proto::OwnerKind::System => Ok(OwnerKind::System),
        proto::OwnerKind::Unspecified => {
            let message = "owner must be a user, project, organization or the system";
            Err(VaultError::invalid("owner", message))
        }
    }
}

pub(super) fn policy_change(request: proto::RecordPolicyChangeRequest) -> Result<PolicyChange> {
    let kind = owner_kind(request.owner_kind())?;
    let uid = request.owner_uid.parse();
    let uid = uid.map_err(|_| VaultError::invalid("owner_uid", "owner_uid must be a UUID"))?;
    Ok(PolicyChange {
        owner: Owner { kind, uid },
        version: request.version,
        changed_members: request.changed_members,
        failure: request.failure,
    })
}

pub(super) fn new_key(request: proto::CreateProviderKeyRequest) -> Result<NewKey> {
    // The message is dismantled, so that its secret is overwritten with the rest of `Secret`s.
    let secret = Secret::new(request.key);
    Ok(NewKey {
        owner: request.owner.as_ref().map(owner).transpose()?,
        provider: request.provider,
        secret,
        label: request.label,
        base_url: request.base_url,
        settings: settings(request.settings.unwrap_or_default()),
        expire_time: timestamp("expire_time", request.expire_time.as_ref())?,
        weight: request.weight,
        allowed_models: request.allowed_models,
        allowed_users: request.allowed_users,
    })
}

/// A key that is only looked at.
pub(super) fn unsaved_key(request: proto::CheckProviderKeyRequest) -> Result<NewKey> {
    let secret = Secret::new(request.key);
    Ok(NewKey {
        owner: request.owner.as_ref().map(owner).transpose()?,
        provider: request.provider,
        secret,
        label: String::new(),
        base_url: request.base_url,
        settings: settings(request.settings.unwrap_or_default()),
        expire_time: None,
        weight: 0,
        allowed_models: Vec::new(),
        allowed_users: Vec::new(),
    })
}

/// How long keys go without a test.
pub(super) fn interval(interval: Option<prost_types::Duration>) -> SignedDuration {
    let interval = interval.unwrap_or_default();
    let part = SignedDuration::from_nanos(i64::from(interval.nanos));
    SignedDuration::from_secs(interval.seconds).saturating_add(part)
}

pub(super) fn import(request: proto::ImportProviderKeyRequest) -> Result<Import> {
    // Dismantled, as a new key is.
    let secret = Secret::new(request.fernet_token);
    let key = NewKey {
        owner: request.owner.as_ref().map(owner).transpose()?,
        provider: request.provider,
        secret,
        label: request.label,
        base_url: request.base_url,
        settings: settings(request.settings.unwrap_or_default()),
        expire_time: timestamp("expire_time", request.expire_time.as_ref())?,
        weight: request.weight,
        allowed_models: Vec::new(),
        allowed_users: Vec::new(),
    };
    Ok(Import {
        key,
        decoding: match request.lenient {
            true => Decoding::AsPython,
            false => Decoding::Strict,
        },
        validate_only: request.validate_only,
    })
}

fn settings(settings: proto::ProviderKeySettings) -> KeySettings {
    KeySettings {
        endpoint: settings.endpoint,
        api_version: settings.api_version,
        deployments: settings.deployments.into_iter().collect(),
        skip_format_check: settings.skip_format_check,
    }
}

pub(super) fn key_patch(
    key: &proto::ProviderKey,
    mask: Option<&FieldMask>,
    secret: String,
) -> Result<KeyPatch> {
    let mut patch = KeyPatch {
        secret: Some(Secret::new(secret)).filter(|secret| !secret.expose().is_empty()),
        ..KeyPatch::default()
    };
    for path in paths(mask)? {
        match path {
            "label" => patch.label = Some(key.label.clone()),
            "enabled" => patch.enabled = Some(key.enabled),
            "weight" => patch.weight = Some(key.weight),
            "allowed_models" => patch.allowed_models = Some(key.allowed_models.clone()),
            "allowed_users" => patch.allowed_users = Some(key.allowed_users.clone()),
            "expire_time" => {
                patch.expire_time = Some(timestamp("expire_time", key.expire_time.as_ref())?);
            }
            "base_url" => patch.base_url = Some(key.base_url.clone()),
            "settings" => {
                patch.settings = Some(settings(key.settings.clone().unwrap_or_default()));
            }
            other => return Err(unknown_path(other)),
        }
    }
    Ok(patch)
}

pub(super) fn account_patch(
    tier: &str,
    display_name: &str,
    mask: Option<&FieldMask>,
) -> Result<AccountPatch> {
    let mut patch = AccountPatch::default();
    for path in paths(mask)? {
        match path {
            "tier" => patch.tier = Some(tier.to_owned()),
            "display_name" => patch.display_name = Some(display_name.to_owned()),
            other => return Err(unknown_path(other)),
        }
    }
    Ok(patch)
}

/// Whether the only field of a project that can change is to be changed.
pub(super) fn display_name<'a>(name: &'a str, mask: Option<&FieldMask>) -> Result<Option<&'a str>> {
    let paths = paths(mask)?;
    match paths.iter().find(|path| **path != "display_name") {
        Some(other) => Err(unknown_path(other)),
        None => Ok(Some(name)),
    }
}

fn paths(mask: Option<&FieldMask>) -> Result<Vec<&str>> {
    let paths: Vec<_> = mask
        .into_iter()
        .flat_map(|mask| &mask.paths)
        .map(String::as_str)
        .collect();
    if paths.is_empty() {
        return Err(VaultError::invalid(
            "update_mask",
            "update_mask must name what to change",
        ));
    }
    Ok(paths)
}

fn unknown_path(path: &str) -> VaultError {
    VaultError::invalid("update_mask", format!("`{path}` cannot be changed"))
}

pub(super) fn timestamp(
    param: &'static str,
    timestamp: Option<&ProtoTimestamp>,
) -> Result<Option<Timestamp>> {
    let read = |proto| {
        let message = format!("{param} is not a time");
        time::from_proto(proto).ok_or_else(|| VaultError::invalid(param, message))
    };
    timestamp.map(read).transpose()
}

pub(super) fn new_access_key(key: proto::AccessKey) -> Result<NewAccessKey> {
    let unknown = || VaultError::invalid("scopes", "scopes holds one that is not known");
    let scope = |scope: &i32| Scope::from_proto(*scope).ok_or_else(unknown);
    let scopes: Scopes = key.scopes.iter().map(scope).collect::<Result<_>>()?;
    let limits = key.limits.unwrap_or_default();
    Ok(NewAccessKey {
        scopes,
        expire_time: timestamp("expire_time", key.expire_time.as_ref())?,
        user: key.user,
        organization: key.organization,
        project: key.project,
        label: key.label,
        allowed_models: key.allowed_models,
        limits: AccessKeyLimits {
            requests_per_minute: limits.requests_per_minute,
            tokens_per_minute: limits.tokens_per_minute,
            concurrency: limits.concurrency,
        },
        cache: key.cache,
    })
}

pub(super) fn role(role: i32) -> Result<OrganizationRole> {
    OrganizationRole::from_proto(role).ok_or_else(|| {
        VaultError::invalid("role", "role must be one of viewer, member, admin, owner")
    })
}

pub(super) fn wish(request: proto::UnsealProviderKeyRequest) -> Result<UnsealWish> {
    let purpose = match request.purpose() {
        proto::UnsealPurpose::Serve => UnsealPurpose::Serve,
        proto::UnsealPurpose::Refresh => UnsealPurpose::Refresh,
        proto::UnsealPurpose::Test => UnsealPurpose::Test,
        proto::UnsealPurpose::Unspecified => {
            return Err(VaultError::invalid("purpose", "purpose must be given"));
        }
    };
    Ok(UnsealWish {
        id: request.provider_key_id,
        purpose,
        inference_id: request.inference_id,
    })
}

/// The leases of a router. One of a key whose id is none holds nothing, and is left out.
pub(super) fn held_leases(leases: Vec<proto::HeldLease>) -> Vec<HeldLease> {
    let read = |lease: proto::HeldLease| {
        Some(HeldLease {
            key: lease.provider_key_id.parse().ok()?,
            version: lease.version,
            id: lease.lease_id,
        })
    };
    leases.into_iter().filter_map(read).collect()
}

pub(super) fn report(request: proto::ReportKeyOutcomeRequest) -> Result<OutcomeReport> {
    let outcome = match request.outcome() {
        proto::KeyOutcome::Accepted => KeyOutcome::Accepted,
        proto::KeyOutcome::Rejected => KeyOutcome::Rejected,
        proto::KeyOutcome::QuotaExhausted => KeyOutcome::QuotaExhausted,
        proto::KeyOutcome::Unspecified => {
            return Err(VaultError::invalid("outcome", "outcome must be given"));
        }
    };
    Ok(OutcomeReport {
        id: request.provider_key_id,
        version: request.version,
        outcome,
        reason: request.reason,
        inference_id: request.inference_id,
        tested: request.tested,
    })
}

/// Which audit events are asked for. `provider_key_id` is an older name of `resource_id`.
pub(super) fn audit_filter(request: proto::ListAuditEventsRequest) -> Result<AuditFilter> {
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    Ok(AuditFilter {
        scope: AuditScope::default(),
        user: given(request.user),
        organization: given(request.organization),
        access_key_id: given(request.access_key_id),
        action: given(request.action),
        outcome: given(request.outcome),
        resource_id: given(request.resource_id).or(given(request.provider_key_id)),
        trace_id: given(request.trace_id),
        inference_id: given(request.inference_id),
        since: timestamp("start_time", request.start_time.as_ref())?,
        until: timestamp("end_time", request.end_time.as_ref())?,
    })
}
