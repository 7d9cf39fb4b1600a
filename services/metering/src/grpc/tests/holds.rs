//! Holds and settles.

use jiff::{SignedDuration, Timestamp};
use keyward_proto::metering::v1 as wire;
use keyward_runtime::error::{Reason, metadata};
use keyward_runtime::{ids, time};

use super::world::{World, another_markup, by, hold, refused, served, settle, words};

#[tokio::test]
async fn three_words_cost_a_professional_9450_nanos() {
    let world = World::new().await;
    world.give("users/bob", 1_000_000).await;
    let request = hold(words(3, 3));
    let placed = world
        .metering()
        .place_hold(by("bob", request.clone()))
        .await
        .expect("placed");
    let placed = placed.into_inner();
    assert_eq!(
        (placed.amount_nanos, placed.markup_basis_points),
        (9_450, 500)
    );
    assert_eq!(world.balance("bob").await, (1_000_000, 9_450));

    let asked = settle(&request, served(&request, words(3, 3)));
    let settled = world
        .metering()
        .settle_usage(asked.clone())
        .await
        .expect("settled");
    let settled = settled.into_inner();
    assert_eq!(
        (settled.charge_nanos, settled.list_cost_nanos),
        (9_450, Some(9_000))
    );
    assert_eq!(world.balance("bob").await, (990_550, 0));
    let again = world
        .metering()
        .settle_usage(asked)
        .await
        .expect("settled")
        .into_inner();
    assert_eq!(
        again,
        wire::SettleUsageResponse {
            duplicate: true,
            ..settled
        }
    );
    assert_eq!(world.balance("bob").await, (990_550, 0));

    let asked = wire::GetReceiptRequest {
        inference_id: request.inference_id.clone(),
    };
    let receipt = world
        .usage()
        .get_receipt(by("bob", asked))
        .await
        .expect("a receipt");
    let receipt = receipt.into_inner().receipt.expect("a receipt");
    assert_eq!((receipt.charge_nanos, receipt.markup_nanos), (9_450, 450));
    assert_eq!(
        (receipt.saved_nanos, receipt.markup_basis_points),
        (Some(0), 500)
    );
    assert_eq!(
        receipt.prices.as_ref().and_then(|prices| prices.output),
        Some(2_000_000_000)
    );
    assert_eq!(receipt.price_version, placed.price_version);
    assert_eq!(receipt.usage_source(), wire::UsageSource::Reported);

    let ledger = world
        .credits()
        .list_transactions(by("bob", wire::ListTransactionsRequest::default()))
        .await;
    let ledger = ledger.expect("a ledger").into_inner().transactions;
    assert_eq!(
        ledger
            .iter()
            .map(|row| row.amount_nanos)
            .collect::<Vec<_>>(),
        [-9_450, 1_000_000]
    );
    assert_eq!(ledger[0].inference_id, request.inference_id);
}

#[tokio::test]
async fn a_refusal_says_what_the_balance_would_afford() {
    let world = World::new().await;
    world.give("users/bob", 5_000).await;
    let (reason, error) = refused(
        world
            .metering()
            .place_hold(by("bob", hold(words(3, 3))))
            .await,
    );
    assert_eq!(reason, Reason::InsufficientCredits);
    assert!(
        error.message.contains("users/bob has 0.000005 available"),
        "{}",
        error.message
    );
    assert_eq!(error.fact(metadata::NEEDED_NANOS), Some("9450"));
    assert_eq!(error.fact(metadata::AVAILABLE_NANOS), Some("5000"));
    // 3 words of prompt cost 3,150; the rest pays for no whole word at 2,100.
    assert_eq!(error.fact(metadata::AFFORDABLE_OUTPUT_TOKENS), Some("0"));
    world.give("users/bob", 250).await;
    let (_, error) = refused(
        world
            .metering()
            .place_hold(by("bob", hold(words(3, 3))))
            .await,
    );
    assert_eq!(error.fact(metadata::AFFORDABLE_OUTPUT_TOKENS), Some("1"));
    assert_eq!(world.balance("bob").await, (5_250, 0));
}

#[tokio::test]
async fn a_viewer_does_not_spend_what_the_organization_has() {
    let world = World::new().await;
    world.give("organizations/acme", 1_000_000).await;
    let ask = |who| {
        let request = by(who, hold(words(3, 3)));
        let mut metering = world.metering();
        async move { metering.place_hold(request).await }
    };
    assert_eq!(refused(ask("vic").await).0, Reason::InsufficientScope);
    assert_eq!(world.balance("vic").await, (1_000_000, 0));
    for who in ["mia", "olga", "acme"] {
        ask(who).await.expect(who);
    }
}

