//! `ProviderKeyService`.

use keyward_proto::vault::v1::provider_key_service_server::ProviderKeyService;
use keyward_proto::vault::v1::{
    CreateProviderKeyRequest, CreateProviderKeyResponse, DeleteProviderKeyRequest,
    DeleteProviderKeyResponse, GetProviderKeyRequest, GetProviderKeyResponse,
    ListProviderKeysRequest, ListProviderKeysResponse, RotateProviderKeyRequest,
    RotateProviderKeyResponse, UpdateProviderKeyRequest, UpdateProviderKeyResponse,
};
use keyward_secret::Secret;
use tonic::{Request, Response, Status};

use super::{VaultGrpc, decode, encode, status};
use crate::app::provider_keys::Rotation;

#[tonic::async_trait]
impl ProviderKeyService for VaultGrpc {
    async fn create_provider_key(
        &self,
        request: Request<CreateProviderKeyRequest>,
    ) -> Result<Response<CreateProviderKeyResponse>, Status> {
        let (context, message) = self.admit(request).await?;
        let new = decode::new_key(message).map_err(status)?;
        let key = self
            .core
            .provider_key_create(&context, new)
            .await
            .map_err(status)?;
        let provider_key = Some(encode::provider_key(key, context.now));
        Ok(Response::new(CreateProviderKeyResponse { provider_key }))
    }

    async fn get_provider_key(
        &self,
        request: Request<GetProviderKeyRequest>,
    ) -> Result<Response<GetProviderKeyResponse>, Status> {
        let (context, message) = self.admit(request).await?;
        let id = &message.provider_key_id;
        let key = self
            .core
            .provider_key_get(&context, id)
            .await
            .map_err(status)?;
        let provider_key = Some(encode::provider_key(key, context.now));
        Ok(Response::new(GetProviderKeyResponse { provider_key }))
    }

    async fn list_provider_keys(
        &self,
        request: Request<ListProviderKeysRequest>,
    ) -> Result<Response<ListProviderKeysResponse>, Status> {
        let (context, message) = self.admit(request).await?;
        let page = decode::page(message.page_size, &message.page_token).map_err(status)?;
        let owner = message
            .owner
            .as_ref()
            .map(decode::owner)
            .transpose()
            .map_err(status)?;
        let keys = self
            .core
            .provider_key_list(&context, owner, page)
            .await
            .map_err(status)?;
        let encode = |key| encode::provider_key(key, context.now);
        let (provider_keys, next_page_token) = encode::paged(keys, page, |key| key.id, encode);
        Ok(Response::new(ListProviderKeysResponse {
            provider_keys,
            next_page_token,
        }))
    }

    async fn update_provider_key(
        &self,
        request: Request<UpdateProviderKeyRequest>,
    ) -> Result<Response<UpdateProviderKeyResponse>, Status> {
        let (context, message) = self.admit(request).await?;
        let key = message.provider_key.unwrap_or_default();
        let patch = decode::key_patch(&key, message.update_mask.as_ref()).map_err(status)?;
        let (id, etag) = (&key.provider_key_id, &message.etag);
        let changed = self
            .core
            .provider_key_update(&context, id, patch, etag)
            .await;
        let (key, laggards) = changed.map_err(status)?;
        let provider_key = Some(encode::provider_key(key, context.now));
        Ok(Response::new(UpdateProviderKeyResponse {
            provider_key,
            laggards,
        }))
    }

    async fn rotate_provider_key(
        &self,
        request: Request<RotateProviderKeyRequest>,
    ) -> Result<Response<RotateProviderKeyResponse>, Status> {
        let (context, message) = self.admit(request).await?;
        let rotation = Rotation {
            id: message.provider_key_id,
            secret: Secret::new(message.key),
            etag: message.etag,
        };
        let changed = self.core.provider_key_rotate(&context, rotation).await;
        let (key, laggards) = changed.map_err(status)?;
        let provider_key = Some(encode::provider_key(key, context.now));
        Ok(Response::new(RotateProviderKeyResponse {
            provider_key,
            laggards,
        }))
    }

    async fn delete_provider_key(
        &self,
        request: Request<DeleteProviderKeyRequest>,
    ) -> Result<Response<DeleteProviderKeyResponse>, Status> {
        let (context, message) = self.admit(request).await?;
        let (id, etag) = (&message.provider_key_id, &message.etag);
        let laggards = self
            .core
            .provider_key_delete(&context, id, etag)
            .await
            .map_err(status)?;
        Ok(Response::new(DeleteProviderKeyResponse { laggards }))
    }
}
