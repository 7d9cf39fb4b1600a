//! Master keys in a transit engine: a scripted server that speaks its JSON and really encrypts.

mod server;

use std::time::Duration;

use keyward_runtime::error::Reason;
use keyward_secret::Secret;
use keyward_vault::{TransitSetting, TransitToken, Vault, VaultConfig};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::master_keys::{activate, all_open, database, estate, rewrap, state};
use crate::rig::{Rig, openai_key, reason};
use server::{Mood, Server};

fn setting(server: &Server, token: TransitToken) -> TransitSetting {
    TransitSetting {
        url: server.url(),
        mount: "transit".to_owned(),
        key: "keyward".to_owned(),
        token,
        namespace: Some("team".to_owned()),
        ca_file: None,
    }
}

fn given() -> TransitToken {
    TransitToken::Given(Secret::new(server::TOKEN))
}

async fn restarted(rig: Rig, server: &Server) -> Rig {
    let setting = setting(server, given());
    rig.restart_with(|config| config.transit = Some(setting))
        .await
}

async fn rig(server: &Server) -> Rig {
    let setting = setting(server, given());
    Rig::start_with(|config| config.transit = Some(setting)).await
}

async fn start(folder: &std::path::Path, setting: TransitSetting) -> Result<(), String> {
    let mut config = VaultConfig::new(folder);
    config.transit = Some(setting);
    let opened = Vault::open(config, TaskTracker::new(), CancellationToken::new()).await;
    let chain = |error: keyward_vault::StartError| keyward_runtime::error::chain(&error);
    opened.map(drop).map_err(chain)
}

#[tokio::test]
async fn keys_are_sealed_under_a_transit_key_and_no_ring_is_made() {
    let server = Server::start().await;
    let rig = rig(&server).await;
    let bob = rig.user("bob").await;
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    let opened = rig.serve(&bob, &id).await.unwrap();
    assert_eq!(opened.secret, openai_key("k").as_bytes());
    assert!(!rig.path().join("master.key").exists());
    let database = rusqlite::Connection::open(rig.path().join("vault.db")).unwrap();
    let ids = "SELECT DISTINCT master_key_id FROM data_keys";
    let id_of_all: String = database.query_row(ids, [], |row| row.get(0)).unwrap();
    assert_eq!(id_of_all, "transit:keyward");
    // It opens for that owner alone: associated data is checked by the server.
    database
        .execute_batch(
            "UPDATE data_keys SET wrapped = (SELECT wrapped FROM data_keys WHERE owner_kind = 4)
             WHERE owner_kind = 1",
        )
        .unwrap();
    let rig = restarted(rig, &server).await;
    assert_eq!(
        reason(rig.serve(&bob, &id).await),
        Reason::ProviderKeyUnavailable
    );
}

/// Which versions of the transit key wrap data keys now, by what they are wrapped to.
fn versions(rig: &Rig) -> Vec<String> {
    let database = database(rig);
    let sql = "SELECT DISTINCT substr(wrapped, instr(wrapped, CAST('vault:v' AS BLOB)), 8)
        FROM data_keys ORDER BY 1";
    let mut statement = database.prepare(sql).unwrap();
    let prefixes = statement.query_map([], |row| row.get::<_, Vec<u8>>(0));
    let text = |prefix: rusqlite::Result<Vec<u8>>| String::from_utf8(prefix.unwrap()).unwrap();
    prefixes.unwrap().map(text).collect()
}

#[tokio::test]
async fn a_ring_moves_to_transit_and_versions_of_its_key_open_side_by_side() {
    let server = Server::start().await;
    let (rig, mut held) = estate(3).await;
    // Activated at once: the vault that ended a moment ago holds nobody up.
    let rig = restarted(rig, &server).await;
    activate(&rig, "transit:keyward").await.unwrap();
    let last = *rewrap(&rig, 0).await.last().unwrap();
    assert_eq!((last.rewrapped, last.remaining, last.failed), (4, 0, 0));
    assert_eq!(versions(&rig), ["vault:v1"]);
    server.rotate();
    let by = rig.user("late").await;
    let key = rig.store_key(&by, &openai_key("k3")).await;
    held.push((by, key.provider_key_id));
    assert_eq!(versions(&rig), ["vault:v1", "vault:v2"]);
    let rig = restarted(rig, &server).await;
    all_open(&rig, &held).await;
    assert_eq!(state(&rig, "transit:keyward").await.1, 5);
    // Nothing needs the ring any more.
    std::fs::remove_file(rig.path().join("master.key")).unwrap();
    let rig = restarted(rig, &server).await;
    all_open(&rig, &held).await;
}

#[tokio::test]
async fn while_it_is_away_what_is_in_memory_serves_and_the_rest_fails_closed() {
    let server = Server::start().await;
    let rig = rig(&server).await;
    let (bob, eve) = (rig.user("bob").await, rig.user("eve").await);
    let warm = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    let cold = rig.store_key(&eve, &openai_key("k")).await.provider_key_id;
    let rig = restarted(rig, &server).await;
    rig.serve(&bob, &warm).await.unwrap();
    let asked = server.calls();
    for mood in [Mood::Fails, Mood::Forbids, Mood::Redirects, Mood::Babbles] {
        server.feel(mood);
        rig.serve(&bob, &warm).await.unwrap();
        let refused = rig.serve(&eve, &cold).await.unwrap_err();
        assert!(!refused.message().contains("server-words"), "{refused}");
        assert_eq!(reason::<()>(Err(refused)), Reason::Overloaded, "{mood:?}");
    }
    assert_eq!(server.calls(), asked + 4, "a warm key asks nobody");
    server.feel(Mood::Well);
    rig.serve(&eve, &cold).await.unwrap();
}

#[tokio::test]
async fn one_that_hangs_is_given_up() {
    let server = Server::start().await;
    let rig = rig(&server).await;
    let bob = rig.user("bob").await;
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    let rig = restarted(rig, &server).await;
    server.feel(Mood::Hangs);
    let asked = tokio::time::timeout(Duration::from_secs(20), rig.serve(&bob, &id));
    assert_eq!(reason(asked.await.unwrap()), Reason::Overloaded);
}

#[tokio::test]
async fn a_key_that_cannot_bind_stops_the_start() {
    let server = Server::start().await;
    let folder = tempfile::tempdir().unwrap();
    for kind in ["rsa-4096", "ed25519", "aes256-cmac"] {
        server.key_type(kind);
        let refused = start(folder.path(), setting(&server, given())).await;
        let refused = refused.unwrap_err();
        assert!(refused.contains("associated data"), "{kind}: {refused}");
        assert!(!refused.contains('\n'));
    }
}

#[tokio::test]
async fn a_token_in_a_file_is_read_again_when_it_changes() {
    let server = Server::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "old\n").unwrap();
    let from_file = setting(&server, TransitToken::File(file.clone()));
    let refused = start(folder.path(), from_file.clone()).await.unwrap_err();
    assert!(
        refused.contains("token") && !refused.contains("old"),
        "{refused}"
    );
    std::fs::write(&file, format!("{}\n", server::TOKEN)).unwrap();
    start(folder.path(), from_file).await.unwrap();
}
