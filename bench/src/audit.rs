//! What an audited unseal costs on SQLite: a vault in this process, and callers that open a key over
//! and over, each answer with its event on disk. With one caller every event has a commit of its own;
//! with many they share one.

use std::path::Path;
use std::time::{Duration, Instant};

use keyward_auth::{Connection, Peer};
use keyward_proto::vault::v1 as proto;
use keyward_proto::vault::v1::provider_key_service_client::ProviderKeyServiceClient;
use keyward_proto::vault::v1::vault_service_client::VaultServiceClient;
use keyward_vault::VaultConfig;
use tokio::task::JoinSet;

use crate::latencies::Latencies;
use crate::running::{ADMIN_KEY, Running, request};

/// Measures, and says what was seen. The store lies in `folder`, so that its disk is what is measured.
pub(crate) async fn measure(folder: &Path, callers: usize, seconds: u64) -> anyhow::Result<String> {
    let kept = tempfile::tempdir_in(folder)?;
    let vault = Running::start(VaultConfig::new(kept.path())).await?;
    let key = store_key(&vault).await?;
    let limit = Duration::from_secs(seconds);
    let (alone, alone_took) = unseals(&vault, &key, 1, limit).await?;
    let (together, together_took) = unseals(&vault, &key, callers, limit).await?;
    vault.stop().await;
    Ok(format!(
        "audited unseals a second on SQLite:\n\
         {alone:>9.0}  1 caller, a commit for each ({alone_took})\n\
         {together:>9.0}  {callers} callers, commits in groups ({together_took})"
    ))
}

async fn store_key(vault: &Running) -> anyhow::Result<String> {
    let message = proto::CreateProviderKeyRequest {
        provider: "openai".to_owned(),
        key: format!("sk-proj-{}", "b".repeat(60)),
        ..Default::default()
    };
    let created = ProviderKeyServiceClient::new(vault.connection(Peer::Edge))
        .create_provider_key(request(message, ADMIN_KEY)?)
        .await?;
    let key = created.into_inner().provider_key.unwrap_or_default();
    Ok(key.provider_key_id)
}

async fn unseals(
    vault: &Running,
    key: &str,
    callers: usize,
    limit: Duration,
) -> anyhow::Result<(f64, Latencies)> {
    let start = Instant::now();
    let mut running = JoinSet::new();
    for _ in 0..callers {
        let client = VaultServiceClient::new(vault.connection(Peer::Router));
        running.spawn(caller(client, key.to_owned(), start + limit));
    }
    let mut latencies = Vec::new();
    while let Some(caller) = running.join_next().await {
        latencies.extend(caller??);
    }
    let latencies = Latencies::new(latencies);
    #[allow(clippy::cast_precision_loss, reason = "a count of calls")]
    let rate = latencies.count() as f64 / start.elapsed().as_secs_f64();
    Ok((rate, latencies))
}

async fn caller(
    mut client: VaultServiceClient<Connection>,
    key: String,
    until: Instant,
) -> anyhow::Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    while Instant::now() < until {
        let message = proto::UnsealProviderKeyRequest {
            provider_key_id: key.clone(),
            purpose: proto::UnsealPurpose::Serve.into(),
            inference_id: "benchmark".to_owned(),
        };
        let begin = Instant::now();
        client
            .unseal_provider_key(request(message, ADMIN_KEY)?)
            .await?;
        latencies.push(begin.elapsed());
    }
    Ok(latencies)
}
