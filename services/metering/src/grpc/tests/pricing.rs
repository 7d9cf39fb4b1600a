//! Tiers, the price book and estimates over the contract.

use std::sync::Arc;

use keyward_catalog::Catalog;
use keyward_money::BasisPoints;
use keyward_proto::metering::v1 as wire;
use keyward_runtime::error::Reason;
use tonic::Status;

use super::records::{own_key, record};
use super::world::{World, by, change, hold, refused, served, settle, words};
use crate::store::TierStore as _;

fn gold(markup_basis_points: u32) -> wire::Tier {
    wire::Tier {
        tier: "gold".to_owned(),
        markup_basis_points,
        default_limits: Some(wire::TierLimits {
            requests_per_minute: Some(60),
            ..wire::TierLimits::default()
        }),
        ..wire::Tier::default()
    }
}

async fn create(
    world: &World,
    who: &str,
    tier: wire::Tier,
    request_id: &str,
) -> Result<wire::Tier, Status> {
    let asked = wire::CreateTierRequest {
        request_id: request_id.to_owned(),
        tier: Some(tier),
    };
    let answer = world.pricing().create_tier(by(who, asked)).await?;
    Ok(answer.into_inner().tier.expect("a tier"))
}

async fn update(world: &World, asked: wire::UpdateTierRequest) -> Result<wire::Tier, Status> {
    let answer = world.pricing().update_tier(by("admin", asked)).await?;
    Ok(answer.into_inner().tier.expect("a tier"))
}

async fn get(world: &World, tier: &str) -> Result<wire::Tier, Status> {
    let tier = tier.to_owned();
    let answer = world
        .pricing()
        .get_tier(wire::GetTierRequest { tier })
        .await?;
    Ok(answer.into_inner().tier.expect("a tier"))
}

#[tokio::test]
async fn an_admin_makes_a_tier_once_and_everybody_reads_it() {
    let world = World::new().await;
    let by_bob = create(&world, "bob", gold(300), "").await;
    assert_eq!(refused(by_bob).0, Reason::InsufficientScope);
    assert_eq!(refused(get(&world, "gold").await).0, Reason::NotFound);
    let made = create(&world, "admin", gold(300), "").await.expect("made");
    assert_eq!(made.markup_basis_points, 300);
    assert_eq!(made.default_limits, gold(300).default_limits);
    assert!(
        made.create_time.is_some() && !made.etag.is_empty(),
        "{made:?}"
    );
    assert_eq!(get(&world, "gold").await.expect("there"), made);
    let again = create(&world, "admin", gold(300), "").await;
    assert_eq!(refused(again).0, Reason::AlreadyExists);
    for wrong in [
        wire::Tier {
            tier: "Gold!".to_owned(),
            ..gold(0)
        },
        wire::Tier {
            tier: "steep".to_owned(),
            ..gold(10_001)
        },
        wire::Tier {
            tier: "stuck".to_owned(),
            default_limits: Some(wire::TierLimits {
                concurrency: Some(0),
                ..wire::TierLimits::default()
            }),
            ..gold(0)
        },
    ] {
        let refusal = create(&world, "admin", wrong, "").await;
        assert_eq!(refused(refusal).0, Reason::InvalidRequest);
    }
}

#[tokio::test]
async fn a_change_takes_what_its_mask_names_from_who_saw_the_tier_as_it_is() {
    let world = World::new().await;
    let made = create(&world, "admin", gold(300), "").await.expect("made");
    let wanted = wire::Tier {
        organization_keys: true,
        ..gold(200)
    };
    let asked = change(wanted.clone(), &["markup_basis_points"], &made.etag);
    let changed = update(&world, asked).await.expect("changed");
    assert_eq!(
        (changed.markup_basis_points, changed.organization_keys),
        (200, false)
    );
    assert_eq!(changed.default_limits, made.default_limits);
    assert_ne!(changed.etag, made.etag);
    let stale = change(wanted.clone(), &["organization_keys"], &made.etag);
    assert_eq!(
        refused(update(&world, stale).await).0,
        Reason::PreconditionFailed
    );
    let unlimited = wire::Tier {
        default_limits: None,
        ..wanted.clone()
    };
    let both = change(unlimited, &["organization_keys", "default_limits"], "");
    let changed = update(&world, both).await.expect("changed");
    assert!(changed.organization_keys);
    assert_eq!(changed.default_limits, Some(wire::TierLimits::default()));
    let platinum = wire::Tier {
        tier: "platinum".to_owned(),
        ..wanted.clone()
    };
    let unknown = change(platinum, &["markup_basis_points"], "");
    assert_eq!(refused(update(&world, unknown).await).0, Reason::NotFound);
    for paths in [&["etag"][..], &[]] {
        let refusal = update(&world, change(wanted.clone(), paths, "")).await;
        assert_eq!(refused(refusal).0, Reason::InvalidRequest, "{paths:?}");
    }
}

