//! `/api/v1/provider-keys[/{id}]`: secrets go in, masks come out.

mod form;

use axum::extract::State;
use keyward_proto::vault::v1::{
    CreateProviderKeyRequest, DeleteProviderKeyRequest, GetProviderKeyRequest,
    ListProviderKeysRequest, ProviderKey, RotateProviderKeyRequest, UpdateProviderKeyRequest,
};
use keyward_runtime::ids;

use self::form::{NewProviderKey, OwnerNames, Rotation, Update};
use super::body::Given;
use super::location::At;
use super::parameters::Parameters;
use super::reply::{IfMatch, Outcome, Reply};
use super::values::Time;
use crate::caller::Call;
use crate::services::Services;

pub(crate) async fn create(
    State(services): State<Services>,
    call: Call,
    mut parameters: Parameters,
    Given(new): Given<NewProviderKey>,
) -> Outcome {
    let named = OwnerNames::take(&mut parameters)?;
    parameters.finish()?;
    let request = call.request(CreateProviderKeyRequest {
        request_id: ids::new_text(),
        owner: new.owner.or(named).owner()?,
        provider: new.provider,
        key: new.key.expose(),
        label: new.label,
        base_url: new.base_url,
        settings: new.settings.map(Into::into),
        expire_time: new.expires_at.map(Time::to_proto),
        weight: new.weight.unwrap_or_default(),
    });
    let answer = services
        .provider_keys()
        .create_provider_key(request)
        .await?;
    Reply::created(answer.into_inner().provider_key)
}

pub(crate) async fn get(
    State(services): State<Services>,
    call: Call,
    At(provider_key_id): At<String>,
) -> Outcome {
    let request = call.request(GetProviderKeyRequest { provider_key_id });
    let answer = services.provider_keys().get_provider_key(request).await?;
    Reply::resource(answer.into_inner().provider_key)
}

pub(crate) async fn list(
    State(services): State<Services>,
    call: Call,
    mut parameters: Parameters,
) -> Outcome {
    let owner = OwnerNames::take(&mut parameters)?.owner()?;
    let page = parameters.page()?;
    parameters.finish()?;
    let request = call.request(ListProviderKeysRequest {
        owner,
        page_size: page.size,
        page_token: page.token,
    });
    let answer = services.provider_keys().list_provider_keys(request).await?;
    let answer = answer.into_inner();
    Ok(Reply::list(answer.provider_keys, answer.next_page_token))
}

pub(crate) async fn update(
    State(services): State<Services>,
    call: Call,
    At(provider_key_id): At<String>,
    IfMatch(etag): IfMatch,
    Given(change): Given<Update>,
) -> Outcome {
    let request = call.request(UpdateProviderKeyRequest {
        request_id: ids::new_text(),
        update_mask: Some(change.mask()?),
        provider_key: Some(ProviderKey {
            provider_key_id,
            label: change.label.unwrap_or_default(),
            enabled: change.enabled.unwrap_or_default(),
            weight: change.weight.unwrap_or_default(),
            expire_time: change.expires_at.value().map(Time::to_proto),
            ..ProviderKey::default()
        }),
        etag,
    });
    let answer = services
        .provider_keys()
        .update_provider_key(request)
        .await?;
    Reply::resource(answer.into_inner().provider_key)
}

pub(crate) async fn rotate(
    State(services): State<Services>,
    call: Call,
    At(provider_key_id): At<String>,
    IfMatch(etag): IfMatch,
    Given(rotation): Given<Rotation>,
) -> Outcome {
    let request = call.request(RotateProviderKeyRequest {
        request_id: ids::new_text(),
        provider_key_id,
        key: rotation.key.expose(),
        etag,
    });
    let answer = services
        .provider_keys()
        .rotate_provider_key(request)
        .await?;
    Reply::resource(answer.into_inner().provider_key)
}

pub(crate) async fn delete(
    State(services): State<Services>,
    call: Call,
    At(provider_key_id): At<String>,
    IfMatch(etag): IfMatch,
) -> Outcome {
    let request = call.request(DeleteProviderKeyRequest {
        request_id: ids::new_text(),
        provider_key_id,
        etag,
    });
    services
        .provider_keys()
        .delete_provider_key(request)
        .await?;
    Ok(Reply::gone())
}
