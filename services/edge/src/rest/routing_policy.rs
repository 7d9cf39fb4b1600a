//! `/api/v1/routing-policy`: what an organisation, a project or a user allows of routing.

mod document;
mod rules;

use axum::extract::State;
use keyward_proto::router::v1::{
    GetRoutingPolicyRequest, RoutingPolicy, UpdateRoutingPolicyRequest,
};
use keyward_proto::vault::v1::Owner;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::Given;
use super::idempotency::IdempotencyKey;
use super::parameters::Query;
use super::provider_keys::OwnerNames;
use super::reply::{IfMatch, Outcome, Reply, Resource};
use crate::caller::Call;
use crate::failure::Failure;
use crate::services::Services;
use document::PolicyDocument;

pub(super) fn router() -> OpenApiRouter<Services> {
    OpenApiRouter::default().routes(routes!(get, put))
}

/// Whose policy; the calling user's where none is named.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Whose {
    /// An organization's, or whose project's.
    organization: Option<String>,
    /// A project's.
    project: Option<String>,
    /// A user's, or whose project's.
    user: Option<String>,
}

impl Whose {
    fn owner(self) -> Result<Option<Owner>, Failure> {
        OwnerNames::new(None, self.user, self.organization, self.project).owner()
    }
}

/// A policy as it is kept.
struct Kept {
    policy: RoutingPolicy,
    etag: String,
}

impl Resource for Kept {
    type View = PolicyDocument;

    fn into_view(self) -> PolicyDocument {
        PolicyDocument::of(self.policy)
    }

    fn etag(&self) -> Option<&str> {
        Some(&self.etag)
    }
}

/// Show a routing policy
///
/// One that was never written allows everything. To whom the owner is hidden, it is not found;
/// members of an organization may read its policy.
#[utoipa::path(
    get, path = "/api/v1/routing-policy", operation_id = "getRoutingPolicy", tag = "Routes",
    params(Whose),
    responses((status = 200, description = "What it says, whole.", body = PolicyDocument)),
)]
async fn get(State(services): State<Services>, call: Call, Query(whose): Query<Whose>) -> Outcome {
    let owner = whose.owner()?;
    let request = call.request(GetRoutingPolicyRequest { owner });
    let answer = services.router().get_routing_policy(request).await?;
    let answer = answer.into_inner();
    let kept = answer.policy.map(|policy| Kept {
        policy,
        etag: answer.etag,
    });
    Reply::resource(kept)
}

/// Write a routing policy
///
/// Whole: what is absent takes its default. For the owner itself, or the owners and admins of the
/// organization. It counts for requests that begin afterwards, at other routers within a second.
#[utoipa::path(
    put, path = "/api/v1/routing-policy", operation_id = "updateRoutingPolicy", tag = "Routes",
    params(Whose, IfMatch, IdempotencyKey), request_body = PolicyDocument,
    responses((status = 200, description = "What it says now.", body = PolicyDocument)),
)]
async fn put(
    State(services): State<Services>,
    call: Call,
    Query(whose): Query<Whose>,
    IfMatch(etag): IfMatch,
    key: IdempotencyKey,
    Given(document): Given<PolicyDocument>,
) -> Outcome {
    let request = call.request(UpdateRoutingPolicyRequest {
        request_id: key.request_id(),
        owner: whose.owner()?,
        policy: Some(document.into_proto()),
        etag,
    });
    let answer = services.router().update_routing_policy(request).await?;
    let answer = answer.into_inner();
    let kept = answer.policy.map(|policy| Kept {
        policy,
        etag: answer.etag,
    });
    Reply::resource(kept)
}
