//! Holds that are raised while their request is served, and what is charged in the end, at the
//! prices of gpt-4o: 2.50 and 10.00 for a million tokens, and 5 % more for a professional.

use keyward_proto::metering::v1 as wire;
use keyward_runtime::error::{Reason, metadata};
use keyward_runtime::ids;
use tonic::Request;

use super::world::{World, by, hold, refused, served, settle, words};

fn gpt_4o(input_tokens: i64, output_tokens: i64) -> wire::PlaceHoldRequest {
    wire::PlaceHoldRequest {
        provider: "openai".to_owned(),
        model: "openai/gpt-4o".to_owned(),
        ..hold(words(input_tokens, output_tokens))
    }
}

async fn placed(world: &World, request: &wire::PlaceHoldRequest) -> i64 {
    let asked = by("bob", request.clone());
    let placed = world.metering().place_hold(asked).await.expect("placed");
    placed.into_inner().amount_nanos
}

/// In nobody's name, as a stream does whose grant is over.
fn extension(
    hold: &wire::PlaceHoldRequest,
    estimate: wire::Usage,
) -> Request<wire::ExtendHoldRequest> {
    Request::new(wire::ExtendHoldRequest {
        request_id: ids::new_text(),
        hold_id: hold.request_id.clone(),
        estimate: Some(estimate),
        service_tier: hold.service_tier.clone(),
    })
}

async fn charged(
    world: &World,
    hold: &wire::PlaceHoldRequest,
    usage: wire::Usage,
) -> wire::SettleUsageResponse {
    let asked = settle(hold, served(hold, usage));
    let settled = world.metering().settle_usage(asked).await;
    settled.expect("settled").into_inner()
}

#[tokio::test]
async fn what_was_held_and_not_used_is_released() {
    let world = World::new().await;
    world.give("users/bob", 10_000_000).await;
    let request = gpt_4o(1_000, 500);
    assert_eq!(placed(&world, &request).await, 7_875_000);
    assert_eq!(world.balance("bob").await, (10_000_000, 7_875_000));
    let settled = charged(&world, &request, words(900, 200)).await;
    assert_eq!(settled.charge_nanos, 4_462_500);
    assert_eq!(world.balance("bob").await, (10_000_000 - 4_462_500, 0));
}

#[tokio::test]
async fn an_overrun_is_charged_in_full_and_stops_the_next_hold() {
    let world = World::new().await;
    world.give("users/bob", 10_000_000).await;
    let request = gpt_4o(1_000, 500);
    assert_eq!(placed(&world, &request).await, 7_875_000);
    let settled = charged(&world, &request, words(1_000, 900)).await;
    assert_eq!(settled.charge_nanos, 7_875_000 + 4_200_000);
    assert_eq!(world.balance("bob").await, (-2_075_000, 0));
    let again = by("bob", gpt_4o(1_000, 500));
    let (reason, _) = refused(world.metering().place_hold(again).await);
    assert_eq!(reason, Reason::InsufficientCredits);
    world.give("users/bob", 1_000_000_000).await;
    assert_eq!(world.balance("bob").await, (997_925_000, 0));
    assert_eq!(placed(&world, &gpt_4o(1_000, 500)).await, 7_875_000);
}

#[tokio::test]
async fn a_hold_is_raised_by_what_it_pinned_while_the_balance_covers_it() {
    let world = World::new().await;
    world.give("users/bob", 14_000_000).await;
    let request = gpt_4o(1_000, 500);
    assert_eq!(placed(&world, &request).await, 7_875_000);
    let extend = async |usage| {
        let asked = extension(&request, usage);
        world.metering().extend_hold(asked).await
    };
    let raised = extend(words(1_000, 1_000)).await.expect("raised");
    assert_eq!(raised.into_inner().amount_nanos, 13_125_000);
    assert_eq!(world.balance("bob").await, (14_000_000, 13_125_000));
    let (reason, error) = refused(extend(words(1_000, 1_500)).await);
    assert_eq!(reason, Reason::InsufficientCredits);
    assert_eq!(error.fact(metadata::NEEDED_NANOS), Some("18375000"));
    assert_eq!(error.fact(metadata::AVAILABLE_NANOS), Some("14000000"));
    assert_eq!(error.fact(metadata::AFFORDABLE_OUTPUT_TOKENS), Some("1083"));
    assert_eq!(world.balance("bob").await, (14_000_000, 13_125_000));
    let settled = charged(&world, &request, words(1_000, 1_500)).await;
    assert_eq!(settled.charge_nanos, 18_375_000);
    let (reason, _) = refused(extend(words(1_000, 2_000)).await);
    assert_eq!(reason, Reason::PreconditionFailed);
    let (reason, _) = refused(
        world
            .metering()
            .extend_hold(extension(&gpt_4o(1, 1), words(1, 1)))
            .await,
    );
    assert_eq!(reason, Reason::NotFound);
}

#[tokio::test]
async fn a_hold_is_not_raised_beyond_its_cap() {
    let world = World::new().await;
    world.give("users/bob", 100_000_000).await;
    let request = wire::PlaceHoldRequest {
        charge_cap_nanos: Some(8_000_000),
        ..gpt_4o(1_000, 500)
    };
    assert_eq!(placed(&world, &request).await, 7_875_000);
    let asked = extension(&request, words(1_000, 600));
    let (reason, _) = refused(world.metering().extend_hold(asked).await);
    assert_eq!(reason, Reason::FallbackCapExceeded);
    assert_eq!(world.balance("bob").await, (100_000_000, 7_875_000));
}

#[tokio::test]
async fn a_long_prompt_is_held_for_at_its_own_price() {
    let world = World::new().await;
    world.give("users/bob", 10_000_000_000).await;
    // 1.25 and 10.00 for a million tokens up to 200,000, then 2.50 and 15.00.
    for (input_tokens, amount) in [(200_000, 273_000_000), (200_001, 540_752_625)] {
        let request = wire::PlaceHoldRequest {
            provider: "google".to_owned(),
            model: "google/gemini-2.5-pro".to_owned(),
            ..hold(words(input_tokens, 1_000))
        };
        assert_eq!(placed(&world, &request).await, amount, "{input_tokens}");
    }
}
