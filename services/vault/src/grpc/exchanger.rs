//! The vault as the exchanger of credentials for the layers of its own process.

use keyward_auth::{CredentialExchanger, Exchanged};
use keyward_proto::vault::v1::GrantKey;
use keyward_secret::Secret;
use tonic::Status;

use super::{VaultGrpc, status};

#[tonic::async_trait]
impl CredentialExchanger for VaultGrpc {
    async fn exchange(&self, credential: &Secret, organization: &str) -> Result<Exchanged, Status> {
        let grant = self
            .core
            .exchange(credential, organization)
            .await
            .map_err(status)?;
        let keys = self.core.grant_keys();
        Ok(Exchanged { grant, keys })
    }

    async fn grant_keys(&self) -> Result<Vec<GrantKey>, Status> {
        Ok(self.core.grant_keys())
    }
}
