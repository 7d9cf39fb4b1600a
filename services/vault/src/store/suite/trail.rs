//! Changes and audit events.

use super::samples::{ALL, account, effects, event, some_uid, stored};
use crate::domain::audit::{Action, Actor};
use crate::domain::owner::OwnerKind::User;
use crate::store::{AuditScope, Page, Store};

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
    let list = async |scope, resource, page| store.audit_list(scope, resource, page).await.unwrap();
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
