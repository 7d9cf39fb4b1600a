//! Routing policies.

use keyward_proto::router::v1 as proto;
use keyward_runtime::error::to_status;
use keyward_runtime::time;
use tonic::Status;

use crate::app::{Behalf, Core};

pub(super) async fn get(
    core: &Core,
    behalf: &Behalf,
    request: proto::GetRoutingPolicyRequest,
) -> Result<proto::GetRoutingPolicyResponse, Status> {
    let found = core.policy(behalf, request.owner).await;
    let found = found.map_err(|error| to_status(&error))?;
    Ok(proto::GetRoutingPolicyResponse {
        policy: Some(found.policy),
        etag: found.etag,
        update_time: found.update_time.map(time::to_proto),
    })
}

pub(super) async fn update(
    core: &Core,
    behalf: &Behalf,
    request: proto::UpdateRoutingPolicyRequest,
) -> Result<proto::UpdateRoutingPolicyResponse, Status> {
    let updated = core.update_policy(behalf, request).await;
    let updated = updated.map_err(|error| to_status(&error))?;
    Ok(proto::UpdateRoutingPolicyResponse {
        policy: Some(updated.policy),
        etag: updated.etag,
        update_time: updated.update_time.map(time::to_proto),
    })
}
