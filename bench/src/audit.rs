//! What an audited unseal costs on SQLite: a vault in this process, and callers that open a key over
//! and over, each answer with its event on disk. With one caller every event has a commit of its own;
//! with many they share one.

use std::path::Path;
use std::time::{Duration, Instant};

use keyward_auth::{AuthLayer, Authenticator, Connection, LocalServices, Peer};
use keyward_proto::vault::v1 as proto;
use keyward_proto::vault::v1::provider_key_service_client::ProviderKeyServiceClient;
use keyward_proto::vault::v1::vault_service_client::VaultServiceClient;
use keyward_secret::Secret;
use keyward_vault::{Vault, VaultConfig};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::Request;
use tower::Layer as _;

const ADMIN_KEY: &str = "kw_the-admin-key-of-this-benchmark-00000";

/// Measures, and says what was seen. The store lies in `folder`, so that its disk is what is measured.
pub(crate) async fn measure(folder: &Path, callers: usize, seconds: u64) -> anyhow::Result<String> {
    let kept = tempfile::tempdir_in(folder)?;
    let config = VaultConfig::new(kept.path());
    let (tracker, stopping) = (TaskTracker::new(), CancellationToken::new());
    let vault = Vault::open(config, tracker, stopping.clone()).await?;
    vault.bootstrap_admin(Some(Secret::new(ADMIN_KEY))).await?;
    let layer = AuthLayer::new(Authenticator::new(vault.exchanger()), None);
    let services = LocalServices::new()
        .with(layer.layer(vault.provider_key_server()))
        .with(layer.layer(vault.vault_server()))
        .with(layer.layer(vault.identity_server()));
    let key = store_key(&services).await?;
    let limit = Duration::from_secs(seconds);
    let alone = unseals(&services, &key, 1, limit).await?;
    let together = unseals(&services, &key, callers, limit).await?;
    stopping.cancel();
    vault.close().await;
    Ok(format!(
        "audited unseals a second on SQLite:\n\
         {alone:>9.0}  1 caller, a commit for each\n\
         {together:>9.0}  {callers} callers, commits in groups"
    ))
}

async fn store_key(services: &LocalServices) -> anyhow::Result<String> {
    let edge = Connection::local(services.clone(), Peer::Edge);
    let request = proto::CreateProviderKeyRequest {
        provider: "openai".to_owned(),
        key: format!("sk-proj-{}", "b".repeat(60)),
        ..Default::default()
    };
    let created = ProviderKeyServiceClient::new(edge)
        .create_provider_key(by_admin(request)?)
        .await?;
    let key = created.into_inner().provider_key.unwrap_or_default();
    Ok(key.provider_key_id)
}

fn by_admin<T>(message: T) -> anyhow::Result<Request<T>> {
    let mut request = Request::new(message);
    let value = format!("Bearer {ADMIN_KEY}").parse()?;
    request.metadata_mut().insert("authorization", value);
    Ok(request)
}

async fn unseals(
    services: &LocalServices,
    key: &str,
    callers: usize,
    limit: Duration,
) -> anyhow::Result<f64> {
    let start = Instant::now();
    let mut running = JoinSet::new();
    for _ in 0..callers {
        let client = VaultServiceClient::new(Connection::local(services.clone(), Peer::Router));
        running.spawn(caller(client, key.to_owned(), start + limit));
    }
    let mut total = 0;
    while let Some(count) = running.join_next().await {
        total += count??;
    }
    Ok(f64::from(total) / start.elapsed().as_secs_f64())
}

async fn caller(
    mut client: VaultServiceClient<Connection>,
    key: String,
    until: Instant,
) -> anyhow::Result<u32> {
    let mut count = 0;
    while Instant::now() < until {
        let request = proto::UnsealProviderKeyRequest {
            provider_key_id: key.clone(),
            purpose: proto::UnsealPurpose::Serve.into(),
            inference_id: "benchmark".to_owned(),
        };
        client.unseal_provider_key(by_admin(request)?).await?;
        count += 1;
    }
    Ok(count)
}
