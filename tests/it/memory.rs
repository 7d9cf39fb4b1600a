//! The platform's own key, given to the vault alone, is not in the memory of the edge.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};

use keyward_testkit::canary::Search;
use keyward_testkit::{Role, Tenant, Topology};

use crate::served::MODEL;
use crate::system::System;

/// How much of a process's memory is read at once; regions overlap by as much as a key could have.
const PIECE: u64 = 4 * 1024 * 1024;
const OVERLAP: u64 = 256;

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
    let edge = system.gateway.process_id(Role::Edge);
    let address = system.gateway.http_address();
    assert!(
        is_in_memory(edge, &Search::of(&address)),
        "the search finds nothing at all"
    );
    let key = Search::of(&system.providers.system_key);
    assert!(
        !is_in_memory(edge, &key),
        "the system key is in the edge's memory"
    );
    let metering = system.gateway.process_id(Role::Metering);
    assert!(
        !is_in_memory(metering, &key),
        "the system key is in metering's memory"
    );
}

/// Whether something is in what a process can read of its own memory.
fn is_in_memory(process: u32, search: &Search) -> bool {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).expect("the process runs");
    let mut memory = File::open(format!("/proc/{process}/mem")).expect("a process of our own");
    maps.lines().filter_map(readable).any(|(start, end)| {
        let mut position = start;
        while position < end {
            let size = (end - position).min(PIECE + OVERLAP);
            if search
                .found_in(&read(&mut memory, position, size))
                .is_some()
            {
                return true;
            }
            position += PIECE;
        }
        false
    })
}

/// The bounds of a readable region; files that were mapped for reading only are left out, since they
/// hold what is on disk.
fn readable(line: &str) -> Option<(u64, u64)> {
    let mut words = line.split_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let rights = words.next()?;
    if !rights.starts_with("rw") {
        return None;
    }
    let address = |text| u64::from_str_radix(text, 16).ok();
    Some((address(start)?, address(end)?))
}

fn read(memory: &mut File, position: u64, size: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if memory.seek(SeekFrom::Start(position)).is_ok() {
        // Some regions cannot be read whatever their rights say; what was read counts.
        let _ = memory.take(size).read_to_end(&mut bytes);
    }
    bytes
}
