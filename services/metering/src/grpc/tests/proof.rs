//! Books that do not add up are closed, lose nothing, and are opened once they do.

use keyward_runtime::error::Reason;

use super::world::{World, by, hold, refused, served, settle, words};

async fn prove(world: &World) {
    let proving = world.metering.app().prove_and_freeze();
    proving.await.expect("the store works");
}

#[tokio::test]
async fn an_account_whose_books_do_not_add_up_is_closed_until_they_do() {
    let world = World::new().await;
    world.give("users/bob", 1_000_000).await;
    let placed = hold(words(10, 10));
    let mut metering = world.metering();
    let placing = metering.place_hold(by("bob", placed.clone())).await;
    placing.expect("placed");
    prove(&world).await;

    let more = "UPDATE account SET balance = balance + 5 WHERE held > 0";
    assert_eq!(world.store.tamper(more).await, 1);
    prove(&world).await;
    let refusing = metering.place_hold(by("bob", hold(words(1, 1)))).await;
    assert_eq!(refused(refusing).0, Reason::Overloaded);
    let usage = settle(&placed, served(&placed, words(10, 10)));
    let told = metering.settle_usage(usage).await;
    assert_eq!(refused(told).0, Reason::Overloaded);
    let others = metering.place_hold(by("admin", hold(words(1, 1)))).await;
    others.expect("others' books are open");

    let less = "UPDATE account SET balance = balance - 5 WHERE frozen";
    assert_eq!(world.store.tamper(less).await, 1);
    prove(&world).await;
    let usage = settle(&placed, served(&placed, words(10, 10)));
    let told = metering.settle_usage(usage).await;
    told.expect("nothing was lost");
}
