//! One of four processes is away: what does not need it goes on, what does says so, and all is well
//! once it is back.

use std::time::{Duration, Instant};

use keyward_testkit::{Launch, Role, Tenant, Topology, wait};

use crate::served::MODEL;
use crate::system::System;

/// `vault.revocation_bound`, as it is where nobody sets it.
const BOUND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn own_keys_serve_while_metering_is_away_and_are_recorded_later() {
    let (mut system, tenant, key) = split().await;
    let _ = tenant.client.chat(MODEL, "before").await.ok();
    system.gateway.terminate(Role::Metering);
    system.gateway.exited(Role::Metering).await;

    let answer = tenant.client.chat(MODEL, "meanwhile").await.ok();
    assert_eq!(answer.header("x-keyward-key-source"), "user");
    let answer = tenant.client.chat("sandbox/echo", "for credits").await;
    assert_eq!(answer.error(503), "overloaded");
    assert_eq!(system.providers.openai.requests_with(&key).len(), 2);
    let metrics = system.gateway.ops(Role::Router, "/metrics").await.ok();
    // The record, and perhaps the hold that nobody knows of and that is given back.
    let waiting = |count| format!("keyward_router_spool_depth {count}\n");
    let waits = [1, 2].map(waiting);
    let metrics = metrics.text();
    assert!(waits.iter().any(|line| metrics.contains(line)), "{metrics}");

    system.gateway.begin_role(Role::Metering).await;
    wait::until("the usage to be recorded", || async {
        tenant.records().await.len() >= 2
    })
    .await;
    wait::until("credits to serve again", || async {
        tenant
            .client
            .chat("sandbox/echo", "for credits")
            .await
            .status
            .is_success()
    })
    .await;
}

#[tokio::test]
async fn credits_serve_while_metering_is_away_until_their_lease_ends() {
    let lends = |launch: Launch| launch.set("metering.leases", "true");
    let mut system = System::own(Topology::Split, lends).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    let chat = async || tenant.client.chat("sandbox/echo", "one two three").await;
    let mut served = 0_i64;
    wait::until("a lease", || async {
        let _ = chat().await.ok();
        let metrics = system.gateway.ops(Role::Router, "/metrics").await.ok();
        metrics.text().contains("keyward_router_leases_open 1\n")
    })
    .await;
    for _ in 0..20 {
        let answer = chat().await.ok();
        assert_eq!(answer.header("x-credits-charged"), "0.00000945");
        served += 1;
        let read = tenant.credits().await;
        let spent = 1_000_000_000 - nanos_of(&read["balance"]);
        assert!(spent >= served * 9_450 && spent % 9_450 == 0, "{read}");
    }
    system.gateway.terminate(Role::Metering);
    system.gateway.exited(Role::Metering).await;
    let _ = chat().await.ok();
    wait::until("the lease to end", || async {
        let answer = chat().await;
        !answer.status.is_success() && answer.error(503) == "overloaded"
    })
    .await;
    system.gateway.begin_role(Role::Metering).await;
    wait::until("all that was served to be charged", || async {
        let (records, read) = (tenant.records().await, tenant.credits().await);
        let spent = 1_000_000_000 - nanos_of(&read["balance"]);
        read["held"] == "0.00" && records.len() > 20 && spent % 9_450 == 0
    })
    .await;
}

/// Nano-credits of an amount that is not negative.
fn nanos_of(amount: &serde_json::Value) -> i64 {
    let (whole, fraction) = amount.as_str().unwrap().split_once('.').unwrap();
    let fraction: i64 = format!("{fraction:0<9}").parse().unwrap();
    whole.parse::<i64>().unwrap() * 1_000_000_000 + fraction
}

