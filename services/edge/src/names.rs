//! Names of the headers that Keyward adds to HTTP, in one table.

use http::{HeaderMap, HeaderName, HeaderValue};

pub(crate) const ATTEMPTS: HeaderName = HeaderName::from_static("x-keyward-attempts");
pub(crate) const BYOK_API_KEY: HeaderName = HeaderName::from_static("x-byok-api-key");
pub(crate) const BYOK_PROVIDER: HeaderName = HeaderName::from_static("x-byok-provider");
pub(crate) const TASK: HeaderName = HeaderName::from_static("x-keyward-task");
pub(crate) const CACHE: HeaderName = HeaderName::from_static("x-keyward-cache");
pub(crate) const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-client-request-id");
pub(crate) const CREDITS_CHARGED: HeaderName = HeaderName::from_static("x-credits-charged");
pub(crate) const FALLBACK: HeaderName = HeaderName::from_static("x-keyward-fallback");
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
pub(crate) const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
pub(crate) const KEY_SOURCE: HeaderName = HeaderName::from_static("x-keyward-key-source");
pub(crate) const LAGGARDS: HeaderName = HeaderName::from_static("x-keyward-laggards");
pub(crate) const MODEL: HeaderName = HeaderName::from_static("x-keyward-model");
pub(crate) const ORGANIZATION: HeaderName =
    HeaderName::from_static(keyward_auth::metadata::ORGANIZATION);
pub(crate) const PROVIDER: HeaderName = HeaderName::from_static("x-provider");
pub(crate) const PROVIDER_REQUEST_ID: HeaderName = HeaderName::from_static("x-provider-request-id");
pub(crate) const RATE_LIMIT_BYPASS: HeaderName = HeaderName::from_static("x-ratelimit-bypass");
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(crate) const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
pub(crate) const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
pub(crate) const TAGS: HeaderName = HeaderName::from_static("x-keyward-tags");
pub(crate) const TRACEPARENT: HeaderName =
    HeaderName::from_static(keyward_runtime::trace::TRACEPARENT);
pub(crate) const USING_BYOK: HeaderName = HeaderName::from_static("x-using-byok");
pub(crate) const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
pub(crate) const X_GOOG_API_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");

/// Says whether a key of the caller's own was used, in both headers that do.
pub(crate) fn add_byok(headers: &mut HeaderMap, own_key: bool) {
    let text = if own_key { "true" } else { "false" };
    headers.insert(USING_BYOK, HeaderValue::from_static(text));
    if own_key {
        let value = HeaderValue::from_static("BYOK API key used");
        headers.insert(RATE_LIMIT_BYPASS, value);
    }
}
