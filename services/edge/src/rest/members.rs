//! `/api/v1/organizations/{organization}/members[/{user}]`.

use axum::extract::State;
use keyward_auth::OrganizationRole;
use keyward_proto::vault::v1::{
    GetMemberRequest, ListMembersRequest, Member, RemoveMemberRequest, SetMemberRequest,
};
use keyward_runtime::ids;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Given;
use super::location::At;
use super::parameters::Parameters;
use super::reply::{Outcome, Reply, Resource};
use super::values::{RoleName, time_text};
use crate::caller::Call;
use crate::services::Services;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMember {
    user: String,
    role: RoleName,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    role: RoleName,
}

impl Resource for Member {
    const LIST: &'static str = "members";

    fn into_json(self) -> Value {
        json!({
            "organization": self.organization,
            "user": self.user,
            "role": OrganizationRole::from_proto(self.role).map(OrganizationRole::as_str),
            "created_at": time_text(self.create_time.as_ref()),
        })
    }
}

pub(crate) async fn create(
    State(services): State<Services>,
    call: Call,
    At(organization): At<String>,
    Given(new): Given<NewMember>,
) -> Outcome {
    let message = set_request(organization, new.user, new.role, true);
    let answer = services
        .identity()
        .set_member(call.request(message))
        .await?;
    Reply::created(answer.into_inner().member)
}

pub(crate) async fn set(
    State(services): State<Services>,
    call: Call,
    At((organization, user)): At<(String, String)>,
    Given(change): Given<Change>,
) -> Outcome {
    let message = set_request(organization, user, change.role, false);
    let answer = services
        .identity()
        .set_member(call.request(message))
        .await?;
    Reply::resource(answer.into_inner().member)
}

fn set_request(
    organization: String,
    user: String,
    RoleName(role): RoleName,
    create_only: bool,
) -> SetMemberRequest {
    SetMemberRequest {
        request_id: ids::new_text(),
        member: Some(Member {
            organization,
            user,
            role: role.to_proto().into(),
            create_time: None,
        }),
        create_only,
    }
}

pub(crate) async fn get(
    State(services): State<Services>,
    call: Call,
    At((organization, user)): At<(String, String)>,
) -> Outcome {
    let request = call.request(GetMemberRequest { organization, user });
    let answer = services.identity().get_member(request).await?;
    Reply::resource(answer.into_inner().member)
}

pub(crate) async fn list(
    State(services): State<Services>,
    call: Call,
    At(organization): At<String>,
    mut parameters: Parameters,
) -> Outcome {
    let page = parameters.page()?;
    parameters.finish()?;
    let request = call.request(ListMembersRequest {
        organization,
        page_size: page.size,
        page_token: page.token,
    });
    let answer = services
        .identity()
        .list_members(request)
        .await?
        .into_inner();
    Ok(Reply::list(answer.members, answer.next_page_token))
}

pub(crate) async fn remove(
    State(services): State<Services>,
    call: Call,
    At((organization, user)): At<(String, String)>,
) -> Outcome {
    let request = call.request(RemoveMemberRequest {
        request_id: ids::new_text(),
        organization,
        user,
    });
    services.identity().remove_member(request).await?;
    Ok(Reply::gone())
}
