//! Provider keys and data keys.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::samples::{ALL, at, effects, event, sealed, some_uid, stored};
use crate::domain::audit::chain::Head;
use crate::domain::audit::record_digest;
use crate::domain::audit::{Action, Actor};
use crate::domain::fingerprint::Fingerprint;
use crate::domain::hygiene::{Bounds, Census, Hygiene};
use crate::domain::key_tests::DueTests;
use crate::domain::owner::Owner;
use crate::domain::owner::OwnerKind::User;
use crate::domain::provider_key::{Health, ProviderKey};
use crate::store::{
    Append, AuditFilter, Batch, Chain, HeldLease, Lease, SealedKey, Store, StoreError,
    StoredDataKey, StoredRecord,
};

pub(super) async fn provider_keys_come_back_as_stored_and_only_to_their_owner(store: &impl Store) {
    let bob = stored(store, User, "bob").await.owner;
    let eve = stored(store, User, "eve").await.owner;
    let one = sealed(bob, 1);
    let id = one.key.id;
    store
        .provider_key_insert(one.clone(), effects(bob))
        .await
        .unwrap();
    let found = store.provider_key_get(bob, id).await.unwrap().unwrap();
    assert_eq!(found, one);
    assert_eq!(store.provider_key_owner(id).await.unwrap(), Some(bob));
    for stranger in [eve, Owner::organization(bob.uid), Owner::SYSTEM] {
        assert!(
            store
                .provider_key_get(stranger, id)
                .await
                .unwrap()
                .is_none()
        );
        assert!(
            store
                .provider_key_list(stranger, ALL)
                .await
                .unwrap()
                .is_empty()
        );
        let refused = store
            .provider_key_delete(stranger, id, 1, effects(eve))
            .await;
        assert!(matches!(refused, Err(StoreError::Changed)));
    }
    let usable = store.provider_keys_usable(&[bob, eve], 10).await.unwrap();
    assert_eq!(usable, [one.key]);
}

pub(super) async fn a_fingerprint_is_taken_once_for_an_owner_and_provider(store: &impl Store) {
    let bob = stored(store, User, "bob").await.owner;
    let eve = stored(store, User, "eve").await.owner;
    let one = sealed(bob, 1);
    store
        .provider_key_insert(one.clone(), effects(bob))
        .await
        .unwrap();
    let twin = store
        .provider_key_insert(sealed(bob, 1), effects(bob))
        .await;
    assert!(matches!(twin, Err(StoreError::Exists)));
    let found = store
        .provider_key_by_fingerprint(bob, "openai", [1; 16])
        .await
        .unwrap();
    assert_eq!(found, Some(one.key.id));
    store
        .provider_key_insert(sealed(eve, 1), effects(eve))
        .await
        .unwrap();
    let mut other = sealed(bob, 1);
    other.key.provider = "groq".to_owned();
    store
        .provider_key_insert(other, effects(bob))
        .await
        .unwrap();
}

pub(super) async fn a_stale_update_or_delete_changes_nothing(store: &impl Store) {
    let bob = stored(store, User, "bob").await.owner;
    let one = sealed(bob, 1);
    let id = one.key.id;
    store
        .provider_key_insert(one.clone(), effects(bob))
        .await
        .unwrap();
    let after = ProviderKey {
        version: 2,
        revision: 2,
        fingerprint: Fingerprint([2; 16]),
        ..one.key.clone()
    };
    let after = SealedKey {
        key: after,
        record: vec![2; 60],
        state: Some([2; 32]),
    };
    store
        .provider_key_update(after.clone(), 1, effects(bob))
        .await
        .unwrap();
    let events = store
        .audit_list(AuditFilter::default(), ALL)
        .await
        .unwrap()
        .len();
    let head = store.change_head().await.unwrap();
    let stale = store.provider_key_update(one, 1, effects(bob)).await;
    assert!(matches!(stale, Err(StoreError::Changed)));
    let stale = store.provider_key_delete(bob, id, 1, effects(bob)).await;
    assert!(matches!(stale, Err(StoreError::Changed)));
    let found = store.provider_key_get(bob, id).await.unwrap().unwrap();
    assert_eq!(found, after);
    assert_eq!(
        store
            .audit_list(AuditFilter::default(), ALL)
            .await
            .unwrap()
            .len(),
        events
    );
    assert_eq!(store.change_head().await.unwrap(), head);
    store
        .provider_key_delete(bob, id, 2, effects(bob))
        .await
        .unwrap();
    assert_eq!(store.provider_key_owner(id).await.unwrap(), None);
}

