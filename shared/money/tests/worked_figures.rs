//! Worked figures: known usages, prices and tiers, and what they must cost to the nano.

use keyward_money::{
    BasisPoints, Charge, LongContextTier, Nanos, OverlappingUsage, Prices, Rates, ServiceTier,
    Usage,
};

const TRIAL: u32 = 1_500;
const STARTER: u32 = 1_000;
const PROFESSIONAL: u32 = 500;
const ENTERPRISE: u32 = 0;

/// Nano-credits per million tokens, from hundredths of a credit.
const fn cents(hundredths: i64) -> i64 {
    hundredths * 10_000_000
}

fn tokens(input_tokens: i64, output_tokens: i64) -> Usage {
    Usage {
        input_tokens,
        output_tokens,
        ..Usage::default()
    }
}

fn gpt_4o() -> Prices {
    Prices::per_million(cents(250), cents(1_000))
}

fn sonnet() -> Prices {
    Rates {
        input: Some(cents(300)),
        output: Some(cents(1_500)),
        cache_read: Some(cents(30)),
        cache_write_5m: Some(cents(375)),
        cache_write_1h: Some(cents(600)),
        search_fee: Some(10_000_000),
        ..Rates::default()
    }
    .into()
}

#[track_caller]
fn check(usage: &Usage, prices: &Prices, markup: u32, list_cost: i64, charge: i64) {
    let expected = Charge {
        list_cost: Nanos::new(list_cost),
        charge: Nanos::new(charge),
        markup: Nanos::new(charge - list_cost),
    };
    assert_eq!(
        Charge::of(usage, prices, BasisPoints::new(markup)),
        Ok(expected),
        "{markup} bp"
    );
}

#[test]
fn figure_1_a_hundred_million_tokens_in_each_tier() {
    let prices = Prices::per_million(cents(3_000), 0);
    let usage = tokens(100_000_000, 0);
    for (markup, charge) in [
        (TRIAL, 3_450_000_000_000),
        (STARTER, 3_300_000_000_000),
        (PROFESSIONAL, 3_150_000_000_000),
        (ENTERPRISE, 3_000_000_000_000),
    ] {
        check(&usage, &prices, markup, 3_000_000_000_000, charge);
    }
}

#[test]
fn figure_2_volumes_at_three_credits_a_million() {
    let prices = Prices::per_million(cents(300), 0);
    for (volume, list_cost, charge) in [
        (10_000_000, 30_000_000_000, 31_500_000_000),
        (100_000_000, 300_000_000_000, 315_000_000_000),
        (1_000_000_000, 3_000_000_000_000, 3_150_000_000_000),
    ] {
        check(&tokens(volume, 0), &prices, PROFESSIONAL, list_cost, charge);
    }
}

#[test]
fn figure_3_prompt_and_completion_of_gpt_4o() {
    let usage = tokens(100_000_000, 100_000_000);
    check(
        &usage,
        &gpt_4o(),
        PROFESSIONAL,
        1_250_000_000_000,
        1_312_500_000_000,
    );
}

#[test]
fn figure_4_a_small_answer_in_each_tier() {
    let usage = tokens(10, 20);
    let gpt_4 = Prices::per_million(cents(3_000), cents(6_000));
    check(&usage, &gpt_4, PROFESSIONAL, 1_500_000, 1_575_000);
    for (markup, charge) in [
        (TRIAL, 258_750),
        (STARTER, 247_500),
        (PROFESSIONAL, 236_250),
        (ENTERPRISE, 225_000),
    ] {
        check(&usage, &gpt_4o(), markup, 225_000, charge);
    }
    let sandbox = Prices::per_million(cents(100), cents(200));
    check(&tokens(3, 3), &sandbox, PROFESSIONAL, 9_000, 9_450);
}

#[test]
fn figure_5_a_year_and_free_models() {
    let month = Charge::of(
        &tokens(100_000_000, 0),
        &Prices::per_million(cents(3_000), 0),
        BasisPoints::new(TRIAL),
    )
    .expect("priced");
    assert_eq!(month.charge.get() * 12, 41_400_000_000_000);
    for (volume, saved_in_a_year) in [
        (10_000_000, 18_000_000_000),
        (1_000_000_000, 1_800_000_000_000),
    ] {
        let month = Charge::of(
            &tokens(volume, 0),
            &Prices::per_million(cents(300), 0),
            BasisPoints::new(PROFESSIONAL),
        )
        .expect("priced");
        assert_eq!(month.markup.get() * 12, saved_in_a_year);
    }
    for markup in [TRIAL, STARTER, PROFESSIONAL, ENTERPRISE] {
        check(
            &tokens(1_000_000_000, 1_000_000_000),
            &Prices::per_million(0, 0),
            markup,
            0,
            0,
        );
    }
}

