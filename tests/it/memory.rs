//! Stored keys and the platform's own are not in the memory of processes that never use them, and
//! the edge is connected to no store.
#![cfg(target_os = "linux")]

mod bounds;
mod process;
mod sealed;

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use keyward_testkit::canary::Search;
use keyward_testkit::{Role, Tenant, Topology};

use crate::by_hand::asked_for;
use crate::served::MODEL;
use crate::system::System;
use process::is_in_memory;

/// How many requests are made before the edge's memory is searched; ten thousand with this variable
/// set so.
const REQUESTS: &str = "KEYWARD_TEST_REQUESTS";
const REQUESTS_DEFAULT: usize = 300;

#[tokio::test]
async fn the_system_key_is_not_in_the_edges_memory() {
    let system = System::own(Topology::Split, |launch| launch).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    for _ in 0..5 {
        let _ = tenant.client.chat(MODEL, "hello").await.ok();
        let _ = tenant
            .client
            .chat_stream(MODEL, "hello")
            .await
            .finish()
            .await;
    }
    let key = Search::of(&system.providers.system_key);
    for role in [Role::Edge, Role::Metering] {
        let id = system.gateway.process_id(role);
        assert!(
            !is_in_memory(id, &key).expect("a process of our own"),
            "the system key is in the memory of the {}",
            role.name()
        );
    }
}

#[tokio::test]
async fn a_stored_key_is_not_in_the_edges_memory() {
    let mut system = System::own(Topology::Split, |launch| launch).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    let (_, key) = tenant.own_key("openai").await;
    // It came in through an edge. The one that is searched never saw it.
    system.gateway.terminate(Role::Edge);
    system.gateway.exited(Role::Edge).await;
    system.gateway.begin_role(Role::Edge).await;
    let requests = asked_for(REQUESTS, REQUESTS_DEFAULT);
    for _ in 0..requests {
        let _ = tenant.client.chat(MODEL, "hello").await.ok();
    }
    assert_eq!(system.providers.openai.requests_with(&key).len(), requests);

    let edge = system.gateway.process_id(Role::Edge);
    let address = Search::of(&system.gateway.http_address());
    let search = Search::of(&key);
    assert!(
        is_in_memory(edge, &address).expect("a process of our own"),
        "the search finds nothing at all"
    );
    assert!(
        !is_in_memory(edge, &search).expect("a process of our own"),
        "a stored key is in the edge's memory"
    );
    // Whoever may read the router's memory finds it there, so it would have been found.
    if let Ok(found) = is_in_memory(system.gateway.process_id(Role::Router), &search) {
        assert!(found, "the search does not find a key where it is");
    }
    let metering = system.gateway.process_id(Role::Metering);
    assert!(!is_in_memory(metering, &search).expect("a process of our own"));
}

#[tokio::test]
async fn the_edge_is_connected_to_services_alone_and_has_no_file_of_a_store_open() {
    let system = System::own(Topology::Split, |launch| launch).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    let _ = tenant.own_key("openai").await;
    let _ = tenant.client.chat(MODEL, "hello").await.ok();
    let edge = system.gateway.process_id(Role::Edge);
    let files = open_files(edge);
    let of_stores = |file: &&PathBuf| {
        let name = file.to_string_lossy();
        [".db", ".db-wal", ".db-shm", "master.key"]
            .iter()
            .any(|end| name.ends_with(end))
    };
    let stores: Vec<_> = files.iter().filter(of_stores).collect();
    assert!(stores.is_empty(), "{stores:?}");
    let vault = open_files(system.gateway.process_id(Role::Vault));
    assert!(vault.is_empty() || vault.iter().any(|file| of_stores(&file)));

    let services = [Role::Router, Role::Vault, Role::Metering];
    let services: HashSet<u16> = services
        .iter()
        .map(|role| port(&system.gateway.grpc_url(*role)))
        .collect();
    let reached = ports_reached(edge, &files);
    assert!(!reached.is_empty(), "the edge is connected to nobody");
    assert!(
        reached.is_subset(&services),
        "{reached:?} besides {services:?}"
    );
}

fn port(url: &str) -> u16 {
    let (_, port) = url.rsplit_once(':').expect("a port");
    port.trim_end_matches('/').parse().expect("a number")
}

/// What a process has open; nothing where the kernel does not let us see.
fn open_files(process: u32) -> Vec<PathBuf> {
    let entries = fs::read_dir(format!("/proc/{process}/fd"));
    let entries = entries.into_iter().flatten().flatten();
    entries
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .collect()
}

/// The ports that a process has connected to.
fn ports_reached(process: u32, files: &[PathBuf]) -> HashSet<u16> {
    const ESTABLISHED: &str = "01";
    const LISTENING: &str = "0A";
    let inode = |file: &PathBuf| {
        let name = file.to_string_lossy().into_owned();
        let inode = name.strip_prefix("socket:[")?.strip_suffix(']')?;
        Some(inode.to_owned())
    };
    let own: HashSet<String> = files.iter().filter_map(inode).collect();
    let table: String = ["tcp", "tcp6"]
        .iter()
        .map(|name| fs::read_to_string(format!("/proc/{process}/net/{name}")).unwrap_or_default())
        .collect();
    let number = |address: &str| u16::from_str_radix(address.rsplit(':').next().unwrap(), 16);
    let rows: Vec<(u16, u16, &str)> = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|words| words.len() > 9 && own.contains(words[9]))
        .filter_map(|words| Some((number(words[1]).ok()?, number(words[2]).ok()?, words[3])))
        .collect();
    let listening: HashSet<u16> = rows
        .iter()
        .filter(|(_, _, state)| *state == LISTENING)
        .map(|(local, _, _)| *local)
        .collect();
    rows.iter()
        .filter(|(local, _, state)| *state == ESTABLISHED && !listening.contains(local))
        .map(|(_, remote, _)| *remote)
        .collect()
}
