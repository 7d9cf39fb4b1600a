//! What cannot be, what two lists make of each other, and what a refresh holds back.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at what it did not expect"
)]

use keyward_catalog::{Catalog, CatalogFile, Source};
use keyward_catalog_import::diff::{Kind, diff};
use keyward_catalog_import::merge::{Merged, Recipe, merge};
use keyward_catalog_import::refresh::{Doubt, price_doubt, refresh};
use keyward_catalog_import::sanity::{self, Implausible};
use keyward_catalog_import::{Form, Reading, Row};
use keyward_money::{Prices, Rates, ServiceTier};

const DAY: &str = "2026-11-21";
const CREDIT: i64 = 1_000_000_000;

fn hand() -> CatalogFile {
    CatalogFile::hand().expect("a file kept by hand")
}

fn row(provider: &str, upstream: &str, prices: Prices) -> Row {
    Row {
        provider: provider.to_owned(),
        upstream: upstream.to_owned(),
        endpoints: vec![keyward_catalog::Endpoint::ChatCompletions],
        prices: Some(prices),
        ..Row::default()
    }
}

fn per_million(input: i64, output: i64) -> Prices {
    Prices::per_million(input * CREDIT, output * CREDIT)
}

fn merged(form: Form, rows: Vec<Row>, second: Option<Vec<Row>>) -> Merged {
    let source = |form: Form| Source {
        name: form.name().to_owned(),
        version: "1".to_owned(),
    };
    let mut sources = vec![source(form)];
    sources.extend(second.as_ref().map(|_| source(Form::GenaiPrices)));
    let recipe = Recipe {
        version: 2_026_112_199,
        as_of: DAY.to_owned(),
        sources,
    };
    let second = second.map(|rows| Reading {
        form: Form::GenaiPrices,
        rows,
    });
    merge(Reading { form, rows }, second, &hand(), recipe)
}

fn prices_of<'a>(file: &'a CatalogFile, model: &str, provider: &str) -> Option<&'a Prices> {
    let model = file.models.iter().find(|it| it.id == model)?;
    let offer = model.offers.iter().find(|it| it.provider == provider)?;
    offer.prices.as_ref()
}

#[test]
fn prices_for_another_unit_are_refused() {
    let check = |rates: Rates, expect: Option<Implausible>| {
        let mut row = row("openai", "made-up-1", rates.into());
        assert_eq!(sanity::check(&mut row), expect, "{rates:?}");
        assert_eq!(row.prices.is_none(), expect.is_some(), "{rates:?}");
    };
    let fair = Rates {
        input: Some(CREDIT),
        output: Some(2 * CREDIT),
        ..Rates::default()
    };
    check(fair, None);
    let dearest = Rates {
        output: Some(1_000 * CREDIT),
        ..fair
    };
    check(dearest, None);
    let per_thousand = Rates {
        output: Some(9_710 * CREDIT),
        ..fair
    };
    check(per_thousand, Some(Implausible::Tokens));
    let fee = Rates {
        request_fee: Some(11 * CREDIT),
        ..fair
    };
    check(fee, Some(Implausible::Fee));
    let sound = Rates {
        audio_ms: Some(101 * CREDIT),
        ..fair
    };
    check(sound, Some(Implausible::Audio));
    let silent = Rates {
        output: None,
        ..fair
    };
    check(silent, Some(Implausible::NoOutput));
}

#[test]
fn a_cache_that_costs_more_than_it_spares_has_no_price() {
    let rates = Rates {
        input: Some(CREDIT),
        output: Some(CREDIT),
        cache_read: Some(2 * CREDIT),
        cache_write_5m: Some(0),
        ..Rates::default()
    };
    let mut row = row("openai", "made-up-1", rates.into());
    assert_eq!(sanity::check(&mut row), None);
    let left = row.prices.expect("the rest stays").rates;
    assert_eq!((left.cache_read, left.cache_write_5m), (None, None));
}

