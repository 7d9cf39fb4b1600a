//! Rewrapping that is killed in the middle, with a vault at work beside it: what is done stays done, the
//! rest is done by the next call, and no key fails to open meanwhile.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::sync::Arc;

use futures::StreamExt as _;
use keyward_proto::vault::v1 as proto;
use keyward_proto::vault::v1::vault_service_client::VaultServiceClient;
use keyward_vault::domain::envelope::{DataKey, wrap_data_key};
use keyward_vault::domain::master_key::MasterKey;
use keyward_vault::domain::owner::Owner;
use rusqlite::{Connection, params};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::master_keys::{activate, active, add, all_open, database, estate, rewrap, state};
use crate::rig::{ADMIN_KEY, Rig, ok, with};

/// How many owners there are: many batches, so that the end comes between two of them.
const OWNERS: u32 = 10_000;

/// Where the child finds its vault.
const CHILD: &str = "KEYWARD_TEST_REWRAP_CHILD";

const TEST: &str = "rewrap_killed::rewrapping_that_is_killed_goes_on_where_it_was_while_keys_open";

#[tokio::test]
#[allow(
    clippy::disallowed_methods,
    reason = "what this process tells itself are no settings"
)]
async fn rewrapping_that_is_killed_goes_on_where_it_was_while_keys_open() {
    if let Ok(folder) = std::env::var(CHILD) {
        return rewrap_aloud(folder.as_ref()).await;
    }
    let (rig, held) = estate(4).await;
    let old = active(&rig).await;
    many_owners(&rig, &old);
    add(&rig, "second").await.unwrap();
    activate(&rig, "second").await.unwrap();
    let all = state(&rig, &old).await.1;
    assert!(all > u64::from(OWNERS));
    let folder = rig.stop().await;
    killed_after_a_batch(folder.path());

    let rig = Rig::start_in(folder).await;
    let left = state(&rig, &old).await.1;
    assert!(0 < left && left < all, "{left} of {all} are left");
    let mut rounds = 0;
    let opening = async {
        loop {
            all_open(&rig, &held).await;
            rounds += 1;
        }
    };
    let last = tokio::select! {
        told = rewrap(&rig, 0) => *told.last().unwrap(),
        () = opening => unreachable!(),
    };
    assert!(rounds > 0, "nothing was opened meanwhile");
    assert_eq!((last.rewrapped, last.remaining, last.failed), (left, 0, 0));
    all_open(&rig, &held).await;
}

/// Data keys of owners that there are not, each wrapped as the vault does.
fn many_owners(rig: &Rig, master_key_id: &str) {
    let file = std::fs::read_to_string(rig.path().join("master.key")).unwrap();
    let (id, key) = file.lines().next().unwrap().split_once(':').unwrap();
    assert_eq!(id, master_key_id);
    let master = MasterKey::from_base64(id, key).unwrap();
    let mut database: Connection = database(rig);
    let transaction = database.transaction().unwrap();
    for number in 1..=OWNERS {
        let uid = Uuid::from_u128(number.into());
        let mut bytes = Zeroizing::new([7; 32]);
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        let key = DataKey::new(Owner::user(uid), 1, bytes);
        let mut nonce = [0; 12];
        nonce[..4].copy_from_slice(&number.to_be_bytes());
        let wrapped = wrap_data_key(&master, &key, nonce).unwrap();
        let sql = "INSERT INTO data_keys
                (owner_kind, owner_uid, generation, master_key_id, wrapped, create_time)
            VALUES (1, ?1, 1, ?2, ?3, 0)";
        let insert = transaction.execute(sql, params![uid, id, wrapped]);
        insert.unwrap();
    }
    transaction.commit().unwrap();
}

/// Runs a vault that rewraps, and kills it once it said that it had begun.
fn killed_after_a_batch(folder: &std::path::Path) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", TEST, "--nocapture"])
        .env(CHILD, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let begun = lines.map_while(Result::ok).find(|line| line == "rewrapped");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(begun.is_some(), "it ended before it rewrapped anything");
}

/// The child. Its folder is not its own, and stays.
async fn rewrap_aloud(folder: &std::path::Path) {
    let own = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        std::os::unix::fs::symlink(&path, own.path().join(path.file_name().unwrap())).unwrap();
    }
    let rig = Rig::start_in(Arc::new(own)).await;
    let request = with(ADMIN_KEY, proto::RewrapKeysRequest { limit: 0 });
    let mut vault = VaultServiceClient::new(rig.connect(keyward_auth::Peer::Edge));
    let mut told = ok(vault.rewrap_keys(request).await);
    while told.next().await.is_some() {
        // Not through the test harness, which would keep it to itself.
        writeln!(std::io::stdout().lock(), "rewrapped").unwrap();
    }
}
