//! `/api/v1/users[/{user}]`.

use axum::extract::State;
use keyward_proto::vault::v1::{
    CreateUserRequest, DeleteUserRequest, GetUserRequest, ListUsersRequest, UpdateUserRequest, User,
};
use keyward_runtime::ids;
use serde_json::Value;

use super::body::Given;
use super::location::At;
use super::parameters::Parameters;
use super::reply::{IfMatch, Outcome, Reply, Resource};
use super::tenant::{NewTenant, TenantChange, tenant_json};
use crate::caller::Call;
use crate::failure::Failure;
use crate::services::Services;

impl Resource for User {
    const LIST: &'static str = "users";

    fn into_json(self) -> Value {
        tenant_json(
            &self.user_id,
            &self.tier,
            self.display_name,
            self.create_time.as_ref(),
            self.update_time.as_ref(),
        )
    }

    fn etag(&self) -> Option<&str> {
        Some(&self.etag)
    }
}

pub(crate) async fn create(
    State(services): State<Services>,
    call: Call,
    Given(new): Given<NewTenant>,
) -> Outcome {
    let request = call.request(CreateUserRequest {
        request_id: ids::new_text(),
        user: Some(User {
            user_id: new.id,
            tier: new.tier,
            display_name: new.display_name,
            ..User::default()
        }),
    });
    let answer = services.identity().create_user(request).await;
    let answer = answer.map_err(|error| Failure::from(error).with_field("user_id", "id"))?;
    Reply::created(answer.into_inner().user)
}

pub(crate) async fn get(
    State(services): State<Services>,
    call: Call,
    At(user_id): At<String>,
) -> Outcome {
    let request = call.request(GetUserRequest { user_id });
    let answer = services.identity().get_user(request).await?;
    Reply::resource(answer.into_inner().user)
}

pub(crate) async fn list(
    State(services): State<Services>,
    call: Call,
    mut parameters: Parameters,
) -> Outcome {
    let page = parameters.page()?;
    parameters.finish()?;
    let request = call.request(ListUsersRequest {
        page_size: page.size,
        page_token: page.token,
    });
    let answer = services.identity().list_users(request).await?.into_inner();
    Ok(Reply::list(answer.users, answer.next_page_token))
}

pub(crate) async fn update(
    State(services): State<Services>,
    call: Call,
    At(user_id): At<String>,
    IfMatch(etag): IfMatch,
    Given(change): Given<TenantChange>,
) -> Outcome {
    let request = call.request(UpdateUserRequest {
        request_id: ids::new_text(),
        update_mask: Some(change.mask()?),
        user: Some(User {
            user_id,
            tier: change.tier.unwrap_or_default(),
            display_name: change.display_name.value().unwrap_or_default(),
            ..User::default()
        }),
        etag,
    });
    let answer = services.identity().update_user(request).await?;
    Reply::resource(answer.into_inner().user)
}

pub(crate) async fn delete(
    State(services): State<Services>,
    call: Call,
    At(user_id): At<String>,
) -> Outcome {
    let request = call.request(DeleteUserRequest {
        request_id: ids::new_text(),
        user_id,
    });
    services.identity().delete_user(request).await?;
    Ok(Reply::gone())
}