#[tokio::test]
async fn a_repeated_change_is_answered_again_and_made_once() {
    let world = World::new().await;
    let made = create(&world, "admin", gold(300), "r1")
        .await
        .expect("made");
    let asked = wire::UpdateTierRequest {
        request_id: "r1".to_owned(),
        ..change(gold(200), &["markup_basis_points"], &made.etag)
    };
    let changed = update(&world, asked.clone()).await.expect("another method");
    assert_eq!(update(&world, asked.clone()).await.expect("again"), changed);
    let again = create(&world, "admin", gold(300), "r1").await;
    assert_eq!(
        again.expect("the first answer"),
        made,
        "though it was changed since"
    );
    assert_eq!(get(&world, "gold").await.expect("there"), changed);
    let other = create(&world, "admin", gold(301), "r1").await;
    assert_eq!(refused(other).0, Reason::IdempotencyMismatch);
    let other = wire::UpdateTierRequest {
        etag: changed.etag.clone(),
        ..asked
    };
    assert_eq!(
        refused(update(&world, other).await).0,
        Reason::IdempotencyMismatch
    );
    let failed = create(&world, "admin", gold(300), "r2").await;
    assert_eq!(refused(failed).0, Reason::AlreadyExists);
    let silver = wire::Tier {
        tier: "silver".to_owned(),
        ..gold(1)
    };
    create(&world, "admin", silver, "r2")
        .await
        .expect("a failure is not remembered");
    let long = create(&world, "admin", gold(1), &"x".repeat(256)).await;
    assert_eq!(refused(long).0, Reason::InvalidRequest);
}

#[tokio::test]
async fn of_equal_changes_at_the_same_time_one_is_made() {
    let world = World::new().await;
    let calls = (0..20).map(|_| create(&world, "admin", gold(300), "r"));
    let answers = futures::future::join_all(calls).await;
    let first = answers[0].as_ref().expect("made").clone();
    for answer in answers {
        assert_eq!(answer.expect("the same answer"), first);
    }
}

async fn prices(
    world: &World,
    asked: wire::ListPricesRequest,
) -> Result<wire::ListPricesResponse, Status> {
    let answer = world.pricing().list_prices(asked).await?;
    Ok(answer.into_inner())
}

