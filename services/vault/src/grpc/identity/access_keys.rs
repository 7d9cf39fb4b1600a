//! Access keys.

use keyward_proto::vault::v1 as proto;

use crate::app::access_keys::{AccessKeyHolder, Issued};
use crate::app::{Context, Core};
use crate::error::Result;
use crate::grpc::change::command;
use crate::grpc::{decode, encode};

pub(super) async fn create_access_key(
    core: &Core,
    context: &Context,
    message: proto::CreateAccessKeyRequest,
) -> Result<proto::CreateAccessKeyResponse> {
    let wanted = message.access_key.unwrap_or_default();
    let new = decode::new_access_key(wanted)?;
    let answer = |(key, secret): Issued| proto::CreateAccessKeyResponse {
        access_key: Some(encode::access_key(key)),
        secret: secret.expose().to_owned(),
    };
    let issued = core
        .access_key_create(&command(context, &answer), new)
        .await;
    issued.map(answer)
}

pub(super) async fn get_access_key(
    core: &Core,
    context: &Context,
    message: proto::GetAccessKeyRequest,
) -> Result<proto::GetAccessKeyResponse> {
    let id = &message.access_key_id;
    let found = core.access_key_get(context, id).await?;
    let access_key = Some(encode::access_key(found));
    Ok(proto::GetAccessKeyResponse { access_key })
}

pub(super) async fn list_access_keys(
    core: &Core,
    context: &Context,
    message: proto::ListAccessKeysRequest,
) -> Result<proto::ListAccessKeysResponse> {
    let page = decode::page(message.page_size, &message.page_token)?;
    let (user, organization) = (message.user, message.organization);
    let holder = AccessKeyHolder { user, organization };
    let found = core.access_key_list(context, &holder, page).await?;
    let (access_keys, next_page_token) =
        encode::paged(found, page, |key| key.uid, encode::access_key);
    Ok(proto::ListAccessKeysResponse {
        access_keys,
        next_page_token,
    })
}

pub(super) async fn revoke_access_key(
    core: &Core,
    context: &Context,
    message: proto::RevokeAccessKeyRequest,
) -> Result<proto::RevokeAccessKeyResponse> {
    let answer = |laggards| proto::RevokeAccessKeyResponse { laggards };
    let revoked = core
        .access_key_revoke(&command(context, &answer), &message.access_key_id)
        .await;
    revoked.map(answer)
}
