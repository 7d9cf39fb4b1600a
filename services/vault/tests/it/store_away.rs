//! A store that does not answer: whoever watches hears nothing, so that it knows that it knows nothing.

use std::time::Duration;

use keyward_proto::vault::v1 as proto;
use keyward_runtime::error::Reason;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::rig::{Rig, ok, openai_key, reason, with};

/// Twice what a watcher waits for a heartbeat.
const SILENCE: Duration = Duration::from_millis(500);

#[tokio::test]
async fn without_the_store_no_heartbeat_comes_and_no_key_is_given() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    let (confirm, queue) = mpsc::channel(8);
    let start = proto::WatchChangesRequest {
        acknowledged_sequence: 0,
    };
    confirm.send(start).await.unwrap();
    let mut notices = ok(rig.router().watch_changes(ReceiverStream::new(queue)).await);
    notices.message().await.unwrap().unwrap();

    let database = rusqlite::Connection::open(rig.path().join("vault.db")).unwrap();
    database
        .execute("ALTER TABLE changes RENAME TO away", [])
        .unwrap();
    // What was on its way may still come.
    let _ = tokio::time::timeout(SILENCE, notices.message()).await;
    let heard = tokio::time::timeout(SILENCE, notices.message()).await;
    assert!(heard.is_err(), "a heartbeat came: {heard:?}");
    database
        .execute("ALTER TABLE provider_keys RENAME TO keys_away", [])
        .unwrap();
    assert_eq!(reason(rig.serve(&bob, &id).await), Reason::Overloaded);
    let check = proto::CheckLeasesRequest {
        leases: vec![proto::HeldLease {
            provider_key_id: id.clone(),
            version: 1,
            lease_id: "l".into(),
        }],
    };
    let checked = rig.router().check_leases(with(&bob, check)).await;
    assert_eq!(reason(checked), Reason::Overloaded);

    for (away, back) in [("away", "changes"), ("keys_away", "provider_keys")] {
        let sql = format!("ALTER TABLE {away} RENAME TO {back}");
        database.execute(&sql, []).unwrap();
    }
    let heard = tokio::time::timeout(Duration::from_secs(10), notices.message()).await;
    heard.unwrap().unwrap().unwrap();
    rig.serve(&bob, &id).await.unwrap();
}