#[test]
fn figure_6_halves_go_to_even() {
    for (count, price, markup, list_cost, charge) in [
        (1, 37_500_000, PROFESSIONAL, 38, 39),
        (1, 500_000, ENTERPRISE, 0, 0),
        (3, 500_000, ENTERPRISE, 2, 2),
        (1, 10_000_000, PROFESSIONAL, 10, 10),
        (1, 30_000_000, PROFESSIONAL, 30, 32),
    ] {
        check(
            &tokens(count, 0),
            &Prices::per_million(price, 0),
            markup,
            list_cost,
            charge,
        );
    }
}

#[test]
fn figure_7_cached_tokens_are_charged_once() {
    let usage = Usage {
        input_tokens: 1_000,
        cache_read_tokens: 8_000,
        cache_write_5m_tokens: 2_000,
        output_tokens: 500,
        ..Usage::default()
    };
    check(&usage, &sonnet(), STARTER, 20_400_000, 22_440_000);
}

#[test]
fn figure_8_cached_tokens_within_the_prompt() {
    let measured = Usage::from_overlapping(OverlappingUsage {
        prompt_tokens: 262_960,
        cached_tokens: 257_955,
        completion_tokens: 1_744,
        ..OverlappingUsage::default()
    });
    let prices = Rates {
        input: Some(cents(125)),
        cache_read: Some(625_000_000),
        output: Some(cents(1_000)),
        ..Rates::default()
    };
    check(
        &measured.usage,
        &prices.into(),
        ENTERPRISE,
        184_918_125,
        184_918_125,
    );
}

#[test]
fn figure_9_long_prompts_have_their_own_prices() {
    let mut prices = Prices::per_million(cents(125), cents(1_000));
    prices.long_context.push(LongContextTier {
        above_tokens: 200_000,
        inclusive: false,
        prices: Rates {
            input: Some(cents(250)),
            output: Some(cents(1_500)),
            ..Rates::default()
        },
    });
    check(
        &tokens(200_000, 1_000),
        &prices,
        ENTERPRISE,
        260_000_000,
        260_000_000,
    );
    check(
        &tokens(200_001, 1_000),
        &prices,
        ENTERPRISE,
        515_002_500,
        515_002_500,
    );
    let mixed = Usage {
        cache_read_tokens: 1,
        ..tokens(200_000, 1_000)
    };
    check(&mixed, &prices, ENTERPRISE, 515_002_500, 515_002_500);
    prices.long_context[0].inclusive = true;
    check(
        &tokens(200_000, 1_000),
        &prices,
        ENTERPRISE,
        515_000_000,
        515_000_000,
    );
}

#[test]
fn figure_10_searches_have_a_fee() {
    let usage = Usage {
        searches: 3,
        ..tokens(1_000, 100)
    };
    check(&usage, &sonnet(), STARTER, 34_500_000, 37_950_000);
}

#[test]
fn figure_11_contradicting_figures_never_cost_less_than_nothing() {
    let measured = Usage::from_overlapping(OverlappingUsage {
        prompt_tokens: 5,
        cached_tokens: 9,
        ..OverlappingUsage::default()
    });
    assert!(measured.inconsistent);
    check(&measured.usage, &sonnet(), ENTERPRISE, 2_700, 2_700);
}

/// An own key is charged nothing; its list cost is what its owner pays the provider.
#[test]
fn a_hundred_million_tokens_in_credits_as_people_read_them() {
    let prices = Prices::per_million(cents(3_000), 0);
    for (markup, charge) in [
        (TRIAL, "3450.00"),
        (STARTER, "3300.00"),
        (PROFESSIONAL, "3150.00"),
        (ENTERPRISE, "3000.00"),
    ] {
        let cost =
            Charge::of(&tokens(100_000_000, 0), &prices, BasisPoints::new(markup)).expect("priced");
        assert_eq!(cost.charge.to_string(), charge);
        assert_eq!(cost.list_cost.to_string(), "3000.00");
    }
}

