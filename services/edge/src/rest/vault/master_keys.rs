//! `/api/v1/vault/master-keys…`: the keys that wrap all others, by their ids.

use axum::extract::State;
use keyward_proto::vault::v1::{
    ActivateMasterKeyRequest, AddMasterKeyRequest, DestroyMasterKeyRequest, ListMasterKeysRequest,
    MasterKey, MasterKeyState, RetireMasterKeyRequest,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::caller::Call;
use crate::failure::Failure;
use crate::rest::body::Given;
use crate::rest::idempotency::IdempotencyKey;
use crate::rest::location::At;
use crate::rest::parameters::{Nothing, Page, Query};
use crate::rest::reply::{Outcome, Reply, Resource, page};
use crate::rest::values::{Time, present};
use crate::services::Services;

pub(super) fn router() -> OpenApiRouter<Services> {
    OpenApiRouter::default()
        .routes(routes!(list, add))
        .routes(routes!(activate))
        .routes(routes!(retire))
        .routes(routes!(destroy))
}

/// A new master key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewMasterKey {
    /// Its id; one is made where there is none.
    #[schema(pattern = "^[A-Za-z0-9._-]{1,64}$", examples("2026-11"))]
    id: Option<String>,
}

/// A master key; never the key itself.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MasterKey)]
pub(crate) struct MasterKeyView {
    /// Its id.
    id: String,
    /// Who keeps it: `local` or `transit`; none where no process has it.
    #[schema(required)]
    provider: Option<String>,
    /// How it stands: `opens` what it wrapped, `active` (wraps new data keys too), `retired`,
    /// `destroyed`.
    #[schema(examples("active"))]
    state: &'static str,
    /// How many data keys it wraps. As long as there is one, it is needed.
    data_keys: u64,
    /// The vault's processes that have it.
    replicas: Vec<String>,
    /// When it became known.
    #[schema(required)]
    created_at: Option<Time>,
    /// When it last became active. Backups made from then on need it to be opened.
    #[schema(required)]
    activated_at: Option<Time>,
    /// When it was retired. Backups made after that do not need it.
    #[schema(required)]
    retired_at: Option<Time>,
    /// When it was destroyed. Backups that need it do not open since then.
    #[schema(required)]
    destroyed_at: Option<Time>,
}

/// A master key that was destroyed.
#[derive(Debug, Serialize, ToSchema)]
struct DestroyedMasterKey {
    #[serde(flatten)]
    master_key: MasterKeyView,
    /// Whether its bytes were erased. If not, whoever keeps it must do that.
    erased: bool,
}

page!(
    /// All master keys.
    MasterKeyList { master_keys: MasterKeyView }
);

impl Resource for MasterKey {
    type View = MasterKeyView;

    fn into_view(self) -> MasterKeyView {
        MasterKeyView {
            state: match self.state() {
                MasterKeyState::Active => "active",
                MasterKeyState::Retired => "retired",
                MasterKeyState::Destroyed => "destroyed",
                MasterKeyState::Opens | MasterKeyState::Unspecified => "opens",
            },
            id: self.master_key_id,
            provider: present(self.provider),
            data_keys: self.data_keys,
            replicas: self.replicas,
            created_at: Time::from_proto(self.create_time.as_ref()),
            activated_at: Time::from_proto(self.activate_time.as_ref()),
            retired_at: Time::from_proto(self.retire_time.as_ref()),
            destroyed_at: Time::from_proto(self.destroy_time.as_ref()),
        }
    }
}

/// List master keys
///
/// For admins of the platform.
#[utoipa::path(
    get, path = "/api/v1/vault/master-keys", operation_id = "listMasterKeys", tag = "Vault",
    params(Page),
    responses((status = 200, description = "All of them, the latest first.", body = MasterKeyList)),
)]
async fn list(State(services): State<Services>, call: Call, Query(page): Query<Page>) -> Outcome {
    let request = call.request(ListMasterKeysRequest {
        page_size: page.page_size.0,
        page_token: page.page_token,
    });
    let answer = services.master_keys().list_master_keys(request).await?;
    let answer = answer.into_inner();
    MasterKeyList::reply(answer.master_keys, answer.next_page_token)
}

