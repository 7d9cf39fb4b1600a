//! The charge: what a usage costs at list price, and what is charged for it.
//!
//! `num = Σ unitsᵢ·priceᵢ + Σ countⱼ·feeⱼ·10⁶`, `list_cost = rhe(num / 10⁶)`,
//! `charge = rhe(num·(10⁴ + bp) / 10¹⁰)`, `markup = charge − list_cost`, where `rhe` rounds half to
//! even. Each figure is rounded once, from the exact numerator.

use crate::{BasisPoints, MoneyError, Nanos, Prices, Rates, Usage};

/// Units that a price is for.
const PRICE_UNITS: i128 = 1_000_000;
/// The markup's whole, 100 %.
const WHOLE: i128 = BasisPoints::WHOLE as i128;

/// What a usage costs and what is charged for it. `list_cost + markup = charge`, always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Charge {
    /// At list price.
    pub list_cost: Nanos,
    /// With markup.
    pub charge: Nanos,
    /// The difference of the two.
    pub markup: Nanos,
}

/// A charge divided between who asked and the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Capped {
    /// What the account pays.
    pub charged: Nanos,
    /// What is above the cap, and the platform pays.
    pub absorbed: Nanos,
}

impl Charge {
    /// The charge of a usage by the prices and the markup that were pinned, in the usual service
    /// tier.
    ///
    /// ```
    /// use keyward_money::{BasisPoints, Charge, Prices, Usage};
    /// let usage = Usage { input_tokens: 10, output_tokens: 20, ..Usage::default() };
    /// let prices = Prices::per_million(30_000_000_000, 60_000_000_000);
    /// let charge = Charge::of(&usage, &prices, BasisPoints::new(500))?;
    /// assert_eq!(charge.charge.to_string(), "0.001575");
    /// # Ok::<(), keyward_money::MoneyError>(())
    /// ```
    pub fn of(usage: &Usage, prices: &Prices, markup: BasisPoints) -> Result<Self, MoneyError> {
        Self::in_service_tier(usage, prices, "", markup)
    }

    /// The charge of a usage that was served in a service tier of the provider's; in the usual one
    /// where the prices know none of that name.
    pub fn in_service_tier(
        usage: &Usage,
        prices: &Prices,
        service_tier: &str,
        markup: BasisPoints,
    ) -> Result<Self, MoneyError> {
        Self::by_rates(
            usage,
            &prices.rates_for(usage.prompt_tokens(), service_tier),
            markup,
        )
    }

    /// The charge of a usage by the very prices that hold for it.
    pub fn by_rates(usage: &Usage, rates: &Rates, markup: BasisPoints) -> Result<Self, MoneyError> {
        let numerator = numerator(usage, rates)?;
        let list_cost = narrow(divide_half_even(numerator, PRICE_UNITS))?;
        let marked_up = numerator
            .checked_mul(WHOLE + i128::from(markup.get()))
            .ok_or(MoneyError::Overflow)?;
        let charge = narrow(divide_half_even(marked_up, PRICE_UNITS * WHOLE))?;
        let markup = charge.checked_sub(list_cost).ok_or(MoneyError::Overflow)?;
        Ok(Self {
            list_cost,
            charge,
            markup,
        })
    }

    /// Divides the charge at a cap, if there is one.
    pub fn capped(&self, cap: Option<Nanos>) -> Capped {
        let charged = cap.map_or(self.charge, |cap| self.charge.min(cap.max(Nanos::ZERO)));
        Capped {
            charged,
            absorbed: self.charge.saturating_sub(charged),
        }
    }
}

/// How many output tokens an amount would pay for beside the part of `usage` that comes before the
/// answer, by the very prices that hold for it; 0 where not even that is covered, `None` where
/// output costs nothing.
pub fn affordable_output_tokens(
    available: Nanos,
    usage: &Usage,
    rates: &Rates,
    markup: BasisPoints,
) -> Result<Option<i64>, MoneyError> {
    let spent = numerator(&usage.without_output(), rates)?;
    let price = i128::from(rates.output.unwrap_or(0));
    let payable = payable_numerator(available, markup)?;
    if spent > payable {
        return Ok(Some(0));
    }
    if price <= 0 {
        return Ok(None);
    }
    let tokens = (payable - spent) / price;
    Ok(Some(i64::try_from(tokens).unwrap_or(i64::MAX)))
}

/// The largest numerator whose charge is at most `available`; negative where none is.
fn payable_numerator(available: Nanos, markup: BasisPoints) -> Result<i128, MoneyError> {
    if available < Nanos::ZERO {
        return Ok(-1);
    }
    let scale = PRICE_UNITS * WHOLE;
    let whole = i128::from(available.get())
        .checked_mul(scale)
        .ok_or(MoneyError::Overflow)?;
    // Half a nano more still rounds down; exactly half only to an even amount.
    let half = scale / 2 - i128::from(available.get() % 2);
    Ok((whole + half) / (WHOLE + i128::from(markup.get())))
}

/// The exact cost in millionths of a nano-credit.
fn numerator(usage: &Usage, rates: &Rates) -> Result<i128, MoneyError> {
    let units = rates.unit_lines(usage).ok_or(MoneyError::Unpriced)?;
    let unit_terms = units
        .into_iter()
        .map(|(units, price)| product(units, price));
    let fee_terms = rates
        .fee_lines(usage)
        .into_iter()
        .map(|(count, fee)| product(count, fee)?.checked_mul(PRICE_UNITS));
    unit_terms
        .chain(fee_terms)
        .try_fold(0_i128, |sum, term| sum.checked_add(term?))
        .ok_or(MoneyError::Overflow)
}

/// Neither a negative count nor a negative price can turn a cost into a gift.
fn product(units: i64, price: i64) -> Option<i128> {
    i128::from(units.max(0)).checked_mul(i128::from(price.max(0)))
}

/// Division of a dividend that is not negative, rounded half to even.
fn divide_half_even(dividend: i128, divisor: i128) -> i128 {
    let (quotient, remainder) = (dividend / divisor, dividend % divisor);
    let round_up = match (remainder * 2).cmp(&divisor) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => quotient % 2 == 1,
        std::cmp::Ordering::Greater => true,
    };
    quotient + i128::from(round_up)
}

fn narrow(amount: i128) -> Result<Nanos, MoneyError> {
    i64::try_from(amount)
        .map(Nanos::new)
        .map_err(|_| MoneyError::Overflow)
}
