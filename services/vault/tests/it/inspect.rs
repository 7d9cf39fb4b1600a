//! What can be said of a vault from outside, while it runs and when it does not.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use keyward_secret::Secret;
use keyward_storage::Integrity;
use keyward_vault::domain::envelope::OpenError;
use keyward_vault::inspect::{Inspection, inspect};
use keyward_vault::{KeyFileError, MasterKeySetting, StartError, Vault, VaultConfig};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const LONG: Duration = Duration::from_secs(30);
const OTHER: &str = "U6gg9l81/5EY3aW7Fsqxm1nT8E4neGEezRmsJO4T11E=";

async fn open(folder: &Path) -> Vault {
    let config = VaultConfig::new(folder);
    let vault = Vault::open(config, TaskTracker::new(), CancellationToken::new())
        .await
        .unwrap();
    vault.bootstrap_admin(None).await.unwrap();
    vault
}

fn with_key(folder: &Path, id: &str) -> Inspection {
    let key = MasterKeySetting {
        id: id.to_owned(),
        key: Secret::new(OTHER),
    };
    let config = VaultConfig {
        master_keys: vec![key],
        ..VaultConfig::new(folder)
    };
    inspect(&config, LONG)
}

#[tokio::test]
async fn a_running_vault_is_found_sound_and_its_key_the_right_one() {
    let folder = tempfile::tempdir().unwrap();
    let _vault = open(folder.path()).await;
    let found = inspect(&VaultConfig::new(folder.path()), LONG);
    let store = found.store.unwrap().unwrap();
    assert_eq!(store.found, store.known);
    assert_eq!(store.integrity, Integrity::Sound);
    let id = found.master_key.unwrap().unwrap();
    assert!(id.starts_with("generated-"), "{id}");
    assert_eq!(found.data_keys.len(), 1);
    assert_eq!(found.data_keys[0].master_key_id, id);
    assert_eq!(found.data_keys[0].opened, Ok(()));
    let age = keyward_runtime::time::now().duration_since(found.last_write.unwrap());
    assert!(age.as_secs() < 60, "{age}");
}

#[tokio::test]
async fn another_master_key_opens_nothing_and_says_which_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let _vault = open(folder.path()).await;
    let right = inspect(&VaultConfig::new(folder.path()), LONG);
    let id = right.master_key.unwrap().unwrap();
    let found = with_key(folder.path(), "other");
    assert_eq!(found.master_key.unwrap().unwrap(), "other");
    assert_eq!(found.data_keys[0].opened, Err(OpenError::UnknownMasterKey));
    assert_eq!(found.data_keys[0].master_key_id, id);
    let found = with_key(folder.path(), &id);
    assert_eq!(found.data_keys[0].opened, Err(OpenError::NotAuthentic));
}

#[tokio::test]
async fn a_key_file_that_others_can_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).await);
    let path = folder.path().join("master.key");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let found = inspect(&VaultConfig::new(folder.path()), LONG);
    let refused = found.master_key.unwrap().unwrap_err();
    let expected = StartError::KeyFile(KeyFileError::Readable(path));
    assert_eq!(refused.to_string(), expected.to_string());
    assert!(found.store.unwrap().is_ok());
}

#[test]
fn nothing_is_made_where_nothing_is() {
    let folder = tempfile::tempdir().unwrap();
    let found = inspect(&VaultConfig::new(folder.path()), LONG);
    assert!(found.store.is_none() && found.master_key.is_none());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
