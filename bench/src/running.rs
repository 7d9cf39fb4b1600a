//! A vault in this process, and ways to call it through its gRPC.

use std::sync::Arc;

use keyward_auth::{
    AuthLayer, Authenticator, Connection, CredentialExchanger, LocalServices, Peer,
};
use keyward_secret::Secret;
use keyward_vault::{Vault, VaultConfig};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::Request;
use tower::Layer as _;

/// The access key that may do everything.
pub(crate) const ADMIN_KEY: &str = "kw_the-admin-key-of-this-benchmark-00000";

/// A running vault.
pub(crate) struct Running {
    vault: Vault,
    services: LocalServices,
    stopping: CancellationToken,
}

impl Running {
    pub(crate) async fn start(config: VaultConfig) -> anyhow::Result<Self> {
        let (tracker, stopping) = (TaskTracker::new(), CancellationToken::new());
        let vault = Vault::open(config, tracker, stopping.clone()).await?;
        vault.bootstrap_admin(Some(Secret::new(ADMIN_KEY))).await?;
        let layer = AuthLayer::new(Authenticator::new(vault.exchanger()), None);
        let services = LocalServices::new()
            .with(layer.layer(vault.provider_key_server()))
            .with(layer.layer(vault.vault_server()))
            .with(layer.layer(vault.master_key_server()))
            .with(layer.layer(vault.identity_server()));
        Ok(Self {
            vault,
            services,
            stopping,
        })
    }

    /// A connection of that role.
    pub(crate) fn connection(&self, peer: Peer) -> Connection {
        Connection::local(self.services.clone(), peer)
    }

    /// What exchanges credentials for grants.
    pub(crate) fn exchanger(&self) -> Arc<dyn CredentialExchanger> {
        self.vault.exchanger()
    }

    pub(crate) async fn stop(self) {
        self.stopping.cancel();
        self.vault.close().await;
    }
}

/// A request by whoever has this access key.
pub(crate) fn request<T>(message: T, access_key: &str) -> anyhow::Result<Request<T>> {
    let mut request = Request::new(message);
    let value = format!("Bearer {access_key}").parse()?;
    request.metadata_mut().insert("authorization", value);
    Ok(request)
}
