//! Watching for changes.

use std::time::Duration;

use keyward_proto::vault::v1::{self as proto, ChangeKind, OwnerKind};
use keyward_runtime::error::Reason;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use crate::rig::{ADMIN_KEY, Rig, new_key, ok, openai_key, reason, with, within};

/// Longer than anything here takes; only a fault waits so long.
const PATIENCE: Duration = Duration::from_secs(10);

struct Watcher {
    confirm: mpsc::Sender<proto::WatchChangesRequest>,
    notices: Streaming<proto::WatchChangesResponse>,
}

impl Watcher {
    /// Watches, and has heard where it starts.
    async fn start(rig: &Rig, after: u64) -> (Self, u64) {
        let (confirm, queue) = mpsc::channel(8);
        let acknowledged_sequence = after;
        confirm
            .send(proto::WatchChangesRequest {
                acknowledged_sequence,
            })
            .await
            .unwrap();
        let notices = ok(rig.router().watch_changes(ReceiverStream::new(queue)).await);
        let mut watcher = Self { confirm, notices };
        let first = watcher.next().await;
        assert!(first.change.is_none());
        (watcher, first.sequence)
    }

    async fn next(&mut self) -> proto::WatchChangesResponse {
        let notice = tokio::time::timeout(PATIENCE, self.notices.message()).await;
        notice.unwrap().unwrap().unwrap()
    }

    async fn next_change(&mut self) -> (u64, proto::Change) {
        loop {
            let notice = self.next().await;
            if let Some(change) = notice.change {
                return (notice.sequence, change);
            }
        }
    }

    async fn confirm(&self, acknowledged_sequence: u64) {
        self.confirm
            .send(proto::WatchChangesRequest {
                acknowledged_sequence,
            })
            .await
            .unwrap();
    }
}

fn delete(id: &str) -> proto::DeleteProviderKeyRequest {
    proto::DeleteProviderKeyRequest {
        provider_key_id: id.to_owned(),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_watcher_hears_of_every_change_in_order_without_gaps() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let (mut watcher, start) = Watcher::start(&rig, 0).await;
    let key = rig.store_key(&bob, &openai_key("k")).await;
    ok(rig
        .keys()
        .delete_provider_key(with(&bob, delete(&key.provider_key_id)))
        .await);
    for step in 1..=2 {
        let (sequence, change) = watcher.next_change().await;
        assert_eq!(sequence, start + step);
        assert_eq!(change.kind(), ChangeKind::ProviderKey);
        assert_eq!(change.resource_id, key.provider_key_id);
        assert_eq!(change.owner_kind(), proto::OwnerKind::User);
        assert!(!change.owner_uid.is_empty());
    }
    rig.user("eve").await;
    assert_eq!(watcher.next_change().await.1.kind(), ChangeKind::User);
    assert_eq!(watcher.next_change().await.1.kind(), ChangeKind::AccessKey);
}

#[tokio::test]
async fn heartbeats_come_while_nothing_changes() {
    let rig = Rig::start().await;
    let (mut watcher, start) = Watcher::start(&rig, 0).await;
    for _ in 0..3 {
        let beat = watcher.next().await;
        assert!(beat.change.is_none() && beat.send_time.is_some());
        assert_eq!(beat.sequence, start);
    }
}

#[tokio::test]
async fn a_watcher_that_comes_back_gets_what_it_missed() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let (watcher, start) = Watcher::start(&rig, 0).await;
    drop(watcher);
    let key = rig.store_key(&bob, &openai_key("k")).await;
    let rig = rig.restart().await;
    let (mut watcher, at) = Watcher::start(&rig, start).await;
    assert_eq!(at, start);
    let (sequence, change) = watcher.next_change().await;
    assert_eq!(
        (sequence, change.resource_id),
        (start + 1, key.provider_key_id)
    );
}

