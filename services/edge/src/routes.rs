//! Every address of the edge, and what is answered where there is none.

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use keyward_runtime::error::Reason;

use crate::document::{Document, serve_document};
use crate::failure::Failure;
use crate::inference::in_callers_form;
use crate::server::{Observer, observe};
use crate::services::Services;
use crate::{inference, openai, rest};

/// The routes over these services.
pub(crate) fn routes(services: Services, observer: Observer) -> Router {
    let documented = openai::router().merge(rest::router());
    let (documented, described) = documented.split_for_parts();
    let document = get(serve_document).with_state(Document::new(described));
    documented
        .nest("/api/v1/llm", openai::bare())
        .merge(inference::routes())
        .route("/api/openapi.json", document)
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .with_state(services)
        .layer(from_fn(in_callers_form))
        .layer(from_fn_with_state(observer, observe))
}

/// There is nothing at this address.
pub(crate) async fn unknown() -> Failure {
    Failure::not_found("there is nothing at this address")
}

async fn wrong_method() -> Failure {
    Failure::new(
        Reason::MethodNotAllowed,
        "this address does not know this method",
    )
}
