//! What holds against somebody who has the store, or writes into it.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use keyward_proto::vault::v1 as proto;
use keyward_runtime::error::Reason;
use keyward_secret::Secret;
use keyward_vault::domain::envelope::Cipher;
use keyward_vault::{StartError, Vault, VaultConfig};
use rusqlite::{Connection, params};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::rig::{ADMIN_KEY, Rig, ok, openai_key, reason, with};

/// The store, as somebody with write access to its file sees it.
pub(crate) fn database(rig: &Rig) -> Connection {
    let connection = Connection::open(rig.path().join("vault.db")).unwrap();
    connection
        .busy_timeout(std::time::Duration::from_secs(5))
        .unwrap();
    connection
}

pub(crate) fn bytes(id: &str) -> Vec<u8> {
    id.parse::<uuid::Uuid>().unwrap().as_bytes().to_vec()
}

pub(crate) fn all_bytes(folder: &Path) -> Vec<u8> {
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_none_or(|ext| ext != "key"));
    let read = |path: std::path::PathBuf| match path.is_dir() {
        true => all_bytes(&path),
        false => fs::read(path).unwrap(),
    };
    files.flat_map(read).collect()
}

pub(crate) fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

fn with_each_cipher<T: Copy>(of: T) -> [(T, Cipher); 2] {
    [(of, Cipher::Aes256Gcm), (of, Cipher::Fernet)]
}

#[tokio::test]
async fn no_edit_of_a_row_makes_a_key_open_anywhere_else() {
    let edits = [
        "provider = 'azure'",
        "base_url = 'https://attacker.example/v1'",
        "api_version = '2024-10-21'",
        "endpoint = 'https://attacker.example'",
        "version = 2",
        "record = substr(record, 1, length(record) - 1)",
        "record = zeroblob(length(record))",
        "record = x'01'",
        "record = CAST(x'02' || substr(record, 2) AS BLOB)",
    ];
    for (edit, cipher) in edits.into_iter().flat_map(with_each_cipher) {
        let rig = Rig::start_with(|config| config.cipher = cipher).await;
        let bob = rig.user("bob").await;
        let id = rig
            .store_key(&bob, &openai_key("one"))
            .await
            .provider_key_id;
        let other = rig
            .store_key(&bob, &openai_key("two"))
            .await
            .provider_key_id;
        rig.serve(&bob, &id).await.unwrap();
        let sql = format!("UPDATE provider_keys SET {edit} WHERE uid = ?1");
        assert_eq!(database(&rig).execute(&sql, [bytes(&id)]).unwrap(), 1);
        assert_eq!(
            reason(rig.serve(&bob, &id).await),
            Reason::ProviderKeyUnavailable,
            "{edit}, {cipher:?}"
        );
        let event = &rig.events().await[0];
        assert_eq!(
            (event.outcome.as_str(), event.resource_id.as_str()),
            ("integrity_failure", id.as_str())
        );
        // It is that record's fault alone: lists and other keys work.
        rig.serve(&bob, &other).await.unwrap();
        let list = proto::ListProviderKeysRequest::default();
        assert_eq!(
            ok(rig.keys().list_provider_keys(with(&bob, list)).await)
                .provider_keys
                .len(),
            2
        );
    }
}

#[tokio::test]
async fn records_and_rows_do_not_move_between_keys_or_owners() {
    for ((), cipher) in with_each_cipher(()) {
        nothing_moves(Rig::start_with(|config| config.cipher = cipher).await).await;
    }
}

async fn nothing_moves(rig: Rig) {
    let (bob, eve) = (rig.user("bob").await, rig.user("eve").await);
    let bobs = rig
        .store_key(&bob, &openai_key("bob"))
        .await
        .provider_key_id;
    let bobs_other = rig
        .store_key(&bob, &openai_key("bob2"))
        .await
        .provider_key_id;
    let eves = rig
        .store_key(&eve, &openai_key("eve"))
        .await
        .provider_key_id;
    let database = database(&rig);
    let copy = "UPDATE provider_keys SET record = (SELECT record FROM provider_keys WHERE uid = ?1)
        WHERE uid = ?2";
    for (from, to, by) in [(&bobs, &eves, &eve), (&bobs, &bobs_other, &bob)] {
        database
            .execute(copy, params![bytes(from), bytes(to)])
            .unwrap();
        assert_eq!(
            reason(rig.serve(by, to).await),
            Reason::ProviderKeyUnavailable
        );
    }
    // Nor by making the row another owner's, even with the data key along.
    let eve_uid = "(SELECT uid FROM accounts WHERE id = 'eve')";
    let bob_uid = "(SELECT uid FROM accounts WHERE id = 'bob')";
    database
        .execute_batch(&format!(
            "UPDATE provider_keys SET owner_uid = {eve_uid} WHERE uid = x'{}';
             UPDATE data_keys SET wrapped = (SELECT wrapped FROM data_keys WHERE owner_uid = {bob_uid})
             WHERE owner_uid = {eve_uid};",
            hex::encode(bytes(&bobs))
        ))
        .unwrap();
    assert_eq!(
        reason(rig.serve(&eve, &bobs).await),
        Reason::ProviderKeyUnavailable
    );
}

