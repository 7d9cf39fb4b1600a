//! Data keys by generation: replaced in time, and gone for good once nothing needs them.

use std::time::Duration;

use keyward_proto::vault::v1 as proto;
use keyward_runtime::error::Reason;
use rusqlite::{Connection, params};

use crate::custody::{bytes, database};
use crate::rig::{Rig, new_key, ok, openai_key, reason, with};

/// Far more than the vault's own secrets need.
const LIMIT: u64 = 20;

/// Longer than a sweep takes on a busy machine.
const SWEPT_WITHIN: Duration = Duration::from_secs(20);

async fn rig() -> Rig {
    Rig::start_with(|config| config.seals_max = LIMIT).await
}

fn number(database: &Connection, sql: &str) -> i64 {
    database.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn bobs(database: &Connection, column: &str) -> i64 {
    let sql = format!(
        "SELECT {column} FROM data_keys
         WHERE owner_uid = (SELECT uid FROM accounts WHERE id = 'bob')"
    );
    number(database, &sql)
}

/// As if it had sealed that many.
pub(crate) fn wear_out(database: &Connection, seals: u64) {
    let sql = "UPDATE data_keys SET seals = ?1
        WHERE owner_uid = (SELECT uid FROM accounts WHERE id = 'bob')";
    assert_eq!(database.execute(sql, [seals.cast_signed()]).unwrap(), 1);
}

/// Waits until Bob's older data keys are destroyed.
pub(crate) async fn swept(database: &Connection, minimum: i64) {
    let sql = "SELECT coalesce(max(minimum), 0) FROM data_key_floors
        WHERE owner_uid = (SELECT uid FROM accounts WHERE id = 'bob')";
    let waiting = async {
        while number(database, sql) < minimum {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SWEPT_WITHIN, waiting).await.unwrap();
}

#[tokio::test]
async fn a_data_key_at_its_limit_is_replaced_before_it_seals_again() {
    let rig = rig().await;
    let bob = rig.user("bob").await;
    let old = rig
        .store_key(&bob, &openai_key("old"))
        .await
        .provider_key_id;
    let database = database(&rig);
    wear_out(&database, LIMIT);
    let new = rig
        .store_key(&bob, &openai_key("new"))
        .await
        .provider_key_id;
    assert_eq!(bobs(&database, "max(generation)"), 2);
    // Never one too many: the old one counted no more.
    assert_eq!(bobs(&database, "max(seals)"), LIMIT.cast_signed());
    for (id, secret) in [(&old, "old"), (&new, "new")] {
        let opened = rig.serve(&bob, id).await.unwrap();
        assert_eq!(opened.secret, openai_key(secret).as_bytes());
    }
    swept(&database, 2).await;
    assert_eq!(bobs(&database, "sum(length(wrapped) = 0)"), 1);
    for (id, secret) in [(&old, "old"), (&new, "new")] {
        let opened = rig.serve(&bob, id).await.unwrap();
        assert_eq!(opened.secret, openai_key(secret).as_bytes());
    }
    let events = rig.events().await;
    assert!(
        events
            .iter()
            .any(|event| event.action == "data_key.destroy")
    );
}

#[tokio::test]
async fn the_audit_log_vouches_for_records_that_were_sealed_anew() {
    let rig = rig().await;
    let bob = rig.user("bob").await;
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    let database = database(&rig);
    wear_out(&database, LIMIT);
    rig.store_key(&bob, &openai_key("new")).await;
    swept(&database, 2).await;
    let events = rig.events().await;
    let resealed = |event: &&proto::AuditEvent| event.action == "provider_key.reseal";
    let anew = events.iter().find(resealed).unwrap();
    assert_eq!(anew.resource_id, id);
    let proof = rig.verify_linked().await;
    assert!(proof.proven, "{:?}", proof.faults);
}

#[tokio::test]
async fn where_no_data_key_can_be_made_none_seals_beyond_its_limit() {
    let rig = rig().await;
    let bob = rig.user("bob").await;
    let first = rig.store_key(&bob, &openai_key("first")).await;
    let database = database(&rig);
    let blocked = "CREATE TRIGGER blocked BEFORE INSERT ON data_keys WHEN NEW.generation > 1
        BEGIN SELECT raise(ABORT, 'blocked'); END;";
    database.execute_batch(blocked).unwrap();
    wear_out(&database, LIMIT - 1);
    let (rig_ref, bob_ref) = (&rig, bob.as_str());
    let tries = futures::future::join_all((0..8).map(|number| async move {
        let request = new_key(None, &openai_key(&number.to_string()));
        rig_ref
            .keys()
            .create_provider_key(with(bob_ref, request))
            .await
    }))
    .await;
    let stored = tries.iter().filter(|result| result.is_ok()).count();
    assert_eq!(stored, 1, "the last seal is used once");
    for refused in tries.into_iter().filter(Result::is_err) {
        assert_eq!(
            refused.as_ref().unwrap_err().code(),
            tonic::Code::ResourceExhausted
        );
        assert_eq!(reason(refused), Reason::SealsExhausted);
    }
    assert_eq!(bobs(&database, "max(seals)"), LIMIT.cast_signed());
    // What is sealed still opens.
    rig.serve(&bob, &first.provider_key_id).await.unwrap();
    database.execute_batch("DROP TRIGGER blocked").unwrap();
    rig.store_key(&bob, &openai_key("after")).await;
    assert_eq!(bobs(&database, "max(generation)"), 2);
}

#[tokio::test]
async fn a_data_key_is_replaced_after_a_year_even_if_nothing_is_sealed() {
    let rig = rig().await;
    let bob = rig.user("bob").await;
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    let database = database(&rig);
    let year = 365 * 24 * 3600 * 1000_i64;
    let older = "UPDATE data_keys SET create_time = create_time - ?1";
    database.execute(older, [year - 60_000]).unwrap();
    assert_eq!(
        number(&database, "SELECT max(generation) FROM data_keys"),
        1
    );
    database.execute(older, [60_000]).unwrap();
    swept(&database, 2).await;
    rig.serve(&bob, &id).await.unwrap();
    // The platform's own as well, with the vault's own secrets.
    let platform = "SELECT minimum FROM data_key_floors WHERE owner_kind = 4";
    let waiting = async {
        while number(&database, platform) < 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SWEPT_WITHIN, waiting).await.unwrap();
    let rig = rig.restart().await;
    rig.serve(&bob, &id).await.unwrap();
}

#[tokio::test]
async fn a_sweep_goes_on_where_the_process_ended() {
    let rig = rig().await;
    let bob = rig.user("bob").await;
    let mut ids = Vec::new();
    for number in 0..5 {
        let key = rig.store_key(&bob, &openai_key(&number.to_string())).await;
        ids.push(key.provider_key_id);
    }
    let database = database(&rig);
    // The first of them cannot be written for now.
    let blocked = format!(
        "CREATE TRIGGER blocked BEFORE UPDATE OF record ON provider_keys
         WHEN NEW.uid = x'{}' AND NEW.record != OLD.record
         BEGIN SELECT raise(ABORT, 'blocked'); END;",
        hex::encode(bytes(&ids[0]))
    );
    database.execute_batch(&blocked).unwrap();
    wear_out(&database, LIMIT);
    rig.store_key(&bob, &openai_key("new")).await;
    let rig = rig.restart().await;
    for id in &ids {
        rig.serve(&bob, id).await.unwrap();
    }
    let minimum = "SELECT max(minimum) FROM data_key_floors";
    assert_eq!(number(&database, minimum), 1, "one is still needed");
    database.execute_batch("DROP TRIGGER blocked").unwrap();
    swept(&database, 2).await;
    for id in &ids {
        rig.serve(&bob, id).await.unwrap();
    }
}

#[tokio::test]
async fn what_a_destroyed_data_key_sealed_stays_shut_though_both_are_put_back() {
    let rig = rig().await;
    let bob = rig.user("bob").await;
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    let database = database(&rig);
    let kept = "
        CREATE TABLE kept_keys AS SELECT * FROM provider_keys;
        CREATE TABLE kept_data_keys AS SELECT * FROM data_keys;";
    database.execute_batch(kept).unwrap();
    wear_out(&database, LIMIT);
    let other = rig.store_key(&bob, &openai_key("other")).await;
    swept(&database, 2).await;
    let put_back = "
        DELETE FROM provider_keys WHERE uid IN (SELECT uid FROM kept_keys);
        INSERT INTO provider_keys SELECT * FROM kept_keys;
        REPLACE INTO data_keys SELECT * FROM kept_data_keys;";
    database.execute_batch(put_back).unwrap();
    let refused = rig.serve(&bob, &id).await;
    assert_eq!(reason(refused), Reason::ProviderKeyUnavailable);
    // A vault that has seen neither row refuses by the generation.
    let rig = rig.restart().await;
    let refused = rig.serve(&bob, &id).await;
    assert_eq!(reason(refused), Reason::ProviderKeyUnavailable);
    let event = &rig.events().await[0];
    assert_eq!(event.outcome, "integrity_failure");
    assert!(event.reason.contains("too old"), "{}", event.reason);
    rig.serve(&bob, &other.provider_key_id).await.unwrap();
}

#[tokio::test]
async fn a_minimum_cannot_be_lowered_unnoticed() {
    let rig = rig().await;
    let bob = rig.user("bob").await;
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    let database = database(&rig);
    database
        .execute_batch("CREATE TABLE kept AS SELECT * FROM data_key_floors")
        .unwrap();
    wear_out(&database, LIMIT);
    rig.store_key(&bob, &openai_key("other")).await;
    swept(&database, 2).await;
    rig.serve(&bob, &id).await.unwrap();
    database
        .execute_batch("CREATE TABLE right AS SELECT * FROM data_key_floors")
        .unwrap();
    for edit in [
        "UPDATE data_key_floors SET minimum = 1",
        "UPDATE data_key_floors SET newest = 3",
        "UPDATE data_key_floors SET mac = zeroblob(32)",
        "DELETE FROM data_key_floors",
        // With the MAC of that time.
        "REPLACE INTO data_key_floors SELECT * FROM kept",
    ] {
        database.execute_batch(edit).unwrap();
        let refused = rig.serve(&bob, &id).await;
        assert_eq!(reason(refused), Reason::ProviderKeyUnavailable, "{edit}");
        database
            .execute_batch("REPLACE INTO data_key_floors SELECT * FROM right")
            .unwrap();
        rig.serve(&bob, &id).await.unwrap();
    }
}

#[tokio::test]
async fn what_was_deleted_does_not_stay_in_the_log() {
    let rig = rig().await;
    let bob = rig.user("bob").await;
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    let database = database(&rig);
    let sealed: Vec<u8> = database
        .query_row(
            "SELECT record FROM provider_keys WHERE uid = ?1",
            params![bytes(&id)],
            |row| row.get(0),
        )
        .unwrap();
    drop(database);
    let is_there = || crate::custody::contains(&crate::custody::all_bytes(rig.path()), &sealed);
    assert!(is_there());
    let request = proto::DeleteProviderKeyRequest {
        provider_key_id: id,
        ..Default::default()
    };
    ok(rig.keys().delete_provider_key(with(&bob, request)).await);
    let waiting = async {
        while is_there() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SWEPT_WITHIN, waiting).await.unwrap();
}
