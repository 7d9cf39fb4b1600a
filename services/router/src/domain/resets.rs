//! When a provider that limits a key's rate will let it pass again, by what its headers say:
//! `retry-after-ms`, `retry-after` (RFC 9110 §10.2.3), and the resets of those limits of which
//! nothing remains (OpenAI, Groq and Azure as `6m0s`, Anthropic as RFC 3339, OpenRouter as an epoch).

use jiff::Timestamp;
use jiff::fmt::rfc2822;

/// A number of seconds beyond this is one since 1970.
const EPOCH_SECONDS_MIN: f64 = 1e9;
/// Beyond this it is one of milliseconds.
const EPOCH_MILLIS_MIN: f64 = 1e12;

/// How long a limited key is to rest, in milliseconds; none where the provider does not say.
pub(crate) fn rest_ms(headers: &[(&str, &str)], now_ms: u64) -> Option<u64> {
    let find = |wanted: &str| headers.iter().find(|(name, _)| *name == wanted);
    let value = |wanted: &str| find(wanted).map(|(_, value)| value.trim());
    let told = value("retry-after-ms")
        .and_then(|value| millis(value.parse().ok()?))
        .or_else(|| until(value("retry-after")?, now_ms));
    told.or_else(|| {
        let used_up = headers
            .iter()
            .filter(|(name, left)| name.contains("remaining") && left.trim() == "0");
        let resets = used_up.map(|(name, _)| name.replace("remaining", "reset"));
        resets.filter_map(|name| until(value(&name)?, now_ms)).max()
    })
}

/// From now until what is written as seconds, as a duration, as a date or as an epoch.
fn until(text: &str, now_ms: u64) -> Option<u64> {
    if let Ok(number) = text.parse::<f64>() {
        return match number {
            epoch if epoch >= EPOCH_MILLIS_MIN => millis(epoch).map(|at| at.saturating_sub(now_ms)),
            epoch if epoch >= EPOCH_SECONDS_MIN => {
                millis(epoch * 1000.0).map(|at| at.saturating_sub(now_ms))
            }
            seconds => millis(seconds * 1000.0),
        };
    }
    duration(text).or_else(|| {
        let at = date(text)?.as_millisecond();
        Some(u64::try_from(at).unwrap_or(0).saturating_sub(now_ms))
    })
}

fn date(text: &str) -> Option<Timestamp> {
    let http = || rfc2822::DateTimeParser::new().parse_timestamp(text).ok();
    text.parse().ok().or_else(http)
}

/// `6m0s`, `1h2m`, `59.7s`, `120ms`.
fn duration(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut sum = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let end = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        sum += number * unit_ms(&rest[..end])?;
        rest = &rest[end..];
    }
    (!text.is_empty()).then(|| millis(sum)).flatten()
}

fn unit_ms(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1e-6,
        "us" | "µs" => 1e-3,
        "ms" => 1.0,
        "s" => 1e3,
        "m" => 60e3,
        "h" => 3_600e3,
        "d" => 86_400e3,
        _ => return None,
    })
}

/// Whole milliseconds, rounded up: a moment too early is refused again.
fn millis(number: f64) -> Option<u64> {
    let duration = std::time::Duration::try_from_secs_f64(number.ceil() / 1e3).ok()?;
    u64::try_from(duration.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-01T12:00:00Z.
    const NOW_MS: u64 = 1_772_366_400_000;

    #[test]
    fn a_rest_is_as_long_as_the_provider_says() {
        type Case = (&'static [(&'static str, &'static str)], Option<u64>);
        let cases: &[Case] = &[
            (&[], None),
            (&[("retry-after", "2")], Some(2_000)),
            (&[("retry-after", "0")], Some(0)),
            (&[("retry-after", "0.5")], Some(500)),
            (&[("retry-after", " 3 ")], Some(3_000)),
            (&[("retry-after", "-1")], None),
            (&[("retry-after", "1e300")], None),
            (&[("retry-after", "soon")], None),
            (
                &[("retry-after", "Sun, 01 Mar 2026 12:00:30 GMT")],
                Some(30_000),
            ),
            (&[("retry-after", "Sun, 01 Mar 2026 11:00:00 GMT")], Some(0)),
            (
                &[("retry-after-ms", "120"), ("retry-after", "1")],
                Some(120),
            ),
            // OpenAI and Groq: only what is used up counts.
            (
                &[
                    ("x-ratelimit-remaining-requests", "0"),
                    ("x-ratelimit-reset-requests", "6m0s"),
                    ("x-ratelimit-remaining-tokens", "900"),
                    ("x-ratelimit-reset-tokens", "9h"),
                ],
                Some(360_000),
            ),
            (
                &[
                    ("x-ratelimit-remaining-requests", "0"),
                    ("x-ratelimit-reset-requests", "1s"),
                    ("x-ratelimit-remaining-tokens", "0"),
                    ("x-ratelimit-reset-tokens", "7.66s"),
                ],
                Some(7_660),
            ),
            (
                &[
                    ("x-ratelimit-remaining-requests", "5"),
                    ("x-ratelimit-reset-requests", "1s"),
                ],
                None,
            ),
            (
                &[
                    ("x-ratelimit-remaining-tokens", "0"),
                    ("x-ratelimit-reset-tokens", "120ms"),
                ],
                Some(120),
            ),
            // Anthropic.
            (
                &[
                    ("anthropic-ratelimit-input-tokens-remaining", "0"),
                    (
                        "anthropic-ratelimit-input-tokens-reset",
                        "2026-03-01T12:00:12Z",
                    ),
                    ("anthropic-ratelimit-requests-remaining", "49"),
                    ("anthropic-ratelimit-requests-reset", "2026-03-01T12:05:00Z"),
                ],
                Some(12_000),
            ),
            // OpenRouter.
            (
                &[
                    ("x-ratelimit-remaining", "0"),
                    ("x-ratelimit-reset", "1772366460000"),
                ],
                Some(60_000),
            ),
            (
                &[
                    ("x-ratelimit-remaining", "0"),
                    ("x-ratelimit-reset", "1772366405"),
                ],
                Some(5_000),
            ),
            // The provider's own word comes first.
            (
                &[
                    ("retry-after", "1"),
                    ("x-ratelimit-remaining-requests", "0"),
                    ("x-ratelimit-reset-requests", "6m0s"),
                ],
                Some(1_000),
            ),
            (
                &[
                    ("x-ratelimit-remaining-requests", "0"),
                    ("x-ratelimit-reset-requests", "6 m"),
                ],
                None,
            ),
        ];
        for (headers, expect) in cases {
            let told = rest_ms(headers, NOW_MS);
            assert_eq!(told, *expect, "{headers:?}");
        }
    }
}