pub(super) async fn a_lease_is_written_with_its_event_or_not_at_all(store: &impl Store) {
    let bob = stored(store, User, "bob").await.owner;
    let one = sealed(bob, 1);
    let id = one.key.id;
    store
        .provider_key_insert(one.clone(), effects(bob))
        .await
        .unwrap();
    let actor = Actor {
        access_key_id: "k1".to_owned(),
        ..Actor::default()
    };
    let head = Head::genesis("vault-1");
    let instance = "vault-1".to_owned();
    let chain = Chain {
        instance,
        head,
        public_key: [0; 32],
    };
    store.audit_chain_begin(chain).await.unwrap();
    let lease = |owner, version, second| Lease {
        owner,
        id,
        version,
        now: at(second),
        is_test: false,
    };
    // As many events as leases hold, and what that leaves of the chain.
    let give_out = async |head, lease: Lease| {
        let mut event = event(&actor, Action::ProviderKeyUnseal, &id.to_string());
        (event.purpose, event.time) = ("serve".to_owned(), lease.now);
        let held = vec![HeldLease::from(&lease)];
        let held = store.leases_holding(held, lease.now).await.unwrap();
        let holds = !held.is_empty() && lease.owner == bob;
        let wanted = Append {
            event,
            lease: Some(lease),
        };
        let batch = Arc::new(Batch::new("vault-1", head, vec![], vec![wanted]));
        store.audit_link(Arc::clone(&batch)).await.unwrap();
        let linked = batch.settle().unwrap();
        assert_eq!(linked.granted, [holds]);
        assert_eq!(linked.events.len(), usize::from(holds));
        linked.head
    };
    for wrong in [
        lease(Owner::SYSTEM, 1, 5),
        lease(bob, 2, 5),
        lease(bob, 1, 1000),
    ] {
        assert_eq!(give_out(head, wrong).await, head);
    }
    assert!(!store.audit_served_since(id, None, at(0)).await.unwrap());
    let head = give_out(head, lease(bob, 1, 5)).await;
    assert_eq!(head.sequence, 1);
    let found = store.provider_key_get(bob, id).await.unwrap().unwrap().key;
    assert_eq!((found.last_used_time, found.revision), (Some(at(5)), 1));
    for (caller, since, expect) in [
        (Some("k1"), 5, true),
        (None, 5, true),
        (Some("k2"), 5, false),
        (Some("k1"), 6, false),
    ] {
        assert_eq!(
            store
                .audit_served_since(id, caller, at(since))
                .await
                .unwrap(),
            expect
        );
    }
    let mut off = one.clone();
    (off.key.enabled, off.key.revision) = (false, 2);
    store
        .provider_key_update(off, 1, effects(bob))
        .await
        .unwrap();
    assert_eq!(give_out(head, lease(bob, 1, 6)).await, head);
    let records = store.provider_key_records(Uuid::nil(), 10).await.unwrap();
    let record_sha256 = record_digest(&one.record);
    assert_eq!(
        records,
        [StoredRecord {
            id,
            version: 1,
            record_sha256
        }]
    );
    assert_eq!(store.provider_key_records(id, 10).await.unwrap(), []);
}

pub(super) async fn the_first_data_key_of_a_generation_stays(store: &impl Store) {
    let owner = Owner::user(some_uid());
    let wrapped = |generation, byte| StoredDataKey {
        owner,
        generation,
        master_key_id: "m".to_owned(),
        wrapped: vec![byte; 60],
    };
    assert_eq!(
        store.data_key_put(wrapped(1, 1), at(0)).await.unwrap(),
        wrapped(1, 1)
    );
    assert_eq!(
        store.data_key_put(wrapped(1, 2), at(0)).await.unwrap(),
        wrapped(1, 1)
    );
    store.data_key_put(wrapped(2, 2), at(0)).await.unwrap();
    assert_eq!(
        store.data_key_get(owner, None).await.unwrap(),
        Some(wrapped(2, 2))
    );
    assert_eq!(
        store.data_key_get(owner, Some(1)).await.unwrap(),
        Some(wrapped(1, 1))
    );
    assert_eq!(
        store
            .data_key_get(Owner::organization(owner.uid), None)
            .await
            .unwrap(),
        None
    );
    let uid = some_uid();
    store.system_secret_put("s", uid, vec![1]).await.unwrap();
    store
        .system_secret_put("s", some_uid(), vec![2])
        .await
        .unwrap();
    assert_eq!(
        store.system_secret_get("s").await.unwrap(),
        Some((uid, 1, vec![1]))
    );
}

