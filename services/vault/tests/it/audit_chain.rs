//! The chain of audit events against somebody who writes into the store, or sets it back.

use std::fs;
use std::path::Path;

use keyward_proto::vault::v1 as proto;
use keyward_testkit::wait;
use keyward_vault::{AuditStartError, StartError, Vault, VaultConfig};
use rusqlite::Connection;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::rig::{ADMIN_KEY, Rig, ok, openai_key, with};

impl Rig {
    /// The proof of the log, by the vault itself.
    pub(crate) async fn verify(&self) -> proto::VerifyAuditLogResponse {
        let request = with(ADMIN_KEY, proto::VerifyAuditLogRequest {});
        ok(self.audit().verify_audit_log(request).await)
    }

    /// The same, once every event has its place.
    pub(crate) async fn verify_linked(&self) -> proto::VerifyAuditLogResponse {
        loop {
            let proof = self.verify().await;
            if proof.unlinked_events == 0 {
                return proof;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}

/// A folder with a stopped vault, somebody's access key and provider key, and some events.
async fn eventful() -> (std::sync::Arc<tempfile::TempDir>, String, String) {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    for _ in 0..3 {
        rig.serve(&bob, &id).await.unwrap();
    }
    (rig.stop().await, bob, id)
}

fn edit(folder: &Path, sql: &str) {
    let connection = Connection::open(folder.join("vault.db")).unwrap();
    connection.execute_batch(sql).unwrap();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy(&path, &to),
            false => drop(fs::copy(&path, &to).unwrap()),
        }
    }
}

#[tokio::test]
async fn an_untouched_log_is_proven_with_its_length_and_head() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    rig.serve(&bob, &id).await.unwrap();
    // What the vault does by itself may come between, and get its place while the rest is proven.
    let proof = wait::for_some("a proof of all events", || async {
        let events = rig.events().await.len() as u64;
        let proof = rig.verify_linked().await;
        (proof.chains[0].event_count == events).then_some(proof)
    })
    .await;
    assert!(proof.proven, "{:?}", proof.faults);
    assert_eq!(proof.chains.len(), 1);
    assert_eq!(proof.chains[0].head_hash.len(), 64);
    let denied = with(&bob, proto::VerifyAuditLogRequest {});
    rig.audit().verify_audit_log(denied).await.unwrap_err();
}

#[tokio::test]
async fn an_event_that_was_edited_deleted_moved_or_cut_off_is_named() {
    let (whole, ..) = eventful().await;
    let cases = [
        (
            "UPDATE audit_events SET user = 'eve' WHERE sequence = 3",
            "event 3 ",
        ),
        ("DELETE FROM audit_events WHERE sequence = 3", "event 3 "),
        (
            "UPDATE audit_events SET sequence = 99 WHERE sequence = 3;
             UPDATE audit_events SET sequence = 3 WHERE sequence = 4;
             UPDATE audit_events SET sequence = 4 WHERE sequence = 99;",
            "event 3 ",
        ),
        (
            "DELETE FROM audit_events WHERE sequence >= 5;
             UPDATE audit_chains SET sequence = 4,
                hash = (SELECT hash FROM audit_events WHERE sequence = 4);",
            "event 5 ",
        ),
    ];
    for (sql, place) in cases {
        let folder = tempfile::tempdir().unwrap();
        copy(whole.path(), folder.path());
        edit(folder.path(), sql);
        let report = offline(folder.path()).await;
        assert!(!report.is_proven(), "{sql}");
        let fault = report.faults[0].to_string();
        assert!(fault.starts_with(place), "{sql}: {fault}");
    }
    let report = offline(whole.path()).await;
    assert!(report.is_proven(), "{:?}", report.faults);
    assert!(report.checkpoints > 0);
}

#[tokio::test]
async fn a_log_without_a_single_checkpoint_is_not_proven_whatever_its_end() {
    let (folder, ..) = eventful().await;
    let whole = offline(folder.path()).await;
    let chain = &whole.chains[0];
    assert!(whole.is_proven() && chain.signed == chain.head.sequence);
    edit(
        folder.path(),
        "DELETE FROM audit_events WHERE sequence >= 5;
         UPDATE audit_chains SET sequence = 4,
            hash = (SELECT hash FROM audit_events WHERE sequence = 4);
         DELETE FROM provider_keys;",
    );
    let checkpoints = folder.path().join("audit-checkpoints");
    for file in fs::read_dir(checkpoints).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|end| end == "checkpoints") {
            fs::remove_file(path).unwrap();
        }
    }
    let report = offline(folder.path()).await;
    assert_eq!((report.checkpoints, report.chains[0].signed), (0, 0));
    let faults: Vec<_> = report.faults.iter().map(ToString::to_string).collect();
    assert!(
        matches!(&faults[..], [fault] if fault.starts_with("nothing signed vouches")),
        "{faults:?}"
    );
}

async fn offline(folder: &Path) -> keyward_vault::audit_log::AuditProof {
    let source = keyward_vault::audit_log::Source {
        data_dir: folder.to_owned(),
        postgres: None,
        checkpoints: folder.join("audit-checkpoints"),
        public_keys: Vec::new(),
    };
    let proof = keyward_vault::audit_log::verify(&source, |_, _| ()).await;
    proof.unwrap()
}

