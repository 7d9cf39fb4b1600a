//! What a vault of many owners does on Postgres: how long one owner's list takes, and how fast data
//! keys come under another master key while keys are opened.

mod opening;
mod seed;

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use keyward_auth::Peer;
use keyward_proto::vault::v1 as proto;
use keyward_proto::vault::v1::master_key_service_client::MasterKeyServiceClient;
use keyward_proto::vault::v1::provider_key_service_client::ProviderKeyServiceClient;
use keyward_proto::vault::v1::vault_service_client::VaultServiceClient;
use keyward_secret::Secret;
use keyward_testkit::postgres::{PASSWORD, PrivatePostgres, ROLE};
use keyward_vault::domain::master_key::{MasterKey, MasterKeyRing};
use keyward_vault::{MasterKeySetting, PostgresUrl, VaultConfig};
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::latencies::Latencies;
use crate::running::{ADMIN_KEY, Running, request};
use opening::Opening;
use seed::Tenant;

/// How many lists are asked for.
const LISTS: usize = 4_000;

/// How long keys are opened before they are rewrapped.
const BEFORE: Duration = Duration::from_secs(5);

/// Fills a store, measures, and prints what was seen as it goes.
pub(crate) async fn measure(
    postgres: &str,
    owners: usize,
    keys: usize,
    callers: usize,
) -> anyhow::Result<()> {
    let private = (postgres == "private").then(PrivatePostgres::durable);
    let url = match &private {
        Some(server) => server.url(ROLE, PASSWORD, &server.make_database()),
        None => postgres.to_owned(),
    };
    let masters = [master("old")?, master("new")?];
    let kept = tempfile::tempdir()?;
    let mut config = VaultConfig::new(kept.path());
    config.postgres = Some(PostgresUrl::parse(&url)?);
    config.master_keys = masters.iter().map(setting).collect();
    // As many routers would share what is measured here through one.
    config.unseal_ceiling = usize::MAX;
    keyward_vault::migrate(&PostgresUrl::parse(&url)?).await?;
    let vault = Running::start(config).await?;
    let begin = Instant::now();
    let ring = MasterKeyRing::new(masters.into())?;
    let tenants = seed::fill(&url, &ring, owners, keys).await?;
    println!(
        "{owners} owners with {keys} keys each, stored in {:.0?}",
        begin.elapsed()
    );
    println!("one owner's list: {}", lists(&vault, &tenants, keys).await?);
    rewrap(&vault, tenants, callers).await?;
    vault.stop().await;
    Ok(())
}

fn master(id: &str) -> anyhow::Result<MasterKey> {
    let mut bytes = [0; 32];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| anyhow::anyhow!("the system gives no randomness"))?;
    Ok(MasterKey::new(id, &bytes)?)
}

fn setting(key: &MasterKey) -> MasterKeySetting {
    MasterKeySetting {
        id: key.id().to_owned(),
        key: Secret::new(key.to_base64().as_str()),
    }
}

/// Lists of owners at random, one after the other, each by its owner, whose access key nobody has
/// looked at before.
async fn lists(vault: &Running, tenants: &[Tenant], keys: usize) -> anyhow::Result<Latencies> {
    let mut client = ProviderKeyServiceClient::new(vault.connection(Peer::Edge));
    let mut latencies = Vec::with_capacity(LISTS);
    for _ in 0..LISTS {
        let tenant = &tenants[random_below(tenants.len())];
        let asked = request(
            proto::ListProviderKeysRequest::default(),
            &tenant.access_key,
        )?;
        let begin = Instant::now();
        let listed = client.list_provider_keys(asked).await?;
        latencies.push(begin.elapsed());
        let found = listed.into_inner().provider_keys.len();
        ensure!(found == keys, "{found} keys instead of {keys}");
    }
    Ok(Latencies::new(latencies))
}

async fn rewrap(vault: &Running, tenants: Vec<Tenant>, callers: usize) -> anyhow::Result<()> {
    let opening = Opening::start(vault, tenants, callers);
    tokio::time::sleep(BEFORE).await;
    println!("opened before: {}", opening.so_far());
    let message = proto::ActivateMasterKeyRequest {
        master_key_id: "new".to_owned(),
        ..Default::default()
    };
    MasterKeyServiceClient::new(vault.connection(Peer::Edge))
        .activate_master_key(request(message, ADMIN_KEY)?)
        .await?;
    // What was opened while this was asked belongs to neither.
    drop(opening.so_far());
    let begin = Instant::now();
    let last = rewrap_all(vault).await?;
    let seconds = begin.elapsed().as_secs_f64();
    println!("opened meanwhile: {}", opening.so_far());
    opening.stop().await?;
    #[allow(clippy::cast_precision_loss, reason = "a count of data keys")]
    let rate = last.rewrapped as f64 / seconds;
    println!(
        "rewrapped {} data keys in {seconds:.1} s: {rate:.0} a second; {} left, {} failed",
        last.rewrapped, last.remaining, last.failed
    );
    Ok(())
}

async fn rewrap_all(vault: &Running) -> anyhow::Result<proto::RewrapKeysResponse> {
    let asked = request(proto::RewrapKeysRequest { limit: 0 }, ADMIN_KEY)?;
    let mut client = VaultServiceClient::new(vault.connection(Peer::Edge));
    let mut progress = client.rewrap_keys(asked).await?.into_inner();
    let mut last = None;
    while let Some(batch) = progress.message().await? {
        last = Some(batch);
    }
    last.context("nothing was rewrapped")
}

fn random_below(bound: usize) -> usize {
    let mut bytes = [0; 8];
    // Where there is no randomness the first one serves as well.
    let _ = SystemRandom::new().fill(&mut bytes);
    usize::from_le_bytes(bytes) % bound.max(1)
}
