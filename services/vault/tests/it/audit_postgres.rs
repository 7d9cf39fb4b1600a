//! The audit log of a vault on Postgres: proven without the vault, and written by one process for each
//! name.

use keyward_secret::Secret;
use keyward_testkit::TestDatabase;
use keyward_vault::audit_log::{self, AuditProof, Source};
use keyward_vault::{AuditStartError, MasterKeySetting, PostgresUrl, StartError};
use keyward_vault::{Vault, VaultConfig, migrate};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::rig::{Rig, openai_key};

/// A master key of these tests alone.
const MASTER_KEY: &str = "yqd7Y73vH4BcUoiow/1o5aj/vrL0RmiXrRmUkgclXMc=";

/// A running vault with somebody's key, opened three times.
async fn on_postgres() -> (Rig, TestDatabase, PostgresUrl) {
    let database = TestDatabase::new();
    let url = PostgresUrl::parse(&database.url()).unwrap();
    migrate(&url).await.unwrap();
    let rig = Rig::start_with(|config| set(config, &url)).await;
    let bob = rig.user("bob").await;
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    for _ in 0..3 {
        rig.serve(&bob, &id).await.unwrap();
    }
    (rig, database, url)
}

fn set(config: &mut VaultConfig, url: &PostgresUrl) {
    config.postgres = Some(url.clone());
    config.master_keys = vec![MasterKeySetting {
        id: "m1".to_owned(),
        key: Secret::new(MASTER_KEY),
    }];
}

async fn proof(folder: &std::path::Path, url: &PostgresUrl) -> AuditProof {
    let source = Source {
        data_dir: folder.to_owned(),
        postgres: Some(url.clone()),
        checkpoints: folder.join("audit-checkpoints"),
        public_keys: Vec::new(),
    };
    audit_log::verify(&source, |_, _| ()).await.unwrap()
}

#[tokio::test]
async fn a_log_in_postgres_is_proven_beside_the_vault_and_without_it() {
    let (rig, database, url) = on_postgres().await;
    let beside = proof(rig.path(), &url).await;
    assert!(beside.is_proven(), "{:?}", beside.faults);
    let folder = rig.stop().await;
    let alone = proof(folder.path(), &url).await;
    assert!(alone.is_proven(), "{:?}", alone.faults);
    assert_eq!(alone.unlinked, 0);
    assert!(alone.checkpoints > 0 && alone.chains[0].head.sequence > 3);
    let edit = "UPDATE keyward_vault.audit_events SET \"user\" = 'eve' WHERE sequence = 3";
    database.administer(edit);
    let broken = proof(folder.path(), &url).await;
    assert!(broken.faults[0].to_string().starts_with("event 3 "));
}

#[tokio::test]
async fn two_vaults_do_not_share_a_name() {
    let (rig, _database, url) = on_postgres().await;
    let mut config = VaultConfig::new(rig.path());
    set(&mut config, &url);
    let second = Vault::open(config, TaskTracker::new(), CancellationToken::new());
    let refused = second.await.unwrap_err();
    let is_shared = matches!(
        refused,
        StartError::Audit(AuditStartError::SharedName { .. })
    );
    assert!(is_shared, "{refused:?}");
}