#[test]
fn two_lists_that_agree_complete_each_other_and_others_are_reported() {
    let with_cache = Prices::from(Rates {
        cache_read: Some(CREDIT / 10),
        ..per_million(1, 2).rates
    });
    let first = vec![
        row("openai", "agrees", per_million(1, 2)),
        row("openai", "differs", per_million(1, 2)),
        row("openai", "worlds-apart", per_million(1, 2)),
    ];
    let second = vec![
        row("openai", "agrees", with_cache.clone()),
        row("openai", "differs", per_million(1, 3)),
        row("openai", "worlds-apart", per_million(1_000, 2)),
        row("openrouter", "acme/only-there", per_million(5, 6)),
    ];
    let merged = merged(Form::LiteLlm, first, Some(second));
    assert_eq!(
        prices_of(&merged.file, "openai/agrees", "openai"),
        Some(&with_cache)
    );
    assert_eq!(
        prices_of(&merged.file, "openai/differs", "openai"),
        Some(&per_million(1, 2))
    );
    assert_eq!(
        prices_of(&merged.file, "acme/only-there", "openrouter"),
        Some(&per_million(5, 6))
    );
    assert_eq!(
        prices_of(&merged.file, "openai/worlds-apart", "openai"),
        None
    );
    let differing: Vec<_> = merged.disagreements.iter().map(|it| it.kind).collect();
    assert_eq!(differing, ["output"]);
    assert_eq!(merged.refusals[0].reason, Implausible::Factor);
    assert!(merged.report().contains("differs"), "{}", merged.report());
}

#[test]
fn one_model_has_many_sellers_where_their_names_say_so() {
    let price = per_million(1, 2);
    let rows = [
        ("openai", "gpt-4o"),
        ("azure", "gpt-4o"),
        ("openrouter", "openai/gpt-4o"),
        ("openrouter", "anthropic/claude-made.up"),
        ("anthropic", "claude-made-up"),
        ("openrouter", "acme/made-up-1b"),
        ("together", "Acme/Made-Up-1B"),
        ("fireworks", "accounts/fireworks/models/made-up-1b"),
        ("openrouter", "~acme/latest"),
        ("openrouter", "made-up-without-vendor"),
        ("groq", "made-up-elsewhere"),
    ];
    let rows = rows.map(|(provider, name)| row(provider, name, price.clone()));
    let merged = merged(Form::LiteLlm, rows.to_vec(), None);
    let found: Vec<(&str, Vec<&str>)> = merged
        .file
        .models
        .iter()
        .map(|model| {
            let offers = model.offers.iter().map(|offer| offer.provider.as_str());
            (model.id.as_str(), offers.collect())
        })
        .collect();
    assert_eq!(
        found,
        [
            (
                "acme/made-up-1b",
                vec!["fireworks", "openrouter", "together"]
            ),
            ("anthropic/claude-made-up", vec!["anthropic", "openrouter"]),
            ("groq/made-up-elsewhere", vec!["groq"]),
            ("openai/gpt-4o", vec!["azure", "openai", "openrouter"]),
        ]
    );
    let catalog = Catalog::of(merged.file.under(hand()), &[]).expect("a catalogue");
    let id = |name: &str| catalog.resolve(name).map(|model| model.id.as_str());
    assert_eq!(
        id("anthropic/claude-made.up"),
        Some("anthropic/claude-made-up")
    );
    assert_eq!(id("Acme/Made-Up-1B"), Some("acme/made-up-1b"));
}

