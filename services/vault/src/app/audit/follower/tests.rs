//! What the file gets, in which order, and from where.

use keyward_runtime::metrics::Metrics;
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::app::audit::file::{events_path, tail};
use crate::domain::audit::chain::Head;
use crate::domain::audit::{Action, Actor, AuditEvent};
use crate::store::CloseStore as _;
use crate::store::sqlite::SqliteStore;

const INSTANCE: &str = "i";

/// A file that follows a store which cannot be read any more: what it gets, it was handed.
async fn without_store(sink: bool) -> (Follower, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("vault.db")).unwrap();
    store.close().await;
    let sink = sink.then(|| FileSink::start(folder.path(), INSTANCE).unwrap());
    let meters = AuditMeters::new(&Metrics::new());
    let follower = Follower::new(INSTANCE, Arc::new(store), sink, 0, meters);
    (follower, folder)
}

/// A chain from its first event on.
fn chain(length: usize) -> Vec<LinkedEvent> {
    let (mut head, mut events) = (Head::genesis(INSTANCE), Vec::new());
    for _ in 0..length {
        let time = jiff::Timestamp::UNIX_EPOCH;
        let (actor, action) = (Actor::default(), Action::VaultSeal);
        let event = AuditEvent::new(Uuid::nil(), time, &actor, action, "");
        let linked = LinkedEvent::after(head, event);
        head = linked.head;
        events.push(linked);
    }
    events
}

fn in_file(folder: &TempDir) -> Vec<u64> {
    let lines = tail(&events_path(folder.path(), INSTANCE), 0).unwrap();
    lines.iter().map(|line| line.head.sequence).collect()
}

#[tokio::test]
async fn what_the_store_has_committed_is_not_read_from_it_again() {
    let (mut follower, folder) = without_store(true).await;
    let events = chain(700);
    follower.committed(events[..3].to_vec());
    follower.committed(events[3..].to_vec());
    assert!(follower.is_behind(700));
    follower.catch_up(700, &[]).await.unwrap();
    assert!(!follower.is_behind(700));
    assert_eq!(in_file(&folder), (1..=700).collect::<Vec<_>>());
    assert!(follower.recent.is_empty());
}

#[tokio::test]
async fn what_only_the_file_gets_comes_after_all_that_it_lacked() {
    let (mut follower, folder) = without_store(true).await;
    let events = chain(9);
    follower.committed(events[..4].to_vec());
    // Of a batch that the store had not answered: it may lack these.
    let backlog = &events[4..6];
    follower.save(&events[6..], 6, backlog).await.unwrap();
    assert_eq!(in_file(&folder), (1..=9).collect::<Vec<_>>());
}

#[tokio::test]
async fn nothing_is_written_over_a_gap() {
    let (mut follower, folder) = without_store(true).await;
    let events = chain(9);
    follower.committed(events[2..4].to_vec());
    assert!(follower.save(&events[4..], 4, &[]).await.is_err());
    assert_eq!(in_file(&folder), [0; 0]);
    // Those before are read from the store, and these with them.
    follower.committed(events[6..].to_vec());
    assert!(follower.catch_up(9, &[]).await.is_err());
    assert_eq!(in_file(&folder), [0; 0]);
}

#[tokio::test]
async fn what_is_kept_for_a_file_that_takes_nothing_is_bounded() {
    let (mut follower, _folder) = without_store(true).await;
    let events = chain(RECENT_MAX + 10);
    follower.committed(events[..20].to_vec());
    follower.committed(events[20..].to_vec());
    assert_eq!(follower.recent.len(), RECENT_MAX);
    assert_eq!(follower.recent[0].head.sequence, 11);
    let (mut follower, _folder) = without_store(false).await;
    follower.committed(events);
    assert!(follower.recent.is_empty() && !follower.is_behind(1));
}
