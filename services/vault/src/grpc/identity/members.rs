//! Organisations' members.

use keyward_proto::vault::v1 as proto;

use crate::app::{Context, Core};
use crate::error::Result;
use crate::grpc::change::command;
use crate::grpc::{decode, encode};

pub(super) async fn set_member(
    core: &Core,
    context: &Context,
    message: proto::SetMemberRequest,
) -> Result<proto::SetMemberResponse> {
    let wanted = message.member.unwrap_or_default();
    let role = decode::role(wanted.role)?;
    let names = (wanted.organization.as_str(), wanted.user.as_str());
    let answer = |set| proto::SetMemberResponse {
        member: Some(encode::member(set)),
    };
    let set = core
        .member_set(&command(context, &answer), names, role, message.create_only)
        .await;
    set.map(answer)
}

pub(super) async fn get_member(
    core: &Core,
    context: &Context,
    message: proto::GetMemberRequest,
) -> Result<proto::GetMemberResponse> {
    let (organization, user) = (&message.organization, &message.user);
    let found = core.member_get(context, organization, user).await?;
    let member = Some(encode::member(found));
    Ok(proto::GetMemberResponse { member })
}

pub(super) async fn list_members(
    core: &Core,
    context: &Context,
    message: proto::ListMembersRequest,
) -> Result<proto::ListMembersResponse> {
    let page = decode::page(message.page_size, &message.page_token)?;
    let organization = &message.organization;
    let found = core.member_list(context, organization, page).await?;
    let (members, next_page_token) =
        encode::paged(found, page, |member| member.uid, encode::member);
    Ok(proto::ListMembersResponse {
        members,
        next_page_token,
    })
}

pub(super) async fn remove_member(
    core: &Core,
    context: &Context,
    message: proto::RemoveMemberRequest,
) -> Result<proto::RemoveMemberResponse> {
    let (organization, user) = (&message.organization, &message.user);
    let answer = |laggards| proto::RemoveMemberResponse { laggards };
    let removed = core
        .member_remove(&command(context, &answer), organization, user)
        .await;
    removed.map(answer)
}
