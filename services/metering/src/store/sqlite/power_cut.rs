//! Power cuts: whatever the file system loses or tears of what was written last, everything that was
//! acknowledged is there. That each acknowledgement follows a sync is seen in a trace of the system's
//! calls; what a cut may then leave of the log is tried out.

use std::collections::HashSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use keyward_proto::metering::v1 as wire;
use uuid::Uuid;

use super::SqliteStore;
use crate::store::suite::install_prices;
use crate::store::suite::samples::{account, charged, event, give, hold, place, run, settlement};
use crate::store::{CloseStore as _, LedgerStore as _, prove};

/// How many settles there are.
const SETTLES: u128 = 32;

/// What each of them costs.
const TOKENS: i64 = 3;

fn database(folder: &Path) -> PathBuf {
    folder.join("metering.db")
}

fn log(folder: &Path) -> PathBuf {
    folder.join("metering.db-wal")
}

/// A store in a folder, with credits.
async fn funded(folder: &Path) -> SqliteStore {
    let store = SqliteStore::open(&database(folder)).expect("a store");
    install_prices(&store).await;
    give(&store, account(1), 10_000, "k").await;
    store
}

/// Places a hold and settles it.
async fn settle(store: &SqliteStore, number: u128) {
    place(store, hold(number, account(1), 10)).await;
    let used = event(1_000 + number, account(1), TOKENS, wire::AttemptStatus::Ok);
    let posted = run(store, settlement(used, number)).await;
    assert_eq!(posted, charged(TOKENS, false));
}

/// What the files held when a settle was acknowledged.
struct Kept {
    settled: u128,
    database: Vec<u8>,
    log: Vec<u8>,
}

fn keep(folder: &Path, settled: u128) -> Kept {
    Kept {
        settled,
        database: fs::read(database(folder)).expect("the file"),
        log: fs::read(log(folder)).expect("the log"),
    }
}

/// What a cut may leave once `kept` was synced and the log had been written further: any part of
/// what came after, a torn block at its end, or a block that was never written.
fn left(kept: &Kept, later: &Kept) -> Vec<Vec<u8>> {
    let (from, to) = (kept.log.len(), later.log.len());
    let mut logs = Vec::new();
    for cut in [from, from + 1, from + 24, from + (to - from) / 2, to - 1] {
        let mut torn = later.log[..cut].to_vec();
        logs.push(torn.clone());
        torn.resize(to, 0);
        logs.push(torn);
    }
    // The last block arrived and the one before did not.
    let mut reordered = later.log.clone();
    let hole = from..(from + 512).min(to);
    reordered[hole].fill(0xA5);
    logs.push(reordered);
    logs
}

async fn assert_settled(kept: &Kept, log_left: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(database(folder.path()), &kept.database).expect("written");
    fs::write(log(folder.path()), log_left).expect("written");
    let store = SqliteStore::open(&database(folder.path())).expect("it opens");
    let transfers = charged_events(&store).await;
    for number in 1..=kept.settled {
        let id = Uuid::from_u128(1_000 + number).to_string();
        assert!(transfers.contains(&id), "{number} of {}", kept.settled);
    }
    let proof = prove(&store, None).await.expect("it can be read");
    assert_eq!(proof.discrepancies, []);
    store.close().await;
}

/// The events that were charged.
async fn charged_events(store: &SqliteStore) -> HashSet<String> {
    let ledger = store.transactions(account(1), None, 1_000).await;
    let charges = ledger.expect("works").into_iter();
    charges.map(|row| row.inference_id).collect()
}

#[tokio::test]
async fn what_was_acknowledged_is_there_whatever_is_left_of_the_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = funded(folder.path()).await;
    let mut kept = Vec::new();
    for number in 1..=SETTLES {
        settle(&store, number).await;
        kept.push(keep(folder.path(), number));
    }
    store.close().await;
    for pair in kept.chunks(4).filter(|four| four.len() == 4) {
        let (now, later) = (&pair[0], &pair[1]);
        assert_eq!(now.database, later.database, "the log was not folded in");
        for log_left in left(now, later) {
            assert_settled(now, &log_left).await;
        }
    }
}

/// Settles, and says so in a file after each. What is traced.
#[tokio::test]
async fn a_settle_is_acknowledged_in_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = funded(folder.path()).await;
    let path = folder.path().join("acknowledged");
    let mut acknowledged = fs::File::create(path).expect("a file");
    for number in 1..=SETTLES {
        settle(&store, number).await;
        acknowledged.write_all(b".").expect("written");
    }
    store.close().await;
}

/// `strace` shows it, where it is installed and may trace.
#[test]
fn nothing_is_acknowledged_before_it_is_synced() {
    let folder = tempfile::tempdir().expect("a folder");
    let trace = folder.path().join("trace");
    let this = std::env::current_exe().expect("the path of this test");
    let done = Command::new("strace")
        .args([
            "-f",
            "-y",
            "-e",
            "trace=pwrite64,write,fdatasync,fsync",
            "-o",
        ])
        .arg(&trace)
        .arg(this)
        .args([
            "--exact",
            "store::sqlite::power_cut::a_settle_is_acknowledged_in_a_file",
        ])
        .output();
    match done {
        Ok(done) if done.status.success() => {}
        _ => {
            println!("`strace` is not installed or may not trace: no system calls were looked at");
            return;
        }
    }
    let trace = fs::read_to_string(trace).expect("a trace");
    let acknowledged = acknowledged_when_synced(&trace);
    assert_eq!(acknowledged, usize::try_from(SETTLES).expect("small"));
}

/// How many acknowledgements there are, none of which comes while something is written to the log
/// and not synced.
fn acknowledged_when_synced(trace: &str) -> usize {
    let (mut unsynced, mut acknowledged) = (false, 0);
    // Threads that are in the middle of a sync of the log.
    let mut syncing = HashSet::new();
    for line in trace.lines() {
        let thread = line.split(' ').next().unwrap_or_default();
        let is_of_log = line.contains("metering.db-wal>");
        let is_sync = line.contains("sync(");
        if is_of_log && line.contains("write") {
            unsynced = true;
        } else if is_of_log && is_sync && line.ends_with("= 0") {
            unsynced = false;
        } else if is_of_log && is_sync {
            syncing.insert(thread);
        } else if line.contains("sync resumed>") && syncing.remove(thread) {
            unsynced = false;
        } else if line.contains("/acknowledged>") {
            assert!(!unsynced, "acknowledged before it was synced: {line}");
            acknowledged += 1;
        }
    }
    acknowledged
}

#[test]
fn a_trace_without_the_sync_would_be_found_out() {
    let write = r#"7 pwrite64(9</x/metering.db-wal>, "", 24, 0) = 24"#;
    let sync = "7 fdatasync(9</x/metering.db-wal>) = 0";
    let acknowledgement = r#"8 write(5</x/acknowledged>, "1\n", 2) = 2"#;
    let good = [write, sync, acknowledgement].join("\n");
    assert_eq!(acknowledged_when_synced(&good), 1);
    let split = [
        write,
        "7 fdatasync(9</x/metering.db-wal> <unfinished ...>",
        "7 <... fdatasync resumed>) = 0",
        acknowledgement,
    ];
    assert_eq!(acknowledged_when_synced(&split.join("\n")), 1);
    for bad in [
        [write, acknowledgement, sync],
        [sync, write, acknowledgement],
    ] {
        let found = std::panic::catch_unwind(|| acknowledged_when_synced(&bad.join("\n")));
        assert!(found.is_err());
    }
}
