//! Decimal numbers as they are written, to whole nano-credits. Never a float: a price that was
//! `0.1 + 0.2` somewhere is rounded to twelve significant digits, which removes the dust and leaves
//! every price that anybody ever set.

/// Significant digits that are kept.
const DIGITS: usize = 12;

/// A number as it was written, rounded to twelve significant digits, half to even.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    mantissa: i128,
    exponent: i32,
}

/// What a price is for, which decides how it becomes nano-credits per 1,000,000 units, or each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// One token or character; becomes a price per million.
    Unit,
    /// A million tokens or characters.
    Million,
    /// A second; becomes a price per million milliseconds.
    Second,
    /// An hour; becomes a price per million milliseconds.
    Hour,
    /// One piece: an image, a search, a request; stays a fee.
    Each,
    /// A thousand pieces; becomes the fee of one.
    Thousand,
}

impl Per {
    /// By what a price in credits is multiplied: a power of ten, and a divisor.
    const fn scale(self) -> (i32, i128) {
        match self {
            Self::Unit => (15, 1),
            Self::Million | Self::Each => (9, 1),
            Self::Second => (12, 1),
            Self::Hour => (12, 3_600),
            Self::Thousand => (6, 1),
        }
    }
}

impl Decimal {
    /// Reads `1.5`, `-2`, `1e-06` and the like; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_matches('"');
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (sign, number) = match number.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, number),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let digits = digits.trim_start_matches('0');
        let decimals = i32::try_from(fraction.len()).ok()?;
        let (mantissa, dropped) = rounded(digits)?;
        Some(Self {
            mantissa: sign * mantissa,
            exponent: exponent.checked_sub(decimals)?.checked_add(dropped)?,
        })
    }

    /// In nano-credits per million units, or each; rounded half to even. `None` where it is negative
    /// or does not fit.
    pub fn nanos(self, per: Per) -> Option<i64> {
        let (power, divisor) = per.scale();
        let exponent = self.exponent.checked_add(power)?;
        if self.mantissa < 0 {
            return None;
        }
        let scaled = match u32::try_from(exponent) {
            Ok(up) => self.mantissa.checked_mul(10_i128.checked_pow(up)?)?,
            // Less than half of the smallest unit whatever the digits were.
            Err(_) if exponent < -20 => return Some(0),
            Err(_) => {
                let down = 10_i128.checked_pow(exponent.unsigned_abs())?;
                return i64::try_from(half_even(self.mantissa, down.checked_mul(divisor)?)).ok();
            }
        };
        i64::try_from(half_even(scaled, divisor)).ok()
    }
}

/// Digits as a number of at most [`DIGITS`], and how many were dropped.
fn rounded(digits: &str) -> Option<(i128, i32)> {
    if digits.len() <= DIGITS {
        return Some((digits.parse().unwrap_or(0), 0));
    }
    let (kept, dropped) = digits.split_at(DIGITS);
    let kept: i128 = kept.parse().ok()?;
    let tail = dropped.trim_end_matches('0');
    let up = match tail.as_bytes().first() {
        None | Some(b'0'..=b'4') => false,
        Some(b'5') if tail.len() == 1 => kept % 2 == 1,
        Some(_) => true,
    };
    Some((kept + i128::from(up), i32::try_from(dropped.len()).ok()?))
}

fn half_even(number: i128, divisor: i128) -> i128 {
    let (whole, rest) = (number / divisor, number % divisor);
    match (rest * 2).cmp(&divisor) {
        std::cmp::Ordering::Less => whole,
        std::cmp::Ordering::Equal => whole + whole % 2,
        std::cmp::Ordering::Greater => whole + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::{Decimal, Per};

    #[track_caller]
    fn check(text: &str, per: Per, nanos: Option<i64>) {
        let found = Decimal::parse(text).and_then(|decimal| decimal.nanos(per));
        assert_eq!(found, nanos, "{text} {per:?}");
    }

    #[test]
    fn prices_become_whole_nano_credits() {
        check("2.5e-06", Per::Unit, Some(2_500_000_000));
        check("0.0000025", Per::Unit, Some(2_500_000_000));
        check("2.50", Per::Million, Some(2_500_000_000));
        check("\"0.0000025\"", Per::Unit, Some(2_500_000_000));
        check("30", Per::Million, Some(30_000_000_000));
        check("0.01", Per::Each, Some(10_000_000));
        check("10", Per::Thousand, Some(10_000_000));
        check("0.0001", Per::Second, Some(100_000_000));
        check("0.36", Per::Hour, Some(100_000_000));
        check("0", Per::Unit, Some(0));
        check("0.0", Per::Unit, Some(0));
        check("1E-6", Per::Unit, Some(1_000_000_000));
    }

    #[test]
    fn dust_of_binary_floats_is_removed() {
        check("0.0000016000000000000001", Per::Unit, Some(1_600_000_000));
        check("2.4999999999999998e-06", Per::Unit, Some(2_500_000_000));
        check("1.59263611e-07", Per::Unit, Some(159_263_611));
    }

    #[test]
    fn halves_go_to_the_even_neighbour() {
        check("0.0000000005", Per::Million, Some(0));
        check("0.0000000015", Per::Million, Some(2));
        check("0.0000000025", Per::Million, Some(2));
        check("0.1", Per::Hour, Some(27_777_778));
    }

    #[test]
    fn what_is_no_price_is_none() {
        for text in [
            "", "-1", "free", "1.2.3", "1e", "0x10", "null", "-0.5", "1e400",
        ] {
            check(text, Per::Unit, None);
        }
    }
}
