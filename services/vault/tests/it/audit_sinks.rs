//! What becomes of keys and changes where the audit log cannot be written.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keyward_runtime::error::Reason;
use keyward_vault::{AuditStartError, StartError, Vault, VaultConfig};
use rusqlite::Connection;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::rig::{Rig, new_key, openai_key, reason, with};

fn database(rig: &Rig) -> Connection {
    let connection = Connection::open(rig.path().join("vault.db")).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection
}

/// The log's file, of whatever instance the folder is.
pub(crate) fn log_file(folder: &std::path::Path) -> PathBuf {
    let instance = fs::read_to_string(folder.join("vault-instance")).unwrap();
    folder
        .join("audit-checkpoints")
        .join(format!("audit-{}.jsonl", instance.trim()))
}

fn fill_store(rig: &Rig) {
    let trigger = "CREATE TRIGGER full BEFORE INSERT ON audit_events
        BEGIN SELECT raise(ABORT, 'no space'); END;";
    database(rig).execute_batch(trigger).unwrap();
}

fn free_store(rig: &Rig) {
    database(rig).execute_batch("DROP TRIGGER full").unwrap();
}

fn up(rig: &Rig, sink: &str) -> bool {
    let text = rig.metrics.encode().unwrap();
    text.contains(&format!(
        r#"keyward_vault_audit_sink_up{{sink="{sink}"}} 1"#
    ))
}

/// Waits until it is so: what is waited for happens within milliseconds.
async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !so().await {
        assert!(start.elapsed() < Duration::from_secs(10), "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A vault with somebody's key, whose log's file is a device that is always full.
async fn with_a_full_file() -> (Rig, String, String) {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    let folder = rig.stop().await;
    let file = log_file(folder.path());
    fs::rename(&file, file.with_extension("kept")).unwrap();
    symlink("/dev/full", &file).unwrap();
    (Rig::start_in(folder).await, bob, id)
}

#[tokio::test]
async fn where_no_sink_takes_an_event_no_key_leaves_and_nothing_is_changed() {
    let (rig, bob, id) = with_a_full_file().await;
    fill_store(&rig);
    let start = Instant::now();
    assert_eq!(reason(rig.serve(&bob, &id).await), Reason::AuditUnavailable);
    let request = || new_key(None, &openai_key("other"));
    let refused = rig.keys().create_provider_key(with(&bob, request())).await;
    assert_eq!(reason(refused), Reason::AuditUnavailable);
    assert!(start.elapsed() < Duration::from_secs(1));
    free_store(&rig);
    assert!(rig.get_key(&bob, &id).await.last_used_time.is_none());
    // It recovers by itself, and the change was not made.
    until("the store takes events again", async || {
        rig.serve(&bob, &id).await.is_ok()
    })
    .await;
    let made = rig.keys().create_provider_key(with(&bob, request())).await;
    made.unwrap();
}

#[tokio::test]
async fn one_sink_is_enough_and_the_other_is_missed() {
    let (rig, bob, id) = with_a_full_file().await;
    rig.serve(&bob, &id).await.unwrap();
    until("the alarm", async || !up(&rig, "file") && up(&rig, "store")).await;
    // The file is mended, and then the store fails.
    let file = log_file(rig.path());
    fs::remove_file(&file).unwrap();
    until("the file has all of the log", async || {
        rig.serve(&bob, &id).await.unwrap();
        up(&rig, "file")
    })
    .await;
    fill_store(&rig);
    let lease = rig.serve(&bob, &id).await.unwrap().lease_id.clone();
    assert!(fs::read_to_string(&file).unwrap().contains(&lease));
    assert!(!up(&rig, "store"));
    free_store(&rig);
    until("the store gets what only the file had", async || {
        let events = rig.events().await;
        events.iter().any(|event| event.lease_id == lease)
    })
    .await;
    let proof = rig.verify().await;
    assert!(proof.proven, "{:?}", proof.faults);
}

#[tokio::test]
async fn what_only_the_file_has_is_in_the_store_after_the_next_start() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    fill_store(&rig);
    let lease = rig.serve(&bob, &id).await.unwrap().lease_id.clone();
    let folder = rig.stop().await;
    let connection = Connection::open(folder.path().join("vault.db")).unwrap();
    connection.execute_batch("DROP TRIGGER full").unwrap();
    drop(connection);
    let rig = Rig::start_in(folder).await;
    let found = rig.events().await;
    assert!(found.iter().any(|event| event.lease_id == lease));
    assert!(rig.verify().await.proven);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_leaves_the_file_with_all_of_the_log_in_its_order() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    let mut leases = Vec::new();
    for _ in 0..4 {
        let served = (0..100).map(|_| rig.serve(&bob, &id));
        for served in futures::future::join_all(served).await {
            leases.push(served.unwrap().lease_id.clone());
        }
    }
    let folder = rig.stop().await;
    let text = fs::read_to_string(log_file(folder.path())).unwrap();
    let sequence = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["sequence"].as_i64().unwrap()
    };
    let sequences: Vec<i64> = text.lines().map(sequence).collect();
    let store = Connection::open(folder.path().join("vault.db")).unwrap();
    let length = "SELECT sequence FROM audit_chains";
    let length: i64 = store.query_row(length, [], |row| row.get(0)).unwrap();
    assert_eq!(sequences, (1..=length).collect::<Vec<_>>());
    for lease in leases {
        assert!(text.contains(&lease), "{lease}");
    }
}

