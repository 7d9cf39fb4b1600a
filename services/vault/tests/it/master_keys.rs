//! The life of a master key: added, activated, rewrapped to, retired, destroyed; and what a backup
//! is worth then.

use std::collections::BTreeMap;
use std::fs;

use futures::StreamExt as _;
use keyward_proto::vault::v1::{self as proto, MasterKeyState};
use keyward_runtime::error::Reason;
use rusqlite::Connection;
use rusqlite::types::Value;
use tonic::{Code, Response, Status};

use crate::rig::{ADMIN_KEY, Rig, ok, openai_key, reason, with};

pub(crate) fn database(rig: &Rig) -> Connection {
    let connection = Connection::open(rig.path().join("vault.db")).unwrap();
    let patience = std::time::Duration::from_secs(5);
    connection.busy_timeout(patience).unwrap();
    connection
}

pub(crate) async fn list(rig: &Rig) -> Vec<proto::MasterKey> {
    let request = proto::ListMasterKeysRequest::default();
    let request = with(ADMIN_KEY, request);
    ok(rig.master_keys().list_master_keys(request).await).master_keys
}

pub(crate) async fn state(rig: &Rig, id: &str) -> (MasterKeyState, u64) {
    let keys = list(rig).await;
    let key = keys.iter().find(|key| key.master_key_id == id).unwrap();
    (key.state(), key.data_keys)
}

pub(crate) async fn active(rig: &Rig) -> String {
    let keys = list(rig).await;
    let mut active = keys
        .into_iter()
        .filter(|key| key.state() == MasterKeyState::Active);
    let id = active.next().unwrap().master_key_id;
    assert!(active.next().is_none());
    id
}

pub(crate) async fn add(rig: &Rig, id: &str) -> Result<proto::MasterKey, Status> {
    let request = proto::AddMasterKeyRequest {
        master_key_id: id.into(),
        ..Default::default()
    };
    let request = with(ADMIN_KEY, request);
    let added = rig.master_keys().add_master_key(request).await;
    added.map(|added| added.into_inner().master_key.unwrap())
}

pub(crate) async fn activate(rig: &Rig, id: &str) -> Result<(), Status> {
    let request = proto::ActivateMasterKeyRequest {
        master_key_id: id.into(),
        ..Default::default()
    };
    let request = with(ADMIN_KEY, request);
    rig.master_keys()
        .activate_master_key(request)
        .await
        .map(drop)
}

async fn retire(rig: &Rig, id: &str) -> Result<(), Status> {
    let request = proto::RetireMasterKeyRequest {
        master_key_id: id.into(),
        ..Default::default()
    };
    let request = with(ADMIN_KEY, request);
    rig.master_keys().retire_master_key(request).await.map(drop)
}

async fn destroy(rig: &Rig, id: &str) -> Result<proto::DestroyMasterKeyResponse, Status> {
    let request = proto::DestroyMasterKeyRequest {
        master_key_id: id.into(),
        ..Default::default()
    };
    let request = with(ADMIN_KEY, request);
    let destroyed = rig.master_keys().destroy_master_key(request).await;
    destroyed.map(Response::into_inner)
}

/// Rewraps at most so many, and returns what was said after each batch.
pub(crate) async fn rewrap(rig: &Rig, limit: u64) -> Vec<proto::RewrapKeysResponse> {
    let request = with(ADMIN_KEY, proto::RewrapKeysRequest { limit });
    let mut vault =
        proto::vault_service_client::VaultServiceClient::new(rig.connect(keyward_auth::Peer::Edge));
    let told = ok(vault.rewrap_keys(request).await);
    told.map(Result::unwrap).collect().await
}

/// Every column of every row of a table, but those.
fn table(database: &Connection, name: &str, without: &[&str]) -> Vec<BTreeMap<String, Value>> {
    let mut statement = database.prepare(&format!("SELECT * FROM {name}")).unwrap();
    let names: Vec<String> = statement.column_names().map(ToString::to_string).collect();
    let rows = statement.query_map([], |row| {
        let column = |(at, name): (usize, &String)| Ok((name.clone(), row.get(at)?));
        names.iter().enumerate().map(column).collect()
    });
    let mut rows: Vec<BTreeMap<String, Value>> = rows.unwrap().map(Result::unwrap).collect();
    for row in &mut rows {
        row.retain(|name, _| !without.contains(&name.as_str()));
    }
    rows
}