#[tokio::test]
async fn no_file_holds_a_key_in_any_form() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let (first, second) = (openai_key("CANARY-one"), openai_key("CANARY-two"));
    let id = rig.store_key(&bob, &first).await.provider_key_id;
    rig.serve(&bob, &id).await.unwrap();
    let rotate = proto::RotateProviderKeyRequest {
        provider_key_id: id.clone(),
        key: second.clone(),
        ..Default::default()
    };
    ok(rig.keys().rotate_provider_key(with(&bob, rotate)).await);
    let report = proto::ReportKeyOutcomeRequest {
        provider_key_id: id.clone(),
        version: 2,
        outcome: proto::KeyOutcome::Rejected.into(),
        reason: format!("bad key {second}"),
        ..Default::default()
    };
    ok(rig.router().report_key_outcome(report).await);
    let refused = proto::CreateProviderKeyRequest {
        provider: "anthropic".into(),
        key: first.clone(),
        ..Default::default()
    };
    assert!(
        rig.keys()
            .create_provider_key(with(&bob, refused))
            .await
            .is_err()
    );
    let files = all_bytes(rig.path());
    let base64 = &base64::engine::general_purpose::STANDARD;
    for secret in [first.as_str(), &second, &bob, ADMIN_KEY] {
        assert!(!contains(&files, secret.as_bytes()), "raw");
        assert!(!contains(&files, hex::encode(secret).as_bytes()), "hex");
        // Cut where base64 does not depend on what follows.
        let encoded = base64.encode(&secret[..secret.len() / 3 * 3]);
        assert!(!contains(&files, encoded.as_bytes()), "base64");
    }
    assert!(!contains(&files, b"CANARY"));
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let secret = openai_key("k");
    let key = rig.store_key(&bob, &secret).await;
    let rig = rig.restart().await;
    assert_eq!(rig.get_key(&bob, &key.provider_key_id).await, key);
    let unsealed = rig.serve(&bob, &key.provider_key_id).await.unwrap();
    assert_eq!(unsealed.secret, secret.as_bytes());
    // The fingerprint key is the same too.
    let twin = crate::rig::new_key(None, &secret);
    let refused = rig.keys().create_provider_key(with(&bob, twin)).await;
    assert_eq!(reason(refused), Reason::AlreadyExists);
}

#[tokio::test]
async fn a_deleted_owners_copies_never_open_again() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let key = rig.store_key(&bob, &openai_key("k")).await;
    let id = bytes(&key.provider_key_id);
    let database = database(&rig);
    database
        .execute(
            "CREATE TABLE backup AS SELECT * FROM provider_keys WHERE uid = ?1",
            [&id],
        )
        .unwrap();
    let delete = proto::DeleteUserRequest {
        user_id: "bob".into(),
        ..Default::default()
    };
    ok(rig.identity().delete_user(with(ADMIN_KEY, delete)).await);
    let rows: i64 = database
        .query_row(
            "SELECT count(*) FROM provider_keys WHERE owner_kind = 1",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(rows, 0);
    let wrapped: Vec<u8> = database
        .query_row(
            "SELECT wrapped FROM data_keys WHERE destroy_time IS NOT NULL",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert!(wrapped.is_empty());
    // A new `bob` is another owner, and the old row given to him opens nothing.
    let bob = rig.user("bob").await;
    database
        .execute_batch(
            "INSERT INTO provider_keys SELECT * FROM backup;
             UPDATE provider_keys SET owner_uid = (SELECT uid FROM accounts WHERE id = 'bob')
             WHERE owner_kind = 1;",
        )
        .unwrap();
    rig.store_key(&bob, &openai_key("new")).await;
    let refused = rig.serve(&bob, &key.provider_key_id).await;
    assert_eq!(reason(refused), Reason::ProviderKeyUnavailable);
}

#[tokio::test]
async fn records_stay_readable_however_often_the_cipher_changes() {
    let mut rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let mut stored = Vec::new();
    for (number, cipher) in [Cipher::Fernet, Cipher::Aes256Gcm, Cipher::Fernet]
        .into_iter()
        .enumerate()
    {
        let folder = rig.stop().await;
        rig = Rig::open(folder, |config| config.cipher = cipher).await;
        let secret = openai_key(&format!("number-{number}"));
        let id = rig.store_key(&bob, &secret).await.provider_key_id;
        let suite: String = database(&rig)
            .query_row(
                "SELECT hex(substr(record, 1, 2)) FROM provider_keys WHERE uid = ?1",
                [bytes(&id)],
                |row| row.get(0),
            )
            .unwrap();
        let expect = match cipher {
            Cipher::Aes256Gcm => "0101",
            Cipher::Fernet => "0110",
        };
        assert_eq!(suite, expect);
        stored.push((id, secret));
        for (id, secret) in &stored {
            let unsealed = rig.serve(&bob, id).await.unwrap();
            assert_eq!(unsealed.secret, secret.as_bytes());
        }
    }
}

#[tokio::test]
async fn another_master_key_does_not_start_on_this_store() {
    let rig = Rig::start().await;
    let folder = rig.stop().await;
    let open = async || {
        let config = VaultConfig::new(folder.path());
        Vault::open(config, TaskTracker::new(), CancellationToken::new()).await
    };
    let path = folder.path().join("master.key");
    let kept = fs::read_to_string(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert!(matches!(open().await, Err(StartError::KeyFile(_))));
    let mut config = VaultConfig::new(folder.path());
    config.master_keys = vec![keyward_vault::MasterKeySetting {
        id: "other".into(),
        key: Secret::new("YJ4NASVHyimc5ryzIb0izY1Si3sixMxK/Xe0QajIdLc="),
    }];
    let other = Vault::open(config, TaskTracker::new(), CancellationToken::new()).await;
    assert!(matches!(other, Err(StartError::OtherMasterKey(_))));
    fs::write(&path, kept).unwrap();
    // Written back with a mode that others may read.
    #[cfg(unix)]
    assert!(matches!(open().await, Err(StartError::KeyFile(_))));
}
