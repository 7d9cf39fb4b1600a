//! `MasterKeyService`: for platform admins.

use keyward_proto::vault::v1 as proto;
use keyward_proto::vault::v1::master_key_service_server::MasterKeyService;
use tonic::{Request, Response, Status};

use super::change::command;
use super::{VaultGrpc, encode};
use crate::app::{Context, Core};

#[tonic::async_trait]
impl MasterKeyService for VaultGrpc {
    async fn list_master_keys(
        &self,
        request: Request<proto::ListMasterKeysRequest>,
    ) -> Result<Response<proto::ListMasterKeysResponse>, Status> {
        let act = async |core: &Core, context: &Context, _| {
            let keys = core.master_keys(context).await?;
            Ok(proto::ListMasterKeysResponse {
                master_keys: keys.into_iter().map(encode::master_key).collect(),
                next_page_token: String::new(),
            })
        };
        self.answer(request, act).await
    }

    async fn add_master_key(
        &self,
        request: Request<proto::AddMasterKeyRequest>,
    ) -> Result<Response<proto::AddMasterKeyResponse>, Status> {
        let act = async |core: &Core, context: &Context, message: proto::AddMasterKeyRequest| {
            let answer = |view| proto::AddMasterKeyResponse {
                master_key: Some(encode::master_key(view)),
            };
            let done = core
                .master_key_add(&command(context, &answer), &message.master_key_id)
                .await;
            done.map(answer)
        };
        self.change(request, act).await
    }

    async fn activate_master_key(
        &self,
        request: Request<proto::ActivateMasterKeyRequest>,
    ) -> Result<Response<proto::ActivateMasterKeyResponse>, Status> {
        let act =
            async |core: &Core, context: &Context, message: proto::ActivateMasterKeyRequest| {
                let answer = |view| proto::ActivateMasterKeyResponse {
                    master_key: Some(encode::master_key(view)),
                };
                let done = core
                    .master_key_activate(&command(context, &answer), &message.master_key_id)
                    .await;
                done.map(answer)
            };
        self.change(request, act).await
    }

    async fn retire_master_key(
        &self,
        request: Request<proto::RetireMasterKeyRequest>,
    ) -> Result<Response<proto::RetireMasterKeyResponse>, Status> {
        let act = async |core: &Core, context: &Context, message: proto::RetireMasterKeyRequest| {
            let answer = |view| proto::RetireMasterKeyResponse {
                master_key: Some(encode::master_key(view)),
            };
            let done = core
                .master_key_retire(&command(context, &answer), &message.master_key_id)
                .await;
            done.map(answer)
        };
        self.change(request, act).await
    }

    async fn destroy_master_key(
        &self,
        request: Request<proto::DestroyMasterKeyRequest>,
    ) -> Result<Response<proto::DestroyMasterKeyResponse>, Status> {
        let act =
            async |core: &Core, context: &Context, message: proto::DestroyMasterKeyRequest| {
                let answer = |(view, erased)| proto::DestroyMasterKeyResponse {
                    master_key: Some(encode::master_key(view)),
                    erased,
                };
                let done = core
                    .master_key_destroy(&command(context, &answer), &message.master_key_id)
                    .await;
                done.map(answer)
            };
        self.change(request, act).await
    }

    async fn get_vault_state(
        &self,
        request: Request<proto::GetVaultStateRequest>,
    ) -> Result<Response<proto::GetVaultStateResponse>, Status> {
        let act = async |core: &Core, context: &Context, _| {
            let vault_state = Some(encode::vault_state(core.custody(context).await?));
            Ok(proto::GetVaultStateResponse { vault_state })
        };
        self.answer(request, act).await
    }

    async fn seal_vault(
        &self,
        request: Request<proto::SealVaultRequest>,
    ) -> Result<Response<proto::SealVaultResponse>, Status> {
        let act = async |core: &Core, context: &Context, message: proto::SealVaultRequest| {
            let answer = |(custody, laggards)| proto::SealVaultResponse {
                vault_state: Some(encode::vault_state(custody)),
                laggards,
            };
            let done = core
                .seal_vault(&command(context, &answer), &message.reason)
                .await;
            done.map(answer)
        };
        self.change(request, act).await
    }

    async fn unseal_vault(
        &self,
        request: Request<proto::UnsealVaultRequest>,
    ) -> Result<Response<proto::UnsealVaultResponse>, Status> {
        let act = async |core: &Core, context: &Context, message: proto::UnsealVaultRequest| {
            let answer = |custody| proto::UnsealVaultResponse {
                vault_state: Some(encode::vault_state(custody)),
            };
            let done = core
                .unseal_vault(&command(context, &answer), &message.reason)
                .await;
            done.map(answer)
        };
        self.change(request, act).await
    }
}
