//! Access keys.

use keyward_proto::vault::v1 as proto;

use crate::app::access_keys::AccessKeyHolder;
use crate::app::{Context, Core};
use crate::error::Result;
use crate::grpc::{decode, encode};

pub(super) async fn create_access_key(
    core: &Core,
    context: &Context,
    message: proto::CreateAccessKeyRequest,
) -> Result<proto::CreateAccessKeyResponse> {
    let wanted = message.access_key.unwrap_or_default();
    let new = decode::new_access_key(wanted)?;
    let (key, secret) = core.access_key_create(context, new).await?;
    let access_key = Some(encode::access_key(key));
    let secret = secret.expose().to_owned();
    Ok(proto::CreateAccessKeyResponse { access_key, secret })
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
    let id = &message.access_key_id;
    let laggards = core.access_key_revoke(context, id).await?;
    Ok(proto::RevokeAccessKeyResponse { laggards })
}
