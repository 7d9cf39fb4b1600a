//! Answers of the management API, the same way for every resource.

use axum::Json;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

use crate::caller::only;
use crate::failure::Failure;

/// Something that can be read by its id and listed.
pub(crate) trait Resource {
    /// The key of its lists: the route's last word.
    const LIST: &'static str;

    /// Its JSON form.
    fn into_json(self) -> Value;

    /// Changes with every change; `None` for a kind of resource that has none.
    fn etag(&self) -> Option<&str> {
        None
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    status: StatusCode,
    etag: Option<HeaderValue>,
    body: Option<Value>,
}

/// What handlers return.
pub(crate) type Outcome = Result<Reply, Failure>;

impl Reply {
    /// Any JSON.
    pub(crate) fn json(status: StatusCode, body: Value) -> Self {
        Self {
            status,
            etag: None,
            body: Some(body),
        }
    }

    /// A resource as it is now.
    pub(crate) fn resource<R: Resource>(resource: Option<R>) -> Outcome {
        Self::with(StatusCode::OK, resource)
    }

    /// A resource that was made.
    pub(crate) fn created<R: Resource>(resource: Option<R>) -> Outcome {
        Self::with(StatusCode::CREATED, resource)
    }

    fn with<R: Resource>(status: StatusCode, resource: Option<R>) -> Outcome {
        let resource =
            resource.ok_or_else(|| Failure::broken_contract("no resource in the answer"))?;
        let etag = resource
            .etag()
            .filter(|etag| !etag.is_empty())
            .and_then(|etag| HeaderValue::try_from(format!("\"{etag}\"")).ok());
        Ok(Self {
            status,
            etag,
            body: Some(resource.into_json()),
        })
    }

    /// One page of a list.
    pub(crate) fn list<R: Resource>(resources: Vec<R>, next_page_token: String) -> Self {
        let items = resources.into_iter().map(R::into_json).collect();
        let mut body = Map::new();
        body.insert(R::LIST.to_owned(), Value::Array(items));
        body.insert("next_page_token".to_owned(), next_page_token.into());
        Self::json(StatusCode::OK, Value::Object(body))
    }

    /// Done, and nothing to show.
    pub(crate) fn gone() -> Self {
        Self {
            status: StatusCode::NO_CONTENT,
            etag: None,
            body: None,
        }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut response = match self.body {
            Some(body) => (self.status, Json(body)).into_response(),
            None => self.status.into_response(),
        };
        if let Some(etag) = self.etag {
            response.headers_mut().insert(header::ETAG, etag);
        }
        response
    }
}

/// The etag of `If-Match`; empty where the change is unconditional.
#[derive(Debug)]
pub(crate) struct IfMatch(pub(crate) String);

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let etag = match only(&parts.headers, &header::IF_MATCH)? {
            // `*` asks only that the thing exists, and it must anyway.
            None | Some("*") => "",
            Some(etag) => etag
                .strip_prefix("W/")
                .unwrap_or(etag)
                .strip_prefix('"')
                .and_then(|etag| etag.strip_suffix('"'))
                .filter(|etag| !etag.is_empty() && !etag.contains('"'))
                .ok_or_else(|| {
                    Failure::invalid("if-match", "expected one etag in quotation marks, or `*`")
                })?,
        };
        Ok(Self(etag.to_owned()))
    }
}