#[test]
fn images_are_paid_for_by_piece_or_by_tokens_but_not_by_both() {
    let usage = Usage {
        images: 2,
        output_image_tokens: 2_580,
        ..tokens(10, 0)
    };
    let by_tokens = Rates {
        output_image: Some(cents(3_000)),
        ..Prices::per_million(cents(30), cents(250)).rates
    };
    check(
        &usage,
        &by_tokens.into(),
        ENTERPRISE,
        77_403_000,
        77_403_000,
    );
    let by_piece = Rates {
        image_fee: Some(40_000_000),
        ..by_tokens
    };
    check(&usage, &by_piece.into(), ENTERPRISE, 80_003_000, 80_003_000);
    let not_counted = Usage { images: 0, ..usage };
    check(
        &not_counted,
        &by_piece.into(),
        ENTERPRISE,
        77_403_000,
        77_403_000,
    );
}

#[test]
fn audio_is_paid_for_by_time_or_by_tokens_but_not_by_both() {
    // A minute at 0.006 credits: 100 credits a million milliseconds.
    let usage = Usage {
        audio_ms: 60_000,
        input_audio_tokens: 600,
        ..tokens(10, 100)
    };
    let by_tokens = Rates {
        input_audio: Some(cents(600)),
        ..Prices::per_million(cents(250), cents(1_000)).rates
    };
    check(&usage, &by_tokens.into(), ENTERPRISE, 4_625_000, 4_625_000);
    let by_time = Rates {
        audio_ms: Some(100_000_000),
        ..by_tokens
    };
    check(&usage, &by_time.into(), ENTERPRISE, 7_025_000, 7_025_000);
    let only_time = Rates {
        input: Some(0),
        audio_ms: Some(100_000_000),
        ..Rates::default()
    };
    check(&usage, &only_time.into(), TRIAL, 6_000_000, 6_900_000);
}

#[test]
fn speech_is_paid_for_by_characters_or_by_the_tokens_of_its_text() {
    let usage = Usage {
        characters: 1_000,
        ..tokens(250, 0)
    };
    let prices = Rates {
        characters: Some(cents(1_500)),
        ..Prices::per_million(cents(60), 0).rates
    };
    check(&usage, &prices.into(), STARTER, 15_000_000, 16_500_000);
    let no_characters = Rates {
        characters: None,
        ..prices
    };
    check(&usage, &no_characters.into(), STARTER, 150_000, 165_000);
}

fn with_service_tiers() -> Prices {
    let long = LongContextTier {
        above_tokens: 200_000,
        inclusive: false,
        prices: Prices::per_million(cents(500), cents(2_000)).rates,
    };
    let tier = |name: &str, input, output, long_context| ServiceTier {
        service_tier: name.to_owned(),
        rates: Prices::per_million(input, output).rates,
        long_context,
    };
    let mut prices = sonnet();
    prices.service_tiers = vec![
        tier("batch", cents(150), cents(750), Vec::new()),
        tier("priority", cents(400), cents(1_600), vec![long]),
    ];
    prices
}

#[test]
fn a_service_tier_is_chosen_by_name_and_keeps_the_usual_fees() {
    let prices = with_service_tiers();
    let usage = Usage {
        searches: 1,
        ..tokens(1_000, 100)
    };
    for (name, list_cost) in [
        ("", 14_500_000),
        ("default", 14_500_000),
        ("Batch", 14_500_000),
        ("batch", 12_250_000),
        ("priority", 15_600_000),
    ] {
        let cost = Charge::in_service_tier(&usage, &prices, name, BasisPoints::ZERO);
        assert_eq!(cost.expect("priced").list_cost.get(), list_cost, "{name}");
    }
    let long = Usage {
        searches: 1,
        ..tokens(200_001, 0)
    };
    let cost = Charge::in_service_tier(&long, &prices, "priority", BasisPoints::ZERO);
    assert_eq!(cost.expect("priced").list_cost.get(), 1_010_005_000);
}

#[test]
fn price_books_written_before_there_were_service_tiers_are_read_as_they_were() {
    let text = r#"{"input":2500000000,"output":10000000000,"search_fee":10000000,
        "long_context":[{"above_tokens":200000,"prices":{"input":5000000000}}]}"#;
    let old: Prices = serde_json::from_str(text).expect("readable");
    assert_eq!(old.rates.input, Some(cents(250)));
    assert_eq!(old.long_context.len(), 1);
    assert!(old.service_tiers.is_empty());
    for prices in [old, with_service_tiers()] {
        let text = serde_json::to_string(&prices).expect("written");
        let again: Prices = serde_json::from_str(&text).expect("readable");
        assert_eq!(again, prices);
    }
}
