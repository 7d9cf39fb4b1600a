//! What a caller is told when a request fails: OpenAI's error form, with the headers that tell how
//! far the request came.

use std::collections::HashMap;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use keyward_runtime::error::{Reason, WireError, metadata};
use keyward_secret::redact_key_shapes;
use serde::Serialize;
use tonic::Status;
use utoipa::ToSchema;

use crate::inference::Told;
use crate::names;

/// `retry-after` is given below this: who is told to come back in hours had better read the message.
const RETRY_AFTER_SECONDS_BELOW: u64 = 3600;

/// What is given where a retry may help and nobody knows when.
const RETRY_AFTER_SECONDS_DEFAULT: u64 = 1;

/// What a caller reads when a request fails: OpenAI's form.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Error)]
pub(crate) struct ErrorView<'a> {
    error: ErrorDetail<'a>,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
struct ErrorDetail<'a> {
    /// For people.
    #[schema(examples("there is no model \"gpt-nope\""))]
    message: &'a str,
    /// The kind, one of OpenAI's.
    #[schema(examples("invalid_request_error"))]
    r#type: &'a str,
    /// The field, parameter or header at fault, where it is one.
    #[schema(required, examples("model"))]
    param: Option<&'a str>,
    /// What programs tell failures apart by.
    #[schema(examples("model_not_found"))]
    code: &'a str,
    /// Whose limit it is, where one refused: `access_key`, `user` or `organization`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(examples("access_key"))]
    scope: Option<&'a str>,
}

/// A request that failed, here or in a service.
#[derive(Debug)]
pub(crate) struct Failure(WireError);

impl Failure {
    pub(crate) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self(WireError {
            reason,
            message: message.into(),
            facts: HashMap::new(),
        })
    }

    /// A malformed request; `param` names the header, parameter or field.
    pub(crate) fn invalid(param: impl Into<String>, message: impl Into<String>) -> Self {
        let mut failure = Self::new(Reason::InvalidRequest, message);
        let param = param.into();
        if !param.is_empty() {
            failure.0.facts.insert(metadata::PARAM.to_owned(), param);
        }
        failure
    }

    pub(crate) fn body_too_large(limit_bytes: usize) -> Self {
        Self::new(
            Reason::RequestTooLarge,
            format!("the body is larger than the {limit_bytes} bytes allowed here"),
        )
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(Reason::NotFound, message)
    }

    pub(crate) fn no_credential() -> Self {
        Self::new(
            Reason::InvalidAccessKey,
            "an access key is needed, as `Authorization: Bearer kw_…`",
        )
    }

    /// A service answered with something that its contract does not allow.
    pub(crate) fn broken_contract(what: &'static str) -> Self {
        tracing::error!(what, "a service's answer breaks its contract");
        Self::new(Reason::Internal, "an internal error occurred")
    }

    /// The same where a field has another name in JSON than in the contract.
    pub(crate) fn with_field(mut self, contract: &str, json: &str) -> Self {
        let Self(error) = &mut self;
        error.message = error.message.replace(contract, json);
        if let Some(param) = error.facts.get_mut(metadata::PARAM)
            && param == contract
        {
            json.clone_into(param);
        }
        self
    }

    pub(crate) fn reason(&self) -> Reason {
        self.0.reason
    }

    #[cfg(test)]
    pub(crate) fn wire(&self) -> &WireError {
        &self.0
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let mut error = WireError::from(&status);
        // These repeat what the caller takes for a model's name, and some take their key for it.
        if matches!(
            error.reason,
            Reason::ModelNotFound | Reason::ModelNotAllowed | Reason::NoKeyForModel
        ) {
            error.message = redact_key_shapes(&error.message);
        }
        Self(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self(error) = self;
        let reason = error.reason;
        let status =
            StatusCode::from_u16(reason.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = ErrorView {
            error: ErrorDetail {
                message: &error.message,
                r#type: reason.openai_type(),
                param: error.fact(metadata::PARAM),
                code: reason.openai_code(),
                scope: error.fact(metadata::LIMIT_SCOPE),
            },
        };
        let mut response = (status, Json(body)).into_response();
        add_headers(response.headers_mut(), &error);
        response.extensions_mut().insert(Told {
            reason,
            message: error.message,
        });
        response
    }
}

fn add_headers(headers: &mut HeaderMap, error: &WireError) {
    if error.reason.retry_is_pointless() {
        headers.insert(names::SHOULD_RETRY, HeaderValue::from_static("false"));
    }
    if let Some(seconds) = retry_after_seconds(error) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        add_limits(headers, error);
    }
    let Some(inference_id) = error.fact(metadata::INFERENCE_ID) else {
        return;
    };
    add_text(headers, names::REQUEST_ID, inference_id);
    let cache = error.fact(metadata::CACHE).unwrap_or("bypass");
    add_text(headers, names::CACHE, cache);
    // A request that failed is charged nothing.
    headers.insert(names::CREDITS_CHARGED, HeaderValue::from_static("0.00"));
    for (fact, name) in [
        (metadata::PROVIDER, names::PROVIDER),
        (metadata::UPSTREAM_MODEL, names::MODEL),
        (metadata::ATTEMPTS, names::ATTEMPTS),
    ] {
        if let Some(value) = error.fact(fact) {
            add_text(headers, name, value);
        }
    }
    let source = error.fact(metadata::KEY_SOURCE);
    if let Some(source) = source {
        add_text(headers, names::KEY_SOURCE, source);
    }
    names::add_byok(
        headers,
        source.is_some_and(|source| !source.starts_with("system")),
    );
}

