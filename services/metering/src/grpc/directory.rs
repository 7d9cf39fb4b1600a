//! Accounts as the vault knows them, over its generated client.

use async_trait::async_trait;
use keyward_auth::Connection;
use keyward_proto::vault::v1::ResolveAccountRequest;
use keyward_proto::vault::v1::identity_service_client::IdentityServiceClient;
use keyward_runtime::error::{Reason, WireError};
use tonic::Request;

use crate::MeteringError;
use crate::app::directory::AccountDirectory;
use crate::domain::account::{AccountKey, AccountName};

/// How long the vault may take to say who an account is.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

/// The vault as a directory of accounts. Asked in metering's own name.
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
}

#[async_trait]
impl AccountDirectory for VaultDirectory {
    async fn resolve(&self, name: &AccountName) -> Result<AccountKey, MeteringError> {
        let mut request = Request::new(ResolveAccountRequest {
            account: name.to_string(),
        });
        request.set_timeout(TIMEOUT);
        let mut identity = self.identity.clone();
        let answer = tokio::time::timeout(TIMEOUT, identity.resolve_account(request));
        let answer = answer.await.map_err(unavailable)?;
        let resolved = answer.map_err(|status| match WireError::from(&status).reason {
            Reason::NotFound => MeteringError::NotFound("account"),
            _ => unavailable(status),
        })?;
        let uid = resolved.into_inner().uid.parse().map_err(unavailable)?;
        Ok(AccountKey::new(name.kind, uid))
    }
}

fn unavailable(cause: impl std::error::Error + Send + Sync + 'static) -> MeteringError {
    MeteringError::DirectoryUnavailable(Box::new(cause))
}
