//! Versions of the price book over the contract: listed, compared, put in force by admins alone.

use std::sync::Arc;

use keyward_catalog::Catalog;
use keyward_proto::metering::v1 as wire;
use keyward_runtime::error::Reason;
use tonic::Status;

use super::world::{World, by, hold, refused, served, settle, words};

/// A catalogue with a model at this price for a million of anything.
fn catalog(price: i64) -> Arc<Catalog> {
    let text = format!(
        r#"{{"schema": 1, "version": 900, "as_of": "2026-11-21", "providers": [
            {{"name": "shop", "display_name": "Shop", "dialect": "openai", "key_hint": "any",
             "cancel_stops_billing": true}}], "models": [
            {{"id": "maker/talker", "name": "Talker", "endpoints": ["chat.completions"],
             "offers": [{{"provider": "shop", "upstream": "talker", "prices": {{
                "input": {price}, "output": {price}}}}}]}}]}}"#
    );
    Arc::new(Catalog::parse(&text).expect("a catalogue"))
}

async fn adopt(world: &World, price: i64) -> u64 {
    let adopted = world.metering.adopt_catalog(catalog(price)).await;
    adopted.expect("adopted")
}

async fn activate(
    world: &World,
    who: &str,
    version: u64,
    request_id: &str,
) -> Result<wire::ActivatePriceVersionResponse, Status> {
    let asked = wire::ActivatePriceVersionRequest {
        request_id: request_id.to_owned(),
        price_version: version,
    };
    let answer = world.pricing().activate_price_version(by(who, asked)).await;
    answer.map(tonic::Response::into_inner)
}

async fn versions(world: &World) -> Vec<wire::PriceVersion> {
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let asked = wire::ListPriceVersionsRequest {
            page_size: 1,
            page_token,
        };
        let page = world.pricing().list_price_versions(by("bob", asked)).await;
        let page = page.expect("a page").into_inner();
        all.extend(page.price_versions);
        if page.next_page_token.is_empty() {
            return all;
        }
        page_token = page.next_page_token;
    }
}

fn request() -> wire::PlaceHoldRequest {
    wire::PlaceHoldRequest {
        provider: "shop".to_owned(),
        model: "maker/talker".to_owned(),
        ..hold(words(1, 1))
    }
}

/// What an attempt under a hold is charged.
async fn charged(world: &World, placed: &wire::PlaceHoldRequest) -> i64 {
    let asked = settle(placed, served(placed, words(1, 1)));
    let settled = world.metering().settle_usage(asked).await.expect("settled");
    settled.into_inner().charge_nanos
}

#[tokio::test]
async fn a_version_that_is_activated_prices_what_is_held_from_then_on() {
    let world = World::new().await;
    world.give("users/admin", 1_000_000_000).await;
    let old = adopt(&world, 1_000_000_000).await;
    let new = adopt(&world, 3_000_000_000).await;
    assert!(new > old);
    let pinned = request();
    let placing = by("admin", pinned.clone());
    world.metering().place_hold(placing).await.expect("placed");
    let answer = activate(&world, "admin", old, "once")
        .await
        .expect("activated");
    assert_eq!(answer.previous_version, new);
    assert!(answer.price_version.is_some_and(|version| version.active));
    let next = request();
    let placing = by("admin", next.clone());
    world.metering().place_hold(placing).await.expect("placed");
    assert_eq!(charged(&world, &pinned).await, 6_000, "what it pinned");
    assert_eq!(charged(&world, &next).await, 2_000);
    // The same catalogue again, as after a restart, changes nothing; another one does.
    assert_eq!(adopt(&world, 3_000_000_000).await, old);
    assert!(adopt(&world, 4_000_000_000).await > new);
    let again = activate(&world, "admin", old, "once")
        .await
        .expect("answered");
    assert_eq!(again, answer, "the same change again is made once");
    let listed = versions(&world).await;
    assert_eq!(
        listed
            .iter()
            .map(|listed| (listed.active, listed.is_of_catalog, listed.prices))
            .take(3)
            .collect::<Vec<_>>(),
        [(true, true, 1), (false, false, 1), (false, false, 1)]
    );
    assert_eq!((listed[0].changed, listed[0].added), (1, 0));
}

#[tokio::test]
async fn only_admins_activate_and_only_what_there_is() {
    let world = World::new().await;
    let version = adopt(&world, 1).await;
    for who in ["bob", "olga"] {
        let refusal = activate(&world, who, version, "").await;
        assert_eq!(refused(refusal).0, Reason::InsufficientScope, "{who}");
    }
    let missing = activate(&world, "admin", version + 1, "").await;
    assert_eq!(refused(missing).0, Reason::NotFound);
}

#[tokio::test]
async fn two_versions_are_compared() {
    let world = World::new().await;
    let old = adopt(&world, 1_000).await;
    let new = adopt(&world, 2_000).await;
    for (from_version, to_version) in [(old, new), (0, new), (old, 0), (0, 0)] {
        let asked = wire::ComparePriceVersionsRequest {
            from_version,
            to_version,
            ..wire::ComparePriceVersionsRequest::default()
        };
        let answer = world
            .pricing()
            .compare_price_versions(by("bob", asked))
            .await;
        let answer = answer.expect("a comparison").into_inner();
        assert_eq!((answer.from_version, answer.to_version), (old, new));
        let [change] = &*answer.changes else {
            panic!("{:?}", answer.changes)
        };
        let input = |prices: &Option<wire::Prices>| prices.as_ref().and_then(|it| it.input);
        assert_eq!(change.model, "maker/talker");
        assert_eq!(
            (input(&change.from_prices), input(&change.to_prices)),
            (Some(1_000), Some(2_000))
        );
    }
    let asked = wire::ComparePriceVersionsRequest {
        from_version: new + 9,
        ..wire::ComparePriceVersionsRequest::default()
    };
    let missing = world
        .pricing()
        .compare_price_versions(by("bob", asked))
        .await;
    assert_eq!(refused(missing).0, Reason::NotFound);
}