#[tokio::test]
async fn the_price_book_is_listed_by_model_with_all_that_there_is_of_each() {
    let world = World::new().await;
    let mut models = Vec::new();
    let mut page_token = String::new();
    loop {
        let asked = wire::ListPricesRequest {
            page_size: 7,
            page_token,
            ..wire::ListPricesRequest::default()
        };
        let page = prices(&world, asked).await.expect("a page");
        assert!(page.price_version > 0);
        models.extend(page.models);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert!(models.is_sorted_by(|one, next| one.model < next.model));
    let catalog = Catalog::embedded().expect("a catalogue");
    let priced = catalog.models().filter(|model| {
        let mut offers = model.offers.iter();
        offers.any(|offer| offer.prices.is_priced())
    });
    assert_eq!(models.len(), priced.count());
    let of = |model: &str, provider: &str| wire::ListPricesRequest {
        model: model.to_owned(),
        provider: provider.to_owned(),
        ..wire::ListPricesRequest::default()
    };
    let one = prices(&world, of("gpt-4o", "openai")).await.expect("one");
    let [model] = &*one.models else {
        panic!("{one:?}")
    };
    assert_eq!(model.model, "openai/gpt-4o");
    assert_eq!(model.providers.len(), 1);
    let input = model.providers[0]
        .prices
        .as_ref()
        .and_then(|prices| prices.input);
    assert_eq!(input, Some(2_500_000_000));
    let nowhere = prices(&world, of("gpt-4o", "groq")).await.expect("none");
    assert_eq!(nowhere.models, []);
    let unknown = prices(&world, of("gpt-99", "")).await;
    assert_eq!(refused(unknown).0, Reason::ModelNotFound);
}

async fn estimate(
    world: &World,
    who: &str,
    asked: wire::EstimateCostRequest,
) -> Result<wire::EstimateCostResponse, Status> {
    let answer = world.usage().estimate_cost(by(who, asked)).await?;
    Ok(answer.into_inner())
}

fn cost_of(model: &str, usage: wire::Usage) -> wire::EstimateCostRequest {
    wire::EstimateCostRequest {
        model: model.to_owned(),
        usage: Some(usage),
        ..wire::EstimateCostRequest::default()
    }
}

#[tokio::test]
async fn usage_is_estimated_in_every_tier_whatever_a_model_can_take() {
    let world = World::new().await;
    let asked = cost_of("gpt-4o", words(100_000_000, 100_000_000));
    let found = estimate(&world, "bob", asked.clone())
        .await
        .expect("a cost");
    assert_eq!(
        (&*found.model, &*found.provider),
        ("openai/gpt-4o", "openai")
    );
    assert_eq!(found.list_cost_nanos, 1_250_000_000_000);
    let own = found.cost.expect("in his tier");
    assert_eq!((&*own.tier, own.markup_basis_points), ("professional", 500));
    assert_eq!(own.charge_nanos, 1_312_500_000_000);
    assert_eq!(own.markup_nanos, 62_500_000_000);
    let all: Vec<_> = found
        .tiers
        .iter()
        .map(|cost| (&*cost.tier, cost.charge_nanos))
        .collect();
    let expected = [
        ("enterprise", 1_250_000_000_000),
        ("professional", 1_312_500_000_000),
        ("starter", 1_375_000_000_000),
        ("trial", 1_437_500_000_000),
    ];
    assert_eq!(all, expected);
    let as_trial = wire::EstimateCostRequest {
        tier: "trial".to_owned(),
        ..asked
    };
    let found = estimate(&world, "bob", as_trial).await.expect("a cost");
    assert_eq!(
        found.cost.map(|cost| cost.charge_nanos),
        Some(1_437_500_000_000)
    );
}

#[tokio::test]
async fn an_estimate_says_what_is_wrong_with_its_question() {
    let world = World::new().await;
    let asked = || cost_of("gpt-4o", words(1, 1));
    let at = |provider: &str| wire::EstimateCostRequest {
        provider: provider.to_owned(),
        ..asked()
    };
    let in_tier = |tier: &str, service_tier: &str| wire::EstimateCostRequest {
        tier: tier.to_owned(),
        service_tier: service_tier.to_owned(),
        ..asked()
    };
    for (asked, reason, word) in [
        (
            cost_of("gpt-99", words(1, 1)),
            Reason::ModelNotFound,
            "gpt-99",
        ),
        (at("groq"), Reason::ModelNotFound, "groq"),
        (
            cost_of("claude-3-opus-20240229", words(1, 1)),
            Reason::InvalidRequest,
            "no list price",
        ),
        (in_tier("platinum", ""), Reason::NotFound, "tier"),
        (
            in_tier("", "express"),
            Reason::InvalidRequest,
            "service tier",
        ),
        (
            cost_of("gpt-4o", words(i64::MAX, i64::MAX)),
            Reason::InvalidRequest,
            "more than can be counted",
        ),
        (
            cost_of("gpt-4o", words(-1, 0)),
            Reason::InvalidRequest,
            "below zero",
        ),
    ] {
        let (found, error) = refused(estimate(&world, "bob", asked).await);
        assert_eq!(found, reason, "{error:?}");
        assert!(error.message.contains(word), "{error:?}");
    }
    assert_eq!(world.balance("bob").await, (0, 0));
}

const ANOTHER: &str = r#"{"schema": 1, "version": 900, "as_of": "2026-11-21",
    "providers": [
        {"name": "maker", "display_name": "Maker", "dialect": "openai", "key_hint": "any",
         "cancel_stops_billing": true},
        {"name": "shop", "display_name": "Shop", "dialect": "openai", "key_hint": "any",
         "cancel_stops_billing": true}],
    "models": [
        {"id": "maker/talker", "name": "Talker", "endpoints": ["chat.completions"], "offers": [
            {"provider": "maker", "upstream": "talker"},
            {"provider": "shop", "upstream": "talker", "prices": {
                "input": 1000000, "output": 1000000, "image_fee": 7,
                "long_context": [{"above_tokens": 10, "prices": {"input": 2000000}}],
                "service_tiers": [{"service_tier": "flex", "prices": {"input": 500000}}]}}]}]}"#;

