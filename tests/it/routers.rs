//! Several routers at once: what is revoked is used by none of them, not even by one that cannot be
//! told.

use std::collections::HashSet;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use keyward_testkit::{
    Answer, Client, Front, Launch, Link, Role, ScriptedUpstream, Tenant, TestDatabase, Topology,
    canary, wait,
};
use serde_json::json;

use crate::postgres::{migrate, on_postgres};
use crate::served::MODEL;
use crate::system::System;

/// `vault.revocation_bound`, as it is where nobody sets it.
const BOUND: Duration = Duration::from_secs(1);

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(8);

/// What one caller sent: when each request began, and what it said.
type Sent = Vec<(Instant, String)>;

/// Callers who are at it until told to stop.
#[derive(Default)]
struct Storm {
    is_over: AtomicBool,
    begun: AtomicUsize,
}

impl Storm {
    /// Calls one after the other.
    async fn hammer(&self, client: Client, patience: Duration) -> Sent {
        let mut sent = Vec::new();
        while !self.is_over.load(Ordering::Relaxed) {
            let marker = canary::characters(20);
            sent.push((Instant::now(), marker.clone()));
            self.begun.fetch_add(1, Ordering::Relaxed);
            let _ = tokio::time::timeout(patience, client.chat(MODEL, &marker)).await;
        }
        sent
    }

