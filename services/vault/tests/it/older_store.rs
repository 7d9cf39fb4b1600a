//! A store that the release before this one made: it opens, and so does all that is in it.

use std::path::Path;

use keyward_proto::vault::v1 as proto;
use rusqlite::Connection;

use crate::rig::{Rig, new_key, ok, openai_key, with};

/// The schema as it was released, which no later release changes.
const RELEASED: [&str; 2] = [
    include_str!("../../src/store/sqlite/0001_vault.sql"),
    include_str!("../../src/store/sqlite/0002_replays.sql"),
];

/// What that release did not keep.
const LATER_SECRETS: &str = "'row-state', 'audit-signing'";

/// Puts a store in the place of the one in this folder that holds the same, as far as the older
/// schema has room for it.
fn set_back(folder: &Path) {
    let (new, old) = (folder.join("vault.db"), folder.join("older.db"));
    let database = Connection::open(&old).unwrap();
    // Tables are copied in any order.
    database.pragma_update(None, "foreign_keys", false).unwrap();
    for migration in RELEASED {
        database.execute_batch(migration).unwrap();
    }
    database.pragma_update(None, "user_version", 2).unwrap();
    let attach = "ATTACH ?1 AS new";
    database.execute(attach, [new.to_str().unwrap()]).unwrap();
    let sql = "SELECT t.name, group_concat('\"' || c.name || '\"')
        FROM main.sqlite_schema t, pragma_table_info(t.name) c
        WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' GROUP BY t.name";
    let mut statement = database.prepare(sql).unwrap();
    let tables = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    for table in tables.unwrap() {
        let (name, columns): (String, String) = table.unwrap();
        let copy = format!("INSERT INTO main.{name} ({columns}) SELECT {columns} FROM new.{name}");
        database.execute(&copy, []).unwrap();
    }
    let forget = format!("DELETE FROM system_secrets WHERE name IN ({LATER_SECRETS})");
    assert_eq!(database.execute(&forget, []).unwrap(), 2);
    drop(statement);
    drop(database);
    for gone in ["vault.db", "vault.db-wal", "vault.db-shm"] {
        let _ = std::fs::remove_file(folder.join(gone));
    }
    let checkpoints = folder.join("audit-checkpoints");
    std::fs::remove_dir_all(checkpoints).unwrap();
    std::fs::rename(old, new).unwrap();
}

#[tokio::test]
async fn a_store_of_the_release_before_opens_with_all_that_is_in_it() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let kept = rig.store_key(&bob, &openai_key("kept")).await;
    let gone = rig.store_key(&bob, &openai_key("gone")).await;
    let folder = rig.stop().await;
    set_back(folder.path());

    let rig = Rig::start_in(folder).await;
    let opened = rig.serve(&bob, &kept.provider_key_id).await.unwrap();
    assert_eq!(opened.secret, openai_key("kept").as_bytes());
    let found = rig.get_key(&bob, &kept.provider_key_id).await;
    assert_eq!(
        (found.masked_key, found.version),
        (kept.masked_key, kept.version)
    );
    // It is the same secret to it, and still there is no other like it.
    let again = new_key(None, &openai_key("kept"));
    let again = rig.keys().create_provider_key(with(&bob, again)).await;
    assert_eq!(again.unwrap_err().code(), tonic::Code::AlreadyExists);
    let rotate = proto::RotateProviderKeyRequest {
        provider_key_id: kept.provider_key_id.clone(),
        key: openai_key("next"),
        ..Default::default()
    };
    ok(rig.keys().rotate_provider_key(with(&bob, rotate)).await);
    let delete = proto::DeleteProviderKeyRequest {
        provider_key_id: gone.provider_key_id,
        ..Default::default()
    };
    ok(rig.keys().delete_provider_key(with(&bob, delete)).await);
    let rig = rig.restart().await;
    let opened = rig.serve(&bob, &kept.provider_key_id).await.unwrap();
    assert_eq!(opened.secret, openai_key("next").as_bytes());
    let proof = rig.verify_linked().await;
    assert!(proof.proven, "{:?}", proof.faults);
}
