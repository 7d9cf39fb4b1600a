//! Answers that are remembered.

use super::samples::{account, at, effects, stored};
use crate::domain::access::Thing;
use crate::domain::owner::Owner;
use crate::domain::owner::OwnerKind::User;
use crate::domain::replay::{
    Authority, KeptAnswer, REMEMBERED, Replay, ReplayId, RequestDigest, forgotten_before,
};
use crate::store::{Effects, Store, StoreError};

fn replay(tag: u8, owner: Owner) -> Replay {
    Replay {
        id: ReplayId([tag; 32]),
        request: RequestDigest([tag; 32]),
        authority: Authority::over(owner, Thing::Standing),
        answer: KeptAnswer::Plain(vec![tag]),
        time: at(0),
    }
}

pub(super) async fn a_change_is_answered_once_or_not_made_at_all(store: &impl Store) {
    let bob = account(User, "bob");
    let replay = replay(1, bob.owner);
    let with_replay = |owner| Effects {
        replay: Some(replay.clone()),
        ..effects(owner)
    };
    let first = with_replay(bob.owner);
    let head = store.account_insert(bob, first).await.unwrap();
    let eve = account(User, "eve");
    let second = with_replay(eve.owner);
    let refused = store.account_insert(eve, second).await.unwrap_err();
    assert!(matches!(refused, StoreError::Answered), "{refused:?}");
    assert_eq!(store.account_find(User, "eve").await.unwrap(), None);
    assert_eq!(store.change_head().await.unwrap(), head);
    let kept = store.replay_get(replay.id, at(0)).await.unwrap();
    assert_eq!(kept, Some(replay));
}

pub(super) async fn an_answer_is_remembered_until_it_is_forgotten_or_its_owner_goes(
    store: &impl Store,
) {
    let bob = stored(store, User, "bob").await;
    let sealed = Replay {
        authority: Authority::of_service(bob.owner),
        answer: KeptAnswer::Sealed(vec![7; 60]),
        ..replay(2, bob.owner)
    };
    store.replay_put(sealed.clone()).await.unwrap();
    let get = async |id, since| store.replay_get(id, since).await.unwrap();
    assert_eq!(get(sealed.id, at(0)).await, Some(sealed.clone()));
    assert_eq!(get(sealed.id, at(1)).await, None);
    let a_day_later = Replay {
        time: at(1).checked_add(REMEMBERED).unwrap(),
        ..replay(2, bob.owner)
    };
    let since = forgotten_before(a_day_later.time);
    store.replay_put(a_day_later.clone()).await.unwrap();
    assert_eq!(get(sealed.id, since).await, Some(a_day_later.clone()));
    store.replays_prune(a_day_later.time).await.unwrap();
    assert_eq!(get(sealed.id, since).await, Some(a_day_later.clone()));
    let (owner, now) = (bob.owner, a_day_later.time);
    store
        .account_delete(owner, now, effects(owner))
        .await
        .unwrap();
    assert_eq!(get(sealed.id, since).await, None);
    store.replay_put(sealed.clone()).await.unwrap();
    store.replays_prune(a_day_later.time).await.unwrap();
    assert_eq!(get(sealed.id, at(0)).await, None);
}
