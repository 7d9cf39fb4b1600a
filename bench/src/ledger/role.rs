//! Metering in this process, over stores of its own, and the vault that knows its callers.

use std::path::Path;

use anyhow::Context as _;
use keyward_auth::{AuthLayer, Authenticator, Connection, LocalServices, Peer};
use keyward_catalog::{Catalog, CatalogHandle};
use keyward_metering::{Config, Metering, PostgresUrl};
use keyward_proto::vault::v1::GetUserRequest;
use keyward_proto::vault::v1::identity_service_client::IdentityServiceClient;
use keyward_runtime::serve::Process;
use keyward_vault::VaultConfig;
use tempfile::TempDir;

use crate::running::{ADMIN_KEY, Running, request};

/// How long the first credits are waited for.
const READY_MAX: std::time::Duration = std::time::Duration::from_secs(10);

/// A running metering role.
pub(crate) struct Role {
    metering: Metering,
    services: LocalServices,
    vault: Running,
    process: Process,
    /// The account of the platform's first user, which has ten credits and pays no markup.
    pub(crate) account: String,
    _folder: TempDir,
}

impl Role {
    pub(crate) async fn start(folder: &Path, postgres: Option<&str>) -> anyhow::Result<Self> {
        let kept = tempfile::tempdir_in(folder)?;
        let vault = Running::start(VaultConfig::new(kept.path())).await?;
        let process = Process::new();
        let mut config = Config::new(kept.path().join("metering.db"));
        if let Some(url) = postgres {
            let url = PostgresUrl::parse(url)?;
            keyward_metering::migrate(&url).await?;
            config.postgres = Some(url);
        }
        let catalog = CatalogHandle::new(Catalog::embedded()?);
        let known = vault.connection(Peer::Metering);
        let metering = Metering::open(config, known, &catalog, &process).await?;
        let layer = AuthLayer::new(Authenticator::new(vault.exchanger()), None);
        let services = metering.add_services(LocalServices::new(), &layer);
        let account = account_of_admin(&vault).await?;
        let role = Self {
            metering,
            services,
            vault,
            process,
            account,
            _folder: kept,
        };
        tokio::time::timeout(READY_MAX, role.ready()).await?;
        Ok(role)
    }

    /// Waits until the first credits are there.
    async fn ready(&self) {
        while !self.process.readiness.unmet().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// A connection of that role.
    pub(crate) fn connection(&self, peer: Peer) -> Connection {
        Connection::local(self.services.clone(), peer)
    }

    pub(crate) async fn stop(self) {
        self.process.stopping.cancel();
        self.process.drain(READY_MAX).await;
        self.metering.close().await;
        self.vault.stop().await;
    }
}

async fn account_of_admin(vault: &Running) -> anyhow::Result<String> {
    let asked = GetUserRequest {
        user_id: "admin".to_owned(),
    };
    let mut identity = IdentityServiceClient::new(vault.connection(Peer::Edge));
    let found = identity.get_user(request(asked, ADMIN_KEY)?).await?;
    let user = found.into_inner().user.context("there is no admin")?;
    Ok(format!("users/{}", user.uid))
}
