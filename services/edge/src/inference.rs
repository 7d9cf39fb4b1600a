//! Calls of models, in every form: one way through for all of them, and a table of where each is found.

mod answer;
mod comments;
mod described;
mod extras;
mod gemini;
mod serve;
mod spoken;
mod table;
mod upload;

use axum::Router;

pub(crate) use described::{described, error_schema, errors_of};
pub(crate) use extras::{CLIENT_REQUEST_ID_BYTES_MAX, Extras};
pub(crate) use serve::{Asked, serve};
pub(crate) use spoken::{Language, Told, in_callers_form};

use crate::services::Services;

/// The routes of all calls but chat completions, which are documented by their own hand.
pub(crate) fn routes() -> Router<Services> {
    table::routes("/v1")
        .merge(table::routes("/api/v1/llm"))
        .merge(gemini::routes())
}
