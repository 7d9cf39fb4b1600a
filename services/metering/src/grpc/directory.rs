//! Accounts as the vault knows them, over its generated client.

use async_trait::async_trait;
use keyward_auth::{Connection, GrantToken, OrganizationRole, with_grant_token};
use keyward_proto::vault::v1::identity_service_client::IdentityServiceClient;
use keyward_proto::vault::v1::{
    self as vault, GetMemberRequest, Member, ResolveAccountRequest, ResolveAccountResponse,
};
use keyward_runtime::error::{Reason, WireError};
use tonic::{Request, Response, Status};

use crate::MeteringError;
use crate::app::directory::AccountDirectory;
use crate::domain::account::{AccountKey, AccountName};

/// How long the vault may take to say who an account is.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

pub(super) fn bounded<T>(mut request: Request<T>) -> Request<T> {
    request.set_timeout(TIMEOUT);
    request
}

/// What the vault says; that there is no such account where it says that something is not found.
pub(super) async fn answer<T>(
    asking: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, MeteringError> {
    let answer = tokio::time::timeout(TIMEOUT, asking);
    let answer = answer.await.map_err(unavailable)?;
    answer
        .map(Response::into_inner)
        .map_err(|status| match WireError::from(&status).reason {
            Reason::NotFound => MeteringError::NotFound("account"),
            _ => unavailable(status),
        })
}

/// The vault as a directory. Asked for accounts in metering's own name, for members in that of who
/// wants to know.
#[derive(Debug, Clone)]
pub(crate) struct VaultDirectory {
    identity: IdentityServiceClient<Connection>,
}

impl VaultDirectory {
    pub(crate) fn new(vault: Connection) -> Self {
        Self {
            identity: IdentityServiceClient::new(vault),
        }
    }

    async fn account(&self, name: &AccountName) -> Result<ResolveAccountResponse, MeteringError> {
        let request = bounded(Request::new(ResolveAccountRequest {
            account: name.to_string(),
        }));
        let mut identity = self.identity.clone();
        answer(identity.resolve_account(request)).await
    }
}

#[async_trait]
impl AccountDirectory for VaultDirectory {
    async fn resolve(&self, name: &AccountName) -> Result<AccountKey, MeteringError> {
        let uid = self.account(name).await?.uid;
        let uid = uid.parse().map_err(unavailable)?;
        Ok(AccountKey::new(name.kind, uid))
    }

    async fn tier(&self, name: &AccountName) -> Result<String, MeteringError> {
        Ok(self.account(name).await?.tier)
    }

    async fn role(
        &self,
        grant: &GrantToken,
        organization: &str,
        user: &str,
    ) -> Result<OrganizationRole, MeteringError> {
        let asked = GetMemberRequest {
            organization: organization.to_owned(),
            user: user.to_owned(),
        };
        let request = bounded(with_grant_token(asked, grant));
        let mut identity = self.identity.clone();
        let found = answer(identity.get_member(request)).await?;
        role_of(found.member.as_ref()).ok_or(MeteringError::NotFound("account"))
    }
}

fn role_of(member: Option<&Member>) -> Option<OrganizationRole> {
    match member?.role() {
        vault::OrganizationRole::Unspecified => None,
        vault::OrganizationRole::Viewer => Some(OrganizationRole::Viewer),
        vault::OrganizationRole::Member => Some(OrganizationRole::Member),
        vault::OrganizationRole::Admin => Some(OrganizationRole::Admin),
        vault::OrganizationRole::Owner => Some(OrganizationRole::Owner),
    }
}

pub(super) fn unavailable(cause: impl std::error::Error + Send + Sync + 'static) -> MeteringError {
    MeteringError::DirectoryUnavailable(Box::new(cause))
}