#[test]
fn doubtful_prices_are_those_that_change_tenfold_or_go_away() {
    let check = |before: Option<i64>, after: Option<i64>, expect: Option<Doubt>| {
        assert_eq!(price_doubt(before, after), expect, "{before:?} {after:?}");
    };
    check(Some(100), Some(1_000), None);
    check(Some(100), Some(1_001), Some(Doubt::Tenfold));
    check(Some(1_000), Some(100), None);
    check(Some(1_001), Some(100), Some(Doubt::Tenfold));
    check(Some(100), Some(0), Some(Doubt::Free));
    check(Some(100), None, Some(Doubt::Unpriced));
    check(Some(0), None, None);
    check(Some(0), Some(500), None);
    check(None, Some(500), None);
}

#[test]
fn a_refresh_takes_what_is_plausible_and_names_the_rest() {
    let before = vec![
        row("openai", "steady", per_million(1, 2)),
        row("openai", "cheaper", per_million(4, 8)),
        row("openai", "absurd", per_million(1, 2)),
        row("openai", "gone", per_million(1, 2)),
    ];
    let after = vec![
        row("openai", "steady", per_million(1, 2)),
        row("openai", "cheaper", per_million(3, 8)),
        row("openai", "absurd", per_million(100, 2)),
        row("openai", "new", per_million(7, 7)),
    ];
    let current = merged(Form::LiteLlm, before, None).file;
    let read = merged(Form::LiteLlm, after, None);

    let refreshed = refresh(&current, &read, false);
    let held: Vec<_> = refreshed
        .held_back
        .iter()
        .map(|held| (held.change.model.as_str(), held.doubt))
        .collect();
    assert_eq!(held, [("openai/absurd", Doubt::Tenfold)]);
    let changed: Vec<_> = refreshed
        .changes
        .iter()
        .map(|change| change.model.as_str())
        .collect();
    assert_eq!(changed, ["openai/cheaper", "openai/gone", "openai/new"]);
    assert_eq!(refreshed.changes[0].kind.rise_basis_points(), Some(-2_500));
    assert_eq!(refreshed.changes[1].kind, Kind::Removed);
    assert_eq!(
        prices_of(&refreshed.file, "openai/absurd", "openai"),
        Some(&per_million(1, 2))
    );

    let accepted = refresh(&current, &read, true);
    assert!(accepted.held_back.is_empty());
    assert_eq!(
        prices_of(&accepted.file, "openai/absurd", "openai"),
        Some(&per_million(100, 2))
    );
    assert!(diff(&accepted.file, &read.file).is_empty());
}

#[test]
fn the_last_price_of_an_offer_does_not_go_away_unseen() {
    let by_piece = Rates {
        input: Some(0),
        output: Some(0),
        image_fee: Some(CREDIT),
        ..Rates::default()
    };
    let free = Rates {
        image_fee: None,
        ..by_piece
    };
    let read = |rates: Rates| {
        let row = row("openai", "paints", rates.into());
        merged(Form::LiteLlm, vec![row], None)
    };
    let current = read(by_piece).file;
    let refreshed = refresh(&current, &read(free), false);
    let doubts: Vec<_> = refreshed.held_back.iter().map(|it| it.doubt).collect();
    assert_eq!(doubts, [Doubt::Unpriced]);
    assert!(refreshed.changes.is_empty(), "{:?}", refreshed.changes);
    let kept = prices_of(&refreshed.file, "openai/paints", "openai");
    assert_eq!(kept, Some(&by_piece.into()));
}

#[test]
fn a_price_besides_the_main_ones_does_not_go_away_unseen() {
    let mut batch = per_million(1, 2);
    batch.service_tiers.push(ServiceTier {
        service_tier: "batch".to_owned(),
        rates: per_million(1, 1).rates,
        long_context: Vec::new(),
    });
    let cache = Prices::from(Rates {
        cache_read: Some(CREDIT / 10),
        ..per_million(1, 2).rates
    });
    for (before, lost) in [(batch, 2), (cache, 1)] {
        let read = |prices: &Prices| {
            let row = row("openai", "sold", prices.clone());
            merged(Form::LiteLlm, vec![row], None)
        };
        let current = read(&before).file;
        let refreshed = refresh(&current, &read(&per_million(1, 2)), false);
        let doubts: Vec<_> = refreshed.held_back.iter().map(|it| it.doubt).collect();
        assert_eq!(doubts, vec![Doubt::Unpriced; lost]);
        assert!(refreshed.changes.is_empty(), "{:?}", refreshed.changes);
        let kept = prices_of(&refreshed.file, "openai/sold", "openai");
        assert_eq!(kept, Some(&before));
    }
}

