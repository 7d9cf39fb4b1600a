//! `IdentityService`: what is not about a credential is answered by topic.

mod access_keys;
mod accounts;
mod members;
mod projects;

use keyward_proto::vault::v1 as proto;
use keyward_proto::vault::v1::identity_service_server::IdentityService;
use keyward_secret::Secret;
use tonic::{Request, Response, Status};

use super::{VaultGrpc, status};

#[tonic::async_trait]
impl IdentityService for VaultGrpc {
    async fn exchange_credential(
        &self,
        request: Request<proto::ExchangeCredentialRequest>,
    ) -> Result<Response<proto::ExchangeCredentialResponse>, Status> {
        let message = request.into_inner();
        let credential = Secret::new(message.credential);
        let grant = self
            .core
            .exchange(&credential, &message.organization)
            .await
            .map_err(status)?;
        let (grant, grant_keys) = (grant.as_str().to_owned(), self.core.grant_keys());
        Ok(Response::new(proto::ExchangeCredentialResponse {
            grant,
            grant_keys,
        }))
    }

    async fn get_grant_keys(
        &self,
        request: Request<proto::GetGrantKeysRequest>,
    ) -> Result<Response<proto::GetGrantKeysResponse>, Status> {
        drop(request);
        let grant_keys = self.core.grant_keys();
        Ok(Response::new(proto::GetGrantKeysResponse { grant_keys }))
    }

    async fn resolve_account(
        &self,
        request: Request<proto::ResolveAccountRequest>,
    ) -> Result<Response<proto::ResolveAccountResponse>, Status> {
        self.answer(request, accounts::resolve_account).await
    }

    async fn resolve_owner(
        &self,
        request: Request<proto::ResolveOwnerRequest>,
    ) -> Result<Response<proto::ResolveOwnerResponse>, Status> {
        self.answer(request, accounts::resolve_owner).await
    }

    async fn create_user(
        &self,
        request: Request<proto::CreateUserRequest>,
    ) -> Result<Response<proto::CreateUserResponse>, Status> {
        self.change(request, accounts::create_user).await
    }

    async fn get_user(
        &self,
        request: Request<proto::GetUserRequest>,
    ) -> Result<Response<proto::GetUserResponse>, Status> {
        self.answer(request, accounts::get_user).await
    }

    async fn list_users(
        &self,
        request: Request<proto::ListUsersRequest>,
    ) -> Result<Response<proto::ListUsersResponse>, Status> {
        self.answer(request, accounts::list_users).await
    }

    async fn update_user(
        &self,
        request: Request<proto::UpdateUserRequest>,
    ) -> Result<Response<proto::UpdateUserResponse>, Status> {
        self.change(request, accounts::update_user).await
    }

    async fn delete_user(
        &self,
        request: Request<proto::DeleteUserRequest>,
    ) -> Result<Response<proto::DeleteUserResponse>, Status> {
        self.change(request, accounts::delete_user).await
    }

    async fn create_organization(
        &self,
        request: Request<proto::CreateOrganizationRequest>,
    ) -> Result<Response<proto::CreateOrganizationResponse>, Status> {
        self.change(request, accounts::create_organization).await
    }

    async fn get_organization(
        &self,
        request: Request<proto::GetOrganizationRequest>,
    ) -> Result<Response<proto::GetOrganizationResponse>, Status> {
        self.answer(request, accounts::get_organization).await
    }

    async fn list_organizations(
        &self,
        request: Request<proto::ListOrganizationsRequest>,
    ) -> Result<Response<proto::ListOrganizationsResponse>, Status> {
        self.answer(request, accounts::list_organizations).await
    }

    async fn update_organization(
        &self,
        request: Request<proto::UpdateOrganizationRequest>,
    ) -> Result<Response<proto::UpdateOrganizationResponse>, Status> {
        self.change(request, accounts::update_organization).await
    }

    async fn delete_organization(
        &self,
        request: Request<proto::DeleteOrganizationRequest>,
    ) -> Result<Response<proto::DeleteOrganizationResponse>, Status> {
        self.change(request, accounts::delete_organization).await
    }

    async fn create_project(
        &self,
        request: Request<proto::CreateProjectRequest>,
    ) -> Result<Response<proto::CreateProjectResponse>, Status> {
        self.change(request, projects::create_project).await
    }

    async fn get_project(
        &self,
        request: Request<proto::GetProjectRequest>,
    ) -> Result<Response<proto::GetProjectResponse>, Status> {
        self.answer(request, projects::get_project).await
    }

    async fn list_projects(
        &self,
        request: Request<proto::ListProjectsRequest>,
    ) -> Result<Response<proto::ListProjectsResponse>, Status> {
        self.answer(request, projects::list_projects).await
    }

    async fn update_project(
        &self,
        request: Request<proto::UpdateProjectRequest>,
    ) -> Result<Response<proto::UpdateProjectResponse>, Status> {
        self.change(request, projects::update_project).await
    }

    async fn delete_project(
        &self,
        request: Request<proto::DeleteProjectRequest>,
    ) -> Result<Response<proto::DeleteProjectResponse>, Status> {
        self.change(request, projects::delete_project).await
    }

    async fn set_member(
        &self,
        request: Request<proto::SetMemberRequest>,
    ) -> Result<Response<proto::SetMemberResponse>, Status> {
        self.change(request, members::set_member).await
    }

    async fn get_member(
        &self,
        request: Request<proto::GetMemberRequest>,
    ) -> Result<Response<proto::GetMemberResponse>, Status> {
        self.answer(request, members::get_member).await
    }

    async fn list_members(
        &self,
        request: Request<proto::ListMembersRequest>,
    ) -> Result<Response<proto::ListMembersResponse>, Status> {
        self.answer(request, members::list_members).await
    }

    async fn remove_member(
        &self,
        request: Request<proto::RemoveMemberRequest>,
    ) -> Result<Response<proto::RemoveMemberResponse>, Status> {
        self.change(request, members::remove_member).await
    }

    async fn create_access_key(
        &self,
        request: Request<proto::CreateAccessKeyRequest>,
    ) -> Result<Response<proto::CreateAccessKeyResponse>, Status> {
        self.change(request, access_keys::create_access_key).await
    }

    async fn get_access_key(
        &self,
        request: Request<proto::GetAccessKeyRequest>,
    ) -> Result<Response<proto::GetAccessKeyResponse>, Status> {
        self.answer(request, access_keys::get_access_key).await
    }

    async fn list_access_keys(
        &self,
        request: Request<proto::ListAccessKeysRequest>,
    ) -> Result<Response<proto::ListAccessKeysResponse>, Status> {
        self.answer(request, access_keys::list_access_keys).await
    }

    async fn revoke_access_key(
        &self,
        request: Request<proto::RevokeAccessKeyRequest>,
    ) -> Result<Response<proto::RevokeAccessKeyResponse>, Status> {
        self.change(request, access_keys::revoke_access_key).await
    }
}
