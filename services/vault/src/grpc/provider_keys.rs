//! `ProviderKeyService`.

use keyward_proto::vault::v1 as proto;
use keyward_proto::vault::v1::provider_key_service_server::ProviderKeyService;
use keyward_secret::Secret;
use tonic::{Request, Response, Status};

use super::change::command;
use super::{VaultGrpc, decode, encode};
use crate::app::provider_keys::{Changed, Rotation};
use crate::app::{Context, Core};
use crate::error::Result;

#[tonic::async_trait]
impl ProviderKeyService for VaultGrpc {
    async fn create_provider_key(
        &self,
        request: Request<proto::CreateProviderKeyRequest>,
    ) -> std::result::Result<Response<proto::CreateProviderKeyResponse>, Status> {
        self.change(request, create).await
    }

    async fn import_provider_key(
        &self,
        request: Request<proto::ImportProviderKeyRequest>,
    ) -> std::result::Result<Response<proto::ImportProviderKeyResponse>, Status> {
        self.change(request, import).await
    }

    async fn get_provider_key(
        &self,
        request: Request<proto::GetProviderKeyRequest>,
    ) -> std::result::Result<Response<proto::GetProviderKeyResponse>, Status> {
        self.answer(request, get).await
    }

    async fn list_provider_keys(
        &self,
        request: Request<proto::ListProviderKeysRequest>,
    ) -> std::result::Result<Response<proto::ListProviderKeysResponse>, Status> {
        self.answer(request, list).await
    }

    async fn update_provider_key(
        &self,
        request: Request<proto::UpdateProviderKeyRequest>,
    ) -> std::result::Result<Response<proto::UpdateProviderKeyResponse>, Status> {
        self.change(request, update).await
    }

    async fn rotate_provider_key(
        &self,
        request: Request<proto::RotateProviderKeyRequest>,
    ) -> std::result::Result<Response<proto::RotateProviderKeyResponse>, Status> {
        self.change(request, rotate).await
    }

    async fn delete_provider_key(
        &self,
        request: Request<proto::DeleteProviderKeyRequest>,
    ) -> std::result::Result<Response<proto::DeleteProviderKeyResponse>, Status> {
        self.change(request, delete).await
    }
}

async fn create(
    core: &Core,
    context: &Context,
    message: proto::CreateProviderKeyRequest,
) -> Result<proto::CreateProviderKeyResponse> {
    let new = decode::new_key(message)?;
    let answer = |key| proto::CreateProviderKeyResponse {
        provider_key: Some(encode::provider_key(key, context.now)),
    };
    let created = core
        .provider_key_create(&command(context, &answer), new)
        .await;
    created.map(answer)
}

async fn import(
    core: &Core,
    context: &Context,
    message: proto::ImportProviderKeyRequest,
) -> Result<proto::ImportProviderKeyResponse> {
    let validate_only = message.validate_only;
    let import = decode::import(message)?;
    let answer = |key| {
        let mut shown = encode::provider_key(key, context.now);
        if validate_only {
            // Nothing has this id.
            shown.provider_key_id.clear();
            shown.etag.clear();
        }
        proto::ImportProviderKeyResponse {
            provider_key: Some(shown),
        }
    };
    let imported = core
        .provider_key_import(&command(context, &answer), import)
        .await;
    imported.map(answer)
}

async fn get(
    core: &Core,
    context: &Context,
    message: proto::GetProviderKeyRequest,
) -> Result<proto::GetProviderKeyResponse> {
    let id = &message.provider_key_id;
    let key = core.provider_key_get(context, id).await?;
    let provider_key = Some(encode::provider_key(key, context.now));
    Ok(proto::GetProviderKeyResponse { provider_key })
}

async fn list(
    core: &Core,
    context: &Context,
    message: proto::ListProviderKeysRequest,
) -> Result<proto::ListProviderKeysResponse> {
    let page = decode::page(message.page_size, &message.page_token)?;
    let owner = message.owner.as_ref().map(decode::owner).transpose()?;
    let keys = core.provider_key_list(context, owner, page).await?;
    let encode = |key| encode::provider_key(key, context.now);
    let (provider_keys, next_page_token) = encode::paged(keys, page, |key| key.id, encode);
    Ok(proto::ListProviderKeysResponse {
        provider_keys,
        next_page_token,
    })
}

async fn update(
    core: &Core,
    context: &Context,
    message: proto::UpdateProviderKeyRequest,
) -> Result<proto::UpdateProviderKeyResponse> {
    let key = message.provider_key.unwrap_or_default();
    let patch = decode::key_patch(&key, message.update_mask.as_ref(), message.key)?;
    let (id, etag) = (&key.provider_key_id, &message.etag);
    let answer = |(key, laggards): Changed| proto::UpdateProviderKeyResponse {
        provider_key: Some(encode::provider_key(key, context.now)),
        laggards,
    };
    let changed = core
        .provider_key_update(&command(context, &answer), id, patch, etag)
        .await;
    changed.map(answer)
}

async fn rotate(
    core: &Core,
    context: &Context,
    message: proto::RotateProviderKeyRequest,
) -> Result<proto::RotateProviderKeyResponse> {
    let rotation = Rotation {
        id: message.provider_key_id,
        secret: Secret::new(message.key),
        etag: message.etag,
    };
    let answer = |(key, laggards): Changed| proto::RotateProviderKeyResponse {
        provider_key: Some(encode::provider_key(key, context.now)),
        laggards,
    };
    let changed = core
        .provider_key_rotate(&command(context, &answer), rotation)
        .await;
    changed.map(answer)
}

async fn delete(
    core: &Core,
    context: &Context,
    message: proto::DeleteProviderKeyRequest,
) -> Result<proto::DeleteProviderKeyResponse> {
    let (id, etag) = (&message.provider_key_id, &message.etag);
    let answer = |laggards| proto::DeleteProviderKeyResponse { laggards };
    let deleted = core
        .provider_key_delete(&command(context, &answer), id, etag)
        .await;
    deleted.map(answer)
}
