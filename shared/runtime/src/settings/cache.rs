//! The section `cache`: answers that are stored for the very same request.

use std::time::Duration;

use super::raw::RawCache;
use super::validate::invalid;
use super::{CacheSettings, SettingsError};

/// Some tens of thousands of usual answers.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// Long enough for what is asked again and again, short enough for a mistake to pass.
const LIFETIME: Duration = Duration::from_hours(1);
/// Less would store nothing that is asked for again.
const LIFETIME_MIN: Duration = Duration::from_secs(1);
/// Older answers are of models that may have changed meanwhile.
const LIFETIME_MAX: Duration = Duration::from_hours(30 * 24);

pub(super) fn validate(raw: RawCache) -> Result<CacheSettings, SettingsError> {
    let lifetime = raw.lifetime.unwrap_or(LIFETIME);
    if !(LIFETIME_MIN..=LIFETIME_MAX).contains(&lifetime) {
        return Err(invalid(
            "cache.lifetime",
            "expected at least 1s and at most 30 days",
        ));
    }
    let bytes = raw.max_bytes.map_or(Ok(MAX_BYTES), |text| text.parse());
    Ok(CacheSettings {
        enabled: raw.enabled.unwrap_or(false),
        max_bytes: bytes
            .map_err(|_| invalid("cache.max_bytes", "expected a number of bytes, 0 for none"))?,
        lifetime,
    })
}