pub(super) async fn a_lease_holds_while_its_key_is_of_that_version_enabled_and_not_expired(
    store: &impl Store,
) {
    let bob = stored(store, User, "bob").await.owner;
    let one = sealed(bob, 1);
    let key = one.key.id;
    store
        .provider_key_insert(one.clone(), effects(bob))
        .await
        .unwrap();
    let lease = |key, version, id: &str| HeldLease {
        key,
        version,
        id: id.to_owned(),
    };
    let held = [
        lease(key, 1, "holds"),
        lease(key, 2, "of another version"),
        lease(some_uid(), 1, "of no key"),
        lease(key, 1, "holds too"),
    ];
    let holding = async |second| {
        let holding = store.leases_holding(held.to_vec(), at(second)).await;
        let ids = holding.unwrap().into_iter().map(|lease| lease.id);
        ids.collect::<Vec<_>>()
    };
    assert_eq!(holding(5).await, ["holds", "holds too"]);
    assert!(holding(1000).await.is_empty(), "the key has expired");
    let mut off = one;
    (off.key.enabled, off.key.revision) = (false, 2);
    store
        .provider_key_update(off, 1, effects(bob))
        .await
        .unwrap();
    assert!(holding(5).await.is_empty(), "the key is disabled");
}

/// The day so many days after some time.
fn day(day: i64) -> Timestamp {
    at(day * 24 * 3600)
}

/// Stores keys of a user that are kept in all kinds of ways, as seen on day 100.
async fn variously_kept(store: &impl Store) -> Vec<ProviderKey> {
    let bob = stored(store, User, "bob").await.owner;
    let mut keys = Vec::new();
    for (tag, (enabled, secret, used, expires, failing)) in [
        (true, 0, None, None, None),
        (true, 0, Some(95), None, Some(50)),
        (false, 0, Some(95), None, Some(50)),
        (true, 50, Some(99), Some(110), None),
        (true, 99, None, Some(100), Some(99)),
        (true, 50, Some(40), Some(200), None),
    ]
    .into_iter()
    .enumerate()
    {
        let mut one = sealed(bob, u8::try_from(tag).unwrap());
        one.key.enabled = enabled;
        one.key.secret_time = day(secret);
        one.key.last_used_time = used.map(day);
        one.key.expire_time = expires.map(day);
        one.key.failing_since = failing.map(day);
        one.key.health = failing.map_or(Health::Connected, |_| Health::Rejected);
        insert_used(store, one.clone()).await;
        keys.push(one.key);
    }
    keys
}

pub(super) async fn a_census_counts_what_the_rules_say_of_each_key(store: &impl Store) {
    let keys = variously_kept(store).await;
    let now = day(100);
    let census = store.provider_key_census(Bounds::at(now)).await.unwrap();
    let count = |holds: fn(&Hygiene) -> bool| {
        let of = keys.iter().map(|key| Hygiene::of(key, now));
        of.filter(holds).count() as u64
    };
    let expect = Census {
        stored: 6,
        rotation_due: count(|key| key.rotation_due),
        expiring: count(|key| key.expiring),
        unused: count(|key| key.unused_since.is_some()),
        failing: count(|key| key.failing_since.is_some()),
    };
    assert_eq!(census, expect);
    assert_eq!(
        (
            census.rotation_due,
            census.expiring,
            census.unused,
            census.failing
        ),
        (3, 1, 2, 1)
    );
}

pub(super) async fn keys_of_concern_are_those_that_the_rules_name(store: &impl Store) {
    let keys = variously_kept(store).await;
    for today in [0, 60, 89, 100, 140, 190, 300] {
        let now = day(today);
        let named = keys
            .iter()
            .filter(|key| Hygiene::of(key, now).is_concern())
            .map(|key| key.id);
        let named: BTreeSet<_> = named.collect();
        let mut listed = Vec::new();
        let mut after = Uuid::nil();
        loop {
            let found = store.provider_keys_of_concern(Bounds::at(now), after, 2);
            let found = found.await.unwrap();
            let Some(last) = found.last() else { break };
            after = last.id;
            listed.extend(found.iter().map(|key| key.id));
        }
        assert!(listed.is_sorted(), "{listed:?}");
        assert_eq!(listed.len(), named.len(), "on day {today}");
        assert_eq!(BTreeSet::from_iter(listed), named, "on day {today}");
    }
}

