//! `/api/v1/provider-keys/import`: keys that other software keeps as Fernet tokens. A token passes
//! through here as it came; what is in it only the vault sees.

use axum::extract::State;
use keyward_proto::REPLAYED;
use keyward_proto::vault::v1::ImportProviderKeyRequest;
use serde::Deserialize;
use utoipa::ToSchema;

use super::form::Settings;
use super::owner::{OwnerNames, OwnerQuery};
use super::view::ProviderKeyView;
use crate::caller::Call;
use crate::rest::body::Given;
use crate::rest::idempotency::IdempotencyKey;
use crate::rest::parameters::Query;
use crate::rest::reply::{Outcome, Reply};
use crate::rest::values::{SecretText, Time};
use crate::services::Services;

/// A key that other software keeps as a Fernet token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProviderKeyImport)]
pub(super) struct Import {
    /// The provider that the key is for.
    #[schema(examples("sandbox"))]
    provider: String,
    /// The token.
    fernet_token: SecretText,
    /// Whose it is: `user`, `project`, `organization` or `system`.
    #[schema(examples("user"))]
    owner: Option<String>,
    /// The user, or whose project.
    user: Option<String>,
    /// The organization, or whose project.
    organization: Option<String>,
    /// The project.
    project: Option<String>,
    /// For people.
    label: Option<String>,
    /// Where to send its requests; the provider's own address where absent.
    base_url: Option<String>,
    /// Settings beside the secret.
    settings: Option<Settings>,
    /// When it stops being used; never where absent.
    expires_at: Option<Time>,
    /// Its share among keys of equal rank.
    weight: Option<u32>,
    /// Read the token as Python does, which passes over what is no base64.
    lenient: Option<bool>,
    /// Check everything and store nothing.
    validate_only: Option<bool>,
}

impl Import {
    fn owner(&self) -> OwnerNames {
        OwnerNames::new(
            self.owner.clone(),
            self.user.clone(),
            self.organization.clone(),
            self.project.clone(),
        )
    }
}

/// Take over a Fernet token
///
/// Opens a token that other software made, Python's `cryptography` for one, with the Fernet keys that
/// the vault was given, and stores what is in it as a provider key. Its content is never shown. A
/// token that does not open is a 400, with one message for every reason.
///
/// With `validate_only` nothing is stored: the key is shown as it would be, with an empty `id`.
#[utoipa::path(
    post, path = "/api/v1/provider-keys/import", operation_id = "importProviderKey",
    tag = "Provider keys", params(OwnerQuery, IdempotencyKey), request_body = Import,
    responses(
        (status = 201, description = "The new key, masked.", body = ProviderKeyView,
            headers(("idempotency-replayed" = String, description = "`true` where this is the \
            answer to an earlier request with the same `Idempotency-Key`."))),
        (status = 200, description = "The key as it would be, masked: nothing was stored.",
            body = ProviderKeyView),
    ),
)]
pub(super) async fn import(
    State(services): State<Services>,
    call: Call,
    Query(named): Query<OwnerQuery>,
    key: IdempotencyKey,
    Given(import): Given<Import>,
) -> Outcome {
    let validate_only = import.validate_only.unwrap_or_default();
    let request = call.request(ImportProviderKeyRequest {
        request_id: key.request_id(),
        owner: import.owner().or(named.into()).owner()?,
        provider: import.provider,
        fernet_token: import.fernet_token.expose(),
        label: import.label.unwrap_or_default(),
        base_url: import.base_url.unwrap_or_default(),
        settings: import.settings.map(Into::into),
        expire_time: import.expires_at.map(Time::to_proto),
        weight: import.weight.unwrap_or_default(),
        validate_only,
        lenient: import.lenient.unwrap_or_default(),
    });
    let answer = services
        .provider_keys()
        .import_provider_key(request)
        .await?;
    let replayed = answer.metadata().contains_key(REPLAYED);
    let key = answer.into_inner().provider_key;
    match validate_only {
        true => Reply::resource(key),
        false => Ok(Reply::created(key)?.replayed(replayed)),
    }
}
