//! A disk that is full for real: the files of a process that must not grow any further, the store's and
//! the log's alike.

use std::io::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use keyward_runtime::error::Reason;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

use crate::rig::{Rig, new_key, openai_key, reason, with};

/// Set where this process is the one with the full disk.
const CHILD: &str = "KEYWARD_TEST_FULL_CHILD";
const TEST: &str = "full_disk::on_a_full_disk_nothing_leaves_until_there_is_room_again";
const DONE: &str = "it recovered";

/// What a process is sent that writes more than it may; it would die of it.
const SIGXFSZ: i32 = 25;

#[tokio::test]
#[allow(
    clippy::disallowed_methods,
    reason = "what this process tells itself are no settings"
)]
async fn on_a_full_disk_nothing_leaves_until_there_is_room_again() {
    if std::env::var(CHILD).is_ok() {
        return fill_and_free().await;
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    let child = child.args(["--exact", TEST, "--nocapture"]).env(CHILD, "1");
    let output = child.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains(DONE), "{output:?}");
}

fn files_may_have(bytes: Option<u64>) {
    let mut limit = getrlimit(Resource::Fsize);
    limit.current = bytes;
    setrlimit(Resource::Fsize, limit).unwrap();
}

async fn fill_and_free() {
    let _taken = signal(SignalKind::from_raw(SIGXFSZ)).unwrap();
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    rig.serve(&bob, &id).await.unwrap();
    let create = || with(&bob, new_key(None, &openai_key("other")));
    files_may_have(Some(1));
    for _ in 0..3 {
        let start = Instant::now();
        assert_eq!(reason(rig.serve(&bob, &id).await), Reason::AuditUnavailable);
        assert!(start.elapsed() < Duration::from_secs(1));
        let start = Instant::now();
        let refused = rig.keys().create_provider_key(create()).await;
        assert_eq!(reason(refused), Reason::AuditUnavailable);
        assert!(start.elapsed() < Duration::from_secs(1));
    }
    files_may_have(None);
    let start = Instant::now();
    while rig.serve(&bob, &id).await.is_err() {
        assert!(start.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    rig.keys().create_provider_key(create()).await.unwrap();
    let proof = rig.verify().await;
    assert!(proof.proven, "{:?}", proof.faults);
    rig.stop().await;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{DONE}").unwrap();
}
