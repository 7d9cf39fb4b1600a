//! `/api/v1/vault…`: the master keys that guard all others, and the seal of the vault. For admins of
//! the platform; nothing here shows anything of a key but its id.

mod master_keys;

use axum::extract::State;
use futures::StreamExt as _;
use keyward_proto::vault::v1::{
    GetVaultStateRequest, RewrapKeysRequest, RewrapKeysResponse, SealVaultRequest,
    UnsealVaultRequest, VaultState,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::Given;
use super::idempotency::IdempotencyKey;
use super::parameters::{Nothing, Query};
use super::reply::{Outcome, Reply, Resource};
use super::values::{Time, present};
use crate::caller::Call;
use crate::failure::Failure;
use crate::services::Services;

/// How many data keys are rewrapped where no number is given: about a second's work.
const REWRAP_DEFAULT: u64 = 5_000;

/// The most that are rewrapped in one request, so that it ends in time.
const REWRAP_MAX: u64 = 50_000;

pub(super) fn router() -> OpenApiRouter<Services> {
    OpenApiRouter::default()
        .routes(routes!(state))
        .routes(routes!(seal))
        .routes(routes!(unseal))
        .routes(routes!(rewrap))
        .merge(master_keys::router())
}

/// Why it is done.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SealReason)]
struct Reason {
    /// For the audit log.
    #[serde(default)]
    reason: String,
}

/// How much is rewrapped.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RewrapWish {
    /// At most this many data keys.
    #[schema(minimum = 1, maximum = 50_000, default = 5_000)]
    limit: Option<u64>,
}

/// How the vault stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VaultState)]
pub(crate) struct VaultStateView {
    /// Whether it is sealed: no key is opened then.
    sealed: bool,
    /// Since when.
    #[schema(required)]
    changed_at: Option<Time>,
    /// The master key that wraps new data keys.
    #[schema(required)]
    active_master_key: Option<String>,
}

/// How a seal was taken.
#[derive(Debug, Serialize, ToSchema)]
struct Sealed {
    #[serde(flatten)]
    state: VaultStateView,
    /// How many routers have not confirmed that they dropped what they held.
    laggards: u32,
}

/// How far rewrapping is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RewrapProgress)]
struct Progress {
    /// How many data keys this request rewrapped.
    rewrapped: u64,
    /// How many the active master key does not wrap yet.
    remaining: u64,
    /// How many of those do not open and were left as they are.
    failed: u64,
}

impl Resource for VaultState {
    type View = VaultStateView;

    fn into_view(self) -> VaultStateView {
        VaultStateView {
            sealed: self.sealed,
            changed_at: Time::from_proto(self.change_time.as_ref()),
            active_master_key: present(self.active_master_key_id),
        }
    }
}

/// Show how the vault stands
///
/// For admins of the platform.
#[utoipa::path(
    get, path = "/api/v1/vault", operation_id = "getVaultState", tag = "Vault",
    responses((status = 200, description = "How it stands.", body = VaultStateView)),
)]
async fn state(State(services): State<Services>, call: Call, _: Query<Nothing>) -> Outcome {
    let request = call.request(GetVaultStateRequest {});
    let answer = services.master_keys().get_vault_state(request).await?;
    Reply::resource(answer.into_inner().vault_state)
}

/// Seal the vault
///
/// No provider key is opened until it is unsealed; routers drop what they hold. For admins of the
/// platform.
#[utoipa::path(
    post, path = "/api/v1/vault/seal", operation_id = "sealVault", tag = "Vault",
    params(IdempotencyKey), request_body = Reason,
    responses((status = 200, description = "It is sealed.", body = Sealed)),
)]
async fn seal(
    State(services): State<Services>,
    call: Call,
    _: Query<Nothing>,
    key: IdempotencyKey,
    Given(given): Given<Reason>,
) -> Outcome {
    let request = call.request(SealVaultRequest {
        request_id: key.request_id(),
        reason: given.reason,
    });
    let answer = services.master_keys().seal_vault(request).await?;
    let answer = answer.into_inner();
    let state = answer
        .vault_state
        .ok_or_else(|| Failure::broken_contract("no state in the answer"))?;
    Reply::ok(&Sealed {
        state: state.into_view(),
        laggards: answer.laggards,
    })
}

/// Unseal the vault
///
/// It reads its master keys again. For admins of the platform.
#[utoipa::path(
    post, path = "/api/v1/vault/unseal", operation_id = "unsealVault", tag = "Vault",
    params(IdempotencyKey), request_body = Reason,
    responses((status = 200, description = "It is unsealed.", body = VaultStateView)),
)]
async fn unseal(
    State(services): State<Services>,
    call: Call,
    _: Query<Nothing>,
    key: IdempotencyKey,
    Given(given): Given<Reason>,
) -> Outcome {
    let request = call.request(UnsealVaultRequest {
        request_id: key.request_id(),
        reason: given.reason,
    });
    let answer = services.master_keys().unseal_vault(request).await?;
    Reply::resource(answer.into_inner().vault_state)
}

/// Rewrap data keys
///
/// Has data keys wrapped by the active master key instead of others, while they are in use. Ask
/// again until none remain; what is done stays done. For admins of the platform.
#[utoipa::path(
    post, path = "/api/v1/vault/rewrap", operation_id = "rewrapKeys", tag = "Vault",
    request_body = RewrapWish,
    responses((status = 200, description = "How far it is.", body = Progress)),
)]
async fn rewrap(
    State(services): State<Services>,
    call: Call,
    _: Query<Nothing>,
    Given(wish): Given<RewrapWish>,
) -> Outcome {
    let limit = wish.limit.unwrap_or(REWRAP_DEFAULT);
    if !(1..=REWRAP_MAX).contains(&limit) {
        return Err(Failure::invalid("limit", "limit must be 1 to 50000"));
    }
    let request = call.request(RewrapKeysRequest { limit });
    let mut told = services.vault().rewrap_keys(request).await?.into_inner();
    let mut last = RewrapKeysResponse::default();
    while let Some(progress) = told.next().await {
        last = progress?;
    }
    Reply::ok(&Progress {
        rewrapped: last.rewrapped,
        remaining: last.remaining,
        failed: last.failed,
    })
}