/// A vault in which this many users have a key each; their access keys and key ids.
pub(crate) async fn estate(users: usize) -> (Rig, Vec<(String, String)>) {
    let rig = Rig::start().await;
    let mut held = Vec::new();
    for number in 0..users {
        let by = rig.user(&format!("user-{number}")).await;
        let key = rig.store_key(&by, &openai_key(&format!("k{number}"))).await;
        held.push((by, key.provider_key_id));
    }
    (rig, held)
}

pub(crate) async fn all_open(rig: &Rig, held: &[(String, String)]) {
    for (number, (by, id)) in held.iter().enumerate() {
        let opened = rig.serve(by, id).await.unwrap();
        assert_eq!(opened.secret, openai_key(&format!("k{number}")).as_bytes());
    }
}

#[tokio::test]
async fn a_rotation_loses_nothing_and_changes_nothing_but_the_wrapping() {
    let (rig, held) = estate(8).await;
    let old = active(&rig).await;
    let new = add(&rig, "").await.unwrap();
    assert_eq!((new.state(), new.data_keys), (MasterKeyState::Opens, 0));
    activate(&rig, &new.master_key_id).await.unwrap();
    // New owners come under the new key, old ones stay where they are.
    let late = rig.user("late").await;
    let late_key = rig.store_key(&late, &openai_key("late")).await;
    assert_eq!(state(&rig, &new.master_key_id).await.1, 1);
    let refused = retire(&rig, &old).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("wraps 9 data keys"), "{refused}");

    let wrapping = ["wrapped", "master_key_id"];
    let before = (
        table(&database(&rig), "data_keys", &wrapping),
        table(&database(&rig), "provider_keys", &["last_used_time"]),
        table(&database(&rig), "system_secrets", &[]),
    );
    // In three calls, as after two interruptions.
    assert_eq!(rewrap(&rig, 3).await.last().unwrap().remaining, 6);
    assert_eq!(rewrap(&rig, 2).await.last().unwrap().remaining, 4);
    all_open(&rig, &held).await;
    let last = *rewrap(&rig, 0).await.last().unwrap();
    assert_eq!((last.rewrapped, last.remaining, last.failed), (4, 0, 0));
    assert_eq!(rewrap(&rig, 0).await.last().unwrap().rewrapped, 0);
    let after = (
        table(&database(&rig), "data_keys", &wrapping),
        table(&database(&rig), "provider_keys", &["last_used_time"]),
        table(&database(&rig), "system_secrets", &[]),
    );
    assert_eq!(before, after);

    retire(&rig, &old).await.unwrap();
    assert!(destroy(&rig, &old).await.unwrap().erased);
    let rig = rig.restart().await;
    all_open(&rig, &held).await;
    rig.serve(&late, &late_key.provider_key_id).await.unwrap();
    assert_eq!(state(&rig, &old).await.0, MasterKeyState::Destroyed);
    let file = fs::read_to_string(rig.path().join("master.key")).unwrap();
    assert!(!file.contains(&old) && file.contains(&new.master_key_id));
    let actions: Vec<_> = rig.events().await.into_iter().map(|e| e.action).collect();
    for action in ["add", "activate", "rewrap", "retire", "destroy"] {
        assert!(
            actions.contains(&format!("master_key.{action}")),
            "{action}"
        );
    }
}

#[tokio::test]
async fn a_destroyed_key_and_its_id_never_come_back() {
    let (rig, _) = estate(1).await;
    let old = active(&rig).await;
    let kept = fs::read_to_string(rig.path().join("master.key")).unwrap();
    add(&rig, "second").await.unwrap();
    assert_eq!(reason(add(&rig, "second").await), Reason::AlreadyExists);
    for (id, expected) in [("second", "is not retired"), (old.as_str(), "is active")] {
        let refused = destroy(&rig, id).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert!(refused.message().contains(expected), "{refused}");
    }
    assert_eq!(reason(destroy(&rig, "none").await), Reason::NotFound);
    activate(&rig, "second").await.unwrap();
    rewrap(&rig, 0).await;
    retire(&rig, &old).await.unwrap();
    destroy(&rig, &old).await.unwrap();
    // The same answer again, as after a crash before the file was rewritten.
    assert!(destroy(&rig, &old).await.is_ok());
    assert_eq!(reason(add(&rig, &old).await), Reason::AlreadyExists);
    assert_eq!(
        reason(activate(&rig, &old).await),
        Reason::PreconditionFailed
    );
    // Nor by putting it back into the file.
    let now = fs::read_to_string(rig.path().join("master.key")).unwrap();
    fs::write(rig.path().join("master.key"), now + &kept).unwrap();
    let rig = rig.restart().await;
    assert_eq!(active(&rig).await, "second");
    let destroyed = list(&rig)
        .await
        .into_iter()
        .find(|key| key.master_key_id == old);
    assert_eq!(destroyed.unwrap().provider, "");
}