#[tokio::test]
async fn what_is_held_charged_and_put_aside_is_counted() {
    let world = World::new().await;
    world.give("users/bob", 20_000).await;
    let request = hold(words(3, 3));
    let place = |request| {
        let mut metering = world.metering();
        async move { metering.place_hold(by("bob", request)).await }
    };
    place(request.clone()).await.expect("placed");
    assert!(place(hold(words(3, 3_000_000))).await.is_err());
    let event = served(&request, words(3, 3));
    let other = wire::UsageEvent {
        usage: Some(words(3, 4)),
        ..event.clone()
    };
    for (event, is_fine) in [(event.clone(), true), (event, true), (other, false)] {
        let settled = world.metering().settle_usage(settle(&request, event)).await;
        assert_eq!(settled.is_ok(), is_fine);
    }
    let text = world.metrics.encode().expect("text");
    for line in [
        "keyward_metering_holds_total{outcome=\"placed\"} 1",
        "keyward_metering_holds_total{outcome=\"insufficient_credits\"} 1",
        "keyward_metering_holds_open 0",
        "keyward_metering_settles_total{outcome=\"recorded\"} 1",
        "keyward_metering_settles_total{outcome=\"duplicate\"} 1",
        "keyward_metering_settles_total{outcome=\"quarantined\"} 1",
        "keyward_metering_charged_nanos_total 9450",
        "keyward_metering_events_quarantined_total{reason=\"other_figures\"} 1",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

#[tokio::test]
async fn an_estimate_above_the_cap_is_refused_whatever_the_balance() {
    let world = World::new().await;
    world.give("users/bob", 1_000_000).await;
    let capped = |cap| wire::PlaceHoldRequest {
        charge_cap_nanos: Some(cap),
        ..hold(words(3, 3))
    };
    let (reason, _) = refused(world.metering().place_hold(by("bob", capped(9_449))).await);
    assert_eq!(reason, Reason::FallbackCapExceeded);
    let request = capped(9_450);
    world
        .metering()
        .place_hold(by("bob", request.clone()))
        .await
        .expect("placed");
    let asked = settle(&request, served(&request, words(3, 300)));
    let settled = world
        .metering()
        .settle_usage(asked)
        .await
        .expect("settled")
        .into_inner();
    assert_eq!(
        settled.charge_nanos, 9_450,
        "what is beyond is the platform's"
    );
    assert_eq!(world.balance("bob").await, (990_550, 0));
}

#[tokio::test]
async fn credits_pay_for_priced_models_only() {
    let world = World::new().await;
    world.give("users/bob", 1_000_000).await;
    let at = |provider: &str, model: &str| {
        let model = model.to_owned();
        let provider = provider.to_owned();
        by(
            "bob",
            wire::PlaceHoldRequest {
                provider,
                model,
                ..hold(words(1, 1))
            },
        )
    };
    let unpriced = world
        .metering()
        .place_hold(at("anthropic", "anthropic/claude-3-opus"))
        .await;
    assert_eq!(refused(unpriced).0, Reason::NoKeyForModel);
    let unknown = world
        .metering()
        .place_hold(at("openai", "openai/gpt-99"))
        .await;
    assert_eq!(refused(unknown).0, Reason::ModelNotFound);
    let free = at("openrouter", "meta-llama/llama-3.1-8b-instruct:free");
    let placed = world
        .metering()
        .place_hold(free)
        .await
        .expect("placed")
        .into_inner();
    assert_eq!(placed.amount_nanos, 0);
}

#[tokio::test]
async fn a_hold_keeps_its_markup_when_the_tier_changes() {
    let world = World::new().await;
    world.give("users/bob", 1_000_000).await;
    let request = hold(words(3, 3));
    world
        .metering()
        .place_hold(by("bob", request.clone()))
        .await
        .expect("placed");
    let update = another_markup(2_000);
    let by_bob = world.pricing().update_tier(by("bob", update.clone())).await;
    assert_eq!(refused(by_bob).0, Reason::InsufficientScope);
    world
        .pricing()
        .update_tier(by("admin", update))
        .await
        .expect("changed");
    let asked = settle(&request, served(&request, words(3, 3)));
    let settled = world
        .metering()
        .settle_usage(asked)
        .await
        .expect("settled")
        .into_inner();
    assert_eq!(settled.charge_nanos, 9_450);
    let next = world
        .metering()
        .place_hold(by("bob", hold(words(3, 3))))
        .await
        .expect("placed");
    assert_eq!(next.into_inner().amount_nanos, 10_800);
}

#[tokio::test]
async fn the_same_id_with_other_figures_changes_nothing() {
    let world = World::new().await;
    world.give("users/bob", 1_000_000).await;
    let request = hold(words(3, 3));
    world
        .metering()
        .place_hold(by("bob", request.clone()))
        .await
        .expect("placed");
    let event = served(&request, words(3, 3));
    let asked = settle(&request, event.clone());
    world.metering().settle_usage(asked).await.expect("settled");
    let other = wire::UsageEvent {
        usage: Some(words(3, 4)),
        ..event
    };
    let conflict = world.metering().settle_usage(settle(&request, other)).await;
    assert_eq!(refused(conflict).0, Reason::AlreadyExists);
    let someone_elses = world.metering().place_hold(by("eve", request)).await;
    assert_eq!(refused(someone_elses).0, Reason::AlreadyExists);
    assert_eq!(world.balance("bob").await, (990_550, 0));
}

#[tokio::test]
async fn a_void_costs_nothing_and_leaves_a_record() {
    let world = World::new().await;
    world.give("users/bob", 1_000_000).await;
    let request = hold(words(3, 3));
    world
        .metering()
        .place_hold(by("bob", request.clone()))
        .await
        .expect("placed");
    let failed = wire::UsageEvent {
        status: wire::AttemptStatus::Failed.into(),
        http_status: 503,
        ..served(&request, words(0, 0))
    };
    let void = wire::VoidHoldRequest {
        request_id: failed.event_id.clone(),
        hold_id: request.request_id.clone(),
        event: Some(failed),
    };
    let first = world
        .metering()
        .void_hold(void.clone())
        .await
        .expect("void")
        .into_inner();
    let again = world
        .metering()
        .void_hold(void)
        .await
        .expect("void")
        .into_inner();
    assert_eq!((first.duplicate, again.duplicate), (false, true));
    assert_eq!(world.balance("bob").await, (1_000_000, 0));
    let records = world
        .usage()
        .list_usage_records(by("bob", wire::ListUsageRecordsRequest::default()))
        .await;
    let records = records.expect("records").into_inner().records;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].charge_nanos, 0);
    assert_eq!(
        records[0].event.as_ref().map(|event| event.http_status),
        Some(503)
    );
}