#[tokio::test]
async fn a_key_whose_row_was_set_back_is_named_with_both_versions() {
    let (folder, bob, id) = eventful().await;
    let uid = id.parse::<uuid::Uuid>().unwrap().simple().to_string();
    let columns = "version, record, masked, fingerprint, revision";
    edit(
        folder.path(),
        &format!(
            "CREATE TABLE yesterday AS SELECT {columns} FROM provider_keys WHERE uid = x'{uid}'"
        ),
    );
    let rig = Rig::start_in(folder).await;
    let rotate = proto::RotateProviderKeyRequest {
        provider_key_id: id.clone(),
        key: openai_key("new"),
        ..Default::default()
    };
    ok(rig.keys().rotate_provider_key(with(&bob, rotate)).await);
    let folder = rig.stop().await;
    edit(
        folder.path(),
        &format!(
            "UPDATE provider_keys SET ({columns}) = (SELECT {columns} FROM yesterday)
             WHERE uid = x'{uid}'"
        ),
    );
    let report = offline(folder.path()).await;
    let faults: Vec<_> = report.faults.iter().map(ToString::to_string).collect();
    let expected =
        format!("provider key {id} was set back: the store has version 1, the log version 2");
    assert_eq!(faults, [expected]);
}

/// A folder whose store is older than what was signed of it.
async fn set_back() -> std::sync::Arc<tempfile::TempDir> {
    let (folder, bob, id) = eventful().await;
    let backup = tempfile::tempdir().unwrap();
    fs::copy(
        folder.path().join("vault.db"),
        backup.path().join("vault.db"),
    )
    .unwrap();
    let rig = Rig::start_in(folder).await;
    rig.serve(&bob, &id).await.unwrap();
    let folder = rig.stop().await;
    fs::copy(
        backup.path().join("vault.db"),
        folder.path().join("vault.db"),
    )
    .unwrap();
    folder
}

async fn open(folder: &Path, accept: bool) -> Result<Vault, StartError> {
    let mut config = VaultConfig::new(folder);
    config.audit.accept_older_store = accept;
    Vault::open(config, TaskTracker::new(), CancellationToken::new()).await
}

#[tokio::test]
async fn an_acceptance_that_no_checkpoint_covers_does_not_count() {
    let folder = set_back().await;
    let forge = "
        CREATE TEMP TABLE forged AS SELECT * FROM audit_events WHERE sequence = 1;
        UPDATE forged SET uid = randomblob(16), action = 'audit.accept_older_store',
            (resource_id, resource_version) = (SELECT instance, sequence FROM audit_chains),
            (instance, sequence, hash, arrival) = (SELECT NULL, NULL, NULL, 1);
        INSERT INTO audit_events SELECT * FROM forged;
        UPDATE forged SET uid = randomblob(16), instance = 'forged', sequence = 1, hash = zeroblob(32);
        INSERT INTO audit_events SELECT * FROM forged;";
    edit(folder.path(), forge);
    let refused = open(folder.path(), false).await.unwrap_err();
    let is_older = matches!(
        refused,
        StartError::Audit(AuditStartError::OlderStore { .. })
    );
    assert!(is_older, "{refused:?}");
    let report = offline(folder.path()).await;
    assert!(!report.is_proven());
}

#[tokio::test]
async fn a_store_from_before_the_last_checkpoint_starts_only_where_that_is_accepted() {
    let folder = set_back().await;
    let refused = open(folder.path(), false).await.unwrap_err();
    let StartError::Audit(older @ AuditStartError::OlderStore { .. }) = &refused else {
        panic!("{refused:?}");
    };
    let told = older.to_string();
    for word in [
        "--accept-older-store",
        "docs/audit.md#restored-from-a-backup",
        "checkpoint",
    ] {
        assert!(told.contains(word), "{told}");
    }
    let accepted = open(folder.path(), true).await.unwrap();
    accepted.close().await;
    // From here on it is as new as what is signed, and the log says what happened.
    let rig = Rig::start_in(folder).await;
    let events = rig.events().await;
    let event = events
        .iter()
        .find(|event| event.action == "audit.accept_older_store");
    assert!(event.unwrap().reason.contains("was signed"));
    let proof = rig.verify_linked().await;
    assert!(proof.proven, "{:?}", proof.faults);
    assert_eq!(proof.chains.len(), 2);
}

#[tokio::test]
async fn events_of_an_older_version_are_linked_at_the_first_start_and_said_to_be() {
    let (folder, ..) = eventful().await;
    edit(
        folder.path(),
        "UPDATE audit_events SET instance = NULL, sequence = NULL, hash = NULL, arrival = NULL;
         DELETE FROM audit_chains;",
    );
    fs::remove_dir_all(folder.path().join("audit-checkpoints")).unwrap();
    fs::remove_file(folder.path().join("vault-instance")).unwrap();
    let rig = Rig::start_in(folder).await;
    let events = rig.events().await;
    let adopted = events.iter().find(|event| event.action == "audit.adopt");
    assert!(adopted.unwrap().reason.contains("had no place"));
    let proof = rig.verify_linked().await;
    assert!(proof.proven, "{:?}", proof.faults);
}