    /// Lets them go on for so long, and until so many more requests have begun.
    async fn go_on(&self, time: Duration, requests: usize) {
        let before = self.begun.load(Ordering::Relaxed);
        tokio::time::sleep(time).await;
        wait::until("callers to go on", || async {
            self.begun.load(Ordering::Relaxed) > before + requests
        })
        .await;
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// What requests said that the provider was shown this key in.
fn said_with(upstream: &ScriptedUpstream, key: &str) -> HashSet<String> {
    let said = |received: keyward_testkit::Received| {
        let content = &received.json()["messages"][0]["content"];
        content.as_str().unwrap().to_owned()
    };
    upstream.requests_with(key).into_iter().map(said).collect()
}

async fn system() -> (System, Tenant) {
    let system = System::own(Topology::Split, |launch| launch.set("log.filter", "info")).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    (system, tenant)
}

async fn fronts(system: &System, count: usize) -> Vec<Front> {
    let vault = system.gateway.grpc_url(Role::Vault);
    let starting = (0..count).map(|_| system.gateway.front(&vault));
    futures::future::join_all(starting).await
}

fn laggards(answer: &Answer) -> u32 {
    answer.header("x-keyward-laggards").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_after_the_answer_carries_a_key_that_it_ended() {
    let (system, tenant) = system().await;
    let fronts = fronts(&system, 3).await;
    nothing_carries_what_was_ended(&system, &tenant, &fronts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_carries_a_key_that_another_vault_of_the_same_store_ended() {
    let database = TestDatabase::new();
    migrate(&database.url());
    let quiet = |launch: Launch| on_postgres(launch, &database.url()).set("log.filter", "info");
    let system = System::own(Topology::Split, quiet).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    let vault = system.gateway.further_vault().await;
    let front = system.gateway.front(&vault.grpc_url("https")).await;
    nothing_carries_what_was_ended(&system, &tenant, &[front]).await;
}

/// Ends keys at the gateway's own vault while callers of its router and of these are at it.
async fn nothing_carries_what_was_ended(system: &System, tenant: &Tenant, fronts: &[Front]) {
    let mut clients: Vec<Client> = fronts
        .iter()
        .map(|front| front.client(tenant.client.access_key()))
        .collect();
    clients.push(tenant.client.clone());
    for ending in ["delete", "disable", "rotate"] {
        let (id, key) = tenant.own_key("openai").await;
        for client in &clients {
            let _ = client.chat(MODEL, "leases it").await.ok();
        }
        let storm = Storm::default();
        let hammering = clients.iter().flat_map(|client| [client; 2]);
        let hammering = hammering.map(|client| storm.hammer(client.clone(), PATIENCE));
        let ended = async {
            let openai = &system.providers.openai;
            wait::until("all to be at it", || async {
                openai.requests_with(&key).len() > 60
            })
            .await;
            let path = format!("/api/v1/provider-keys/{id}");
            let answer = match ending {
                "delete" => tenant.client.delete(&path).await,
                "disable" => tenant.client.patch(&path, json!({"enabled": false})).await,
                _ => {
                    let new = json!({"key": canary::provider_key("openai")});
                    tenant.client.post(&format!("{path}/rotate"), new).await
                }
            };
            let answered = Instant::now();
            assert_eq!(laggards(&answer.ok()), 0);
            storm.go_on(BOUND, 30).await;
            answered
        };
        let (sent, answered) = tokio::join!(futures::future::join_all(hammering), ended);
        let carried = said_with(&system.providers.openai, &key);
        let later = sent.iter().flatten().filter(|(begun, _)| *begun > answered);
        let later: Vec<_> = later.map(|(_, marker)| marker).collect();
        assert!(later.len() > 20, "nobody went on after the {ending}");
        let late = later.into_iter().filter(|marker| carried.contains(*marker));
        assert_eq!(
            late.count(),
            0,
            "requests after the {ending} carried the key"
        );
        let _ = tenant
            .client
            .delete(&format!("/api/v1/provider-keys/{id}"))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_that_cannot_be_told_stops_by_itself_and_is_counted() {
    let (system, tenant) = system().await;
    let vault = system.gateway.grpc_url(Role::Vault);
    let scheme = vault.split("://").next().unwrap();
    let link = Link::to(&vault).await;
    let front = system.gateway.front(&link.url(scheme)).await;
    let client = front.client(tenant.client.access_key());
    let (id, key) = tenant.own_key("openai").await;
    let _ = client.chat(MODEL, "leases it").await.ok();

    link.cut();
    let path = format!("/api/v1/provider-keys/{id}");
    let asked = Instant::now();
    let off = tenant.client.patch(&path, json!({"enabled": false})).await;
    let answered = Instant::now();
    assert_eq!(laggards(&off.ok()), 1);
    assert!(answered - asked < BOUND, "it waited {:?}", answered - asked);
    let storm = Storm::default();
    let enough = async {
        tokio::time::sleep(2 * BOUND).await;
        storm.go_on(BOUND, 4).await;
    };
    let hammering = (0..4).map(|_| storm.hammer(client.clone(), BOUND / 4));
    let (sent, ()) = tokio::join!(futures::future::join_all(hammering), enough);
    let carried = said_with(&system.providers.openai, &key);
    let beyond = sent.iter().flatten();
    let beyond: Vec<_> = beyond
        .filter(|(begun, _)| *begun > answered + BOUND)
        .collect();
    assert!(!beyond.is_empty(), "nobody asked after the bound");
    assert!(beyond.iter().all(|(_, marker)| !carried.contains(marker)));
    let asked = Instant::now();
    let turned_away = client.chat(MODEL, "is told to come again").await;
    assert_eq!(turned_away.error(503), "overloaded");
    let waited = asked.elapsed();
    assert!(waited < Duration::from_secs(10), "it waited {waited:?}");

    link.mend();
    let _ = tenant
        .client
        .patch(&path, json!({"enabled": true}))
        .await
        .ok();
    wait::until("the router to serve again", || async {
        client.chat(MODEL, "again").await.status.is_success()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_that_slept_through_a_revocation_does_not_wake_up_with_the_key() {
    let (system, tenant) = system().await;
    let front = fronts(&system, 1).await.remove(0);
    let client = front.client(tenant.client.access_key());
    let (id, key) = tenant.own_key("openai").await;
    let _ = client.chat(MODEL, "leases it").await.ok();

    signal(front.process_id(), "STOP");
    let path = format!("/api/v1/provider-keys/{id}");
    let off = tenant.client.patch(&path, json!({"enabled": false})).await;
    assert_eq!(laggards(&off.ok()), 1);
    tokio::time::sleep(2 * BOUND).await;
    let before = system.providers.openai.requests_with(&key).len();
    let calls = (0..16).map(|_| client.chat(MODEL, "asked in its sleep"));
    let waking = async {
        tokio::time::sleep(BOUND / 4).await;
        signal(front.process_id(), "CONT");
    };
    let (answers, ()) = tokio::join!(futures::future::join_all(calls), waking);
    assert!(answers.iter().all(|answer| !answer.status.is_success()));
    assert_eq!(system.providers.openai.requests_with(&key).len(), before);
}

fn signal(process: u32, name: &str) {
    let command = format!("kill -{name} {process}");
    let status = Command::new("sh").args(["-c", &command]).status();
    assert!(status.unwrap().success());
}
