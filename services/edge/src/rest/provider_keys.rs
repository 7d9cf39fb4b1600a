//! `/api/v1/provider-keys[/{id}]`: secrets go in, masks come out.

mod form;
mod hygiene;
mod import;
mod owner;
mod test;
mod view;

use axum::extract::State;
use keyward_proto::vault::v1::{
    CreateProviderKeyRequest, DeleteProviderKeyRequest, GetProviderKeyRequest,
    ListProviderKeysRequest, ProviderKey, RotateProviderKeyRequest, UpdateProviderKeyRequest,
};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::form::{NewProviderKey, Rotation, Update};
use self::owner::{OwnerQuery, Which};
use self::view::{ProviderKeyList, ProviderKeyView};
use super::body::Given;
use super::idempotency::IdempotencyKey;
use super::location::At;
use super::parameters::{Nothing, Query};
use super::reply::{IfMatch, Outcome, Reply};
use super::values::{Change, Names, SecretText, Time};
use crate::caller::Call;
use crate::services::Services;

pub(super) use self::owner::OwnerNames;

pub(super) fn router() -> OpenApiRouter<Services> {
    OpenApiRouter::default()
        .routes(routes!(list, create))
        .routes(routes!(import::import))
        .routes(routes!(test::test_unsaved))
        .routes(routes!(test::test_stored))
        .routes(routes!(get, update, delete))
        .routes(routes!(rotate))
}

/// Store a provider key
///
/// It is encrypted, and shown masked from then on. `owner` says whose it is: `user` (the caller's, or
/// that of `user`), `project`, `organization` or `system`; an id says so too. The same key twice for
/// one owner is a 409.
#[utoipa::path(
    post, path = "/api/v1/provider-keys", operation_id = "createProviderKey", tag = "Provider keys",
    params(OwnerQuery, IdempotencyKey), request_body = NewProviderKey,
    responses((status = 201, description = "The new key, masked.", body = ProviderKeyView)),
)]
async fn create(
    State(services): State<Services>,
    call: Call,
    Query(named): Query<OwnerQuery>,
    key: IdempotencyKey,
    Given(new): Given<NewProviderKey>,
) -> Outcome {
    let request = call.request(CreateProviderKeyRequest {
        request_id: key.request_id(),
        owner: new.owner().or(named.into()).owner()?,
        provider: new.provider,
        key: new.key.expose(),
        label: new.label.unwrap_or_default(),
        base_url: new.base_url.unwrap_or_default(),
        settings: new.settings.map(Into::into),
        expire_time: new.expires_at.map(Time::to_proto),
        weight: new.weight.unwrap_or_default(),
        allowed_models: new.allowed_models.map(Names::into_vec).unwrap_or_default(),
        allowed_users: new.allowed_users.map(Names::into_vec).unwrap_or_default(),
    });
    let answer = services
        .provider_keys()
        .create_provider_key(request)
        .await?;
    Reply::created(answer.into_inner().provider_key)
}

/// Show a provider key
#[utoipa::path(
    get, path = "/api/v1/provider-keys/{id}", operation_id = "getProviderKey",
    tag = "Provider keys", params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The key, masked.", body = ProviderKeyView)),
)]
async fn get(
    State(services): State<Services>,
    call: Call,
    At(provider_key_id): At<String>,
    _: Query<Nothing>,
) -> Outcome {
    let request = call.request(GetProviderKeyRequest { provider_key_id });
    let answer = services.provider_keys().get_provider_key(request).await?;
    Reply::resource(answer.into_inner().provider_key)
}

/// List provider keys
///
/// The caller's own, or those of the owner that is named.
#[utoipa::path(
    get, path = "/api/v1/provider-keys", operation_id = "listProviderKeys", tag = "Provider keys",
    params(Which),
    responses((status = 200, description = "A page, newest first.", body = ProviderKeyList)),
)]
async fn list(State(services): State<Services>, call: Call, Query(which): Query<Which>) -> Outcome {
    let (page_size, page_token) = (which.page_size.0, which.page_token.clone());
    let request = call.request(ListProviderKeysRequest {
        owner: which.names().owner()?,
        page_size,
        page_token,
    });
    let answer = services.provider_keys().list_provider_keys(request).await?;
    let answer = answer.into_inner();
    ProviderKeyList::reply(answer.provider_keys, answer.next_page_token)
}