/// How limits stand, and the wait to the millisecond, where it is a limit of ours that refused.
fn add_limits(headers: &mut HeaderMap, error: &WireError) {
    if error.reason != Reason::RateLimitExceeded {
        return;
    }
    if let Some(millis) = error.fact(metadata::RETRY_AFTER_MS) {
        add_text(headers, names::RETRY_AFTER_MS, millis);
    }
    for name in metadata::RATE_LIMITS {
        if let Some(value) = error.fact(name) {
            add_text(headers, HeaderName::from_static(name), value);
        }
    }
}

/// Adds a header whose value comes from elsewhere; one that cannot be sent is left out.
fn add_text(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn retry_after_seconds(error: &WireError) -> Option<u64> {
    if !matches!(error.reason.http_status(), 429 | 503) {
        return None;
    }
    let seconds = match error.retry_after_ms() {
        Some(millis) => millis.div_ceil(1000),
        None if error.reason.retry_is_pointless() => return None,
        None => RETRY_AFTER_SECONDS_DEFAULT,
    };
    (seconds < RETRY_AFTER_SECONDS_BELOW).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;
    use keyward_runtime::error::{Reason, metadata, status};

    use super::Failure;

    #[test]
    fn a_failure_after_routing_tells_how_far_it_came() {
        let facts = vec![
            (metadata::INFERENCE_ID, "0199".to_owned()),
            (metadata::PROVIDER, "openrouter".to_owned()),
            (metadata::KEY_SOURCE, "user:openrouter".to_owned()),
            (metadata::ATTEMPTS, "2".to_owned()),
            (metadata::CACHE, "miss".to_owned()),
            (metadata::RETRY_AFTER_MS, "1001".to_owned()),
        ];
        let failure = Failure::from(status(Reason::ProviderRateLimited, "slow down", facts));
        let response = failure.into_response();
        assert_eq!(response.status(), 429);
        for (name, value) in [
            ("x-request-id", "0199"),
            ("x-provider", "openrouter"),
            ("x-keyward-key-source", "user:openrouter"),
            ("x-using-byok", "true"),
            ("x-keyward-attempts", "2"),
            ("x-credits-charged", "0.00"),
            ("x-keyward-cache", "miss"),
            ("retry-after", "2"),
        ] {
            assert_eq!(response.headers()[name], value, "{name}");
        }
        assert!(!response.headers().contains_key("x-should-retry"));
    }

    #[tokio::test]
    async fn a_limit_that_refused_says_whose_it_is_and_how_it_stands() {
        let facts = vec![
            (metadata::LIMIT_SCOPE, "access_key".to_owned()),
            (metadata::RETRY_AFTER_MS, "120".to_owned()),
            (metadata::RATE_LIMITS[0], "60".to_owned()),
            (metadata::RATE_LIMITS[2], "1m0s".to_owned()),
        ];
        let failure = Failure::from(status(Reason::RateLimitExceeded, "slow down", facts));
        let response = failure.into_response();
        assert_eq!(response.status(), 429);
        for (name, value) in [
            ("retry-after", "1"),
            ("retry-after-ms", "120"),
            ("x-ratelimit-limit-requests", "60"),
            ("x-ratelimit-reset-requests", "1m0s"),
        ] {
            assert_eq!(response.headers()[name], value, "{name}");
        }
        let body = axum::body::to_bytes(response.into_body(), 4096).await;
        let body: serde_json::Value = serde_json::from_slice(&body.unwrap()).unwrap();
        assert_eq!(body["error"]["scope"], "access_key");
        assert_eq!(body["error"]["code"], "rate_limit_exceeded");
    }

    #[test]
    fn a_failure_before_routing_names_no_request() {
        let response = Failure::invalid("model", "no model").into_response();
        assert_eq!(response.status(), 400);
        assert_eq!(response.headers()["x-should-retry"], "false");
        assert!(!response.headers().contains_key("x-request-id"));
    }

    #[test]
    fn a_failure_before_any_key_was_chosen_used_none() {
        let facts = vec![(metadata::INFERENCE_ID, "0199".to_owned())];
        let failure = Failure::from(status(Reason::NoKeyForModel, "no key", facts));
        let response = failure.into_response();
        assert_eq!(response.headers()["x-using-byok"], "false");
        assert!(!response.headers().contains_key("x-keyward-key-source"));
        assert!(!response.headers().contains_key("x-ratelimit-bypass"));
    }

    #[test]
    fn a_key_in_the_place_of_a_model_is_not_repeated() {
        let message = "there is no model \"sk-ant-canary-0123456789\"";
        for reason in [
            Reason::ModelNotFound,
            Reason::ModelNotAllowed,
            Reason::NoKeyForModel,
        ] {
            let failure = Failure::from(status(reason, message, vec![]));
            assert!(!failure.wire().message.contains("canary"), "{reason:?}");
        }
    }

    #[test]
    fn a_503_says_when_to_come_back_where_that_helps() {
        let given = |reason, facts| {
            let response = Failure::from(status(reason, "", facts)).into_response();
            let given = response.headers().get("retry-after");
            given.map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(given(Reason::Overloaded, vec![]).as_deref(), Some("1"));
        assert_eq!(given(Reason::ProviderKeyUnavailable, vec![]), None);
        assert_eq!(given(Reason::BudgetExceeded, vec![]), None);
        assert_eq!(given(Reason::UpstreamError, vec![]), None);
    }

    #[test]
    fn a_field_has_its_own_name_in_json() {
        let facts = vec![(metadata::PARAM, "user_id".to_owned())];
        let error = status(Reason::InvalidRequest, "`user_id` is too long", facts);
        let failure = Failure::from(error).with_field("user_id", "id");
        assert_eq!(failure.wire().message, "`id` is too long");
        assert_eq!(failure.wire().fact(metadata::PARAM), Some("id"));
    }

    #[test]
    fn waits_of_an_hour_are_not_given() {
        for (wait_ms, header) in [("3599000", Some("3599")), ("3599001", None)] {
            let facts = vec![(metadata::RETRY_AFTER_MS, wait_ms.to_owned())];
            let response = Failure::from(status(Reason::Overloaded, "", facts)).into_response();
            let given = response.headers().get("retry-after");
            assert_eq!(given.map(|value| value.to_str().unwrap()), header);
        }
    }
}
