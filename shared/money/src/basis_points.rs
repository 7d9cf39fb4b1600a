//! Markups in basis points.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Nanos;

/// A markup in basis points: 500 is 5 %.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct BasisPoints(u32);

impl BasisPoints {
    /// No markup.
    pub const ZERO: Self = Self(0);
    /// The whole, 100 %.
    pub const WHOLE: u32 = 10_000;

    /// A markup of so many basis points.
    pub const fn new(basis_points: u32) -> Self {
        Self(basis_points)
    }

    /// An amount with this markup on it, rounded half to even; the nearest that fits where it does
    /// not.
    pub fn on(self, amount: Nanos) -> Nanos {
        let whole = i128::from(Self::WHOLE);
        let exact = i128::from(amount.get()) * (whole + i128::from(self.0));
        let (quotient, rest) = (exact.div_euclid(whole), exact.rem_euclid(whole));
        let round_up = match (rest * 2).cmp(&whole) {
            Ordering::Less => false,
            Ordering::Equal => quotient % 2 != 0,
            Ordering::Greater => true,
        };
        let bound = if exact < 0 { i64::MIN } else { i64::MAX };
        Nanos::new(i64::try_from(quotient + i128::from(round_up)).unwrap_or(bound))
    }

    /// How many basis points.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for BasisPoints {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} bp", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_markup_on_an_amount_is_rounded_once_half_to_even() {
        for (markup, amount, marked_up) in [
            (0, 7, 7),
            (500, 9_000, 9_450),
            (5_000, 1, 2),
            (5_000, 3, 4),
            (500, 10, 10),
            (500, 30, 32),
            (1_500, i64::MAX, i64::MAX),
            (1_500, i64::MIN, i64::MIN),
            (500, -10, -10),
        ] {
            let on = BasisPoints::new(markup).on(Nanos::new(amount));
            assert_eq!(on.get(), marked_up, "{markup} bp on {amount}");
        }
    }
}
