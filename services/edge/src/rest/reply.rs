//! Answers of the management API, the same way for every resource.

use axum::body::Bytes;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use crate::caller::only;
use crate::failure::Failure;
use crate::names;

/// Something that can be read by its id and listed.
pub(crate) trait Resource {
    /// Its form in JSON.
    type View: Serialize;

    /// Shows it.
    fn into_view(self) -> Self::View;

    /// Changes with every change; `None` for a kind of resource that has none.
    fn etag(&self) -> Option<&str> {
        None
    }
}

/// Declares a page of a list. Its member is the route's last word.
macro_rules! page {
    ($(#[$doc:meta])* $name:ident { $member:ident: $view:ty }) => {
        $(#[$doc])*
        #[derive(Debug, serde::Serialize, utoipa::ToSchema)]
        pub(crate) struct $name {
            /// The page.
            $member: Vec<$view>,
            /// Where the next page starts, for `page_token`; empty on the last.
            next_page_token: String,
        }

        impl $name {
            /// One page of a list.
            pub(crate) fn reply<R>(
                resources: Vec<R>,
                next_page_token: String,
            ) -> $crate::rest::reply::Outcome
            where
                R: $crate::rest::reply::Resource<View = $view>,
            {
                let $member = resources.into_iter().map(R::into_view).collect();
                let page = Self { $member, next_page_token };
                $crate::rest::reply::Reply::ok(&page)
            }
        }
    };
}
pub(crate) use page;

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    status: StatusCode,
    etag: Option<HeaderValue>,
    /// How many routers have not confirmed a change that ends something.
    laggards: Option<u32>,
    /// Whether it was given before, to the same request.
    replayed: bool,
    /// JSON.
    body: Option<Bytes>,
}

/// What handlers return.
pub(crate) type Outcome = Result<Reply, Failure>;

impl Reply {
    /// Any JSON.
    pub(crate) fn json<V: Serialize>(status: StatusCode, view: &V) -> Outcome {
        let body = serde_json::to_vec(view)
            .map_err(|_| Failure::broken_contract("an answer cannot be written"))?;
        Ok(Self {
            status,
            etag: None,
            laggards: None,
            replayed: false,
            body: Some(body.into()),
        })
    }

    /// What was asked for.
    pub(crate) fn ok<V: Serialize>(view: &V) -> Outcome {
        Self::json(StatusCode::OK, view)
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
        let reply = Self::json(status, &resource.into_view())?;
        Ok(Self { etag, ..reply })
    }

    /// Done, and nothing to show.
    pub(crate) fn gone() -> Self {
        Self {
            status: StatusCode::NO_CONTENT,
            etag: None,
            laggards: None,
            replayed: false,
            body: None,
        }
    }

    /// The same, with how many of the connected routers have not confirmed it.
    pub(crate) fn confirmed(self, laggards: u32) -> Self {
        Self {
            laggards: Some(laggards),
            ..self
        }
    }

    /// The same, marked as one that was given before.
    pub(crate) fn replayed(self, replayed: bool) -> Self {
        Self { replayed, ..self }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let json = [(header::CONTENT_TYPE, "application/json")];
        let mut response = match self.body {
            Some(body) => (self.status, json, body).into_response(),
            None => self.status.into_response(),
        };
        if let Some(etag) = self.etag {
            response.headers_mut().insert(header::ETAG, etag);
        }
        if let Some(laggards) = self.laggards {
            response
                .headers_mut()
                .insert(names::LAGGARDS, laggards.into());
        }
        if self.replayed {
            let yes = HeaderValue::from_static("true");
            response
                .headers_mut()
                .insert(names::IDEMPOTENCY_REPLAYED, yes);
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

impl IntoParams for IfMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description = "Change it only if its `ETag` is still this one, in quotation marks; \
                           `*` for any.";
        vec![
            ParameterBuilder::new()
                .name(header::IF_MATCH.as_str())
                .parameter_in(ParameterIn::Header)
                .required(Required::False)
                .description(Some(description))
                .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
                .build(),
        ]
    }
}