#[tokio::test]
async fn a_backup_dies_with_the_master_key_that_wrapped_it() {
    let (rig, held) = estate(2).await;
    let old = active(&rig).await;
    let backup = tempfile::tempdir().unwrap();
    database(&rig)
        .execute(
            "VACUUM INTO ?1",
            [backup.path().join("vault.db").to_str().unwrap()],
        )
        .unwrap();
    let delete = proto::DeleteUserRequest {
        user_id: "user-0".into(),
        ..Default::default()
    };
    ok(rig.identity().delete_user(with(ADMIN_KEY, delete)).await);
    let (by, id) = &held[0];
    assert!(rig.serve(by, id).await.is_err());
    // With the live master key the backup still opens what was deleted.
    let restore = |rig: &Rig| {
        let folder = std::sync::Arc::new(tempfile::tempdir().unwrap());
        for (from, name) in [(backup.path(), "vault.db"), (rig.path(), "master.key")] {
            fs::copy(from.join(name), folder.path().join(name)).unwrap();
        }
        folder
    };
    let restored = Rig::start_in(restore(&rig)).await;
    all_open(&restored, &held).await;

    add(&rig, "second").await.unwrap();
    activate(&rig, "second").await.unwrap();
    rewrap(&rig, 0).await;
    retire(&rig, &old).await.unwrap();
    destroy(&rig, &old).await.unwrap();
    // The one that was not deleted opens in the live vault, and nothing in the backup does.
    let (by, id) = &held[1];
    rig.serve(by, id).await.unwrap();
    let config = keyward_vault::VaultConfig::new(restore(&rig).path());
    let refused = keyward_vault::Vault::open(
        config,
        tokio_util::task::TaskTracker::new(),
        tokio_util::sync::CancellationToken::new(),
    );
    let refused = refused.await;
    assert!(refused.is_err(), "a backup opened without its master key");
}

#[tokio::test]
async fn only_platform_admins_touch_master_keys() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let request = with(&bob, proto::ListMasterKeysRequest::default());
    let listed = rig.master_keys().list_master_keys(request).await;
    assert_eq!(reason(listed), Reason::InsufficientScope);
    let request = with(&bob, proto::SealVaultRequest::default());
    let sealed = rig.master_keys().seal_vault(request).await;
    assert_eq!(reason(sealed), Reason::InsufficientScope);
    let mut vault =
        proto::vault_service_client::VaultServiceClient::new(rig.connect(keyward_auth::Peer::Edge));
    let rewrapped = vault.rewrap_keys(with(&bob, proto::RewrapKeysRequest::default()));
    let Err(refused) = rewrapped.await else {
        panic!("a user rewrapped")
    };
    assert_eq!(refused.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_process_that_ended_without_a_word_holds_up_nobody_on_the_same_file() {
    let (rig, _) = estate(0).await;
    let killed = "INSERT INTO vault_replicas (name, master_keys, seen_time)
        VALUES ('1-killed', '[]', (SELECT max(seen_time) + 60000 FROM vault_replicas))";
    assert_eq!(database(&rig).execute(killed, []).unwrap(), 1);
    add(&rig, "second").await.unwrap();
    let rig = rig.restart().await;
    activate(&rig, "second").await.unwrap();
    let keys = list(&rig).await;
    assert!(keys.iter().all(|key| key.replicas.len() == 1), "{keys:?}");
}

#[tokio::test]
async fn a_data_key_that_does_not_open_is_left_and_the_rest_goes_on() {
    let (rig, held) = estate(4).await;
    database(&rig)
        .execute(
            "UPDATE data_keys SET wrapped = zeroblob(length(wrapped))
             WHERE owner_uid = (SELECT uid FROM accounts WHERE id = 'user-2')",
            [],
        )
        .unwrap();
    add(&rig, "second").await.unwrap();
    activate(&rig, "second").await.unwrap();
    let last = *rewrap(&rig, 0).await.last().unwrap();
    assert_eq!((last.rewrapped, last.remaining, last.failed), (4, 1, 1));
    for at in [0, 1, 3] {
        let (by, id) = &held[at];
        rig.serve(by, id).await.unwrap();
    }
}
