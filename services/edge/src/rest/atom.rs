//! `/api/user/api-keys/{user_id}/…`: provider keys in the form of ATOM's interface, for pages that were
//! written for it. One key for a user and provider, known by the provider's name; the same services as
//! elsewhere decide what may be done.

mod keys;
mod save;
mod standing;
mod view;

use axum::extract::State;
use keyward_proto::vault::v1::DeleteProviderKeyRequest;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::keys::UserKeys;
use self::standing::Standing;
use self::view::{AtomDone, AtomKeys, AtomProviders, AtomServices, AtomStatus, AtomTest};
use super::location::At;
use super::parameters::{Nothing, Query};
use super::reply::{Outcome, Reply};
use crate::caller::Call;
use crate::services::Services;

pub(super) fn router() -> OpenApiRouter<Services> {
    OpenApiRouter::default()
        .routes(routes!(providers))
        .routes(routes!(list))
        .routes(routes!(get, save::save, delete))
        .routes(routes!(test))
        .routes(routes!(services))
        .routes(routes!(status))
}

/// List providers (ATOM)
///
/// Who can be called, what their keys look like, and whether the user's work.
#[utoipa::path(
    get, path = "/api/user/api-keys/{user_id}/providers", operation_id = "atomListProviders",
    tag = "ATOM", params(("user_id" = String, Path, description = "The user.", example = "bob")),
    responses((status = 200, description = "The providers.", body = AtomProviders)),
)]
async fn providers(
    State(api): State<Services>,
    call: Call,
    At(user): At<String>,
    _: Query<Nothing>,
) -> Outcome {
    let standing = Standing::of(&api, &call, &user).await?;
    Reply::ok(&AtomProviders::new(user, &standing))
}

/// List keys (ATOM)
///
/// The user's keys, masked, newest first.
#[utoipa::path(
    get, path = "/api/user/api-keys/{user_id}/keys", operation_id = "atomListKeys",
    tag = "ATOM", params(("user_id" = String, Path, description = "The user.", example = "bob")),
    responses((status = 200, description = "The keys, masked.", body = AtomKeys)),
)]
async fn list(
    State(api): State<Services>,
    call: Call,
    At(user): At<String>,
    _: Query<Nothing>,
) -> Outcome {
    let keys = UserKeys::of(&api, &call, &user).await?;
    Reply::ok(&AtomKeys::new(user, keys.all()))
}

/// Show a key (ATOM)
///
/// The user's newest key of a provider, masked.
#[utoipa::path(
    get, path = "/api/user/api-keys/{user_id}/keys/{provider}", operation_id = "atomGetKey",
    tag = "ATOM",
    params(
        ("user_id" = String, Path, description = "The user.", example = "bob"),
        ("provider" = String, Path, description = "The provider.", example = "sandbox"),
    ),
    responses((status = 200, description = "The key, masked.", body = view::AtomKey)),
)]
async fn get(
    State(api): State<Services>,
    call: Call,
    At((user, provider)): At<(String, String)>,
    _: Query<Nothing>,
) -> Outcome {
    let keys = UserKeys::of(&api, &call, &user).await?;
    Reply::ok(&view::AtomKey::from(keys.newest(&provider)?))
}

/// Delete a key (ATOM)
///
/// All of the user's keys of this provider: it is not called with a key of theirs any more.
#[utoipa::path(
    delete, path = "/api/user/api-keys/{user_id}/keys/{provider}", operation_id = "atomDeleteKey",
    tag = "ATOM",
    params(
        ("user_id" = String, Path, description = "The user.", example = "bob"),
        ("provider" = String, Path, description = "The provider.", example = "sandbox"),
    ),
    responses((status = 200, description = "They are gone.", body = AtomDone)),
)]
async fn delete(
    State(api): State<Services>,
    call: Call,
    At((user, provider)): At<(String, String)>,
    _: Query<Nothing>,
) -> Outcome {
    let keys = UserKeys::of(&api, &call, &user).await?;
    keys.newest(&provider)?;
    let mut laggards = 0;
    for key in keys.of_provider(&provider) {
        let request = call.request(DeleteProviderKeyRequest {
            provider_key_id: key.provider_key_id.clone(),
            ..DeleteProviderKeyRequest::default()
        });
        let deleted = api.provider_keys().delete_provider_key(request).await?;
        laggards = laggards.max(deleted.into_inner().laggards);
    }
    let done = AtomDone::new(&provider, "API key deleted successfully");
    Ok(Reply::ok(&done)?.confirmed(laggards))
}

/// Test a key (ATOM)
///
/// Asks the provider whether the user's newest key works.
#[utoipa::path(
    post, path = "/api/user/api-keys/{user_id}/keys/{provider}/test", operation_id = "atomTestKey",
    tag = "ATOM",
    params(
        ("user_id" = String, Path, description = "The user.", example = "bob"),
        ("provider" = String, Path, description = "The provider.", example = "sandbox"),
    ),
    responses(
        (status = 200, description = "What the provider said.", body = AtomTest),
        (status = 429, description = "Too many tests within a minute."),
    ),
)]
async fn test(
    State(api): State<Services>,
    call: Call,
    At((user, provider)): At<(String, String)>,
    _: Query<Nothing>,
) -> Outcome {
    let keys = UserKeys::of(&api, &call, &user).await?;
    let found = keys::test(&api, &call, keys.newest(&provider)?).await?;
    Reply::ok(&AtomTest::new(provider, found))
}

/// List services (ATOM)
///
/// The providers that the user has a key for.
#[utoipa::path(
    get, path = "/api/user/api-keys/{user_id}/services", operation_id = "atomListServices",
    tag = "ATOM", params(("user_id" = String, Path, description = "The user.", example = "bob")),
    responses((status = 200, description = "The configured providers.", body = AtomServices)),
)]
async fn services(
    State(api): State<Services>,
    call: Call,
    At(user): At<String>,
    _: Query<Nothing>,
) -> Outcome {
    let standing = Standing::of(&api, &call, &user).await?;
    Reply::ok(&AtomServices::new(user, &standing))
}

/// Show how all stands (ATOM)
///
/// How many providers there are, how many the user has keys for, and how many of those work.
#[utoipa::path(
    get, path = "/api/user/api-keys/{user_id}/status", operation_id = "atomGetStatus",
    tag = "ATOM", params(("user_id" = String, Path, description = "The user.", example = "bob")),
    responses((status = 200, description = "How all stands.", body = AtomStatus)),
)]
async fn status(
    State(api): State<Services>,
    call: Call,
    At(user): At<String>,
    _: Query<Nothing>,
) -> Outcome {
    let standing = Standing::of(&api, &call, &user).await?;
    Reply::ok(&AtomStatus::new(user, &standing))
}
