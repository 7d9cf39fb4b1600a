//! A vault that is killed while it gives keys out, again and again: whatever left it is in its log.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use crate::rig::{Rig, openai_key};

/// How often it is killed; a thousand times with this variable set so.
const KILLS: &str = "KEYWARD_TEST_KILLS";
const KILLS_DEFAULT: usize = 25;

/// Where the child finds its vault, its caller and its key.
const CHILD: &str = "KEYWARD_TEST_KILLED_CHILD";

const TEST: &str = "killed::every_key_that_left_a_killed_vault_is_in_its_log";

#[tokio::test]
#[allow(
    clippy::disallowed_methods,
    reason = "what this process tells itself are no settings"
)]
async fn every_key_that_left_a_killed_vault_is_in_its_log() {
    if let Ok(told) = std::env::var(CHILD) {
        return give_out(&told).await;
    }
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    let folder = rig.stop().await;
    let kills = std::env::var(KILLS).ok().and_then(|text| text.parse().ok());
    let mut given = BTreeSet::new();
    for kill in 0..kills.unwrap_or(KILLS_DEFAULT) {
        // After so many answers, so that it dies at another place each time.
        given.extend(killed_after(1 + kill % 23, folder.path(), &bob, &id));
    }
    let rig = Rig::start_in(folder).await;
    let folder = rig.stop().await;
    let mut logged = BTreeSet::new();
    let source = keyward_vault::audit_log::Source {
        data_dir: folder.path().to_owned(),
        postgres: None,
        checkpoints: folder.path().join("audit-checkpoints"),
        public_keys: Vec::new(),
    };
    let proof = keyward_vault::audit_log::verify(&source, |_, linked| {
        logged.insert(linked.event.lease_id.clone());
    });
    let proof = proof.await.unwrap();
    assert!(proof.is_proven(), "{:?}", proof.faults);
    assert!(
        given.len() >= kills.unwrap_or(KILLS_DEFAULT),
        "each gave something out"
    );
    let lost: Vec<_> = given.difference(&logged).collect();
    assert!(lost.is_empty(), "{lost:?}");
}

/// Runs a vault until it has said so often that a key left it, kills it, and returns all that it
/// said.
fn killed_after(answers: usize, folder: &Path, bob: &str, id: &str) -> Vec<String> {
    let scratch = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", TEST, "--nocapture"])
        .env(CHILD, format!("{} {bob} {id}", folder.display()))
        .env("TMPDIR", scratch.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let lease = |line: String| line.strip_prefix("left ").map(str::to_owned);
    let mut given: Vec<String> = lines
        .by_ref()
        .map_while(Result::ok)
        .filter_map(lease)
        .take(answers)
        .collect();
    child.kill().unwrap();
    given.extend(lines.map_while(Result::ok).filter_map(lease));
    child.wait().unwrap();
    // The last one may have been cut in the middle.
    given.retain(|lease| lease.len() == 36);
    given
}

/// The child: gives the key out for ever, from several callers at once.
async fn give_out(told: &str) {
    let [folder, bob, id] = told.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{told}");
    };
    let own = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        symlink(&path, own.path().join(path.file_name().unwrap())).unwrap();
    }
    let rig = Rig::start_in(Arc::new(own)).await;
    let caller = async || {
        loop {
            let lease = rig.serve(bob, id).await.unwrap().lease_id.clone();
            let mut out = std::io::stdout().lock();
            writeln!(out, "left {lease}").unwrap();
            out.flush().unwrap();
        }
    };
    tokio::join!(caller(), caller(), caller(), caller());
}
