//! The books from outside: proven beside a live gateway, and after somebody has tampered with them.

use std::process::Command;

use keyward_testkit::gateway::binary;
use keyward_testkit::{Gateway, Launch, Tenant, TestDatabase, Topology};
use serde_json::Value;

use crate::system::{System, World};

/// The exit code and the JSON of the proof.
fn verify(gateway: &Gateway, database: Option<&TestDatabase>) -> (i32, Value) {
    let url = database.map(|database| ("KEYWARD_METERING__STORE__URL", database.url()));
    let output = Command::new(binary())
        .args(["usage", "verify", "--json"])
        .env_clear()
        .env("KEYWARD_DATA_DIR", gateway.data_dir())
        .envs(url)
        .output()
        .unwrap();
    let shown = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code().unwrap_or(-1), shown)
}

#[tokio::test]
async fn the_books_are_proven_beside_a_live_gateway_and_broken_ones_are_named() {
    let mut gateway = Launch::new(Topology::Embedded).start().await;
    let tenant = Tenant::new(&gateway, "trial").await;
    tenant.grant("1.00").await;
    for words in ["hello", "hello again", "and once more"] {
        let _ = tenant.client.chat("sandbox/echo", words).await.ok();
    }
    let (code, proof) = verify(&gateway, None);
    assert_eq!((code, &proof["proven"]), (0, &true.into()), "{proof:#}");
    assert_eq!(proof["records"], 3);

    gateway.stop().await;
    let store = gateway.data_dir().join("metering.db");
    let connection = rusqlite::Connection::open(store).unwrap();
    let more = "UPDATE account SET balance = balance + 1000000000 WHERE name LIKE 'users/%'";
    assert!(connection.execute(more, []).unwrap() >= 1);
    drop(connection);
    let (code, proof) = verify(&gateway, None);
    assert_eq!((code, &proof["proven"]), (1, &false.into()), "{proof:#}");
    let named = proof["faults"].to_string();
    assert!(named.contains("its transfers"), "{named}");

    std::fs::write(gateway.data_dir().join("metering.db"), b"no database").unwrap();
    assert_eq!(
        verify(&gateway, None).0,
        2,
        "what cannot be read is not proven"
    );
}

#[tokio::test]
async fn books_in_postgres_survive_a_restart_are_proven_and_broken_ones_are_named() {
    let mut system = System::own_in(World::Postgres, |launch| launch).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    tenant.grant("1.00").await;
    for words in ["hello", "hello again", "and once more"] {
        let _ = tenant.client.chat("sandbox/echo", words).await.ok();
    }
    let (credits, records) = (tenant.credits().await, tenant.records().await);
    let transactions = tenant.transactions().await;
    let database = system.database.as_ref();
    let (code, proof) = verify(&system.gateway, database);
    assert_eq!((code, &proof["proven"]), (0, &true.into()), "{proof:#}");
    assert_eq!(proof["records"], 3);
    assert!(!system.gateway.data_dir().join("metering.db").exists());

    system.gateway.restart().await;
    assert_eq!(tenant.credits().await, credits);
    assert_eq!(tenant.records().await, records);
    assert_eq!(tenant.transactions().await, transactions);

    let database = system.database.as_ref().unwrap();
    database.administer(
        "UPDATE keyward_metering.account SET balance = balance + 1000000000
         WHERE name LIKE 'users/%'",
    );
    let (code, proof) = verify(&system.gateway, Some(database));
    assert_eq!((code, &proof["proven"]), (1, &false.into()), "{proof:#}");
    let named = proof["faults"].to_string();
    assert!(named.contains("its transfers"), "{named}");
}
