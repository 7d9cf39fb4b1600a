//! The first start, and every later one.

use std::collections::BTreeMap;

use keyward_proto::vault::v1::{self as proto, OwnerKind};
use keyward_runtime::error::WireError;
use keyward_secret::Secret;
use keyward_vault::{Vault, VaultConfig};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::rig::{ADMIN_KEY, Rig, ok, with};

async fn open(folder: &std::path::Path) -> Vault {
    let config = VaultConfig::new(folder);
    Vault::open(config, TaskTracker::new(), CancellationToken::new())
        .await
        .unwrap()
}

async fn works(vault: &Vault, key: &str) -> bool {
    vault
        .exchanger()
        .exchange(&Secret::new(key), "")
        .await
        .is_ok()
}

#[tokio::test]
async fn the_first_start_makes_an_admin_key_and_later_ones_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let vault = open(folder.path()).await;
    vault.ready().await.unwrap();
    let first = vault.bootstrap_admin(None).await.unwrap();
    assert!(first.created);
    let key = first.admin_key.unwrap();
    assert!(keyward_auth::access_key::has_valid_checksum(key.expose()));
    assert!(works(&vault, key.expose()).await);
    let again = vault.bootstrap_admin(None).await.unwrap();
    assert!(!again.created && again.admin_key.is_none());
}

#[tokio::test]
async fn a_given_admin_key_works_and_replaces_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let vault = open(folder.path()).await;
    let (old, new) = (
        format!("kw_{}", "a".repeat(32)),
        format!("kw_{}", "b-_Z".repeat(8)),
    );
    let given = |key: &str| Some(Secret::new(key));
    assert!(vault.bootstrap_admin(given(&old)).await.unwrap().created);
    assert!(!vault.bootstrap_admin(given(&old)).await.unwrap().created);
    assert!(works(&vault, &old).await);
    let changed = vault.bootstrap_admin(given(&new)).await.unwrap();
    assert!(changed.created && changed.admin_key.is_none());
    assert!(works(&vault, &new).await && !works(&vault, &old).await);
    for malformed in ["kw_short", "sk-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"] {
        assert!(vault.bootstrap_admin(given(malformed)).await.is_err());
    }
    // Nothing of a key that somebody chose is in its id.
    let status = vault
        .exchanger()
        .exchange(&Secret::new(&*old), "")
        .await
        .unwrap_err();
    assert!(!WireError::from(&status).message.contains("aaaa"));
}

#[tokio::test]
async fn a_given_admin_key_that_cannot_be_one_leaves_the_one_before() {
    let rig = Rig::start().await;
    let given = |key: &str| Some(Secret::new(key));
    let next = format!("kw_{}", "b".repeat(32));
    assert!(
        rig.vault
            .bootstrap_admin(given(&next))
            .await
            .unwrap()
            .created
    );
    // Revoked by what came after it, and revoked is for good.
    assert!(rig.vault.bootstrap_admin(given(ADMIN_KEY)).await.is_err());
    assert!(works(&rig.vault, &next).await);

    let rig = Rig::start().await;
    let bobs = rig.user("bob").await;
    assert!(rig.vault.bootstrap_admin(given(&bobs)).await.is_err());
    assert!(works(&rig.vault, ADMIN_KEY).await);
}

async fn system_keys(rig: &Rig) -> Vec<proto::ProviderKey> {
    let owner = Some(proto::Owner {
        kind: OwnerKind::System.into(),
        id: String::new(),
    });
    let request = proto::ListProviderKeysRequest {
        owner,
        ..Default::default()
    };
    ok(rig
        .keys()
        .list_provider_keys(with(ADMIN_KEY, request))
        .await)
    .provider_keys
}

#[tokio::test]
async fn system_keys_follow_the_settings() {
    let rig = Rig::start().await;
    let settings = |keys: &[(&str, &str)]| -> BTreeMap<String, Secret> {
        keys.iter()
            .map(|(provider, key)| ((*provider).to_owned(), Secret::new(*key)))
            .collect()
    };
    let one = settings(&[("openai", "sk-one"), ("groq", "gsk_x")]);
    rig.vault.sync_system_keys(one.clone(), true).await.unwrap();
    rig.vault.sync_system_keys(one, true).await.unwrap();
    let mut present = system_keys(&rig).await;
    present.sort_by(|a, b| a.provider.cmp(&b.provider));
    let providers: Vec<_> = present
        .iter()
        .map(|key| (key.provider.as_str(), key.version))
        .collect();
    assert_eq!(providers, [("groq", 1), ("openai", 1), ("sandbox", 1)]);
    assert!(present.iter().all(|key| key.label == "from settings"));
    let openai = present[1].provider_key_id.clone();

    rig.vault
        .sync_system_keys(settings(&[("openai", "sk-two")]), false)
        .await
        .unwrap();
    let present = system_keys(&rig).await;
    let [only] = present.as_slice() else {
        panic!("one key: {present:?}")
    };
    assert_eq!(
        (only.provider_key_id.as_str(), only.version),
        (openai.as_str(), 2)
    );
    let bob = rig.user("bob").await;
    assert_eq!(rig.serve(&bob, &openai).await.unwrap().secret, b"sk-two");
    let refused = rig
        .vault
        .sync_system_keys(settings(&[("openai", "two words")]), false)
        .await;
    assert!(!refused.unwrap_err().to_string().contains("words"));
}
