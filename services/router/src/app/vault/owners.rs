//! Whom a caller means, as the vault knows owners; and its word on changes of what is theirs.

use keyward_proto::vault::v1 as proto;
use keyward_runtime::error::{Reason, metadata};

use super::{CALL_TIMEOUT, VaultPort};
use crate::app::{Behalf, RouteError};
use crate::domain::policy::{OwnerKind, PolicyOwner};

/// An owner that a caller may know of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedOwner {
    pub(crate) owner: PolicyOwner,
    /// Whether the caller may change what is the owner's.
    pub(crate) may_manage: bool,
}

impl VaultPort {
    /// The owner that a caller names; the calling user where it names none. Asked every time: a member
    /// that was removed is none at once.
    pub(crate) async fn owner(
        &self,
        behalf: &Behalf,
        owner: Option<proto::Owner>,
    ) -> Result<NamedOwner, RouteError> {
        if owner.as_ref().is_some_and(is_platform) {
            let message = "the platform has no policy of its own: its settings say what it allows";
            let error = RouteError::new(Reason::InvalidRequest, message);
            return Err(error.with(metadata::PARAM, "owner"));
        }
        let mut client = self.identity.clone();
        let request = behalf.request(proto::ResolveOwnerRequest { owner });
        let answer = tokio::time::timeout(CALL_TIMEOUT, client.resolve_owner(request)).await;
        let answer = answer.map_err(|_| RouteError::away("the vault"))?;
        let answer = answer.map_err(|status| RouteError::from_status(&status, "the vault"))?;
        read(&answer.into_inner())
    }

    /// Has a change of a policy written into the audit log. The vault looks again whether the caller
    /// may make it.
    pub(crate) async fn record_policy_change(
        &self,
        behalf: &Behalf,
        change: proto::RecordPolicyChangeRequest,
    ) -> Result<(), RouteError> {
        let mut client = self.client.clone();
        let request = behalf.request(change);
        let answer = tokio::time::timeout(CALL_TIMEOUT, client.record_policy_change(request)).await;
        let answer = answer.map_err(|_| RouteError::away("the vault"))?;
        let answer = answer.map_err(|status| RouteError::from_status(&status, "the vault"))?;
        let proto::RecordPolicyChangeResponse {} = answer.into_inner();
        Ok(())
    }
}

fn is_platform(owner: &proto::Owner) -> bool {
    owner.kind() == proto::OwnerKind::System
}

fn read(answer: &proto::ResolveOwnerResponse) -> Result<NamedOwner, RouteError> {
    let kind = match answer.kind() {
        proto::OwnerKind::Organization => OwnerKind::Organization,
        proto::OwnerKind::Project => OwnerKind::Project,
        proto::OwnerKind::User => OwnerKind::User,
        proto::OwnerKind::System | proto::OwnerKind::Unspecified => {
            return Err(RouteError::away("the vault"));
        }
    };
    Ok(NamedOwner {
        owner: PolicyOwner::new(kind, &answer.uid),
        may_manage: answer.may_manage,
    })
}
