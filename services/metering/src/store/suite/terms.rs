//! Tiers, price books, and answers that are kept with a change.

use std::sync::Arc;

use keyward_money::{BasisPoints, Prices};

use super::samples::time;
use crate::domain::prices::PriceRow;
use crate::domain::tier;
use crate::domain::tier::Tier;
use crate::store::{Answer, Call, NewAnswer, Store};

pub(crate) async fn tiers_are_seeded_and_can_be_changed(store: Arc<impl Store + 'static>) {
    let tiers = || async { store.tiers().await.expect("works") };
    let seeded: Vec<_> = tiers()
        .await
        .into_iter()
        .map(|tier| {
            let tier::Terms {
                markup,
                organization_keys,
                ..
            } = tier.terms;
            (tier.name, markup.get(), organization_keys)
        })
        .collect();
    let expected = [
        ("enterprise", 0, true),
        ("professional", 500, false),
        ("starter", 1_000, false),
        ("trial", 1_500, false),
    ];
    assert_eq!(
        seeded,
        expected.map(|(name, markup, keys)| (name.to_owned(), markup, keys))
    );
    let terms = tier::Terms {
        markup: BasisPoints::new(900),
        organization_keys: true,
        limits: tier::TierLimits {
            requests_per_minute: Some(60),
            tokens_per_minute: Some(u64::MAX >> 1),
            concurrency: None,
        },
    };
    let gold = Tier::new("gold", terms, time(5_000)).expect("valid");
    let patch = tier::TermsPatch {
        organization_keys: Some(false),
        ..tier::TermsPatch::default()
    };
    for tier in [
        gold.clone(),
        gold.changed(patch, time(6_000)).expect("valid"),
    ] {
        store.tier_put(tier.clone(), None).await.expect("works");
        let now = tiers().await;
        assert_eq!(now.len(), 5);
        assert!(now.contains(&tier), "{now:?}");
    }
}

pub(crate) async fn an_answer_is_kept_with_its_change_until_nobody_can_ask(
    store: Arc<impl Store + 'static>,
) {
    let call = |caller: &str, method, request_id: &str| Call {
        caller: caller.to_owned(),
        method,
        request_id: request_id.to_owned(),
    };
    let tier = Tier::new("gold", tier::Terms::default(), time(1_000)).expect("valid");
    let put = |call, at, forget_before| {
        let answer = NewAnswer {
            call,
            answer: Answer {
                request: vec![1],
                answer: vec![2],
            },
            time: time(at),
            forget_before: time(forget_before),
        };
        store.tier_put(tier.clone(), Some(answer))
    };
    let first = call("users/a", "CreateTier", "r");
    put(first.clone(), 1_000, 0).await.expect("works");
    let kept = |call: &Call, since| store.answer(call.clone(), time(since));
    let found = kept(&first, 1_000).await.expect("works").expect("kept");
    assert_eq!((found.request, found.answer), (vec![1], vec![2]));
    assert_eq!(kept(&first, 1_001).await.expect("works"), None, "too old");
    for other in [
        call("users/b", "CreateTier", "r"),
        call("users/a", "UpdateTier", "r"),
        call("users/a", "CreateTier", "s"),
    ] {
        assert_eq!(kept(&other, 0).await.expect("works"), None, "{other:?}");
    }
    assert!(
        put(first.clone(), 1_500, 0).await.is_err(),
        "never replaced"
    );
    let later = call("users/a", "CreateTier", "later");
    put(later, 9_000, 1_001).await.expect("works");
    assert_eq!(kept(&first, 0).await.expect("works"), None, "forgotten");
}

pub(crate) async fn price_books_stay(store: Arc<impl Store + 'static>) {
    let row = |model: &str, price| PriceRow {
        provider: "p".to_owned(),
        model: model.to_owned(),
        prices: Prices::per_million(price, price),
    };
    let install = async |version, rows| {
        let installed = store.price_book_install(version, rows, time(1)).await;
        installed.map(|installed| installed.active)
    };
    assert_eq!(
        install(3, vec![row("a", 1), row("b", 2)])
            .await
            .expect("works"),
        3
    );
    assert_eq!(
        install(3, vec![row("a", 1), row("b", 2)])
            .await
            .expect("works"),
        3
    );
    assert_eq!(
        install(3, vec![row("a", 5)]).await.expect("works"),
        4,
        "a version never changes"
    );
    assert_eq!(install(9, vec![row("a", 6)]).await.expect("works"), 9);
    let price = |version, model: &str| store.prices(version, "p".to_owned(), model.to_owned());
    assert_eq!(
        price(3, "a").await.expect("works"),
        Some(Prices::per_million(1, 1))
    );
    assert_eq!(
        price(4, "a").await.expect("works"),
        Some(Prices::per_million(5, 5))
    );
    assert_eq!(price(4, "b").await.expect("works"), None);
    assert_eq!(price(5, "a").await.expect("works"), None);
}