/// Add a master key
///
/// One is made and added to the vault's key file; it wraps nothing until it is activated. For admins
/// of the platform.
#[utoipa::path(
    post, path = "/api/v1/vault/master-keys", operation_id = "addMasterKey", tag = "Vault",
    params(IdempotencyKey), request_body = NewMasterKey,
    responses((status = 201, description = "The new master key.", body = MasterKeyView)),
)]
async fn add(
    State(services): State<Services>,
    call: Call,
    _: Query<Nothing>,
    key: IdempotencyKey,
    Given(new): Given<NewMasterKey>,
) -> Outcome {
    let request = call.request(AddMasterKeyRequest {
        request_id: key.request_id(),
        master_key_id: new.id.unwrap_or_default(),
    });
    let answer = services.master_keys().add_master_key(request).await?;
    Reply::created(answer.into_inner().master_key)
}

/// Activate a master key
///
/// It wraps new data keys from now on, on every replica. For admins of the platform.
#[utoipa::path(
    post, path = "/api/v1/vault/master-keys/{id}/activate", operation_id = "activateMasterKey",
    tag = "Vault", params(("id" = String, Path, description = "Its id."), IdempotencyKey),
    responses((status = 200, description = "The master key.", body = MasterKeyView)),
)]
async fn activate(
    State(services): State<Services>,
    call: Call,
    At(master_key_id): At<String>,
    _: Query<Nothing>,
    key: IdempotencyKey,
) -> Outcome {
    let request = call.request(ActivateMasterKeyRequest {
        request_id: key.request_id(),
        master_key_id,
    });
    let answer = services.master_keys().activate_master_key(request).await?;
    Reply::resource(answer.into_inner().master_key)
}

/// Retire a master key
///
/// Refused while it wraps a data key. For admins of the platform.
#[utoipa::path(
    post, path = "/api/v1/vault/master-keys/{id}/retire", operation_id = "retireMasterKey",
    tag = "Vault", params(("id" = String, Path, description = "Its id."), IdempotencyKey),
    responses((status = 200, description = "The master key.", body = MasterKeyView)),
)]
async fn retire(
    State(services): State<Services>,
    call: Call,
    At(master_key_id): At<String>,
    _: Query<Nothing>,
    key: IdempotencyKey,
) -> Outcome {
    let request = call.request(RetireMasterKeyRequest {
        request_id: key.request_id(),
        master_key_id,
    });
    let answer = services.master_keys().retire_master_key(request).await?;
    Reply::resource(answer.into_inner().master_key)
}

/// Destroy a master key
///
/// For good: backups whose data keys it wrapped never open again, and its id is never used again.
/// Refused unless it is retired. For admins of the platform.
#[utoipa::path(
    post, path = "/api/v1/vault/master-keys/{id}/destroy", operation_id = "destroyMasterKey",
    tag = "Vault", params(("id" = String, Path, description = "Its id."), IdempotencyKey),
    responses((status = 200, description = "It is destroyed.", body = DestroyedMasterKey)),
)]
async fn destroy(
    State(services): State<Services>,
    call: Call,
    At(master_key_id): At<String>,
    _: Query<Nothing>,
    key: IdempotencyKey,
) -> Outcome {
    let request = call.request(DestroyMasterKeyRequest {
        request_id: key.request_id(),
        master_key_id,
    });
    let answer = services.master_keys().destroy_master_key(request).await?;
    let answer = answer.into_inner();
    let master_key = answer
        .master_key
        .ok_or_else(|| Failure::broken_contract("no master key in the answer"))?;
    Reply::ok(&DestroyedMasterKey {
        master_key: master_key.into_view(),
        erased: answer.erased,
    })
}
