//! Every address of the edge, and what is answered where there is none.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get};
use keyward_runtime::error::Reason;

use crate::document::{Document, serve_document};
use crate::failure::Failure;
use crate::server::{Observer, observe};
use crate::services::Services;
use crate::{openai, rest};

/// The routes over these services.
pub(crate) fn routes(services: Services, observer: Observer) -> Router {
    let documented = openai::router().merge(rest::router());
    let (documented, described) = documented.split_for_parts();
    let document = get(serve_document).with_state(Document::new(described));
    documented
        .nest("/api/v1/llm", openai::bare())
        .merge(not_yet())
        .route("/api/openapi.json", document)
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .with_state(services)
        .layer(from_fn_with_state(observer, observe))
}

/// What callers of the providers' own interfaces look for, so that they do not take a base URL for
/// wrong that is right.
const NOT_YET: [&str; 12] = [
    "/completions",
    "/embeddings",
    "/responses",
    "/images/generations",
    "/images/edits",
    "/images/variations",
    "/audio/speech",
    "/audio/transcriptions",
    "/audio/translations",
    "/moderations",
    "/messages",
    "/messages/count_tokens",
];

fn not_yet() -> Router<Services> {
    let at = |prefix: &str, router: Router<Services>| {
        NOT_YET.iter().fold(router, |router, path| {
            router.route(&format!("{prefix}{path}"), any(endpoint_not_yet))
        })
    };
    at("/api/v1/llm", at("/v1", Router::new())).route("/v1beta/{*path}", any(endpoint_not_yet))
}

async fn endpoint_not_yet() -> Failure {
    Failure::not_found(
        "this endpoint is not available in this version yet; chat completions and models are",
    )
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
