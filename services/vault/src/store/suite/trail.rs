//! Changes and audit events.

use std::sync::Arc;

use super::samples::{ALL, account, effects, event, some_uid, stored};
use crate::domain::audit::chain::{Head, LinkedEvent};
use crate::domain::audit::{Action, Actor};
use crate::domain::owner::OwnerKind::User;
use crate::store::{Append, AuditFilter, AuditScope, Batch, Chain, Page, Store};

pub(super) async fn changes_are_numbered_without_gaps_even_after_failures(store: &impl Store) {
    assert_eq!(store.change_head().await.unwrap(), 0);
    let bob = stored(store, User, "bob").await;
    let twin = account(User, "bob");
    assert!(
        store
            .account_insert(twin.clone(), effects(twin.owner))
            .await
            .is_err()
    );
    let eve = stored(store, User, "eve").await;
    let changes = store.changes_after(0, 10).await.unwrap();
    let seen: Vec<_> = changes
        .iter()
        .map(|numbered| (numbered.sequence, numbered.change.owner))
        .collect();
    assert_eq!(seen, [(1, Some(bob.owner)), (2, Some(eve.owner))]);
    assert_eq!(store.changes_after(1, 10).await.unwrap(), changes[1..]);
    assert_eq!(store.changes_after(0, 1).await.unwrap(), changes[..1]);
    assert_eq!(store.change_head().await.unwrap(), 2);
}

pub(super) async fn pruned_changes_leave_the_head(store: &impl Store) {
    for id in ["a", "b", "c"] {
        stored(store, User, id).await;
    }
    let later = keyward_runtime::time::now() + jiff::SignedDuration::from_secs(1);
    store.changes_prune(later).await.unwrap();
    let left: Vec<_> = store
        .changes_after(0, 10)
        .await
        .unwrap()
        .iter()
        .map(|change| change.sequence)
        .collect();
    assert_eq!(left, [3]);
    assert_eq!(store.change_head().await.unwrap(), 3);
    stored(store, User, "d").await;
    assert_eq!(store.change_head().await.unwrap(), 4);
}

pub(super) async fn audit_events_are_listed_by_whose_they_are(store: &impl Store) {
    let (bob, acme) = (some_uid(), some_uid());
    let by_bob = Actor {
        user_uid: Some(bob),
        user: "bob".to_owned(),
        ..Actor::default()
    };
    let by_acme = Actor {
        organization_uid: Some(acme),
        ..Actor::default()
    };
    let events = [
        event(&by_bob, Action::ProviderKeyCreate, "k1"),
        event(&by_acme, Action::ProviderKeyCreate, "k2"),
        event(&by_bob, Action::ProviderKeyDelete, "k1").version(7),
    ];
    for event in &events {
        store.audit_insert(event.clone()).await.unwrap();
    }
    let [first, second, third] = events;
    let list = async |scope, resource: Option<&str>, page| {
        let filter = AuditFilter {
            scope,
            resource_id: resource.map(str::to_owned),
            ..AuditFilter::default()
        };
        store.audit_list(filter, page).await.unwrap()
    };
    let all = list(AuditScope::All, None, ALL).await;
    assert_eq!(all, [third.clone(), second.clone(), first.clone()]);
    let bobs = list(AuditScope::User(bob), None, ALL).await;
    assert_eq!(bobs, [third.clone(), first.clone()]);
    assert_eq!(
        list(AuditScope::Organization(acme), None, ALL).await,
        [second]
    );
    assert_eq!(list(AuditScope::User(acme), None, ALL).await, []);
    let about = list(AuditScope::All, Some("k1"), ALL).await;
    assert_eq!(about, [third.clone(), first.clone()]);
    let older = Page {
        size: 10,
        before: Some(third.id),
    };
    assert_eq!(list(AuditScope::All, Some("k1"), older).await, [first]);
}

pub(super) async fn audit_events_are_found_by_all_that_is_said_of_them(store: &impl Store) {
    let actor = Actor {
        user: "bob".to_owned(),
        organization: "acme".to_owned(),
        access_key_id: "ak".to_owned(),
        trace_id: "t".to_owned(),
        ..Actor::default()
    };
    let mut one = event(&actor, Action::ProviderKeyUnseal, "k1");
    one.inference_id = "i".to_owned();
    let (before, time) = (one.time - jiff::SignedDuration::from_secs(1), one.time);
    let two = event(&Actor::default(), Action::ProviderKeyDelete, "k2");
    for event in [&one, &two] {
        store.audit_insert(event.clone()).await.unwrap();
    }
    let text = |text: &str| Some(text.to_owned());
    let any = AuditFilter::default;
    let filters = [
        AuditFilter {
            user: text("bob"),
            ..any()
        },
        AuditFilter {
            organization: text("acme"),
            ..any()
        },
        AuditFilter {
            access_key_id: text("ak"),
            ..any()
        },
        AuditFilter {
            action: text("provider_key.unseal"),
            ..any()
        },
        AuditFilter {
            outcome: text("ok"),
            resource_id: text("k1"),
            ..any()
        },
        AuditFilter {
            trace_id: text("t"),
            ..any()
        },
        AuditFilter {
            inference_id: text("i"),
            since: Some(before),
            ..any()
        },
    ];
    for filter in filters {
        let found = store.audit_list(filter.clone(), ALL).await.unwrap();
        assert_eq!(found, std::slice::from_ref(&one), "{filter:?}");
        let never = AuditFilter {
            until: Some(before),
            ..filter.clone()
        };
        assert_eq!(
            store.audit_list(never, ALL).await.unwrap(),
            [],
            "{filter:?}"
        );
    }
    let now = AuditFilter {
        since: Some(time),
        ..any()
    };
    assert_eq!(store.audit_list(now, ALL).await.unwrap().len(), 2);
}

