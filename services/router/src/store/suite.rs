//! What every engine must do, whatever it is. An engine runs all of it with [`conformance!`].

pub(crate) mod answers;
mod copies;

use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::{Call, Changed, PolicyChange, PolicyStore, StoredPolicy};
use crate::domain::policy::{OwnerKind, PolicyOwner};

/// Runs the suite on an engine: `open` makes an empty store, with what must outlive it.
macro_rules! conformance {
    ($open:expr) => {
        $crate::store::suite::conformance!($open;
            a_policy_is_kept_as_it_was_written,
            owners_of_different_kinds_have_nothing_in_common,
            a_policy_is_changed_only_at_the_revision_that_is_meant,
            a_change_is_made_once_for_each_call,
            a_call_is_forgotten_with_time,
            each_policy_is_told_once_by_its_last_change,
            who_looks_for_changes_misses_none,
        );
        $crate::store::suite::conformance!($open; answers:
            the_first_holds_the_place_until_it_is_answered,
            a_place_that_is_given_back_or_whose_time_is_over_is_free,
            who_holds_a_place_may_hold_it_for_longer,
            of_those_who_want_a_place_at_once_one_gets_it,
            what_is_over_is_forgotten_step_by_step,
        );
    };
    ($open:expr; answers: $($case:ident,)+) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let (store, _keep) = $open;
            $crate::store::suite::answers::$case(std::sync::Arc::new(store)).await;
        })+
    };
    ($open:expr; $($case:ident,)+) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let (store, _keep) = $open;
            $crate::store::suite::$case(std::sync::Arc::new(store)).await;
        })+
    };
}
pub(crate) use conformance;

fn time(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap()
}

fn user(uid: &str) -> PolicyOwner {
    PolicyOwner::new(OwnerKind::User, uid)
}

fn change(owner: &PolicyOwner, document: &[u8]) -> PolicyChange {
    PolicyChange {
        owner: owner.clone(),
        expected: None,
        document: document.to_vec(),
        time: time(1_000),
        call: None,
    }
}

fn call(request_id: &str, request: &[u8]) -> Call {
    Call {
        caller: "users/bob".to_owned(),
        request_id: request_id.to_owned(),
        request: request.to_vec(),
        since: time(0),
    }
}

