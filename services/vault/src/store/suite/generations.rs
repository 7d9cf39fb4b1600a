//! Data keys by generation, and states of rows.

use super::samples::{at, effects, sealed, some_uid, stored};
use crate::domain::owner::Owner;
use crate::domain::owner::OwnerKind::User;
use crate::domain::row_state::Floor;
use crate::store::{
    Effects, RowStates, SealedKey, SignedFloor, Store, StoreError, StoredDataKey, StoredSecret,
};

fn floor(owner: Owner, newest: u32, minimum: u32) -> SignedFloor {
    SignedFloor {
        floor: Floor {
            owner,
            newest,
            minimum,
        },
        mac: [u8::try_from(newest * 16 + minimum).unwrap(); 32],
    }
}

fn data_key(owner: Owner, generation: u32) -> StoredDataKey {
    StoredDataKey {
        owner,
        generation,
        master_key_id: "m".to_owned(),
        wrapped: vec![7; 60],
    }
}

async fn begin(
    store: &impl Store,
    owner: Owner,
    newest: u32,
    minimum: u32,
) -> Result<(), StoreError> {
    let floor = floor(owner, newest, minimum);
    store
        .generation_begin(data_key(owner, newest), floor, at(i64::from(newest)))
        .await
}

/// A key whose record says that it was sealed by that generation.
fn sealed_by(owner: Owner, generation: u32, tag: u8) -> SealedKey {
    let mut sealed = sealed(owner, tag);
    sealed.record[..2].copy_from_slice(&[1, 1]);
    sealed.record[2..6].copy_from_slice(&generation.to_be_bytes());
    sealed
}

pub(super) async fn a_data_key_follows_the_newest_and_no_other(store: &impl Store) {
    let bob = stored(store, User, "bob").await.owner;
    assert_eq!(store.generation_newest(bob).await.unwrap(), None);
    assert_eq!(store.generation_floor(bob).await.unwrap(), None);
    begin(store, bob, 1, 1).await.unwrap();
    for other in [1, 3] {
        let begun = begin(store, bob, other, 1).await;
        assert!(matches!(begun, Err(StoreError::Changed)), "{other}");
    }
    begin(store, bob, 2, 1).await.unwrap();
    let newest = store.generation_newest(bob).await.unwrap().unwrap();
    assert_eq!(
        (newest.number, newest.create_time, newest.seals),
        (2, at(2), 0)
    );
    let stored_floor = store.generation_floor(bob).await.unwrap();
    assert_eq!(stored_floor, Some(floor(bob, 2, 1)));
    let open = store.generations_open(None, 10).await.unwrap();
    assert_eq!(open, [floor(bob, 2, 1)]);
    assert_eq!(store.generations_open(Some(bob), 10).await.unwrap(), []);
    assert_eq!(store.generations_aged(at(1), 10).await.unwrap(), []);
    assert_eq!(store.generations_aged(at(2), 10).await.unwrap(), [bob]);
    store
        .account_delete(bob, at(9), effects(bob))
        .await
        .unwrap();
    assert_eq!(store.generation_floor(bob).await.unwrap(), None);
    // Nor does one whose data keys were destroyed get a first again.
    let begun = begin(store, bob, 1, 1).await;
    assert!(matches!(begun, Err(StoreError::Changed)));
}

pub(super) async fn seals_are_counted_up_to_the_limit(store: &impl Store) {
    let bob = stored(store, User, "bob").await.owner;
    begin(store, bob, 1, 1).await.unwrap();
    let asked = (0..8).map(|_| store.generation_count_seal(bob, 1, 3));
    let counted = futures::future::join_all(asked).await;
    let counted = counted
        .into_iter()
        .filter(|counted| *counted.as_ref().unwrap());
    assert_eq!(counted.count(), 3);
    assert_eq!(
        store.generation_newest(bob).await.unwrap().unwrap().seals,
        3
    );
    assert!(!store.generation_count_seal(bob, 2, 3).await.unwrap());
}