/// Change a provider key
///
/// One that is disabled serves no request that begins afterwards; one that is enabled again is tried
/// again, whatever became of it before. The secret is sealed for where it is sent: another `base_url`,
/// `settings.endpoint` or `settings.api_version` needs the `key` again (412 without it), and makes a
/// new version of it.
#[utoipa::path(
    patch, path = "/api/v1/provider-keys/{id}", operation_id = "updateProviderKey",
    tag = "Provider keys", params(("id" = String, Path, description = "Its id."), IfMatch),
    request_body = Update,
    responses((status = 200, description = "The key as it is now, masked.", body = ProviderKeyView)),
)]
async fn update(
    State(services): State<Services>,
    call: Call,
    At(provider_key_id): At<String>,
    _: Query<Nothing>,
    IfMatch(etag): IfMatch,
    Given(change): Given<Update>,
) -> Outcome {
    let request = call.request(UpdateProviderKeyRequest {
        update_mask: Some(change.mask()?),
        provider_key: Some(ProviderKey {
            provider_key_id,
            label: change.label.unwrap_or_default(),
            enabled: change.enabled.unwrap_or_default(),
            weight: change.weight.unwrap_or_default(),
            allowed_models: names(change.allowed_models),
            allowed_users: names(change.allowed_users),
            expire_time: change.expires_at.value().map(Time::to_proto),
            base_url: change.base_url.unwrap_or_default(),
            settings: change.settings.map(Into::into),
            ..ProviderKey::default()
        }),
        etag,
        key: change
            .key
            .as_ref()
            .map(SecretText::expose)
            .unwrap_or_default(),
        ..UpdateProviderKeyRequest::default()
    });
    let answer = services
        .provider_keys()
        .update_provider_key(request)
        .await?
        .into_inner();
    let reply = Reply::resource(answer.provider_key)?;
    Ok(reply.confirmed(answer.laggards))
}

/// The names of a list that changes; none where it does not limit any more.
fn names(change: Change<Names>) -> Vec<String> {
    change.value().map(Names::into_vec).unwrap_or_default()
}

/// Rotate a provider key
///
/// Gives it a new secret under the same id. Requests in flight finish with the old one.
#[utoipa::path(
    post, path = "/api/v1/provider-keys/{id}/rotate", operation_id = "rotateProviderKey",
    tag = "Provider keys",
    params(("id" = String, Path, description = "Its id."), IfMatch, IdempotencyKey),
    request_body = Rotation,
    responses((status = 200, description = "The key as it is now, masked.", body = ProviderKeyView)),
)]
async fn rotate(
    State(services): State<Services>,
    call: Call,
    At(provider_key_id): At<String>,
    _: Query<Nothing>,
    IfMatch(etag): IfMatch,
    key: IdempotencyKey,
    Given(rotation): Given<Rotation>,
) -> Outcome {
    let request = call.request(RotateProviderKeyRequest {
        request_id: key.request_id(),
        provider_key_id,
        key: rotation.key.expose(),
        etag,
    });
    let answer = services
        .provider_keys()
        .rotate_provider_key(request)
        .await?
        .into_inner();
    let reply = Reply::resource(answer.provider_key)?;
    Ok(reply.confirmed(answer.laggards))
}

/// Remove a provider key
///
/// No request that begins afterwards uses it.
#[utoipa::path(
    delete, path = "/api/v1/provider-keys/{id}", operation_id = "deleteProviderKey",
    tag = "Provider keys", params(("id" = String, Path, description = "Its id."), IfMatch),
    responses((status = 204, description = "It is gone.")),
)]
async fn delete(
    State(services): State<Services>,
    call: Call,
    At(provider_key_id): At<String>,
    _: Query<Nothing>,
    IfMatch(etag): IfMatch,
) -> Outcome {
    let request = call.request(DeleteProviderKeyRequest {
        provider_key_id,
        etag,
        ..DeleteProviderKeyRequest::default()
    });
    let answer = services
        .provider_keys()
        .delete_provider_key(request)
        .await?;
    Ok(Reply::gone().confirmed(answer.into_inner().laggards))
}
