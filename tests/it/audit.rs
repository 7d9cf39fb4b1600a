//! The audit log from outside: proven beside a live gateway, and after somebody has tampered with it.

use std::process::{Command, Output};

use keyward_testkit::gateway::binary;
use keyward_testkit::{Gateway, Tenant, Topology, wait};
use serde_json::{Value, json};

use crate::served::MODEL;
use crate::system::System;

/// The exit code and the JSON of a command that reads the gateway's stores.
fn audit(gateway: &Gateway, arguments: &[&str]) -> (i32, Value) {
    let output = command(gateway, &[arguments, &["--json"]].concat());
    let shown = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code().unwrap_or(-1), shown)
}

fn command(gateway: &Gateway, arguments: &[&str]) -> Output {
    Command::new(binary())
        .arg("audit")
        .args(arguments)
        .env_clear()
        .env("KEYWARD_DATA_DIR", gateway.data_dir())
        .output()
        .unwrap()
}

#[tokio::test]
async fn the_log_and_every_use_of_a_key_are_proven_beside_a_live_gateway() {
    let mut system = System::own(Topology::Embedded, |launch| launch).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    tenant.own_key("openai").await;
    for _ in 0..3 {
        let _ = tenant.client.chat(MODEL, "hello").await.ok();
    }
    // Uses are recorded a moment after the answer.
    let gateway = &system.gateway;
    let matched = || async { audit(gateway, &["verify", "--usage"]).1["usage"]["matched"] == 3 };
    wait::until("three recorded uses", matched).await;
    let (code, proof) = audit(gateway, &["verify", "--usage"]);
    assert_eq!(code, 0, "{proof:#}");
    let online = gateway.admin();
    let online = online.post("/api/v1/audit-events/verify", json!({}));
    assert_eq!(online.await.ok().json()["proven"], true);

    let export = command(&system.gateway, &["export"]);
    assert!(export.status.success());
    let lines = String::from_utf8(export.stdout).unwrap();
    let opened = |line: &&str| line.contains("provider_key.unseal");
    assert!(lines.lines().filter(opened).count() >= 1, "{lines}");

    // Whoever takes an event away is found out.
    system.gateway.stop().await;
    let store = system.gateway.data_dir().join("vault.db");
    let connection = rusqlite::Connection::open(store).unwrap();
    let delete = "DELETE FROM audit_events WHERE action = 'provider_key.unseal'";
    assert!(connection.execute(delete, []).unwrap() >= 1);
    drop(connection);
    let (code, proof) = audit(&system.gateway, &["verify", "--usage"]);
    assert_eq!(code, 1, "{proof:#}");
    let faults = proof["faults"].to_string();
    assert!(
        faults.contains("it is missing") && faults.contains("does not know"),
        "{faults}"
    );
    let elsewhere = ["verify", "--checkpoints", "/nowhere"];
    assert_eq!(audit(&system.gateway, &elsewhere).0, 2);
}
