//! What every engine does with answers to repeatable requests.

use std::sync::Arc;

use futures::future::join_all;

use crate::store::answers::{AnswerStore, Claim, FORGET_STEP, Finish, Found};

const PLACE: [u8; 32] = [1; 32];

/// Whose time is over 100 ms later.
fn claim(holder: &str, now_ms: i64) -> Claim {
    Claim {
        place: PLACE,
        matches: [2; 32],
        holder: holder.to_owned(),
        now_ms,
        expire_ms: now_ms + 100,
    }
}

fn finish(holder: &str, answer: u8) -> Finish {
    Finish {
        place: PLACE,
        holder: holder.to_owned(),
        answer: vec![answer],
        expire_ms: 1_000,
    }
}

async fn found(store: &impl AnswerStore, claim: Claim) -> Found {
    store.claim(claim).await.unwrap()
}

pub(crate) async fn the_first_holds_the_place_until_it_is_answered(store: Arc<impl AnswerStore>) {
    assert_eq!(found(&*store, claim("a", 0)).await, Found::Free);
    assert_eq!(found(&*store, claim("b", 1)).await, Found::Running);
    let other = Claim {
        matches: [3; 32],
        ..claim("b", 1)
    };
    assert_eq!(found(&*store, other.clone()).await, Found::Other);
    // Who does not hold it changes nothing.
    store.release(PLACE, "b".to_owned()).await.unwrap();
    store.finish(finish("b", 9)).await.unwrap();
    assert_eq!(found(&*store, claim("b", 1)).await, Found::Running);
    store.finish(finish("a", 7)).await.unwrap();
    // Nor who held it once it has its answer.
    store.release(PLACE, "a".to_owned()).await.unwrap();
    store.finish(finish("a", 8)).await.unwrap();
    let answered = found(&*store, claim("b", 999)).await;
    assert_eq!(answered, Found::Answer(vec![7]));
    assert_eq!(found(&*store, other).await, Found::Other);
    assert_eq!(found(&*store, claim("b", 1_000)).await, Found::Free);
}

pub(crate) async fn a_place_that_is_given_back_or_whose_time_is_over_is_free(
    store: Arc<impl AnswerStore>,
) {
    assert_eq!(found(&*store, claim("a", 0)).await, Found::Free);
    store.release(PLACE, "a".to_owned()).await.unwrap();
    assert_eq!(found(&*store, claim("b", 1)).await, Found::Free);
    assert_eq!(found(&*store, claim("c", 100)).await, Found::Running);
    let other = Claim {
        matches: [3; 32],
        ..claim("c", 101)
    };
    assert_eq!(found(&*store, other).await, Found::Free);
    // Who lost it does not answer in the other's stead.
    store.finish(finish("b", 9)).await.unwrap();
    assert_eq!(found(&*store, claim("d", 102)).await, Found::Other);
}

pub(crate) async fn who_holds_a_place_may_hold_it_for_longer(store: Arc<impl AnswerStore>) {
    assert_eq!(found(&*store, claim("a", 0)).await, Found::Free);
    let renew = async |holder: &str, expire_ms| {
        let renewed = store.renew(PLACE, holder.to_owned(), expire_ms);
        renewed.await.unwrap();
    };
    renew("a", 200).await;
    renew("b", 300).await;
    assert_eq!(found(&*store, claim("b", 199)).await, Found::Running);
    assert_eq!(found(&*store, claim("b", 200)).await, Found::Free);
    // What it lost, it does not get back, and an answer's time is the answer's.
    renew("a", 900).await;
    store.finish(finish("b", 7)).await.unwrap();
    renew("b", 9_000).await;
    let answered = found(&*store, claim("c", 999)).await;
    assert_eq!(answered, Found::Answer(vec![7]));
    assert_eq!(found(&*store, claim("c", 1_000)).await, Found::Free);
}

pub(crate) async fn of_those_who_want_a_place_at_once_one_gets_it(store: Arc<impl AnswerStore>) {
    for round in 0..10 {
        let wanting = (0..8).map(|number| {
            let store = Arc::clone(&store);
            async move { found(&*store, claim(&number.to_string(), round * 100)).await }
        });
        let all = join_all(wanting).await;
        let free = all.iter().filter(|found| **found == Found::Free).count();
        let running = all.iter().filter(|found| **found == Found::Running).count();
        assert_eq!((free, running), (1, 7), "{round}");
    }
}

pub(crate) async fn what_is_over_is_forgotten_step_by_step(store: Arc<impl AnswerStore>) {
    let step = i64::from(FORGET_STEP);
    for number in 0..step + 2 {
        let mut place = [0; 32];
        place[..8].copy_from_slice(&number.to_be_bytes());
        let claim = Claim {
            place,
            expire_ms: number,
            ..claim("a", -1)
        };
        assert_eq!(found(&*store, claim).await, Found::Free);
    }
    assert_eq!(store.forget(-1).await.unwrap(), 0);
    assert_eq!(store.forget(step).await.unwrap(), FORGET_STEP);
    assert_eq!(store.forget(step).await.unwrap(), 1);
    assert_eq!(store.forget(step).await.unwrap(), 0);
    assert_eq!(store.forget(step + 1).await.unwrap(), 1);
}