pub(super) async fn a_minimum_rises_once_nothing_needs_what_is_below(store: &impl Store) {
    let bob = stored(store, User, "bob").await.owner;
    begin(store, bob, 1, 1).await.unwrap();
    let old = sealed_by(bob, 1, 1);
    store
        .provider_key_insert(old.clone(), effects(bob))
        .await
        .unwrap();
    begin(store, bob, 2, 1).await.unwrap();
    let new = sealed_by(bob, 2, 2);
    store.provider_key_insert(new, effects(bob)).await.unwrap();
    let below = store.provider_keys_sealed_below(bob, 2, 10).await.unwrap();
    let ids: Vec<_> = below.iter().map(|sealed| sealed.key.id).collect();
    assert_eq!(ids, [old.key.id]);
    let raise = || store.generation_raise(floor(bob, 2, 2), at(5), Effects::default());
    assert!(matches!(raise().await, Err(StoreError::Changed)));
    assert_eq!(
        store.generation_floor(bob).await.unwrap(),
        Some(floor(bob, 2, 1))
    );
    let mut anew = old.clone();
    anew.record = sealed_by(bob, 2, 1).record;
    anew.key.revision = 2;
    store
        .provider_key_update(anew, 1, effects(bob))
        .await
        .unwrap();
    raise().await.unwrap();
    assert_eq!(
        store.generation_floor(bob).await.unwrap(),
        Some(floor(bob, 2, 2))
    );
    assert_eq!(store.data_key_get(bob, Some(1)).await.unwrap(), None);
    assert!(store.data_key_get(bob, Some(2)).await.unwrap().is_some());
    // What the destroyed one sealed just before is not stored any more.
    let late = sealed_by(bob, 1, 3);
    let id = late.key.id;
    let refused = store.provider_key_insert(late, effects(bob)).await;
    assert!(matches!(refused, Err(StoreError::Changed)));
    assert_eq!(store.provider_key_owner(id).await.unwrap(), None);
    let mut back = old.clone();
    back.key.revision = 3;
    let refused = store.provider_key_update(back, 2, effects(bob)).await;
    assert!(matches!(refused, Err(StoreError::Changed)));
    assert!(store.traces_erase().await.unwrap());
}

pub(super) async fn rows_get_their_states_once(store: &impl Store) {
    let bob = stored(store, User, "bob").await.owner;
    store.data_key_put(data_key(bob, 1), at(0)).await.unwrap();
    let mut one = sealed(bob, 1);
    one.state = None;
    store
        .provider_key_insert(one.clone(), effects(bob))
        .await
        .unwrap();
    assert!(!store.row_states_exist().await.unwrap());
    let missing = store.row_states_missing(None, 10).await.unwrap();
    let ids: Vec<_> = missing.iter().map(|sealed| sealed.key.id).collect();
    assert_eq!(ids, [one.key.id]);
    let after = store
        .row_states_missing(Some(one.key.id), 10)
        .await
        .unwrap();
    assert_eq!(after, []);
    let floors = store.row_floors_missing().await.unwrap();
    assert_eq!(floors, [floor(bob, 1, 1).floor]);
    let states = RowStates {
        secret: StoredSecret {
            name: "row-state".to_owned(),
            uid: some_uid(),
            version: 1,
            record: vec![1; 60],
        },
        keys: vec![(one.key.id, [9; 32])],
        floors: vec![floor(bob, 1, 1)],
    };
    let begin = || store.row_states_begin(states.clone(), Effects::default());
    begin().await.unwrap();
    assert!(store.row_states_exist().await.unwrap());
    let found = store
        .provider_key_get(bob, one.key.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.state, Some([9; 32]));
    assert!(matches!(begin().await, Err(StoreError::Exists)));
    let secrets = store.system_secrets().await.unwrap();
    assert_eq!(secrets, [states.secret]);
    let (before, record) = (vec![1; 60], vec![2; 60]);
    let reseal = || store.system_secret_reseal("row-state", before.clone(), record.clone());
    reseal().await.unwrap();
    assert!(matches!(reseal().await, Err(StoreError::Changed)));
}
