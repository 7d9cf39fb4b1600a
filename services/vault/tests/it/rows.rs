//! What holds against somebody who edits, mixes or puts back rows of the store.

use keyward_proto::vault::v1 as proto;
use keyward_runtime::error::{Reason, WireError};
use keyward_vault::{StartError, Vault, VaultConfig};
use prost_types::FieldMask;
use rusqlite::types::Value;
use rusqlite::{Connection, params};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::custody::{bytes, database};
use crate::rig::{Rig, ok, openai_key, reason, with};

/// What changes with every use or test, and decides at most when a key is tested.
const USES: [&str; 3] = ["last_used_time", "last_tested_time", "test_claim_until"];

fn columns(database: &Connection) -> Vec<String> {
    let mut statement = database
        .prepare("SELECT name FROM pragma_table_info('provider_keys')")
        .unwrap();
    let names = statement.query_map([], |row| row.get(0)).unwrap();
    let names: Vec<String> = names.map(Result::unwrap).collect();
    names
        .into_iter()
        .filter(|name| !USES.contains(&name.as_str()))
        .collect()
}

fn read(database: &Connection, column: &str) -> Value {
    let sql = format!("SELECT {column} FROM provider_keys");
    database.query_row(&sql, [], |row| row.get(0)).unwrap()
}

/// Sets a column of the one key there is; false where the schema does not take that value.
fn write(database: &Connection, column: &str, value: &Value) -> bool {
    let sql = format!("UPDATE provider_keys SET {column} = ?1");
    database.execute(&sql, params![value]).is_ok()
}

/// The value with one byte changed, for each of its bytes.
fn changed(value: &Value) -> Vec<Value> {
    match value {
        Value::Null => vec![Value::Integer(4_000_000_000_000), Value::Blob(vec![0])],
        Value::Integer(number) => (0..8)
            .map(|byte| Value::Integer(number ^ (1 << (8 * byte))))
            .collect(),
        Value::Real(_) => Vec::new(),
        Value::Text(text) => (0..text.len())
            .filter_map(|place| {
                let mut bytes = text.clone().into_bytes();
                bytes[place] ^= 1;
                String::from_utf8(bytes).ok().map(Value::Text)
            })
            .chain([Value::Text(format!("{text}x"))])
            .collect(),
        Value::Blob(blob) => (0..blob.len())
            .map(|place| {
                let mut blob = blob.clone();
                blob[place] ^= 0x80;
                Value::Blob(blob)
            })
            .collect(),
    }
}

#[tokio::test]
async fn no_changed_byte_anywhere_in_a_row_opens_anything() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    let database = database(&rig);
    let mut tried = 0;
    for column in columns(&database) {
        let right = read(&database, &column);
        for wrong in changed(&right) {
            if !write(&database, &column, &wrong) {
                continue;
            }
            tried += 1;
            assert!(rig.serve(&bob, &id).await.is_err(), "{column}: {wrong:?}");
            assert!(write(&database, &column, &right));
        }
    }
    assert!(tried > 250, "{tried}");
    rig.serve(&bob, &id).await.unwrap();
}

#[tokio::test]
async fn every_flipped_bit_of_a_record_is_refused_in_the_same_words() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    let database = database(&rig);
    let Value::Blob(right) = read(&database, "record") else {
        panic!("a record")
    };
    let mut words = std::collections::BTreeSet::new();
    let mut refused = 0_usize;
    let flips = (0..right.len() * 8).map(|bit| {
        let mut wrong = right.clone();
        wrong[bit / 8] ^= 1 << (bit % 8);
        wrong
    });
    let cuts = (0..right.len()).map(|length| right[..length].to_vec());
    let suites = (0..=255_u8).filter(|suite| *suite != 1).flat_map(|byte| {
        [0, 1].map(|place| {
            let mut wrong = right.clone();
            wrong[place] = byte;
            wrong
        })
    });
    for wrong in flips.chain(cuts).chain(suites) {
        assert!(write(&database, "record", &Value::Blob(wrong)));
        let status = rig.serve(&bob, &id).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::DataLoss);
        let wire = WireError::from(&status);
        assert_eq!(wire.reason, Reason::ProviderKeyUnavailable);
        words.insert(status.message().to_owned());
        refused += 1;
    }
    assert_eq!(words.len(), 1, "{words:?}");
    assert_eq!(refused, right.len() * 9 + 510);
    let counted = rig.metrics.encode().unwrap();
    let line = format!("keyward_vault_integrity_failures_total {refused}");
    assert!(counted.lines().any(|found| found == line), "{counted}");
    let event = &rig.events().await[0];
    assert_eq!(event.outcome, "integrity_failure");
}