#[test]
fn what_else_changes_of_a_model_is_counted_and_taken() {
    let read = |context_tokens| {
        let row = Row {
            context_tokens: Some(context_tokens),
            ..row("openai", "grows", per_million(1, 2))
        };
        merged(Form::LiteLlm, vec![row], None)
    };
    let current = read(8_000).file;
    let same = refresh(&current, &read(8_000), false);
    assert_eq!((same.changes.len(), same.other_models), (0, 0));
    let longer = refresh(&current, &read(16_000), false);
    assert_eq!((longer.changes.len(), longer.other_models), (0, 1));
    assert_eq!(longer.file.models[0].context_tokens, Some(16_000));
}

#[test]
fn a_list_that_lost_most_of_a_provider_takes_nothing_away() {
    let rows = |names: &[&str]| {
        let row = |name: &&str| row("openai", name, per_million(1, 2));
        names.iter().map(row).collect::<Vec<_>>()
    };
    let current = merged(Form::LiteLlm, rows(&["a", "b", "c"]), None).file;
    let read = merged(Form::LiteLlm, rows(&["a"]), None);
    let refreshed = refresh(&current, &read, false);
    assert!(refreshed.changes.is_empty(), "{:?}", refreshed.changes);
    let doubts: Vec<_> = refreshed.held_back.iter().map(|it| it.doubt).collect();
    assert_eq!(doubts, [Doubt::ProviderMissing; 2]);
}

#[test]
fn a_list_without_a_provider_takes_nothing_of_it_away() {
    let both = |names: [&str; 3]| {
        let row = |name: &str| row("groq", name, per_million(1, 2));
        names.map(row).to_vec()
    };
    let first = [both(["a", "b", "c"]), both(["d", "e", "f"])].concat();
    let current = merged(Form::LiteLlm, first, Some(both(["a", "b", "c"]))).file;
    let check = |names: &[&str], expect: usize| {
        let rows = names
            .iter()
            .map(|name| row("groq", name, per_million(1, 2)));
        let other = row("openai", "other", per_million(1, 2));
        let rows = rows.chain([other]).collect();
        let refreshed = refresh(&current, &merged(Form::LiteLlm, rows, None), false);
        let doubts: Vec<_> = refreshed.held_back.iter().map(|it| it.doubt).collect();
        assert_eq!(doubts, vec![Doubt::ProviderMissing; expect], "{names:?}");
    };
    // Of six, half are of the other list too, and stay in any case.
    check(&[], 3);
    check(&["a", "b"], 3);
    check(&["a", "b", "c"], 0);
    check(&["a", "b", "c", "d", "e"], 0);
}

#[test]
fn another_list_completes_prices_and_takes_no_models_away() {
    let known = Prices::from(Rates {
        cache_read: Some(CREDIT / 10),
        ..per_million(1, 2).rates
    });
    let before = vec![
        row("openai", "kept", per_million(1, 2)),
        row("openrouter", "openai/kept", known.clone()),
    ];
    let current = merged(Form::LiteLlm, before, None).file;
    let read = merged(
        Form::OpenRouter,
        vec![row("openrouter", "openai/kept", per_million(1, 2))],
        None,
    );
    let refreshed = refresh(&current, &read, false);
    assert!(refreshed.changes.is_empty(), "{:?}", refreshed.changes);
    assert_eq!(
        prices_of(&refreshed.file, "openai/kept", "openrouter"),
        Some(&known)
    );
}
