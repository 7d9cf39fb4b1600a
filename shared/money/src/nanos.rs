//! Amounts of money: nano-credits, and their decimal form in credits.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// Decimals of a credit that an amount can have.
const DECIMALS: usize = 9;
/// Decimals that are always written.
const DECIMALS_MIN: usize = 2;

/// An amount in nano-credits. Its text form, here and in JSON, is a decimal string in credits with
/// at least two and at most nine decimals, such as `0.00` or `9.99999055`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Nanos(i64);

/// Why a text is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseNanosError {
    /// Not digits with at most one point.
    #[error("not a decimal number such as \"10\" or \"0.25\"")]
    NotDecimal,
    /// Finer than a nano-credit.
    #[error("more than nine decimals")]
    TooFine,
    /// More than 9,223,372,036.854775807 credits either way.
    #[error("out of range")]
    OutOfRange,
}

impl Nanos {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// One credit.
    pub const CREDIT: Self = Self(1_000_000_000);
    /// The largest amount.
    pub const MAX: Self = Self(i64::MAX);

    /// So many nano-credits.
    pub const fn new(nanos: i64) -> Self {
        Self(nanos)
    }

    /// How many nano-credits.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Whether it is exactly nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum, where it fits.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(nanos) => Some(Self(nanos)),
            None => None,
        }
    }

    /// The sum, or the nearest amount that fits.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, where it fits.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(nanos) => Some(Self(nanos)),
            None => None,
        }
    }

    /// The difference, or the nearest amount that fits.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The same amount the other way, where it fits.
    pub const fn checked_neg(self) -> Option<Self> {
        match self.0.checked_neg() {
            Some(nanos) => Some(Self(nanos)),
            None => None,
        }
    }
}

impl fmt::Display for Nanos {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let magnitude = self.0.unsigned_abs();
        let per_credit = Self::CREDIT.0.unsigned_abs();
        let decimals = format!("{:09}", magnitude % per_credit);
        let kept = decimals.trim_end_matches('0').len().max(DECIMALS_MIN);
        write!(
            formatter,
            "{sign}{}.{}",
            magnitude / per_credit,
            &decimals[..kept]
        )
    }
}

impl FromStr for Nanos {
    type Err = ParseNanosError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, decimals) = match digits.split_once('.') {
            Some((whole, decimals)) if !decimals.is_empty() => (whole, decimals),
            Some(_) => return Err(ParseNanosError::NotDecimal),
            None => (digits, ""),
        };
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(decimals) {
            return Err(ParseNanosError::NotDecimal);
        }
        if decimals.len() > DECIMALS {
            return Err(ParseNanosError::TooFine);
        }
        let mut magnitude: i128 = 0;
        for digit in whole.bytes().chain(decimals.bytes()) {
            magnitude = push_digit(magnitude, digit)?;
        }
        for _ in decimals.len()..DECIMALS {
            magnitude = push_digit(magnitude, b'0')?;
        }
        let nanos = if negative { -magnitude } else { magnitude };
        i64::try_from(nanos)
            .map(Self)
            .map_err(|_| ParseNanosError::OutOfRange)
    }
}

/// Appends an ASCII digit; stops long before 128 bits overflow.
fn push_digit(magnitude: i128, digit: u8) -> Result<i128, ParseNanosError> {
    let next = magnitude * 10 + i128::from(digit - b'0');
    if next > i128::from(i64::MAX) + 1 {
        Err(ParseNanosError::OutOfRange)
    } else {
        Ok(next)
    }
}

impl Serialize for Nanos {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Nanos {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DecimalText;
        impl Visitor<'_> for DecimalText {
            type Value = Nanos;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an amount as a decimal string of up to nine decimals")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Nanos, E> {
                text.parse()
                    .map_err(|error| E::custom(format_args!("amount {text:?}: {error}")))
            }
        }
        deserializer.deserialize_str(DecimalText)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::de::IntoDeserializer as _;
    use serde::de::value::{Error as ValueError, StrDeserializer};

    use super::*;

    #[test]
    fn amounts_are_written_with_two_to_nine_decimals() {
        for (nanos, text) in [
            (0, "0.00"),
            (1, "0.000000001"),
            (10, "0.00000001"),
            (9_450, "0.00000945"),
            (1_575_000, "0.001575"),
            (9_999_990_550, "9.99999055"),
            (1_000_000_000, "1.00"),
            (1_500_000_000, "1.50"),
            (10_000_000_000, "10.00"),
            (-2_075_000, "-0.002075"),
            (-1_000_000_000, "-1.00"),
            (i64::MAX, "9223372036.854775807"),
            (i64::MIN, "-9223372036.854775808"),
        ] {
            assert_eq!(Nanos::new(nanos).to_string(), text);
            assert_eq!(text.parse(), Ok(Nanos::new(nanos)));
        }
    }

    #[test]
    fn input_may_have_fewer_or_more_zeros() {
        for (text, nanos) in [
            ("10", 10_000_000_000),
            ("0010", 10_000_000_000),
            ("10.0", 10_000_000_000),
            ("10.000000000", 10_000_000_000),
            ("-0", 0),
            ("0.1", 100_000_000),
            ("0.05", 50_000_000),
        ] {
            assert_eq!(text.parse(), Ok(Nanos::new(nanos)), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        use ParseNanosError::{NotDecimal, OutOfRange, TooFine};
        let long = "9".repeat(10_000);
        for (text, error) in [
            ("", NotDecimal),
            ("-", NotDecimal),
            (".5", NotDecimal),
            ("5.", NotDecimal),
            ("+5", NotDecimal),
            ("--5", NotDecimal),
            ("1e3", NotDecimal),
            ("1,5", NotDecimal),
            ("1_000", NotDecimal),
            (" 1", NotDecimal),
            ("1 ", NotDecimal),
            ("1.2.3", NotDecimal),
            ("٣", NotDecimal),
            ("NaN", NotDecimal),
            ("inf", NotDecimal),
            ("0.0000000001", TooFine),
            ("1.0000000000", TooFine),
            ("9223372036.854775808", OutOfRange),
            ("-9223372036.854775809", OutOfRange),
            (long.as_str(), OutOfRange),
        ] {
            assert_eq!(text.parse::<Nanos>(), Err(error), "{text}");
        }
    }

    #[test]
    fn json_form_is_the_decimal_string() {
        let text: StrDeserializer<'_, ValueError> = "0.25".into_deserializer();
        assert_eq!(Nanos::deserialize(text), Ok(Nanos::new(250_000_000)));
        let wrong: StrDeserializer<'_, ValueError> = "a lot".into_deserializer();
        let error = Nanos::deserialize(wrong).expect_err("not an amount");
        assert!(error.to_string().contains("a lot"), "{error}");
    }

    proptest! {
        #[test]
        fn every_amount_survives_its_text_form(nanos: i64) {
            let amount = Nanos::new(nanos);
            prop_assert_eq!(amount.to_string().parse(), Ok(amount));
        }

        #[test]
        fn no_text_makes_parsing_fail_badly(text in ".*") {
            let _ = text.parse::<Nanos>();
        }
    }
}
