//! The charge against an oracle of exact rational numbers of any size.

use keyward_money::{
    BasisPoints, Charge, MoneyError, Nanos, Prices, Rates, ServiceTier, Usage,
    affordable_output_tokens,
};
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{ToPrimitive as _, Zero as _};
use proptest::prelude::*;

fn ratio(numerator: impl Into<BigInt>, denominator: impl Into<BigInt>) -> BigRational {
    BigRational::new(numerator.into(), denominator.into())
}

fn round_half_even(value: &BigRational) -> BigInt {
    let floor = value.floor().to_integer();
    let rest = value - BigRational::from_integer(floor.clone());
    let half = ratio(1, 2);
    let odd = !(&floor % 2_u32).is_zero();
    if rest > half || (rest == half && odd) {
        floor + 1_u32
    } else {
        floor
    }
}

/// The cost in nano-credits, not rounded; written from the table of fall-backs, not from the code.
fn exact_cost(usage: &Usage, rates: &Rates) -> Option<BigRational> {
    let input = rates.input?;
    let output = rates.output.unwrap_or(0);
    let write_5m = rates.cache_write_5m.unwrap_or(input);
    // What is paid for by piece, time or length is not paid for by tokens as well.
    let unless = |other: i64, price: Option<i64>, price_of_tokens: i64| match (other, price) {
        (1.., Some(_)) => 0,
        _ => price_of_tokens,
    };
    let by_time = |price| unless(usage.audio_ms, rates.audio_ms, price);
    let by_piece = |price| unless(usage.images, rates.image_fee, price);
    let by_length = |price| unless(usage.characters, rates.characters, price);
    let mut cost = BigRational::zero();
    for (units, price) in [
        (usage.input_tokens, by_length(input)),
        (usage.cache_read_tokens, rates.cache_read.unwrap_or(input)),
        (usage.cache_write_5m_tokens, write_5m),
        (
            usage.cache_write_1h_tokens,
            rates.cache_write_1h.unwrap_or(write_5m),
        ),
        (
            usage.input_audio_tokens,
            by_time(rates.input_audio.unwrap_or(input)),
        ),
        (usage.input_image_tokens, rates.input_image.unwrap_or(input)),
        (usage.output_tokens, output),
        (usage.reasoning_tokens, rates.reasoning.unwrap_or(output)),
        (
            usage.output_audio_tokens,
            by_time(rates.output_audio.unwrap_or(output)),
        ),
        (
            usage.output_image_tokens,
            by_piece(rates.output_image.unwrap_or(output)),
        ),
        (usage.audio_ms, rates.audio_ms.unwrap_or(0)),
        (usage.characters, rates.characters.unwrap_or(0)),
    ] {
        cost += ratio(units, 1) * ratio(price, 1_000_000);
    }
    cost += ratio(usage.searches, 1) * ratio(rates.search_fee.unwrap_or(0), 1);
    cost += ratio(usage.images, 1) * ratio(rates.image_fee.unwrap_or(0), 1);
    cost += ratio(rates.request_fee.unwrap_or(0), 1);
    Some(cost)
}

fn exact_charge(cost: &BigRational, markup: BasisPoints) -> BigInt {
    round_half_even(&(cost * ratio(10_000 + i64::from(markup.get()), 10_000)))
}

prop_compose! {
    fn any_usage(most: i64)(
        counts in prop::array::uniform11(0..=most),
        pieces in prop::array::uniform3(prop_oneof![Just(0), 0..=most]),
    ) -> Usage {
        let [a, b, c, d, e, f, g, h, i, j, k] = counts;
        let [images, audio_ms, characters] = pieces;
        Usage {
            input_tokens: a,
            cache_read_tokens: b,
            cache_write_5m_tokens: c,
            cache_write_1h_tokens: d,
            input_audio_tokens: e,
            input_image_tokens: f,
            output_tokens: g,
            reasoning_tokens: h,
            output_audio_tokens: i,
            output_image_tokens: j,
            searches: k % 100,
            images: images % 100,
            audio_ms,
            characters,
        }
    }
}

prop_compose! {
    fn any_rates(most: i64)(
        prices in prop::array::uniform15(prop::option::of(0..=most)),
    ) -> Rates {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o] = prices;
        Rates {
            input: a,
            output: b,
            cache_read: c,
            cache_write_5m: d,
            cache_write_1h: e,
            input_audio: f,
            input_image: g,
            reasoning: h,
            output_audio: i,
            output_image: j,
            search_fee: k,
            request_fee: l,
            image_fee: m,
            audio_ms: n,
            characters: o,
        }
    }
}

fn any_markup() -> impl Strategy<Value = BasisPoints> {
    prop_oneof![
        Just(0_u32),
        Just(500),
        Just(1_000),
        Just(1_500),
        0..=20_000_u32,
        Just(u32::MAX)
    ]
    .prop_map(BasisPoints::new)
}