async fn made(store: &dyn PolicyStore, change: PolicyChange) -> StoredPolicy {
    match store.policy_change(change).await.unwrap() {
        Changed::Now(policy) => policy,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn a_policy_is_kept_as_it_was_written(store: Arc<impl PolicyStore>) {
    let owner = user("u");
    assert_eq!(store.policy(owner.clone()).await.unwrap(), None);
    let mut runner = TestRunner::deterministic();
    let documents = prop::collection::vec(any::<u8>(), 0..2_000);
    for revision in 1..=20 {
        let document = documents.new_tree(&mut runner).unwrap().current();
        let written = made(&*store, change(&owner, &document)).await;
        assert_eq!((written.revision, &written.document), (revision, &document));
        assert_eq!(written.update_time, time(1_000));
        let read = store.policy(owner.clone()).await.unwrap();
        assert_eq!(read, Some(written));
    }
}

pub(crate) async fn owners_of_different_kinds_have_nothing_in_common(store: Arc<impl PolicyStore>) {
    for kind in OwnerKind::ALL {
        let owner = PolicyOwner::new(kind, "same");
        assert_eq!(store.policy(owner.clone()).await.unwrap(), None);
        let written = made(&*store, change(&owner, kind.name().as_bytes())).await;
        assert_eq!(written.revision, 1);
    }
    for kind in OwnerKind::ALL {
        let owner = PolicyOwner::new(kind, "same");
        let read = store.policy(owner).await.unwrap().unwrap();
        assert_eq!(read.document, kind.name().as_bytes());
    }
}

pub(crate) async fn a_policy_is_changed_only_at_the_revision_that_is_meant(
    store: Arc<impl PolicyStore>,
) {
    let owner = user("u");
    let at = |expected| PolicyChange {
        expected: Some(expected),
        ..change(&owner, b"x")
    };
    for (expected, revision) in [(1, None), (0, Some(1)), (0, None), (1, Some(2)), (1, None)] {
        let changed = store.policy_change(at(expected)).await.unwrap();
        let seen = match changed {
            Changed::Now(policy) => Some(policy.revision),
            other => {
                assert_eq!(other, Changed::Stale);
                None
            }
        };
        assert_eq!(seen, revision, "{expected}");
    }
}

pub(crate) async fn a_change_is_made_once_for_each_call(store: Arc<impl PolicyStore>) {
    let owner = user("u");
    let asked = |request_id, request| PolicyChange {
        call: Some(call(request_id, request)),
        ..change(&owner, b"x")
    };
    let unasked = store.policy_answered(call("a", b"one")).await;
    assert_eq!(unasked.unwrap(), None);
    made(&*store, asked("a", b"one")).await;
    made(&*store, asked("b", b"two")).await;
    let before = Changed::Before {
        revision: 1,
        time: time(1_000),
    };
    for (request_id, request, expected) in [
        ("a", &b"one"[..], before),
        ("a", b"two", Changed::Mismatch),
        ("b", b"one", Changed::Mismatch),
    ] {
        let told = store.policy_answered(call(request_id, request)).await;
        assert_eq!(told.unwrap().as_ref(), Some(&expected), "{request_id}");
        let again = store.policy_change(asked(request_id, request)).await;
        assert_eq!(again.unwrap(), expected, "{request_id}");
    }
    let other = PolicyChange {
        call: Some(Call {
            caller: "users/eve".to_owned(),
            ..call("a", b"two")
        }),
        ..change(&owner, b"x")
    };
    assert_eq!(made(&*store, other).await.revision, 3);
    let stale = PolicyChange {
        expected: Some(1),
        ..asked("c", b"three")
    };
    assert_eq!(store.policy_change(stale).await.unwrap(), Changed::Stale);
    assert_eq!(made(&*store, asked("c", b"three")).await.revision, 4);
}

pub(crate) async fn a_call_is_forgotten_with_time(store: Arc<impl PolicyStore>) {
    let owner = user("u");
    let asked = |now: i64, since: i64| PolicyChange {
        call: Some(Call {
            since: time(since),
            ..call("a", b"one")
        }),
        time: time(now),
        ..change(&owner, b"x")
    };
    assert_eq!(made(&*store, asked(1_000, 0)).await.revision, 1);
    let again = store.policy_change(asked(2_000, 1_000)).await.unwrap();
    assert!(matches!(again, Changed::Before { .. }), "{again:?}");
    assert_eq!(made(&*store, asked(3_000, 1_001)).await.revision, 2);
}

pub(crate) async fn each_policy_is_told_once_by_its_last_change(store: Arc<impl PolicyStore>) {
    assert_eq!(store.last_change().await.unwrap(), 0);
    let (a, b) = (user("a"), user("b"));
    for owner in [&a, &b, &a] {
        made(&*store, change(owner, owner.uid.as_bytes())).await;
    }
    let told = async |after, limit| {
        let changes = store.changes(after, limit).await.unwrap();
        let place = |change: StoredPolicy| (change.sequence, change.owner.uid, change.revision);
        changes.into_iter().map(place).collect::<Vec<_>>()
    };
    let (first, second) = ((2, "b".to_owned(), 1), (3, "a".to_owned(), 2));
    assert_eq!(told(0, 9).await, [first.clone(), second.clone()]);
    assert_eq!(told(0, 1).await, [first]);
    assert_eq!(told(2, 9).await, [second]);
    assert_eq!(told(3, 9).await, []);
    assert_eq!(store.last_change().await.unwrap(), 3);
}

/// Writers at the same time, and somebody who looks on.
pub(crate) async fn who_looks_for_changes_misses_none(store: Arc<impl PolicyStore + 'static>) {
    const WRITERS: u64 = 4;
    const CHANGES: u64 = 10;
    let writers = (0..WRITERS).map(async |writer| {
        for number in 0..CHANGES {
            let owner = user(&format!("{writer}/{number}"));
            made(&*store, change(&owner, b"x")).await;
        }
    });
    let looking = async {
        let (mut after, mut seen) = (0, 0);
        while seen < WRITERS * CHANGES {
            for change in store.changes(after, 7).await.unwrap() {
                assert!(change.sequence > after);
                (after, seen) = (change.sequence, seen + 1);
            }
        }
        after
    };
    let (_, last) = tokio::time::timeout(
        std::time::Duration::from_mins(1),
        futures::future::join(futures::future::join_all(writers), looking),
    )
    .await
    .expect("a change was missed");
    assert_eq!(last, WRITERS * CHANGES);
}