/// A chain begun in the store.
async fn begun(store: &impl Store) -> Head {
    let head = Head::genesis("vault-1");
    let chain = Chain {
        instance: "vault-1".to_owned(),
        head,
        public_key: [1; 32],
    };
    store.audit_chain_begin(chain.clone()).await.unwrap();
    assert_eq!(store.audit_chains().await.unwrap(), [chain]);
    head
}

fn wanted(event: crate::domain::audit::AuditEvent) -> Append {
    Append { event, lease: None }
}

pub(super) async fn events_get_their_place_once_and_in_the_order_of_their_commits(
    store: &impl Store,
) {
    let head = begun(store).await;
    let actor = Actor::default();
    // Ids are made before the commit, so they may be in another order.
    let (second, first) = (
        event(&actor, Action::UserCreate, "a"),
        event(&actor, Action::UserCreate, "b"),
    );
    for event in [&first, &second] {
        store.audit_insert(event.clone()).await.unwrap();
    }
    let waiting = store.audit_unlinked(10).await.unwrap();
    assert_eq!(waiting, [first.clone(), second]);
    let later = first.time + jiff::SignedDuration::from_mins(1);
    assert_eq!(store.audit_unlinked_count(later).await.unwrap(), 2);

    let batch = Arc::new(Batch::new(
        "vault-1",
        head,
        vec![],
        waiting.into_iter().map(wanted).collect(),
    ));
    store.audit_link(Arc::clone(&batch)).await.unwrap();
    let linked = batch.settle().unwrap();
    assert_eq!(linked.granted, [true, true]);
    assert_eq!(linked.head, linked.events[1].head);
    assert_eq!(
        store.audit_chain("vault-1", 0, 10).await.unwrap(),
        linked.events
    );
    assert_eq!(
        store.audit_chain("vault-1", 1, 10).await.unwrap(),
        linked.events[1..]
    );
    assert_eq!(store.audit_chains().await.unwrap()[0].head, linked.head);
    assert_eq!(store.audit_unlinked(10).await.unwrap(), []);

    // Again: what has a place keeps it, and takes up no other.
    let backlog = linked.events.clone();
    let batch = Arc::new(Batch::new(
        "vault-1",
        linked.head,
        backlog,
        vec![wanted(first)],
    ));
    store.audit_link(Arc::clone(&batch)).await.unwrap();
    let again = batch.settle().unwrap();
    assert_eq!((again.granted, again.head), (vec![false], linked.head));
    assert_eq!(
        store.audit_chain("vault-1", 0, 10).await.unwrap(),
        linked.events
    );
}

pub(super) async fn a_batch_that_nobody_waits_for_any_more_leaves_nothing(store: &impl Store) {
    let head = begun(store).await;
    let event = event(&Actor::default(), Action::UserCreate, "a");
    let linked = LinkedEvent::after(head, event.clone());
    let batch = Arc::new(Batch::new(
        "vault-1",
        head,
        vec![linked],
        vec![wanted(event)],
    ));
    assert!(batch.settle().is_none());
    store.audit_link(batch).await.unwrap_err();
    assert_eq!(store.audit_chain("vault-1", 0, 10).await.unwrap(), []);
    assert_eq!(store.audit_chains().await.unwrap()[0].head, head);
}

pub(super) async fn watchers_of_other_vaults_are_counted_where_there_may_be_any(
    store: &impl Store,
) {
    let (here, there) = (some_uid(), some_uid());
    let hour = std::time::Duration::from_hours(1);
    let count = |behind: u32| if store.is_shared() { behind } else { 0 };
    store.watchers_put(here, vec![0, 0]).await.unwrap();
    store.watchers_put(there, vec![3, 7, 7]).await.unwrap();
    for (sequence, behind) in [(3, 0), (4, 1), (7, 1), (8, 3)] {
        let found = store.watchers_behind(here, sequence, hour).await.unwrap();
        assert_eq!(found, count(behind), "{sequence}");
    }
    let long_ago = std::time::Duration::ZERO;
    assert_eq!(store.watchers_behind(here, 8, long_ago).await.unwrap(), 0);
    store.watchers_put(there, vec![8]).await.unwrap();
    assert_eq!(store.watchers_behind(here, 8, hour).await.unwrap(), 0);
    assert_eq!(
        store.watchers_behind(there, 1, hour).await.unwrap(),
        count(2)
    );
}
