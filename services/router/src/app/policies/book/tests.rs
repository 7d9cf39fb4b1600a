//! Policies are known as they are, whatever becomes of the store.

use std::sync::atomic::AtomicUsize;

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_auth::{AccessKeyLimits, Scopes};
use keyward_runtime::error::{Reason, ServiceError as _};
use parking_lot::Mutex;
use tokio_util::task::TaskTracker;

use super::*;
use crate::domain::policy::Scope;

/// A store of one organisation's policy, which can be away.
#[derive(Debug, Default)]
struct OneStore {
    kept: Mutex<Option<StoredPolicy>>,
    is_away: AtomicBool,
    reads: AtomicUsize,
}

impl OneStore {
    fn answer<T>(&self, answer: T) -> Result<T, StoreError> {
        match self.is_away.load(Ordering::Relaxed) {
            true => Err(StoreError::Corrupt("test")),
            false => Ok(answer),
        }
    }

    fn keep(&self, sequence: u64, forbid_credits: bool) -> StoredPolicy {
        let policy = proto::RoutingPolicy {
            forbid_credits,
            ..proto::RoutingPolicy::default()
        };
        let stored = StoredPolicy {
            owner: acme(),
            sequence,
            revision: sequence,
            document: policy.encode_to_vec(),
            update_time: Timestamp::UNIX_EPOCH,
        };
        *self.kept.lock() = Some(stored.clone());
        stored
    }
}

#[async_trait]
impl PolicyStore for OneStore {
    async fn policy(&self, owner: PolicyOwner) -> Result<Option<StoredPolicy>, StoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.answer(self.kept.lock().clone().filter(|kept| kept.owner == owner))
    }

    async fn policy_answered(&self, _: Call) -> Result<Option<Changed>, StoreError> {
        self.answer(None)
    }

    async fn policy_change(&self, _: PolicyChange) -> Result<Changed, StoreError> {
        self.answer(Changed::Stale)
    }

    async fn changes(&self, after: u64, _: u32) -> Result<Vec<StoredPolicy>, StoreError> {
        let kept = self.kept.lock().clone();
        let later = kept.filter(|kept| kept.sequence > after);
        self.answer(later.into_iter().collect())
    }

    async fn last_change(&self) -> Result<u64, StoreError> {
        self.answer(0)
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn close(&self) {}
}

fn acme() -> PolicyOwner {
    PolicyOwner::new(OwnerKind::Organization, "acme")
}

fn subject(uid: &str) -> Subject {
    Subject {
        id: uid.to_owned(),
        uid: uid.to_owned(),
    }
}

fn member() -> Principal {
    Principal {
        access_key_id: String::new(),
        user: Some(subject("bob")),
        organization: Some(subject("acme")),
        project: None,
        organization_role: None,
        scopes: Scopes::all(),
        tier: String::new(),
        allowed_models: Vec::new(),
        limits: AccessKeyLimits::default(),
        cache: None,
    }
}

fn book() -> (Arc<OneStore>, Arc<PolicyBook>) {
    let store = Arc::new(OneStore::default());
    let book = PolicyBook::new(Arc::clone(&store) as Arc<dyn PolicyStore>);
    (store, Arc::new(book))
}

#[tokio::test]
async fn an_owner_is_read_once_and_only_those_with_a_policy_are_layers() {
    let (store, book) = book();
    store.keep(1, true);
    for _ in 0..3 {
        let layers = book.layers(&member()).await.unwrap();
        let scopes: Vec<Scope> = layers.iter().map(|layer| layer.scope).collect();
        assert_eq!(scopes, [Scope::Organization]);
        assert!(layers[0].policy.forbids_credits);
    }
    assert_eq!(
        store.reads.load(Ordering::Relaxed),
        2,
        "once for each owner"
    );
}

#[tokio::test]
async fn while_the_store_is_away_what_is_known_holds_and_nothing_else_is_served() {
    let (store, book) = book();
    store.keep(1, true);
    let known = member();
    assert_eq!(book.layers(&known).await.unwrap().len(), 1);
    store.is_away.store(true, Ordering::Relaxed);
    assert_eq!(book.layers(&known).await.unwrap().len(), 1);
    let unknown = Principal {
        user: Some(subject("eve")),
        ..member()
    };
    let refused = book.layers(&unknown).await.unwrap_err();
    assert_eq!(refused.reason(), Reason::Overloaded);
}

#[tokio::test]
async fn a_policy_that_cannot_be_read_stops_those_it_concerns() {
    let (store, book) = book();
    let kept = store.keep(1, true);
    *store.kept.lock() = Some(StoredPolicy {
        document: vec![0xff],
        ..kept
    });
    let refused = book.layers(&member()).await.unwrap_err();
    assert_eq!(refused.reason(), Reason::Overloaded);
}

#[tokio::test]
async fn a_slow_read_does_not_bring_back_what_was_changed_meanwhile() {
    let (store, book) = book();
    let (before, after) = (store.keep(1, true), store.keep(2, false));
    book.take_in(&after);
    let known = book.learn(acme(), read(&before).unwrap());
    assert_eq!(known, None, "the later one says nothing");
    assert!(book.layers(&member()).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn changes_of_others_are_taken_in_also_after_the_store_was_away() {
    let (store, book) = book();
    assert!(book.layers(&member()).await.unwrap().is_empty());
    let stopping = CancellationToken::new();
    let following = TaskTracker::new().spawn(Arc::clone(&book).follow(0, stopping.clone()));
    store.is_away.store(true, Ordering::Relaxed);
    tokio::time::sleep(LOOK_EVERY * 4).await;
    store.keep(1, true);
    store.is_away.store(false, Ordering::Relaxed);
    tokio::time::sleep(LOOK_EVERY * 2).await;
    assert_eq!(book.layers(&member()).await.unwrap().len(), 1);
    stopping.cancel();
    following.await.unwrap();
}