#[tokio::test]
async fn yesterdays_row_is_refused_while_the_vault_runs() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let id = rig
        .store_key(&bob, &openai_key("old"))
        .await
        .provider_key_id;
    let database = database(&rig);
    database
        .execute_batch("CREATE TABLE yesterday AS SELECT * FROM provider_keys")
        .unwrap();
    let put_back = "DELETE FROM provider_keys; INSERT INTO provider_keys SELECT * FROM yesterday;";
    let rotate = proto::RotateProviderKeyRequest {
        provider_key_id: id.clone(),
        key: openai_key("new"),
        ..Default::default()
    };
    ok(rig.keys().rotate_provider_key(with(&bob, rotate)).await);
    database.execute_batch(put_back).unwrap();
    let refused = rig.serve(&bob, &id).await;
    assert_eq!(reason(refused), Reason::ProviderKeyUnavailable);
    let event = &rig.events().await[0];
    assert_eq!(event.outcome, "integrity_failure");
    assert!(event.reason.contains("rolled back"), "{}", event.reason);
    // Nor one that was deleted.
    let delete = proto::DeleteProviderKeyRequest {
        provider_key_id: id.clone(),
        ..Default::default()
    };
    ok(rig.keys().delete_provider_key(with(&bob, delete)).await);
    database.execute_batch(put_back).unwrap();
    let refused = rig.serve(&bob, &id).await;
    assert_eq!(reason(refused), Reason::ProviderKeyUnavailable);
}

#[tokio::test]
async fn an_edited_row_is_not_changed_further_but_can_be_removed() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let key = rig.store_key(&bob, &openai_key("k")).await;
    let id = key.provider_key_id.clone();
    // Whoever enters the key again would send it there.
    let edit = "UPDATE provider_keys SET base_url = 'https://attacker.example'";
    database(&rig).execute(edit, []).unwrap();
    let rotate = proto::RotateProviderKeyRequest {
        provider_key_id: id.clone(),
        key: openai_key("k"),
        ..Default::default()
    };
    let refused = rig.keys().rotate_provider_key(with(&bob, rotate)).await;
    assert_eq!(reason(refused), Reason::ProviderKeyUnavailable);
    let disable = proto::UpdateProviderKeyRequest {
        provider_key: Some(proto::ProviderKey {
            enabled: false,
            ..key
        }),
        update_mask: Some(FieldMask {
            paths: vec!["enabled".into()],
        }),
        ..Default::default()
    };
    let refused = rig.keys().update_provider_key(with(&bob, disable)).await;
    assert_eq!(reason(refused), Reason::ProviderKeyUnavailable);
    let delete = proto::DeleteProviderKeyRequest {
        provider_key_id: id,
        ..Default::default()
    };
    ok(rig.keys().delete_provider_key(with(&bob, delete)).await);
    rig.store_key(&bob, &openai_key("k")).await;
}

/// The store as a version left it that knew no states.
const OLDER: &str = "
    DELETE FROM system_secrets WHERE name = 'row-state';
    DELETE FROM data_key_floors;
    UPDATE provider_keys SET state_mac = NULL;";

#[tokio::test]
async fn rows_of_an_older_store_get_their_states_once() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    let folder = rig.stop().await;
    let database = Connection::open(folder.path().join("vault.db")).unwrap();
    database.execute_batch(OLDER).unwrap();
    let rig = Rig::start_in(folder).await;
    rig.serve(&bob, &id).await.unwrap();
    let begun = |events: &[proto::AuditEvent]| {
        let begun = events
            .iter()
            .filter(|event| event.action == "row_states.begin");
        begun.count()
    };
    assert_eq!(begun(&rig.events().await), 1);
    // Taken away again, they do not come back.
    let take = "UPDATE provider_keys SET state_mac = NULL";
    database.execute(take, []).unwrap();
    let refused = rig.serve(&bob, &id).await;
    assert_eq!(reason(refused), Reason::ProviderKeyUnavailable);
    let rig = rig.restart().await;
    let refused = rig.serve(&bob, &id).await;
    assert_eq!(reason(refused), Reason::ProviderKeyUnavailable);
    assert_eq!(begun(&rig.events().await), 1);
}

#[tokio::test]
async fn without_the_key_of_its_states_a_store_is_not_opened() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    rig.store_key(&bob, &openai_key("k")).await;
    let folder = rig.stop().await;
    let database = Connection::open(folder.path().join("vault.db")).unwrap();
    let take = "DELETE FROM system_secrets WHERE name = 'row-state'";
    database.execute(take, []).unwrap();
    let config = VaultConfig::new(folder.path());
    let opened = Vault::open(config, TaskTracker::new(), CancellationToken::new()).await;
    assert!(matches!(opened, Err(StartError::Vault(_))), "{opened:?}");
}

#[tokio::test]
async fn a_list_opens_nothing_and_shows_a_broken_key_like_the_others() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    for number in 0..20 {
        rig.store_key(&bob, &openai_key(&number.to_string())).await;
    }
    let database = database(&rig);
    let broken: Vec<u8> = database
        .query_row("SELECT min(uid) FROM provider_keys", [], |row| row.get(0))
        .unwrap();
    // And no data key that would open any of them.
    database
        .execute_batch("UPDATE data_keys SET wrapped = zeroblob(60) WHERE owner_kind = 1")
        .unwrap();
    let edit = "UPDATE provider_keys SET record = zeroblob(60) WHERE uid = ?1";
    database.execute(edit, [&broken]).unwrap();
    let list = proto::ListProviderKeysRequest::default();
    let list = ok(rig.keys().list_provider_keys(with(&bob, list)).await);
    assert_eq!(list.provider_keys.len(), 20);
    assert!(
        list.provider_keys
            .iter()
            .all(|key| key.masked_key.contains('…'))
    );
    let broken = uuid::Uuid::from_slice(&broken).unwrap().to_string();
    assert_eq!(bytes(&broken).len(), 16);
    let refused = rig.serve(&bob, &broken).await;
    assert_eq!(reason(refused), Reason::ProviderKeyUnavailable);
}