#[tokio::test]
async fn an_own_key_that_cannot_be_opened_never_falls_back_to_credits() {
    let (mut system, tenant, key) = split().await;
    let _ = tenant.client.chat(MODEL, "before").await.ok();
    system.gateway.terminate(Role::Vault);
    system.gateway.exited(Role::Vault).await;
    wait::until("the key to be out of use", || async {
        let answer = tenant.client.chat(MODEL, "meanwhile").await;
        match answer.status.as_u16() {
            // Within the bound of revocation what was opened before may serve.
            200 => assert_eq!(answer.header("x-keyward-key-source"), "user"),
            _ => assert!(matches!(
                &*answer.error(503),
                "overloaded" | "provider_key_unavailable"
            )),
        }
        !answer.status.is_success()
    })
    .await;
    let seen = system
        .providers
        .openai
        .requests_with(&system.providers.system_key);
    assert!(seen.is_empty(), "the system key served in its place");

    system.gateway.begin_role(Role::Vault).await;
    wait::until("the key to serve again", || async {
        tenant.client.chat(MODEL, "after").await.status.is_success()
    })
    .await;
    assert!(system.providers.openai.requests_with(&key).len() >= 2);
    assert_eq!(tenant.balance().await, "1.00");
}

#[tokio::test]
async fn the_edge_says_so_while_the_router_is_away() {
    let (mut system, tenant, _) = split().await;
    let _ = tenant.client.chat(MODEL, "before").await.ok();
    system.gateway.terminate(Role::Router);
    system.gateway.exited(Role::Router).await;
    let answer = tenant.client.chat(MODEL, "meanwhile").await;
    assert_eq!(answer.error(503), "overloaded");
    let _ = tenant.client.get("/api/v1/provider-keys").await.ok();
    system.gateway.begin_role(Role::Router).await;
    wait::until("the router to be used again", || async {
        tenant.client.chat(MODEL, "after").await.status.is_success()
    })
    .await;
}

#[tokio::test]
async fn own_keys_outlive_the_vaults_store_by_the_bound_and_nothing_serves_in_their_stead() {
    let (system, tenant, key) = split().await;
    let _ = tenant.client.chat(MODEL, "before").await.ok();
    let _ = tenant.client.chat("sandbox/echo", "before").await.ok();
    let store = system.gateway.data_dir().join("vault.db");
    let mut database = rusqlite::Connection::open(store).unwrap();
    rename_tables(&mut database, |name| format!("{name}_away"));

    let since = Instant::now();
    for model in [MODEL, "sandbox/echo"] {
        wait::until("the key to be out of use", || async {
            let begun = since.elapsed();
            let answer = tenant.client.chat(model, "meanwhile").await;
            if answer.status.is_success() {
                assert!(begun < 2 * BOUND, "it served for too long");
                return false;
            }
            assert_eq!(answer.error(503), "overloaded");
            assert_ne!(answer.header("retry-after"), "");
            true
        })
        .await;
    }
    let openai = &system.providers.openai;
    let system_key = &system.providers.system_key;
    assert!(openai.requests_with(system_key).is_empty());
    assert!(!openai.requests_with(&key).is_empty());

    rename_tables(&mut database, |name| name.replace("_away", ""));
    wait::until("the key to serve again", || async {
        tenant.client.chat(MODEL, "after").await.status.is_success()
    })
    .await;
}

/// Renames every table at once, so that a running vault finds none of them.
fn rename_tables(database: &mut rusqlite::Connection, rename: impl Fn(&str) -> String) {
    let names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'";
    // Waits for the vault's own writes from the start.
    let behaviour = rusqlite::TransactionBehavior::Immediate;
    let all = database.transaction_with_behavior(behaviour).unwrap();
    let names: Vec<String> = {
        let mut names = all.prepare(names).unwrap();
        let names = names.query_map([], |row| row.get(0)).unwrap();
        names.map(Result::unwrap).collect()
    };
    for name in names {
        let new = rename(&name);
        let sql = format!("ALTER TABLE \"{name}\" RENAME TO \"{new}\"");
        all.execute(&sql, []).unwrap();
    }
    all.commit().unwrap();
}

/// Four processes, and a tenant with credits and an OpenAI key of its own.
async fn split() -> (System, Tenant, String) {
    let system = System::own(Topology::Split, |launch| launch).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    let (_, key) = tenant.own_key("openai").await;
    (system, tenant, key)
}
