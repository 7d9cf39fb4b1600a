//! Saving a key: the first of a provider is new, another one takes its place.

use axum::extract::State;
use http::StatusCode;
use keyward_proto::vault::v1::{
    CreateProviderKeyRequest, ProviderKey, ProviderKeySettings, RotateProviderKeyRequest,
    UpdateProviderKeyRequest,
};
use prost_types::FieldMask;
use serde::Deserialize;
use utoipa::ToSchema;

use super::keys::{UserKeys, owner};
use super::view::AtomSaved;
use crate::caller::Call;
use crate::failure::Failure;
use crate::rest::body::Given;
use crate::rest::idempotency::IdempotencyKey;
use crate::rest::location::At;
use crate::rest::parameters::{Nothing, Query};
use crate::rest::reply::{Outcome, Reply};
use crate::rest::values::SecretText;
use crate::services::Services;

/// A key to save.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AtomNewKey {
    /// The key.
    api_key: SecretText,
    /// For people; a key that takes another's place keeps its label.
    label: Option<String>,
    /// Azure: the resource's address.
    endpoint: Option<String>,
    /// Azure: the version of its interface.
    api_version: Option<String>,
}

impl AtomNewKey {
    fn is_elsewhere(&self) -> bool {
        self.endpoint.is_some() || self.api_version.is_some()
    }

    /// Settings as they were, but for what is given.
    fn settings(&self, before: ProviderKeySettings) -> ProviderKeySettings {
        let given = |new: &Option<String>, before: String| new.clone().unwrap_or(before);
        ProviderKeySettings {
            endpoint: given(&self.endpoint, before.endpoint),
            api_version: given(&self.api_version, before.api_version),
            ..before
        }
    }
}

/// Save a key (ATOM)
///
/// The user's first key of a provider is stored (201); another one takes the place of the newest, under
/// the same id (200).
#[utoipa::path(
    post, path = "/api/user/api-keys/{user_id}/keys/{provider}", operation_id = "atomSaveKey",
    tag = "ATOM", request_body = AtomNewKey,
    params(
        ("user_id" = String, Path, description = "The user.", example = "bob"),
        ("provider" = String, Path, description = "The provider.", example = "sandbox"),
        IdempotencyKey,
    ),
    responses(
        (status = 200, description = "It took the place of the one before.", body = AtomSaved),
        (status = 201, description = "It is stored.", body = AtomSaved),
    ),
)]
pub(super) async fn save(
    State(api): State<Services>,
    call: Call,
    At((user, provider)): At<(String, String)>,
    _: Query<Nothing>,
    key: IdempotencyKey,
    Given(new): Given<AtomNewKey>,
) -> Outcome {
    let keys = UserKeys::of(&api, &call, &user).await?;
    let request_id = key.request_id();
    let before = keys.of_provider(&provider).next().cloned();
    let (status, saved) = match before {
        None => {
            let created = create(&api, &call, (&user, provider), new, request_id).await?;
            (StatusCode::CREATED, created)
        }
        Some(before) if new.is_elsewhere() => {
            let moved = retarget(&api, &call, before, &new, request_id).await?;
            (StatusCode::OK, moved)
        }
        Some(before) => {
            let rotated = rotate(&api, &call, before, &new, request_id).await?;
            (StatusCode::OK, rotated)
        }
    };
    let saved = saved.ok_or_else(|| Failure::broken_contract("no key in the answer"))?;
    Reply::json(status, &AtomSaved::new(&saved))
}

async fn create(
    api: &Services,
    call: &Call,
    (user, provider): (&str, String),
    new: AtomNewKey,
    request_id: String,
) -> Result<Option<ProviderKey>, Failure> {
    let settings = new
        .is_elsewhere()
        .then(|| new.settings(ProviderKeySettings::default()));
    let request = call.request(CreateProviderKeyRequest {
        request_id,
        owner: Some(owner(user)),
        provider,
        key: new.api_key.expose(),
        label: new.label.unwrap_or_default(),
        settings,
        ..CreateProviderKeyRequest::default()
    });
    let created = api.provider_keys().create_provider_key(request).await?;
    Ok(created.into_inner().provider_key)
}

/// The next secret under the same id.
async fn rotate(
    api: &Services,
    call: &Call,
    before: ProviderKey,
    new: &AtomNewKey,
    request_id: String,
) -> Result<Option<ProviderKey>, Failure> {
    let request = call.request(RotateProviderKeyRequest {
        request_id,
        provider_key_id: before.provider_key_id,
        key: new.api_key.expose(),
        etag: String::new(),
    });
    let rotated = api.provider_keys().rotate_provider_key(request).await?;
    Ok(rotated.into_inner().provider_key)
}

/// The next secret, sent elsewhere.
async fn retarget(
    api: &Services,
    call: &Call,
    before: ProviderKey,
    new: &AtomNewKey,
    request_id: String,
) -> Result<Option<ProviderKey>, Failure> {
    let settings = new.settings(before.settings.unwrap_or_default());
    let request = call.request(UpdateProviderKeyRequest {
        request_id,
        provider_key: Some(ProviderKey {
            provider_key_id: before.provider_key_id,
            settings: Some(settings),
            ..ProviderKey::default()
        }),
        update_mask: Some(FieldMask {
            paths: vec!["settings".to_owned()],
        }),
        key: new.api_key.expose(),
        etag: String::new(),
    });
    let moved = api.provider_keys().update_provider_key(request).await?;
    Ok(moved.into_inner().provider_key)
}
