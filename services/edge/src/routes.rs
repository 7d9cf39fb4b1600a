//! Every address of the edge, and what is answered where there is none.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get, post};
use keyward_runtime::error::Reason;

use crate::failure::Failure;
use crate::openai::{chat_completions, get_model, list_models};
use crate::rest;
use crate::server::{Observer, observe};
use crate::services::Services;

/// The routes over these services.
pub(crate) fn routes(services: Services, observer: Observer) -> Router {
    Router::new()
        .nest("/v1", openai())
        .nest("/api/v1/llm", openai())
        .merge(not_yet())
        .merge(rest::router())
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .with_state(services)
        .layer(from_fn_with_state(observer, observe))
}

fn openai() -> Router<Services> {
    Router::new()
        .route("/chat/completions", post(chat_completions))
        .route("/models", get(list_models))
        // An id may have slashes in it, as `sandbox/echo`.
        .route("/models/{*model}", get(get_model))
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