#[tokio::test]
async fn holds_that_nobody_settles_are_freed() {
    let world = World::new().await;
    world.give("users/bob", 1_000_000).await;
    let lifetime = Some(prost_types::Duration {
        seconds: 0,
        nanos: 1,
    });
    let request = wire::PlaceHoldRequest {
        lifetime,
        ..hold(words(3, 3))
    };
    world
        .metering()
        .place_hold(by("bob", request.clone()))
        .await
        .expect("placed");
    while world.metering.app().expire_holds().await.expect("swept") == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.balance("bob").await, (1_000_000, 0));
    let asked = settle(&request, served(&request, words(3, 3)));
    world
        .metering()
        .settle_usage(asked)
        .await
        .expect("a late settle posts");
    assert_eq!(world.balance("bob").await, (990_550, 0));
}

/// An id that a clock of that time would make.
fn id_at(time: Timestamp) -> String {
    let millis = u64::try_from(time.as_millisecond()).expect("after 1970");
    let random = *ids::new().as_bytes().last_chunk().expect("bytes");
    let id = uuid::Builder::from_unix_timestamp_millis(millis, &random);
    id.into_uuid().to_string()
}

#[tokio::test]
async fn a_routers_clock_that_is_an_hour_off_moves_neither_holds_nor_charges() {
    for hours in [-1, 1] {
        let world = World::new().await;
        world.give("users/bob", 1_000_000).await;
        let theirs = time::now() + SignedDuration::from_hours(hours);
        let request = wire::PlaceHoldRequest {
            request_id: id_at(theirs),
            inference_id: id_at(theirs),
            ..hold(words(3, 3))
        };
        let placed = by("bob", request.clone());
        world.metering().place_hold(placed).await.expect("placed");
        let app = world.metering.app();
        assert_eq!(app.expire_holds().await.expect("swept"), 0);
        assert_eq!(world.balance("bob").await, (1_000_000, 9_450));

        let event = wire::UsageEvent {
            event_id: id_at(theirs),
            start_time: Some(time::to_proto(theirs)),
            ..served(&request, words(3, 3))
        };
        for duplicate in [false, true] {
            let asked = settle(&request, event.clone());
            let settled = world.metering().settle_usage(asked).await.expect("settled");
            let settled = settled.into_inner();
            assert_eq!(
                (settled.charge_nanos, settled.duplicate),
                (9_450, duplicate)
            );
        }
        assert_eq!(world.balance("bob").await, (990_550, 0));
        let list = by("bob", wire::ListUsageRecordsRequest::default());
        let list = world.usage().list_usage_records(list).await;
        assert_eq!(list.expect("records").into_inner().records.len(), 1);
    }
}

#[tokio::test]
async fn only_the_router_meters() {
    let world = World::new().await;
    let direct = wire::metering_service_client::MeteringServiceClient::new(world.edge());
    let asked = by("admin", hold(words(1, 1)));
    assert_eq!(
        refused(direct.clone().place_hold(asked).await).0,
        Reason::PeerNotAllowed
    );
}

#[tokio::test]
async fn malformed_requests_are_named() {
    let world = World::new().await;
    let check = async |change: fn(&mut wire::PlaceHoldRequest), param: &str| {
        let mut request = hold(words(1, 1));
        change(&mut request);
        let (reason, error) = refused(world.metering().place_hold(by("bob", request)).await);
        assert_eq!(
            (reason, error.fact(metadata::PARAM)),
            (Reason::InvalidRequest, Some(param))
        );
    };
    check(|request| request.request_id.clear(), "request_id").await;
    check(|request| request.inference_id.push('x'), "inference_id").await;
    check(
        |request| request.estimate = Some(words(i64::MAX, i64::MAX)),
        "estimate",
    )
    .await;
}
