//! `/api/v1/users[/{user}]`.

use axum::extract::State;
use keyward_proto::vault::v1::{
    CreateUserRequest, DeleteUserRequest, GetUserRequest, ListUsersRequest, UpdateUserRequest, User,
};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::Given;
use super::idempotency::IdempotencyKey;
use super::location::At;
use super::parameters::{Nothing, Page, Query};
use super::reply::{IfMatch, Outcome, Reply, Resource, page};
use super::tenant::{NewTenant, TenantChange, TenantView, check_tier};
use crate::caller::Call;
use crate::failure::Failure;
use crate::services::Services;

pub(super) fn router() -> OpenApiRouter<Services> {
    OpenApiRouter::default()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
}

page!(
    /// A page of users.
    UserList { users: TenantView }
);

impl Resource for User {
    type View = TenantView;

    fn into_view(self) -> TenantView {
        TenantView::new(
            self.user_id,
            self.tier,
            self.display_name,
            self.create_time.as_ref(),
            self.update_time.as_ref(),
        )
    }

    fn etag(&self) -> Option<&str> {
        Some(&self.etag)
    }
}

/// Make a user
///
/// For admins of the platform.
#[utoipa::path(
    post, path = "/api/v1/users", operation_id = "createUser", tag = "Tenancy",
    params(IdempotencyKey), request_body = NewTenant,
    responses((status = 201, description = "The new user.", body = TenantView)),
)]
async fn create(
    State(services): State<Services>,
    call: Call,
    _: Query<Nothing>,
    key: IdempotencyKey,
    Given(new): Given<NewTenant>,
) -> Outcome {
    check_tier(&services, &call, new.tier.as_deref()).await?;
    let request = call.request(CreateUserRequest {
        request_id: key.request_id(),
        user: Some(User {
            user_id: new.id,
            tier: new.tier.unwrap_or_default(),
            display_name: new.display_name.unwrap_or_default(),
            ..User::default()
        }),
    });
    let answer = services.identity().create_user(request).await;
    let answer = answer.map_err(|error| Failure::from(error).with_field("user_id", "id"))?;
    Reply::created(answer.into_inner().user)
}

/// Show a user
#[utoipa::path(
    get, path = "/api/v1/users/{user}", operation_id = "getUser", tag = "Tenancy",
    params(("user" = String, Path, description = "Its id.", example = "bob")),
    responses((status = 200, description = "The user.", body = TenantView)),
)]
async fn get(
    State(services): State<Services>,
    call: Call,
    At(user_id): At<String>,
    _: Query<Nothing>,
) -> Outcome {
    let request = call.request(GetUserRequest { user_id });
    let answer = services.identity().get_user(request).await?;
    Reply::resource(answer.into_inner().user)
}

/// List users
///
/// Admins of the platform see all, others themselves.
#[utoipa::path(
    get, path = "/api/v1/users", operation_id = "listUsers", tag = "Tenancy", params(Page),
    responses((status = 200, description = "A page, newest first.", body = UserList)),
)]
async fn list(State(services): State<Services>, call: Call, Query(page): Query<Page>) -> Outcome {
    let request = call.request(ListUsersRequest {
        page_size: page.page_size.0,
        page_token: page.page_token,
    });
    let answer = services.identity().list_users(request).await?.into_inner();
    UserList::reply(answer.users, answer.next_page_token)
}

/// Change a user
///
/// For admins of the platform.
#[utoipa::path(
    patch, path = "/api/v1/users/{user}", operation_id = "updateUser", tag = "Tenancy",
    params(("user" = String, Path, description = "Its id.", example = "bob"), IfMatch),
    request_body = TenantChange,
    responses((status = 200, description = "The user as it is now.", body = TenantView)),
)]
async fn update(
    State(services): State<Services>,
    call: Call,
    At(user_id): At<String>,
    _: Query<Nothing>,
    IfMatch(etag): IfMatch,
    Given(change): Given<TenantChange>,
) -> Outcome {
    let update_mask = Some(change.mask()?);
    check_tier(&services, &call, change.tier.as_deref()).await?;
    let request = call.request(UpdateUserRequest {
        update_mask,
        user: Some(User {
            user_id,
            tier: change.tier.unwrap_or_default(),
            display_name: change.display_name.value().unwrap_or_default(),
            ..User::default()
        }),
        etag,
        ..UpdateUserRequest::default()
    });
    let answer = services.identity().update_user(request).await?;
    Reply::resource(answer.into_inner().user)
}

/// Remove a user
///
/// For admins of the platform. Its keys go with it; what it used stays on record.
#[utoipa::path(
    delete, path = "/api/v1/users/{user}", operation_id = "deleteUser", tag = "Tenancy",
    params(("user" = String, Path, description = "Its id.", example = "bob")),
    responses((status = 204, description = "It is gone.")),
)]
async fn delete(
    State(services): State<Services>,
    call: Call,
    At(user_id): At<String>,
    _: Query<Nothing>,
) -> Outcome {
    let request = call.request(DeleteUserRequest {
        user_id,
        ..DeleteUserRequest::default()
    });
    let answer = services.identity().delete_user(request).await?;
    Ok(Reply::gone().confirmed(answer.into_inner().laggards))
}