#[tokio::test]
async fn what_cannot_be_replayed_shows_as_a_gap() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    rig.store_key(&bob, &openai_key("k")).await;
    let database = rusqlite::Connection::open(rig.path().join("vault.db")).unwrap();
    let forgotten = "DELETE FROM changes WHERE sequence < (SELECT max(sequence) FROM changes)";
    assert!(database.execute(forgotten, []).unwrap() > 1);
    let (mut watcher, _) = Watcher::start(&rig, 1).await;
    let (sequence, _) = watcher.next_change().await;
    assert!(sequence > 2);
}

#[tokio::test]
async fn a_revocation_waits_for_the_watchers_and_counts_those_who_do_not_answer() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let mut keys = Vec::new();
    for name in ["a", "b", "c"] {
        keys.push(rig.store_key(&bob, &openai_key(name)).await.provider_key_id);
    }
    let deleted = ok(rig
        .keys()
        .delete_provider_key(with(&bob, delete(&keys[0])))
        .await);
    assert_eq!(deleted.laggards, 0, "nobody watches");

    let (mut good, _) = Watcher::start(&rig, 0).await;
    let confirming = async {
        let (sequence, _) = good.next_change().await;
        good.confirm(sequence).await;
    };
    let mut client = rig.keys();
    let deleting = client.delete_provider_key(with(&bob, delete(&keys[1])));
    let (deleted, ()) = tokio::join!(deleting, confirming);
    assert_eq!(
        ok(deleted).laggards,
        0,
        "the one that watches has confirmed"
    );

    let (_silent, _) = Watcher::start(&rig, 0).await;
    let confirming = async {
        let (sequence, _) = good.next_change().await;
        good.confirm(sequence).await;
    };
    let mut client = rig.keys();
    let deleting = client.delete_provider_key(with(&bob, delete(&keys[2])));
    let (deleted, ()) = tokio::join!(deleting, confirming);
    assert_eq!(ok(deleted).laggards, 1, "one of two has not");
}

#[tokio::test]
async fn only_the_router_watches() {
    use keyward_auth::Peer;
    use keyward_proto::vault::v1::vault_service_client::VaultServiceClient;
    let rig = Rig::start().await;
    for peer in [Peer::Edge, Peer::Metering, Peer::Outside] {
        let mut client = VaultServiceClient::new(rig.connect(peer));
        let refused = client
            .watch_changes(tokio_stream::empty())
            .await
            .map(|_| ());
        assert_eq!(reason(refused), Reason::PeerNotAllowed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_that_a_removal_overtakes_is_numbered_before_it() {
    let rig = Rig::start().await;
    let eve = rig.user("eve").await;
    rig.organization("acme").await;
    let key = new_key(Some((OwnerKind::Organization, "acme")), &openai_key("k"));
    let key = ok(rig.keys().create_provider_key(with(ADMIN_KEY, key)).await);
    let id = key.provider_key.unwrap().provider_key_id;
    let list = async || {
        let request = within("acme", with(&eve, proto::ListUsableKeysRequest {}));
        rig.router().list_usable_keys(request).await
    };
    for round in 0..100 {
        // Each round begins the listing a little later in the removal, to meet it in its midst.
        let later = Duration::from_micros(round * 40);
        let list_later = async {
            let pause = tokio::task::spawn_blocking(move || std::thread::sleep(later));
            pause.await.unwrap();
            list().await
        };
        rig.member("acme", "eve", proto::OrganizationRole::Member)
            .await;
        let before = ok(list().await).sequence;
        let remove = proto::RemoveMemberRequest {
            organization: "acme".into(),
            user: "eve".into(),
            ..Default::default()
        };
        let mut identity = rig.identity();
        let (listed, removed) =
            tokio::join!(list_later, identity.remove_member(with(ADMIN_KEY, remove)));
        ok(removed);
        let listed = ok(listed);
        let lists_it = listed.keys.iter().any(|usable| {
            usable
                .provider_key
                .as_ref()
                .is_some_and(|key| key.provider_key_id == id)
        });
        assert!(
            !lists_it || listed.sequence <= before,
            "{} > {before}",
            listed.sequence
        );
    }
}
