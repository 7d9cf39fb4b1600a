//! Users and organisations.

use keyward_proto::vault::v1 as proto;

use crate::app::accounts::NewAccount;
use crate::app::{Context, Core};
use crate::domain::owner::OwnerKind::{Organization, User};
use crate::error::Result;
use crate::grpc::change::command;
use crate::grpc::{decode, encode};

pub(super) async fn resolve_account(
    core: &Core,
    context: &Context,
    message: proto::ResolveAccountRequest,
) -> Result<proto::ResolveAccountResponse> {
    let account = core.resolve_account(context, &message.account).await?;
    let (uid, tier) = (account.owner.uid.to_string(), account.tier);
    Ok(proto::ResolveAccountResponse { uid, tier })
}

pub(super) async fn resolve_owner(
    core: &Core,
    context: &Context,
    message: proto::ResolveOwnerRequest,
) -> Result<proto::ResolveOwnerResponse> {
    let named = message.owner.as_ref().map(decode::owner).transpose()?;
    let (owner, may_manage) = core.resolve_owner(context, named).await?;
    Ok(proto::ResolveOwnerResponse {
        kind: encode::owner_kind(owner.kind).into(),
        uid: owner.uid.to_string(),
        may_manage,
    })
}

pub(super) async fn create_user(
    core: &Core,
    context: &Context,
    message: proto::CreateUserRequest,
) -> Result<proto::CreateUserResponse> {
    let wanted = message.user.unwrap_or_default();
    let new = NewAccount {
        kind: User,
        id: wanted.user_id,
        tier: wanted.tier,
        display_name: wanted.display_name,
    };
    let answer = |made| proto::CreateUserResponse {
        user: Some(encode::user(made)),
    };
    let made = core.account_create(&command(context, &answer), new).await;
    made.map(answer)
}

pub(super) async fn get_user(
    core: &Core,
    context: &Context,
    message: proto::GetUserRequest,
) -> Result<proto::GetUserResponse> {
    let id = &message.user_id;
    let found = core.account_get(context, User, id).await?;
    let user = Some(encode::user(found));
    Ok(proto::GetUserResponse { user })
}

pub(super) async fn list_users(
    core: &Core,
    context: &Context,
    message: proto::ListUsersRequest,
) -> Result<proto::ListUsersResponse> {
    let page = decode::page(message.page_size, &message.page_token)?;
    let found = core.account_list(context, User, page).await?;
    let (users, next_page_token) =
        encode::paged(found, page, |account| account.owner.uid, encode::user);
    Ok(proto::ListUsersResponse {
        users,
        next_page_token,
    })
}

pub(super) async fn update_user(
    core: &Core,
    context: &Context,
    message: proto::UpdateUserRequest,
) -> Result<proto::UpdateUserResponse> {
    let wanted = message.user.unwrap_or_default();
    let mask = message.update_mask.as_ref();
    let patch = decode::account_patch(&wanted.tier, &wanted.display_name, mask);
    let (name, patch) = ((User, wanted.user_id.as_str()), patch?);
    let answer = |changed| proto::UpdateUserResponse {
        user: Some(encode::user(changed)),
    };
    let changed = core
        .account_update(&command(context, &answer), name, patch, &message.etag)
        .await;
    changed.map(answer)
}

pub(super) async fn delete_user(
    core: &Core,
    context: &Context,
    message: proto::DeleteUserRequest,
) -> Result<proto::DeleteUserResponse> {
    let answer = |laggards| proto::DeleteUserResponse { laggards };
    let deleted = core
        .account_delete(&command(context, &answer), User, &message.user_id)
        .await;
    deleted.map(answer)
}

pub(super) async fn create_organization(
    core: &Core,
    context: &Context,
    message: proto::CreateOrganizationRequest,
) -> Result<proto::CreateOrganizationResponse> {
    let wanted = message.organization.unwrap_or_default();
    let new = NewAccount {
        kind: Organization,
        id: wanted.organization_id,
        tier: wanted.tier,
        display_name: wanted.display_name,
    };
    let answer = |made| proto::CreateOrganizationResponse {
        organization: Some(encode::organization(made)),
    };
    let made = core.account_create(&command(context, &answer), new).await;
    made.map(answer)
}

pub(super) async fn get_organization(
    core: &Core,
    context: &Context,
    message: proto::GetOrganizationRequest,
) -> Result<proto::GetOrganizationResponse> {
    let id = &message.organization_id;
    let found = core.account_get(context, Organization, id).await?;
    let organization = Some(encode::organization(found));
    Ok(proto::GetOrganizationResponse { organization })
}

pub(super) async fn list_organizations(
    core: &Core,
    context: &Context,
    message: proto::ListOrganizationsRequest,
) -> Result<proto::ListOrganizationsResponse> {
    let page = decode::page(message.page_size, &message.page_token)?;
    let found = core.account_list(context, Organization, page).await?;
    let (organizations, next_page_token) = encode::paged(
        found,
        page,
        |account| account.owner.uid,
        encode::organization,
    );
    Ok(proto::ListOrganizationsResponse {
        organizations,
        next_page_token,
    })
}

pub(super) async fn update_organization(
    core: &Core,
    context: &Context,
    message: proto::UpdateOrganizationRequest,
) -> Result<proto::UpdateOrganizationResponse> {
    let wanted = message.organization.unwrap_or_default();
    let mask = message.update_mask.as_ref();
    let patch = decode::account_patch(&wanted.tier, &wanted.display_name, mask);
    let (name, patch) = ((Organization, wanted.organization_id.as_str()), patch?);
    let answer = |changed| proto::UpdateOrganizationResponse {
        organization: Some(encode::organization(changed)),
    };
    let changed = core
        .account_update(&command(context, &answer), name, patch, &message.etag)
        .await;
    changed.map(answer)
}

pub(super) async fn delete_organization(
    core: &Core,
    context: &Context,
    message: proto::DeleteOrganizationRequest,
) -> Result<proto::DeleteOrganizationResponse> {
    let answer = |laggards| proto::DeleteOrganizationResponse { laggards };
    let id = &message.organization_id;
    let deleted = core
        .account_delete(&command(context, &answer), Organization, id)
        .await;
    deleted.map(answer)
}
