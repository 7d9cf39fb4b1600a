//! The section `redis`: where replicas share what they count.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use keyward_secret::Secret;
use url::Url;

use super::raw::RawRedis;
use super::validate::invalid;
use super::{RedisSettings, SettingsError};

/// Many times what a step takes in one data centre, and little beside a provider's answer.
const TIMEOUT: Duration = Duration::from_millis(50);
/// With less, a busy moment would pass for a Redis that is away; with more, requests would feel it.
const TIMEOUT_MIN: Duration = Duration::from_millis(5);
const TIMEOUT_MAX: Duration = Duration::from_secs(5);

/// `None` where none is set. The URL may hold a password: no error repeats it.
pub(super) fn validate(raw: RawRedis) -> Result<Option<RedisSettings>, SettingsError> {
    let Some(url) = raw.url else {
        let others = [
            ("redis.ca_file", raw.ca_file.is_some()),
            ("redis.routers", raw.routers.is_some()),
            ("redis.timeout", raw.timeout.is_some()),
        ];
        return match others.into_iter().find(|(_, is_set)| *is_set) {
            Some((name, _)) => Err(invalid(name, "means nothing without `redis.url`")),
            None => Ok(None),
        };
    };
    let has_tls = has_tls(&url)?;
    if raw.ca_file.is_some() && !has_tls {
        return Err(invalid(
            "redis.ca_file",
            "needs a `redis.url` with `rediss://`",
        ));
    }
    Ok(Some(RedisSettings {
        url,
        ca_file: raw.ca_file.map(PathBuf::from),
        timeout: timeout(raw.timeout)?,
        routers: routers(raw.routers.as_deref())?,
    }))
}

fn has_tls(url: &Secret) -> Result<bool, SettingsError> {
    let parsed = Url::parse(url.expose()).ok();
    let parsed = parsed.filter(|url| url.has_host() && url.fragment().is_none());
    match parsed.as_ref().map(Url::scheme) {
        Some("redis") => Ok(false),
        Some("rediss") => Ok(true),
        _ => Err(invalid(
            "redis.url",
            "expected a URL such as `redis://127.0.0.1:6379` or `rediss://:PASSWORD@redis.example`",
        )),
    }
}

fn timeout(timeout: Option<Duration>) -> Result<Duration, SettingsError> {
    match timeout.unwrap_or(TIMEOUT) {
        timeout if (TIMEOUT_MIN..=TIMEOUT_MAX).contains(&timeout) => Ok(timeout),
        _ => Err(invalid(
            "redis.timeout",
            "expected at least 5ms and at most 5s",
        )),
    }
}

fn routers(count: Option<&str>) -> Result<NonZeroU64, SettingsError> {
    let count = count.map_or(Some(NonZeroU64::MIN), |text| text.parse().ok());
    count.ok_or_else(|| invalid("redis.routers", "expected a number of routers, 1 or more"))
}
