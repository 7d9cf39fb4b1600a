//! Policies: read and written by who may, and found for each request.

mod audited;
mod book;

use jiff::{SignedDuration, Timestamp};
use keyward_proto::router::v1 as proto;
use keyward_proto::vault::v1::{Owner, OwnerKind as NamedKind};
use keyward_runtime::error::{Reason, metadata};
use keyward_runtime::time;
use prost::Message as _;

use super::vault::NamedOwner;
use super::{Behalf, Core, RouteError};
use crate::domain::policy::{Misfit, OwnerKind, PolicyOwner, check};
use crate::store::{Call, Changed, PolicyChange, StoredPolicy};
pub(crate) use book::PolicyBook;

/// How long a change is known by the id that its caller gave it.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);
/// The longest such id.
const REQUEST_ID_BYTES_MAX: usize = 255;

/// A policy as it is answered, now or again.
#[derive(Debug, Default)]
pub(crate) struct Answered {
    pub(crate) policy: proto::RoutingPolicy,
    /// Changes with every change.
    pub(crate) etag: String,
    /// None where it was never written.
    pub(crate) update_time: Option<Timestamp>,
}

impl Core {
    /// What an owner's policy says; nothing where it was never written.
    pub(crate) async fn policy(
        &self,
        behalf: &Behalf,
        owner: Option<Owner>,
    ) -> Result<Answered, RouteError> {
        let named = self.policy_owner(behalf, owner).await?;
        let stored = self.policies.stored(named.owner).await?;
        stored.as_ref().map_or_else(|| Ok(unwritten()), answered)
    }

    /// Says whole what an owner's policy is to be. It counts for requests that begin once this has
    /// returned; where other routers share the store, there within a second.
    pub(crate) async fn update_policy(
        &self,
        behalf: &Behalf,
        request: proto::UpdateRoutingPolicyRequest,
    ) -> Result<Answered, RouteError> {
        let named = self.policy_owner(behalf, request.owner.clone()).await?;
        if !named.may_manage {
            self.record_refusal(behalf, &named.owner).await;
            let message = "your role does not let you change this policy";
            return Err(RouteError::new(Reason::InsufficientScope, message));
        }
        let policy = request.policy.clone().unwrap_or_default();
        check(&policy, |name| self.providers.get(name).is_some()).map_err(misfit)?;
        let now = time::now();
        let change = PolicyChange {
            expected: expected(&request.etag)?,
            document: policy.encode_to_vec(),
            time: now,
            call: call(behalf, &named.owner, &request, now)?,
            owner: named.owner,
        };
        let owner = change.owner.clone();
        let answered = self.write_policy(behalf, change, policy).await?;
        tracing::info!(
            policy.owner_kind = owner.kind.name(),
            policy.owner_uid = owner.uid,
            policy.etag = answered.etag,
            access_key.id = behalf.principal().access_key_id,
            "a routing policy was changed"
        );
        Ok(answered)
    }

    async fn write_policy(
        &self,
        behalf: &Behalf,
        change: PolicyChange,
        policy: proto::RoutingPolicy,
    ) -> Result<Answered, RouteError> {
        let changed = self.change_audited(behalf, change, &policy).await?;
        let (revision, time) = match changed {
            Changed::Now(stored) => (stored.revision, stored.update_time),
            Changed::Before { revision, time } => (revision, time),
            Changed::Mismatch => {
                let message = "this `request_id` was used for another request";
                return Err(RouteError::new(Reason::IdempotencyMismatch, message));
            }
            Changed::Stale => {
                let message = "this policy was changed meanwhile; read it again";
                return Err(RouteError::new(Reason::PreconditionFailed, message));
            }
        };
        Ok(Answered {
            policy,
            etag: revision.to_string(),
            update_time: Some(time),
        })
    }

    /// Whose policy is meant, and what the caller may do with it: as with provider keys, which the
    /// vault knows. Who names nobody means itself, and is asked about nowhere.
    async fn policy_owner(
        &self,
        behalf: &Behalf,
        owner: Option<Owner>,
    ) -> Result<NamedOwner, RouteError> {
        let principal = behalf.principal();
        let is_own = owner
            .as_ref()
            .is_none_or(|owner| owner.kind() == NamedKind::User && owner.id.is_empty());
        match &principal.user {
            Some(user) if is_own => Ok(NamedOwner {
                owner: PolicyOwner::new(OwnerKind::User, &user.uid),
                may_manage: true,
            }),
            _ => self.vault.owner(behalf, owner).await,
        }
    }
}

fn unwritten() -> Answered {
    Answered {
        etag: "0".to_owned(),
        ..Answered::default()
    }
}

fn answered(stored: &StoredPolicy) -> Result<Answered, RouteError> {
    let policy = proto::RoutingPolicy::decode(&*stored.document);
    Ok(Answered {
        policy: policy.map_err(|_| book::unreadable(&stored.owner))?,
        etag: stored.revision.to_string(),
        update_time: Some(stored.update_time),
    })
}

fn misfit(misfit: Misfit) -> RouteError {
    let message = misfit.to_string();
    RouteError::new(Reason::InvalidRequest, message).with(metadata::PARAM, misfit.place)
}

/// The revision that a change is meant for. What is no etag of ours is that of no policy.
fn expected(etag: &str) -> Result<Option<u64>, RouteError> {
    if etag.is_empty() {
        return Ok(None);
    }
    let stale = |_| {
        let message = "the etag is none of this policy; read it again";
        RouteError::new(Reason::PreconditionFailed, message)
    };
    etag.parse().map(Some).map_err(stale)
}

/// What a change is known by, should it come again: where the caller gave it an id.
fn call(
    behalf: &Behalf,
    owner: &PolicyOwner,
    request: &proto::UpdateRoutingPolicyRequest,
    now: Timestamp,
) -> Result<Option<Call>, RouteError> {
    let request_id = &request.request_id;
    if request_id.len() > REQUEST_ID_BYTES_MAX {
        let message = "`request_id` has at most 255 bytes";
        let error = RouteError::new(Reason::InvalidRequest, message);
        return Err(error.with(metadata::PARAM, "request_id"));
    }
    let principal = behalf.principal();
    let subject = principal.user.as_ref().or(principal.organization.as_ref());
    let Some(subject) = subject.filter(|_| !request_id.is_empty()) else {
        return Ok(None);
    };
    // The same words are another request where they mean somebody else.
    let mut asked = request.encode_to_vec();
    asked.extend(owner.uid.bytes());
    Ok(Some(Call {
        caller: subject.uid.clone(),
        request_id: request_id.clone(),
        request: asked,
        since: now.checked_sub(REMEMBERED).unwrap_or(Timestamp::MIN),
    }))
}
