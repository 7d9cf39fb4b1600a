//! How long a caller waits, as gRPC says it, and how much of that there is to serve it.

use std::time::Duration;

/// The most digits that gRPC allows.
const DIGITS_MAX: usize = 8;
/// What is kept back so that the caller hears from us, and does not only give up.
const KEPT_BACK_MAX: Duration = Duration::from_millis(100);

/// Reads a `grpc-timeout`: up to eight digits and a unit. What is none says nothing.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    if digits.is_empty() || digits.len() > DIGITS_MAX || !is_number {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_hours(amount)),
        "M" => Some(Duration::from_mins(amount)),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

/// In what time a caller who waits so long is to be answered, if only with an error: nine tenths of
/// it, and all but a tenth of a second of a longer one.
pub(crate) fn to_answer(waits: Duration) -> Duration {
    waits.saturating_sub((waits / 10).min(KEPT_BACK_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_read_as_grpc_writes_it() {
        for (text, expect) in [
            ("1H", Some(Duration::from_hours(1))),
            ("2M", Some(Duration::from_mins(2))),
            ("3S", Some(Duration::from_secs(3))),
            ("250m", Some(Duration::from_millis(250))),
            ("1500u", Some(Duration::from_micros(1_500))),
            ("99999999n", Some(Duration::from_nanos(99_999_999))),
            ("0n", Some(Duration::ZERO)),
            ("99999999H", Some(Duration::from_hours(99_999_999))),
            ("999999999n", None),
            ("", None),
            ("S", None),
            ("1", None),
            ("1s", None),
            ("-1S", None),
            ("+1S", None),
            ("1.5S", None),
            ("1é", None),
        ] {
            assert_eq!(parse(text), expect, "{text}");
        }
    }

    #[test]
    fn a_part_is_kept_back_to_say_so() {
        for (waits_ms, expect_ms) in [(0, 0), (100, 90), (1_000, 900), (60_000, 59_900)] {
            let waits = Duration::from_millis(waits_ms);
            assert_eq!(to_answer(waits), Duration::from_millis(expect_ms));
        }
    }
}
