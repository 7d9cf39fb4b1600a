//! OpenAI's API: chat completions and models.

mod chat;
mod models;
mod schema;

use axum::Router;
use axum::routing::{get, post};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::services::Services;

/// The routes under `/v1`, and what the document says of them.
pub(crate) fn router() -> OpenApiRouter<Services> {
    OpenApiRouter::default()
        .routes(routes!(chat::chat_completions))
        .routes(routes!(models::list_models))
        // An id may have slashes in it, as `sandbox/echo`.
        .routes(routes!(models::get_model))
}

/// The same routes without `/v1`, to be put elsewhere. The document names them once.
pub(crate) fn bare() -> Router<Services> {
    Router::new()
        .route("/chat/completions", post(chat::chat_completions))
        .route("/models", get(models::list_models))
        .route("/models/{*model}", get(models::get_model))
}