fn check(usage: &Usage, rates: Rates, markup: BasisPoints) -> Result<(), TestCaseError> {
    let actual = Charge::of(usage, &rates.into(), markup);
    let Some(cost) = exact_cost(usage, &rates) else {
        prop_assert_eq!(actual, Err(MoneyError::Unpriced));
        return Ok(());
    };
    let charge = exact_charge(&cost, markup).to_i64();
    let Some((list_cost, charge)) = round_half_even(&cost).to_i64().zip(charge) else {
        prop_assert_eq!(actual, Err(MoneyError::Overflow));
        return Ok(());
    };
    let actual = actual.map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(actual.list_cost, Nanos::new(list_cost));
    prop_assert_eq!(actual.charge, Nanos::new(charge));
    prop_assert_eq!(
        actual.list_cost.checked_add(actual.markup),
        Some(actual.charge)
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn usual_charges_equal_the_oracle(
        usage in any_usage(2_000_000),
        rates in any_rates(200_000_000_000),
        markup in any_markup(),
    ) {
        check(&usage, rates, markup)?;
    }

    #[test]
    fn tiny_charges_equal_the_oracle(
        usage in any_usage(9),
        rates in any_rates(3_000_000),
        markup in any_markup(),
    ) {
        check(&usage, rates, markup)?;
    }

    #[test]
    fn a_service_tier_costs_its_own_prices_and_the_usual_fees(
        usage in any_usage(2_000_000),
        usual in any_rates(200_000_000_000),
        tier in any_rates(200_000_000_000),
        markup in any_markup(),
    ) {
        let mut prices = Prices::from(usual);
        prices.service_tiers.push(ServiceTier {
            service_tier: "flex".to_owned(),
            rates: tier,
            long_context: Vec::new(),
        });
        let expected = if tier.input.is_some() {
            Rates {
                search_fee: tier.search_fee.or(usual.search_fee),
                request_fee: tier.request_fee.or(usual.request_fee),
                image_fee: tier.image_fee.or(usual.image_fee),
                audio_ms: tier.audio_ms.or(usual.audio_ms),
                characters: tier.characters.or(usual.characters),
                ..tier
            }
        } else {
            usual
        };
        for (name, rates) in [("flex", expected), ("", usual), ("default", usual)] {
            let actual = Charge::in_service_tier(&usage, &prices, name, markup);
            prop_assert_eq!(actual, Charge::of(&usage, &rates.into(), markup));
        }
    }

    #[test]
    fn halves_equal_the_oracle(halves in 0..100_000_i64, markup in any_markup()) {
        let usage = Usage { input_tokens: halves, ..Usage::default() };
        check(&usage, Rates { input: Some(500_000), ..Rates::default() }, markup)?;
        check(&usage, Rates { input: Some(10_000_000), ..Rates::default() }, markup)?;
    }

    #[test]
    fn huge_charges_equal_the_oracle_or_say_that_they_do_not_fit(
        usage in any_usage(i64::MAX),
        rates in any_rates(i64::MAX),
        markup in any_markup(),
    ) {
        let actual = Charge::of(&usage, &rates.into(), markup);
        if actual != Err(MoneyError::Overflow) {
            check(&usage, rates, markup)?;
        }
    }

    #[test]
    fn affordable_output_is_the_most_that_the_balance_covers(
        available in prop_oneof![-10..2_000_i64, 0..1_000_000_000_000_i64],
        input_tokens in 0..10_000_i64,
        input in 0..100_000_000_000_i64,
        output in prop_oneof![0..2_000_000_i64, 1..100_000_000_000_i64],
        markup in any_markup(),
    ) {
        let prices = Prices::per_million(input, output);
        let usage = |output_tokens| Usage { input_tokens, output_tokens, ..Usage::default() };
        let charge = |output_tokens| {
            let charge = Charge::of(&usage(output_tokens), &prices, markup);
            charge.map_or(i64::MAX, |charge| charge.charge.get())
        };
        let affordable =
            affordable_output_tokens(Nanos::new(available), &usage(77), &prices.rates, markup);
        match affordable {
            Ok(None) => prop_assert_eq!(output, 0),
            Ok(Some(0)) => prop_assert!(charge(1) > available),
            Ok(Some(tokens)) => {
                prop_assert!(charge(tokens) <= available);
                prop_assert!(charge(tokens + 1) > available);
            }
            Err(error) => prop_assert!(false, "{}", error),
        }
    }
}

#[test]
fn a_cap_divides_the_charge_between_account_and_platform() {
    let usage = Usage {
        input_tokens: 100,
        ..Usage::default()
    };
    let charge = Charge::of(
        &usage,
        &Prices::per_million(1_000_000, 0),
        BasisPoints::ZERO,
    )
    .expect("priced");
    for (cap, charged, absorbed) in [
        (None, 100, 0),
        (Some(100), 100, 0),
        (Some(30), 30, 70),
        (Some(0), 0, 100),
        (Some(-1), 0, 100),
    ] {
        let capped = charge.capped(cap.map(Nanos::new));
        assert_eq!(
            (capped.charged.get(), capped.absorbed.get()),
            (charged, absorbed),
            "{cap:?}"
        );
    }
}