/// Prices change while it runs: what was priced before keeps its version.
#[tokio::test]
async fn another_catalogue_is_another_price_version() {
    let world = World::new().await;
    let gpt = || cost_of("gpt-4o", words(1, 1));
    let before = estimate(&world, "bob", gpt()).await.expect("a cost");
    let another = Arc::new(Catalog::parse(ANOTHER).expect("a catalogue"));
    let adopted = world.metering.adopt_catalog(Arc::clone(&another)).await;
    let version = adopted.expect("adopted");
    assert!(version > before.price_version);
    assert_eq!(
        world.metering.adopt_catalog(another).await.expect("again"),
        version
    );
    let gone = estimate(&world, "bob", gpt()).await;
    assert_eq!(refused(gone).0, Reason::ModelNotFound);
    for (tokens, service_tier, list_cost) in [(10, "", 17), (11, "", 29), (10, "flex", 12)] {
        let usage = wire::Usage {
            images: 1,
            ..words(tokens, 0)
        };
        let asked = wire::EstimateCostRequest {
            service_tier: service_tier.to_owned(),
            ..cost_of("talker", usage)
        };
        let found = estimate(&world, "bob", asked).await.expect("a cost");
        assert_eq!(found.provider, "shop", "the first that has a price");
        assert_eq!(found.price_version, version);
        assert_eq!(found.list_cost_nanos, list_cost);
        assert_eq!(found.prices.and_then(|prices| prices.image_fee), Some(7));
    }
    let listed = prices(&world, wire::ListPricesRequest::default())
        .await
        .expect("prices");
    let shown = listed.models[0].providers[0]
        .prices
        .as_ref()
        .expect("prices");
    assert_eq!(shown.long_context.len(), 1);
    assert_eq!(shown.service_tiers[0].service_tier, "flex");
}

#[tokio::test]
async fn a_receipt_shows_the_prices_that_held() {
    let world = World::new().await;
    world.give("users/bob", 1_000_000).await;
    let another = Arc::new(Catalog::parse(ANOTHER).expect("a catalogue"));
    let version = world
        .metering
        .adopt_catalog(another)
        .await
        .expect("adopted");
    let request = wire::PlaceHoldRequest {
        provider: "shop".to_owned(),
        model: "maker/talker".to_owned(),
        ..hold(words(10, 0))
    };
    let placing = by("bob", request.clone());
    world.metering().place_hold(placing).await.expect("placed");
    let usage = wire::Usage {
        images: 3,
        ..words(100, 0)
    };
    let flexible = wire::UsageEvent {
        service_tier: "flex".to_owned(),
        ..served(&request, usage)
    };
    let asked = settle(&request, flexible);
    world.metering().settle_usage(asked).await.expect("settled");
    let long = wire::UsageEvent {
        provider: "shop".to_owned(),
        model: "maker/talker".to_owned(),
        ..own_key("bob", None)
    };
    let long = wire::UsageEvent {
        usage: Some(words(11, 0)),
        ..long
    };
    let own = long.inference_id.clone();
    record(&world, vec![long]).await;
    for (inference_id, input, list_cost) in
        [(request.inference_id, 500_000, 71), (own, 2_000_000, 22)]
    {
        let asked = by("bob", wire::GetReceiptRequest { inference_id });
        let receipt = world.usage().get_receipt(asked).await.expect("a receipt");
        let receipt = receipt.into_inner().receipt.expect("a receipt");
        assert_eq!(receipt.price_version, version);
        let prices = receipt.prices.expect("prices");
        assert_eq!((prices.input, prices.image_fee), (Some(input), Some(7)));
        assert_eq!(receipt.attempts[0].list_cost_nanos, Some(list_cost));
    }
}

#[tokio::test]
async fn a_tier_that_another_metering_changed_is_seen_with_the_next_sweep() {
    let world = World::new().await;
    let app = world.metering.app();
    assert_eq!(
        app.tier("trial").expect("a tier").markup_basis_points,
        1_500
    );
    let tiers = world.store.tiers().await.expect("works").into_iter();
    let mut trial = tiers
        .filter(|tier| tier.name == "trial")
        .collect::<Vec<_>>();
    trial[0].terms.markup = BasisPoints::new(7);
    let put = world.store.tier_put(trial.remove(0), None).await;
    put.expect("works");
    app.sweep().await.expect("works");
    assert_eq!(app.tier("trial").expect("a tier").markup_basis_points, 7);
}
