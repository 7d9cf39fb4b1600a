//! `IdentityService`.

use keyward_proto::vault::v1 as proto;
use keyward_proto::vault::v1::identity_service_server::IdentityService;
use keyward_secret::Secret;
use tonic::{Request, Response, Status};

use super::{VaultGrpc, decode, encode, status};
use crate::app::access_keys::AccessKeyHolder;
use crate::app::accounts::NewAccount;
use crate::app::projects::ProjectHolder;
use crate::domain::owner::OwnerKind::{Organization, User};

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
        let (context, message) = self.admit(request).await?;
        let account = self
            .core
            .resolve_account(&context, &message.account)
            .await
            .map_err(status)?;
        let (uid, tier) = (account.owner.uid.to_string(), account.tier);
        Ok(Response::new(proto::ResolveAccountResponse { uid, tier }))
    }

    async fn create_user(
        &self,
        request: Request<proto::CreateUserRequest>,
    ) -> Result<Response<proto::CreateUserResponse>, Status> {
        let (context, message) = self.admit(request).await?;
        let wanted = message.user.unwrap_or_default();
        let new = NewAccount {
            kind: User,
            id: wanted.user_id,
            tier: wanted.tier,
            display_name: wanted.display_name,
        };
        let made = self
            .core
            .account_create(&context, new)
            .await
            .map_err(status)?;
        let user = Some(encode::user(made));
        Ok(Response::new(proto::CreateUserResponse { user }))
    }

    async fn get_user(
        &self,
        request: Request<proto::GetUserRequest>,
    ) -> Result<Response<proto::GetUserResponse>, Status> {
        let (context, message) = self.admit(request).await?;
        let id = &message.user_id;
        let found = self
            .core
            .account_get(&context, User, id)
            .await
            .map_err(status)?;
        let user = Some(encode::user(found));
        Ok(Response::new(proto::GetUserResponse { user }))
    }

    async fn list_users(
        &self,
        request: Request<proto::ListUsersRequest>,
    ) -> Result<Response<proto::ListUsersResponse>, Status> {
        let (context, message) = self.admit(request).await?;
        let page = decode::page(message.page_size, &message.page_token).map_err(status)?;
        let found = self
            .core
            .account_list(&context, User, page)
            .await
            .map_err(status)?;
        let (users, next_page_token) =
            encode::paged(found, page, |account| account.owner.uid, encode::user);
        Ok(Response::new(proto::ListUsersResponse {
            users,
            next_page_token,
        }))
    }

    async fn update_user(
        &self,
        request: Request<proto::UpdateUserRequest>,
    ) -> Result<Response<proto::UpdateUserResponse>, Status> {
        let (context, message) = self.admit(request).await?;
        let wanted = message.user.unwrap_or_default();
        let mask = message.update_mask.as_ref();
        let patch = decode::account_patch(&wanted.tier, &wanted.display_name, mask);
        let (name, patch) = ((User, wanted.user_id.as_str()), patch.map_err(status)?);
        let changed = self
            .core
            .account_update(&context, name, patch, &message.etag)
            .await;
        let user = Some(encode::user(changed.map_err(status)?));
        Ok(Response::new(proto::UpdateUserResponse { user }))
    }

    async fn delete_user(
        &self,
        request: Request<proto::DeleteUserRequest>,
    ) -> Result<Response<proto::DeleteUserResponse>, Status> {
        let (context, message) = self.admit(request).await?;
        let id = &message.user_id;
        self.core
            .account_delete(&context, User, id)
            .await
            .map_err(status)?;
        Ok(Response::new(proto::DeleteUserResponse {}))
    }

    async fn create_organization(
        &self,
        request: Request<proto::CreateOrganizationRequest>,
    ) -> Result<Response<proto::CreateOrganizationResponse>, Status> {
        let (context, message) = self.admit(request).await?;
        let wanted = message.organization.unwrap_or_default();
        let new = NewAccount {
            kind: Organization,
            id: wanted.organization_id,
            tier: wanted.tier,
            display_name: wanted.display_name,
        };
        let made = self
            .core
            .account_create(&context, new)
            .await
            .map_err(status)?;
        let organization = Some(encode::organization(made));
        Ok(Response::new(proto::CreateOrganizationResponse {
            organization,
        }))
    }

    async fn get_organization(
        &self,
        request: Request<proto::GetOrganizationRequest>,
    ) -> Result<Response<proto::GetOrganizationResponse>, Status> {
        let (context, message) = self.admit(request).await?;
        let id = &message.organization_id;
        let found = self
            .core
            .account_get(&context, Organization, id)
            .await
            .map_err(status)?;
        let organization = Some(encode::organization(found));
        Ok(Response::new(proto::GetOrganizationResponse {
            organization,
        }))
    }

    async fn list_organizations(
        &self,
        request: Request<proto::ListOrganizationsRequest>,
    ) -> Result<Response<proto::ListOrganizationsResponse>, Status> {
        let (context, message) = self.admit(request).await?;
        let page = decode::page(message.page_size, &message.page_token).map_err(status)?;
        let found = self
            .core
            .account_list(&context, Organization, page)
            .await
            .map_err(status)?;
        let (organizations, next_page_token) = encode::paged(
            found,
            page,
            |account| account.owner.uid,
            encode::organization,
        );
        Ok(Response::new(proto::ListOrganizationsResponse {
            organizations,
            next_page_token,
        }))
    }

    async fn update_organization(
        &self,
        request: Request<proto::UpdateOrganizationRequest>,
    ) -> Result<Response<proto::UpdateOrganizationResponse>, Status> {
        let (context, message) = self.admit(request).await?;
        let wanted = message.organization.unwrap_or_default();
        let mask = message.update_mask.as_ref();
        let patch = decode::account_patch(&wanted.tier, &wanted.display_name, mask);
        let (name, patch) = (
            (Organization, wanted.organization_id.as_str()),
            patch.map_err(status)?,
        );
        let changed = self
            .core
            .account_update(&context, name, patch, &message.etag)
            .await;
        let organization = Some(encode::organization(changed.map_err(status)?));
        Ok(Response::new(proto::UpdateOrganizationResponse {
            organization,
        }))
    }

    async fn delete_organization(
        &self,
        request: Request<proto::DeleteOrganizationRequest>,
    ) -> Result<Response<proto::DeleteOrganizationResponse>, Status> {
        let (context, message) = self.admit(request).await?;
        let id = &message.organization_id;
        self.core
            .account_delete(&context, Organization, id)
            .await
            .map_err(status)?;
        Ok(Response::new(proto::DeleteOrganizationResponse {}))
    }

    async fn create_project(
        &self,
        request: Request<proto::CreateProjectRequest>,
    ) -> Result<Response<proto::CreateProjectResponse>, Status> {
        let (context, message) = self.admit(request).await?;
        let wanted = message.project.unwrap_or_default();
        let (id, name) = (wanted.project_id, wanted.display_name);
        let holder = ProjectHolder {
            organization: wanted.organization,
            user: wanted.user,
        };
        let made = self
            .core
            .project_create(&context, &holder, &id, &name)
            .await
            .map_err(status)?;
        let project = Some(encode::project(made));
        Ok(Response::new(proto::CreateProjectResponse { project }))
    }

    async fn get_project(
        &self,
        request: Request<proto::GetProjectRequest>,
    ) -> Result<Response<proto::GetProjectResponse>, Status> {
        let (context, message) = self.admit(request).await?;
        let id = message.project_id;
        let holder = ProjectHolder {
            organization: message.organization,
            user: message.user,
        };
        let found = self
            .core
            .project_get(&context, &holder, &id)
            .await
            .map_err(status)?;
        let project = Some(encode::project(found));
        Ok(Response::new(proto::GetProjectResponse { project }))
    }

    async fn list_projects(
        &self,
        request: Request<proto::ListProjectsRequest>,
    ) -> Result<Response<proto::ListProjectsResponse>, Status> {
        let (context, message) = self.admit(request).await?;
        let page = decode::page(message.page_size, &message.page_token).map_err(status)?;
        let holder = ProjectHolder {
            organization: message.organization,
            user: message.user,
        };
        let found = self
            .core
            .project_list(&context, &holder, page)
            .await
            .map_err(status)?;
        let (projects, next_page_token) =
            encode::paged(found, page, |project| project.uid, encode::project);
        Ok(Response::new(proto::ListProjectsResponse {
            projects,
            next_page_token,
        }))
    }

    async fn update_project(
        &self,
        request: Request<proto::UpdateProjectRequest>,
    ) -> Result<Response<proto::UpdateProjectResponse>, Status> {
        let (context, message) = self.admit(request).await?;
        let wanted = message.project.unwrap_or_default();
        let (id, name, mask) = (wanted.project_id, wanted.display_name, message.update_mask);
        let name = decode::display_name(&name, mask.as_ref()).map_err(status)?;
        let holder = ProjectHolder {
            organization: wanted.organization,
            user: wanted.user,
        };
        let which = (&holder, id.as_str());
        let changed = self
            .core
            .project_update(&context, which, name, &message.etag)
            .await;
        let project = Some(encode::project(changed.map_err(status)?));
        Ok(Response::new(proto::UpdateProjectResponse { project }))
    }

    async fn delete_project(
        &self,
        request: Request<proto::DeleteProjectRequest>,
    ) -> Result<Response<proto::DeleteProjectResponse>, Status> {
        let (context, message) = self.admit(request).await?;
        let id = message.project_id;
        let holder = ProjectHolder {
            organization: message.organization,
            user: message.user,
        };
        self.core
            .project_delete(&context, &holder, &id)
            .await
            .map_err(status)?;
        Ok(Response::new(proto::DeleteProjectResponse {}))
    }

    async fn set_member(
        &self,
        request: Request<proto::SetMemberRequest>,
    ) -> Result<Response<proto::SetMemberResponse>, Status> {
        let (context, message) = self.admit(request).await?;
        let wanted = message.member.unwrap_or_default();
        let role = decode::role(wanted.role).map_err(status)?;
        let names = (wanted.organization.as_str(), wanted.user.as_str());
        let set = self
            .core
            .member_set(&context, names, role, message.create_only)
            .await;
        let member = Some(encode::member(set.map_err(status)?));
        Ok(Response::new(proto::SetMemberResponse { member }))
    }

    async fn get_member(
        &self,
        request: Request<proto::GetMemberRequest>,
    ) -> Result<Response<proto::GetMemberResponse>, Status> {
        let (context, message) = self.admit(request).await?;
        let (organization, user) = (&message.organization, &message.user);
        let found = self
            .core
            .member_get(&context, organization, user)
            .await
            .map_err(status)?;
        let member = Some(encode::member(found));
        Ok(Response::new(proto::GetMemberResponse { member }))
    }

    async fn list_members(
        &self,
        request: Request<proto::ListMembersRequest>,
    ) -> Result<Response<proto::ListMembersResponse>, Status> {
        let (context, message) = self.admit(request).await?;
        let page = decode::page(message.page_size, &message.page_token).map_err(status)?;
        let organization = &message.organization;
        let found = self
            .core
            .member_list(&context, organization, page)
            .await
            .map_err(status)?;
        let (members, next_page_token) =
            encode::paged(found, page, |member| member.uid, encode::member);
        Ok(Response::new(proto::ListMembersResponse {
            members,
            next_page_token,
        }))
    }

    async fn remove_member(
        &self,
        request: Request<proto::RemoveMemberRequest>,
    ) -> Result<Response<proto::RemoveMemberResponse>, Status> {
        let (context, message) = self.admit(request).await?;
        let (organization, user) = (&message.organization, &message.user);
        self.core
            .member_remove(&context, organization, user)
            .await
            .map_err(status)?;
        Ok(Response::new(proto::RemoveMemberResponse {}))
    }

    async fn create_access_key(
        &self,
        request: Request<proto::CreateAccessKeyRequest>,
    ) -> Result<Response<proto::CreateAccessKeyResponse>, Status> {
        let (context, message) = self.admit(request).await?;
        let wanted = message.access_key.unwrap_or_default();
        let new = decode::new_access_key(wanted).map_err(status)?;
        let (key, secret) = self
            .core
            .access_key_create(&context, new)
            .await
            .map_err(status)?;
        let access_key = Some(encode::access_key(key));
        let secret = secret.expose().to_owned();
        Ok(Response::new(proto::CreateAccessKeyResponse {
            access_key,
            secret,
        }))
    }

    async fn get_access_key(
        &self,
        request: Request<proto::GetAccessKeyRequest>,
    ) -> Result<Response<proto::GetAccessKeyResponse>, Status> {
        let (context, message) = self.admit(request).await?;
        let id = &message.access_key_id;
        let found = self
            .core
            .access_key_get(&context, id)
            .await
            .map_err(status)?;
        let access_key = Some(encode::access_key(found));
        Ok(Response::new(proto::GetAccessKeyResponse { access_key }))
    }

    async fn list_access_keys(
        &self,
        request: Request<proto::ListAccessKeysRequest>,
    ) -> Result<Response<proto::ListAccessKeysResponse>, Status> {
        let (context, message) = self.admit(request).await?;
        let page = decode::page(message.page_size, &message.page_token).map_err(status)?;
        let (user, organization) = (message.user, message.organization);
        let holder = AccessKeyHolder { user, organization };
        let found = self
            .core
            .access_key_list(&context, &holder, page)
            .await
            .map_err(status)?;
        let (access_keys, next_page_token) =
            encode::paged(found, page, |key| key.uid, encode::access_key);
        Ok(Response::new(proto::ListAccessKeysResponse {
            access_keys,
            next_page_token,
        }))
    }

    async fn revoke_access_key(
        &self,
        request: Request<proto::RevokeAccessKeyRequest>,
    ) -> Result<Response<proto::RevokeAccessKeyResponse>, Status> {
        let (context, message) = self.admit(request).await?;
        let id = &message.access_key_id;
        let laggards = self
            .core
            .access_key_revoke(&context, id)
            .await
            .map_err(status)?;
        Ok(Response::new(proto::RevokeAccessKeyResponse { laggards }))
    }
}