/// Gives a key out, with its event in a chain of its own.
async fn use_once(store: &impl Store, lease: Lease) {
    let instance = format!("vault-of-{}", lease.id);
    let head = Head::genesis(&instance);
    let chain = Chain {
        instance: instance.clone(),
        head,
        public_key: [0; 32],
    };
    store.audit_chain_begin(chain).await.unwrap();
    let wanted = Append {
        event: event(&Actor::default(), Action::ProviderKeyUnseal, "used"),
        lease: Some(lease),
    };
    let batch = Arc::new(Batch::new(&instance, head, vec![], vec![wanted]));
    store.audit_link(Arc::clone(&batch)).await.unwrap();
    assert_eq!(batch.settle().unwrap().granted, [true]);
}

/// Stores a key with its time of use, which only a lease writes.
async fn insert_used(store: &impl Store, one: SealedKey) {
    let (owner, id, used) = (one.key.owner, one.key.id, one.key.last_used_time);
    let is_off = !one.key.enabled;
    let mut fresh = one.clone();
    fresh.key.enabled = true;
    store
        .provider_key_insert(fresh.clone(), effects(owner))
        .await
        .unwrap();
    if let Some(now) = used {
        let lease = Lease {
            owner,
            id,
            version: 1,
            now,
            is_test: false,
        };
        use_once(store, lease).await;
    }
    if is_off {
        let mut off = one;
        off.key.revision = 2;
        store
            .provider_key_update(off, 1, effects(owner))
            .await
            .unwrap();
    }
}

/// A refused key that was never tested is due after a day, others after the interval; whichever are,
/// the store finds those that the rule names.
pub(super) async fn a_key_that_is_due_for_a_test_is_one_routers(store: &impl Store) {
    const DAY: i64 = 86_400;
    let bob = stored(store, User, "bob").await.owner;
    let variants: [fn(&mut ProviderKey); 7] = [
        |_| {},
        |key| key.last_used_time = Some(at(2 * DAY)),
        |key| key.failing_since = Some(at(10)),
        |key| key.failing_since = Some(at(4 * DAY)),
        |key| key.enabled = false,
        |key| key.expire_time = Some(at(2)),
        |key| key.secret_time = at(5 * DAY),
    ];
    let mut keys = Vec::new();
    for (number, vary) in (1..).zip(variants) {
        let mut one = sealed(bob, number);
        one.key.expire_time = None;
        vary(&mut one.key);
        if one.key.failing_since.is_some() {
            one.key.health = Health::Rejected;
        }
        keys.push(one.key.clone());
        insert_used(store, one).await;
    }
    let mut claimed = Vec::new();
    for day in [1, 3, 5, 8, 40] {
        let due = DueTests::at(at(day * DAY), SignedDuration::from_hours(5 * 24)).unwrap();
        // Claims of before are over by then, and nothing was tested.
        let expect = keys.iter().filter(|key| due.includes(key));
        let mut expect: Vec<Uuid> = expect.map(|key| key.id).collect();
        expect.sort_unstable();
        let mut found = store.provider_keys_claim_tests(due, 100).await.unwrap();
        found.sort_unstable();
        assert_eq!(found, expect, "day {day}");
        let again = store.provider_keys_claim_tests(due, 100).await.unwrap();
        assert!(again.is_empty(), "they are one router's");
        for key in &keys {
            let is_claimed = store.provider_key_is_claimed(key.id, due.now).await;
            assert_eq!(is_claimed.unwrap(), found.contains(&key.id));
            let later = store
                .provider_key_is_claimed(key.id, due.claimed_until)
                .await;
            assert!(!later.unwrap());
        }
        claimed.push(found.len());
    }
    assert_eq!(claimed, [0, 1, 2, 4, 5], "the days tell them apart");
    let due = DueTests::at(at(60 * DAY), SignedDuration::from_hours(5 * 24)).unwrap();
    let first = store.provider_keys_claim_tests(due, 3).await.unwrap();
    let rest = store.provider_keys_claim_tests(due, 3).await.unwrap();
    assert_eq!((first.len(), rest.len()), (3, 2));
}
