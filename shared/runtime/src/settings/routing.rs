//! The section `routing`: whose key goes first, and how far a request goes to be served.

use std::time::Duration;

use keyward_money::Nanos;

use super::raw::RawRouting;
use super::validate::{credits, invalid};
use super::{Prefer, RoutingSettings, SettingsError};

/// 0.05 credits: a long answer of a dear model, and no more.
const FALLBACK_MAX_CHARGE_DEFAULT: Nanos = Nanos::new(50_000_000);
/// A pool of keys may be larger, a caller's patience is not.
const MAX_ATTEMPTS: u32 = 8;
const MAX_ATTEMPTS_MAX: u32 = 32;
/// As long as one provider is waited for, and once more.
const FAILOVER_BUDGET: Duration = Duration::from_mins(2);
const FAILOVER_BUDGET_MIN: Duration = Duration::from_secs(1);
const FAILOVER_BUDGET_MAX: Duration = Duration::from_mins(15);
/// Often enough that what healed is soon used again.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);
const PROBE_INTERVAL_MIN: Duration = Duration::from_millis(500);
const PROBE_INTERVAL_MAX: Duration = Duration::from_mins(10);

/// How long a stored key goes without a use or a test: a month.
const KEY_TEST_INTERVAL: Duration = Duration::from_hours(30 * 24);
/// More is never.
const KEY_TEST_INTERVAL_MAX: Duration = Duration::from_hours(365 * 24);

pub(super) fn validate(raw: &RawRouting) -> Result<RoutingSettings, SettingsError> {
    Ok(RoutingSettings {
        prefer: raw.prefer.unwrap_or(Prefer::Openrouter),
        fallback_to_credits: raw.fallback_to_credits.unwrap_or(true),
        fallback_max_charge: credits(
            "routing.fallback_max_charge",
            raw.fallback_max_charge.as_deref(),
            FALLBACK_MAX_CHARGE_DEFAULT,
        )?,
        on_credit_exhausted: raw.on_credit_exhausted.unwrap_or_default(),
        drop_params: raw.drop_params.unwrap_or(false),
        key_test_interval: key_test_interval(raw.key_test_interval)?,
        max_attempts: max_attempts(raw.max_attempts)?,
        failover_budget: within(
            "routing.failover_budget",
            raw.failover_budget.unwrap_or(FAILOVER_BUDGET),
            (FAILOVER_BUDGET_MIN, FAILOVER_BUDGET_MAX),
            "expected from 1s to 15m",
        )?,
        probe_interval: within(
            "routing.probe_interval",
            raw.probe_interval.unwrap_or(PROBE_INTERVAL),
            (PROBE_INTERVAL_MIN, PROBE_INTERVAL_MAX),
            "expected from 500ms to 10m",
        )?,
        hedge: raw.hedge.unwrap_or_default(),
    })
}

fn max_attempts(attempts: Option<u32>) -> Result<u32, SettingsError> {
    match attempts.unwrap_or(MAX_ATTEMPTS) {
        attempts if (1..=MAX_ATTEMPTS_MAX).contains(&attempts) => Ok(attempts),
        _ => Err(invalid("routing.max_attempts", "expected from 1 to 32")),
    }
}

fn within(
    name: &str,
    given: Duration,
    (min, max): (Duration, Duration),
    expected: &str,
) -> Result<Duration, SettingsError> {
    match (min..=max).contains(&given) {
        true => Ok(given),
        false => Err(invalid(name, expected)),
    }
}

/// None for zero.
fn key_test_interval(interval: Option<Duration>) -> Result<Option<Duration>, SettingsError> {
    let interval = interval.unwrap_or(KEY_TEST_INTERVAL);
    match interval <= KEY_TEST_INTERVAL_MAX {
        true => Ok(Some(interval).filter(|interval| !interval.is_zero())),
        false => Err(invalid(
            "routing.key_test_interval",
            "expected at most a year, 8760h; 0s tests no key by itself",
        )),
    }
}
