//! Master keys by their ids, rewrapping, the seal.

use super::samples::{at, effects, stored};
use crate::domain::master_key::MasterKeyState::{Active, Destroyed, Opens, Retired};
use crate::domain::master_key::{KnownMasterKey, MasterKeyState};
use crate::domain::owner::Owner;
use crate::domain::owner::OwnerKind::User;
use crate::domain::row_state::Floor;
use crate::store::{Effects, Replica, Rewrapping, SignedFloor, Store, StoreError, StoredDataKey};

fn data_key(owner: Owner, master_key_id: &str) -> StoredDataKey {
    StoredDataKey {
        owner,
        generation: 1,
        master_key_id: master_key_id.to_owned(),
        wrapped: vec![1, 2, 3],
    }
}

fn rewrapping(before: StoredDataKey, to: &str) -> Rewrapping {
    Rewrapping {
        before,
        master_key_id: to.to_owned(),
        wrapped: vec![4, 5],
    }
}

async fn known(store: &impl Store, id: &str) -> KnownMasterKey {
    let key = KnownMasterKey::new(id, at(0));
    let insert = store.master_key_insert(key.clone(), Effects::default());
    insert.await.unwrap();
    key
}

async fn turn(
    store: &impl Store,
    key: &KnownMasterKey,
    before: MasterKeyState,
    state: MasterKeyState,
) -> Result<u64, StoreError> {
    let key = key.clone().become_at(state, at(1));
    store
        .master_key_update(key, before, Effects::default())
        .await
}

pub(super) async fn one_master_key_is_active_and_one_in_use_is_not_retired(store: &impl Store) {
    let bob = stored(store, User, "bob").await.owner;
    let (one, two) = (known(store, "one").await, known(store, "two").await);
    let again = store
        .master_key_insert(one.clone(), Effects::default())
        .await;
    assert!(matches!(again, Err(StoreError::Exists)));
    assert_eq!(store.custody().await.unwrap().active, None);
    turn(store, &one, Opens, Active).await.unwrap();
    store
        .data_key_put(data_key(bob, "one"), at(0))
        .await
        .unwrap();
    turn(store, &two, Opens, Active).await.unwrap();
    let active = store.custody().await.unwrap().active;
    assert_eq!(active.as_deref(), Some("two"));
    let stale = turn(store, &two, Opens, Retired).await;
    assert!(matches!(stale, Err(StoreError::Changed)));
    let needed = turn(store, &one, Opens, Retired).await;
    assert!(matches!(needed, Err(StoreError::Changed)));
    let listed = store.master_keys_list().await.unwrap();
    let mut listed: Vec<_> = listed
        .into_iter()
        .map(|(key, data_keys)| (key.id, key.state, data_keys))
        .collect();
    listed.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(
        listed,
        [("one".to_owned(), Opens, 1), ("two".to_owned(), Active, 0)]
    );
    let rewrappings = vec![rewrapping(data_key(bob, "one"), "two")];
    let rewrapped = store.data_keys_rewrap(rewrappings, effects(bob)).await;
    assert_eq!(rewrapped.unwrap(), 1);
    turn(store, &one, Opens, Retired).await.unwrap();
    // Nothing comes under it any more.
    let eve = stored(store, User, "eve").await.owner;
    let late = store.data_key_put(data_key(eve, "one"), at(0)).await;
    assert!(matches!(late, Err(StoreError::MasterKeyRetired)));
    let floor = SignedFloor {
        floor: Floor {
            owner: eve,
            newest: 1,
            minimum: 1,
        },
        mac: [0; 32],
    };
    let begun = store.generation_begin(data_key(eve, "one"), floor, at(0));
    assert!(matches!(begun.await, Err(StoreError::MasterKeyRetired)));
    assert_eq!(store.generation_newest(eve).await.unwrap(), None);
    let mut back = rewrapping(data_key(bob, "two"), "one");
    back.before.wrapped = vec![4, 5];
    let rewrapped = store.data_keys_rewrap(vec![back], effects(bob)).await;
    assert!(matches!(rewrapped, Err(StoreError::MasterKeyRetired)));
    turn(store, &one, Retired, Destroyed).await.unwrap();
}

pub(super) async fn a_data_key_is_rewrapped_only_as_it_was_read(store: &impl Store) {
    let mut all = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let owner = stored(store, User, name).await.owner;
        let put = store.data_key_put(data_key(owner, "one"), at(0)).await;
        all.push(put.unwrap());
    }
    let not_under = async |id: &str, after, limit| {
        let found = store.data_keys_not_under(id, after, limit).await;
        found.unwrap()
    };
    let first = not_under("two", None, 3).await;
    assert_eq!(first.len(), 3);
    let last = first.last().map(|key| (key.owner, key.generation));
    assert_eq!(not_under("two", last, 3).await.len(), 1);
    assert!(not_under("one", None, 3).await.is_empty());
    // One was changed since, one is destroyed; the rest is done all the same.
    let mut changed = rewrapping(all[0].clone(), "two");
    changed.before.wrapped = vec![9];
    let gone = all[1].owner;
    store
        .account_delete(gone, at(2), effects(gone))
        .await
        .unwrap();
    let rest = all[1..].iter().map(|key| rewrapping(key.clone(), "two"));
    let rewrappings = [changed].into_iter().chain(rest).collect();
    let count = store.data_keys_rewrap(rewrappings, effects(gone)).await;
    assert_eq!(count.unwrap(), 2);
    assert_eq!(not_under("two", None, 9).await, [all[0].clone()]);
    let kept = store.data_key_get(all[2].owner, Some(1)).await.unwrap();
    assert_eq!(kept.unwrap().wrapped, [4, 5]);
}

pub(super) async fn the_seal_and_replicas_are_what_was_said_last(store: &impl Store) {
    assert!(!store.custody().await.unwrap().sealed);
    let seal = |sealed| store.custody_seal(sealed, at(1), Effects::default());
    seal(true).await.unwrap();
    assert!(matches!(seal(true).await, Err(StoreError::Changed)));
    let custody = store.custody().await.unwrap();
    assert_eq!(
        (custody.sealed, custody.sealed_changed),
        (true, Some(at(1)))
    );
    seal(false).await.unwrap();
    let replica = |name: &str, keys: &[&str], second| Replica {
        name: name.to_owned(),
        master_keys: keys.iter().map(|&key| key.to_owned()).collect(),
        seen: at(second),
    };
    for seen in [
        replica("a", &["one"], 0),
        replica("b", &[], 0),
        replica("b", &["one", "two"], 5),
    ] {
        store.replica_seen(seen, at(-1)).await.unwrap();
    }
    store
        .replica_seen(replica("c", &[], 6), at(3))
        .await
        .unwrap();
    let replicas = store.replicas().await.unwrap();
    assert_eq!(
        replicas,
        [replica("b", &["one", "two"], 5), replica("c", &[], 6)]
    );
    store.replica_forget("b").await.unwrap();
    store.replica_forget("unheard-of").await.unwrap();
    assert_eq!(store.replicas().await.unwrap(), [replica("c", &[], 6)]);
}
