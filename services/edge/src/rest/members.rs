//! `/api/v1/organizations/{organization}/members[/{user}]`.

use axum::extract::State;
use keyward_auth::OrganizationRole;
use keyward_proto::vault::v1::{
    GetMemberRequest, ListMembersRequest, Member, RemoveMemberRequest, SetMemberRequest,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::Given;
use super::idempotency::IdempotencyKey;
use super::location::At;
use super::parameters::{Nothing, Page, Query};
use super::reply::{Outcome, Reply, Resource, page};
use super::values::{RoleName, Time};
use crate::caller::Call;
use crate::services::Services;

pub(super) fn router() -> OpenApiRouter<Services> {
    OpenApiRouter::default()
        .routes(routes!(list, create))
        .routes(routes!(get, set, update, remove))
}

/// A new member.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewMember {
    /// The user's id.
    #[schema(examples("bob"))]
    user: String,
    /// What it may do.
    role: RoleName,
}

/// A member's role.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MemberRole {
    /// What it may do.
    role: RoleName,
}

/// A user in an organization.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Member)]
pub(crate) struct MemberView {
    /// The organization's id.
    #[schema(examples("acme"))]
    organization: String,
    /// The user's id.
    #[schema(examples("bob"))]
    user: String,
    /// What it may do.
    #[schema(required)]
    role: Option<RoleName>,
    /// Since when.
    #[schema(required)]
    created_at: Option<Time>,
}

page!(
    /// A page of members.
    MemberList { members: MemberView }
);

impl Resource for Member {
    type View = MemberView;

    fn into_view(self) -> MemberView {
        MemberView {
            organization: self.organization,
            user: self.user,
            role: OrganizationRole::from_proto(self.role).map(RoleName),
            created_at: Time::from_proto(self.create_time.as_ref()),
        }
    }
}

/// Add a member
///
/// For admins of the platform, and the organization's own owners and admins. Only an owner makes
/// owners.
#[utoipa::path(
    post, path = "/api/v1/organizations/{organization}/members", operation_id = "addMember",
    tag = "Tenancy", request_body = NewMember,
    params(("organization" = String, Path, description = "Its id.", example = "acme"), IdempotencyKey),
    responses((status = 201, description = "The new member.", body = MemberView)),
)]
async fn create(
    State(services): State<Services>,
    call: Call,
    At(organization): At<String>,
    _: Query<Nothing>,
    key: IdempotencyKey,
    Given(new): Given<NewMember>,
) -> Outcome {
    let message = SetMemberRequest {
        request_id: key.request_id(),
        member: Some(member(organization, new.user, new.role)),
        create_only: true,
    };
    let request = call.request(message);
    let answer = services.identity().set_member(request).await?;
    Reply::created(answer.into_inner().member)
}

/// Make a user a member, or change its role
///
/// For admins of the platform, and the organization's own owners and admins. Only an owner makes
/// owners.
#[utoipa::path(
    put, path = "/api/v1/organizations/{organization}/members/{user}", operation_id = "setMember",
    tag = "Tenancy", request_body = MemberRole,
    params(
        ("organization" = String, Path, description = "Its id.", example = "acme"),
        ("user" = String, Path, description = "The member's id.", example = "bob"),
    ),
    responses((status = 200, description = "The member as it is now.", body = MemberView)),
)]
async fn set(
    State(services): State<Services>,
    call: Call,
    At((organization, user)): At<(String, String)>,
    _: Query<Nothing>,
    Given(MemberRole { role }): Given<MemberRole>,
) -> Outcome {
    let message = SetMemberRequest {
        member: Some(member(organization, user, role)),
        create_only: false,
        ..SetMemberRequest::default()
    };
    let request = call.request(message);
    let answer = services.identity().set_member(request).await?;
    Reply::resource(answer.into_inner().member)
}

/// Change a member's role
///
/// The same as `PUT`.
#[utoipa::path(
    patch, path = "/api/v1/organizations/{organization}/members/{user}",
    operation_id = "updateMember", tag = "Tenancy", request_body = MemberRole,
    params(
        ("organization" = String, Path, description = "Its id.", example = "acme"),
        ("user" = String, Path, description = "The member's id.", example = "bob"),
    ),
    responses((status = 200, description = "The member as it is now.", body = MemberView)),
)]
async fn update(
    services: State<Services>,
    call: Call,
    at: At<(String, String)>,
    query: Query<Nothing>,
    change: Given<MemberRole>,
) -> Outcome {
    set(services, call, at, query, change).await
}

fn member(organization: String, user: String, RoleName(role): RoleName) -> Member {
    Member {
        organization,
        user,
        role: role.to_proto().into(),
        create_time: None,
    }
}

/// Show a member
#[utoipa::path(
    get, path = "/api/v1/organizations/{organization}/members/{user}", operation_id = "getMember",
    tag = "Tenancy",
    params(
        ("organization" = String, Path, description = "Its id.", example = "acme"),
        ("user" = String, Path, description = "The member's id.", example = "bob"),
    ),
    responses((status = 200, description = "The member.", body = MemberView)),
)]
async fn get(
    State(services): State<Services>,
    call: Call,
    At((organization, user)): At<(String, String)>,
    _: Query<Nothing>,
) -> Outcome {
    let request = call.request(GetMemberRequest { organization, user });
    let answer = services.identity().get_member(request).await?;
    Reply::resource(answer.into_inner().member)
}

/// List members
#[utoipa::path(
    get, path = "/api/v1/organizations/{organization}/members", operation_id = "listMembers",
    tag = "Tenancy",
    params(("organization" = String, Path, description = "Its id.", example = "acme"), Page),
    responses((status = 200, description = "A page, newest first.", body = MemberList)),
)]
async fn list(
    State(services): State<Services>,
    call: Call,
    At(organization): At<String>,
    Query(page): Query<Page>,
) -> Outcome {
    let request = call.request(ListMembersRequest {
        organization,
        page_size: page.page_size.0,
        page_token: page.page_token,
    });
    let answer = services.identity().list_members(request).await?;
    let answer = answer.into_inner();
    MemberList::reply(answer.members, answer.next_page_token)
}

/// Remove a member
///
/// For admins of the platform, and the organization's own owners and admins, but for roles above
/// their own. Anybody may leave.
#[utoipa::path(
    delete, path = "/api/v1/organizations/{organization}/members/{user}",
    operation_id = "removeMember", tag = "Tenancy",
    params(
        ("organization" = String, Path, description = "Its id.", example = "acme"),
        ("user" = String, Path, description = "The member's id.", example = "bob"),
    ),
    responses((status = 204, description = "It is a member no more.")),
)]
async fn remove(
    State(services): State<Services>,
    call: Call,
    At((organization, user)): At<(String, String)>,
    _: Query<Nothing>,
) -> Outcome {
    let request = call.request(RemoveMemberRequest {
        organization,
        user,
        ..RemoveMemberRequest::default()
    });
    let answer = services.identity().remove_member(request).await?;
    Ok(Reply::gone().confirmed(answer.into_inner().laggards))
}