#[tokio::test]
async fn an_event_is_in_the_store_before_its_answer_whatever_the_file_has() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    let store = database(&rig);
    for _ in 0..20 {
        let lease = rig.serve(&bob, &id).await.unwrap().lease_id.clone();
        let placed = "SELECT sequence IS NOT NULL FROM audit_events WHERE lease_id = ?1";
        let placed: bool = store.query_row(placed, [lease], |row| row.get(0)).unwrap();
        assert!(placed);
    }
}

#[tokio::test]
async fn a_long_outage_of_the_store_is_made_up_for() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    let placed = || {
        let count = "SELECT count(*) FROM audit_events WHERE sequence IS NOT NULL";
        let count = database(&rig).query_row(count, [], |row| row.get::<_, i64>(0));
        count.unwrap()
    };
    fill_store(&rig);
    let before = placed();
    // More than one commit takes in.
    for _ in 0..6 {
        let served = (0..50).map(|_| rig.serve(&bob, &id));
        for served in futures::future::join_all(served).await {
            served.unwrap();
        }
    }
    assert_eq!(placed(), before);
    free_store(&rig);
    until("the store gets all of it", async || {
        placed() >= before + 300
    })
    .await;
    until("the alarm ends", async || up(&rig, "store")).await;
    let proof = rig.verify().await;
    assert!(proof.proven, "{:?}", proof.faults);
}

#[tokio::test]
async fn a_sink_that_hangs_is_waited_for_once() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    let folder = rig.stop().await;
    let file = log_file(folder.path());
    fs::remove_file(&file).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&file).status();
    assert!(made.unwrap().success());
    // Somebody has it open and reads nothing: it takes what a pipe holds, then hangs.
    let mut options = fs::OpenOptions::new();
    let reader = options.read(true).write(true).open(&file).unwrap();
    let stuck = Arc::new(reader);
    let filler = Arc::clone(&stuck);
    std::thread::spawn(move || {
        use std::io::Write as _;
        // Ends with an error once the test drops the pipe, or with it.
        let _ = (&*filler).write_all(&vec![b'\n'; 1 << 20]);
    });
    let rig = Rig::start_in(folder).await;
    until("the alarm", async || {
        rig.serve(&bob, &id).await.unwrap();
        !up(&rig, "file")
    })
    .await;
    let start = Instant::now();
    for _ in 0..20 {
        rig.serve(&bob, &id).await.unwrap();
    }
    // Waited for each time, it would take 20 times 450 ms; on a busy machine the rest takes a while.
    assert!(
        start.elapsed() < 20 * Duration::from_millis(450) / 2,
        "{:?}",
        start.elapsed()
    );
    // Somebody reads again: so does the log go on.
    std::thread::spawn(move || {
        use std::io::Read as _;
        let mut buffer = vec![0; 1 << 16];
        // For as long as the tests run: a pipe that nobody reads from fills up again.
        while (&*stuck).read(&mut buffer).is_ok() {}
    });
    until("the file takes events again", async || {
        rig.serve(&bob, &id).await.unwrap();
        up(&rig, "file")
    })
    .await;
}

#[tokio::test]
async fn without_a_folder_for_checkpoints_nothing_starts() {
    let folder = tempfile::tempdir().unwrap();
    let blocked = folder.path().join("a-file");
    fs::write(&blocked, "").unwrap();
    let mut config = VaultConfig::new(folder.path());
    config.audit.folder = blocked.join("checkpoints");
    let open = |config| Vault::open(config, TaskTracker::new(), CancellationToken::new());
    let refused = open(config.clone()).await.unwrap_err();
    let audit = matches!(refused, StartError::Audit(AuditStartError::Folder { .. }));
    assert!(audit, "{refused:?}");
    config.audit.required = false;
    until("the first one has closed the store", async || true).await;
    open(config).await.unwrap();
}

/// What a power loss may leave behind what was on disk for good.
fn torn_ends() -> [Vec<u8>; 4] {
    let hole = vec![0; 4096];
    let line = br#"{"instance":"vault-","sequence":7}"#;
    [
        hole.clone(),
        // Longer than what is read of the end at first.
        vec![0; 3 << 20],
        [&line[..20], &hole, b"\n"].concat(),
        [&hole[..], &line[20..], b"\n"].concat(),
    ]
}

#[tokio::test]
async fn zeros_that_a_power_loss_left_in_the_files_are_cut_off_and_the_log_goes_on() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    let mut folder = rig.stop().await;
    for end in torn_ends() {
        let events = log_file(folder.path());
        for file in [&events, &events.with_extension("checkpoints")] {
            let mut file = fs::OpenOptions::new().append(true).open(file).unwrap();
            std::io::Write::write_all(&mut file, &end).unwrap();
        }
        for _ in 0..2 {
            let rig = Rig::start_in(folder).await;
            let lease = rig.serve(&bob, &id).await.unwrap().lease_id.clone();
            let proof = rig.verify_linked().await;
            assert!(proof.proven, "{:?}", proof.faults);
            until("the file has all of the log", async || {
                let text = fs::read(&events).unwrap();
                let text = String::from_utf8(text).unwrap();
                !text.contains('\0') && text.contains(&lease)
            })
            .await;
            folder = rig.stop().await;
        }
    }
}
