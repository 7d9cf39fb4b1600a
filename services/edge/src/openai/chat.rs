//! `POST /v1/chat/completions`.

use axum::extract::{Request, State};
use axum::response::Response;
use keyward_proto::router::v1::CallForm;

use super::schema::{ChatCompletion, ChatRequest};
use crate::caller::Call;
use crate::failure::Failure;
use crate::inference::{Asked, Extras, serve};
use crate::rest::IdempotencyKey;
use crate::services::Services;

/// Complete a chat
///
/// Plain or streamed, with whosever key serves first: one sent with the request, the caller's own,
/// its project's, its organization's, or the platform's, paid for in credits.
#[utoipa::path(
    post, path = "/v1/chat/completions", operation_id = "createChatCompletion", tag = "Models",
    params(Extras, IdempotencyKey), request_body = ChatRequest,
    responses((
        status = 200,
        description = "The answer. A stream tells its cost in a comment before `[DONE]`.",
        content((ChatCompletion = "application/json"), (String = "text/event-stream")),
    )),
)]
pub(crate) async fn chat_completions(
    State(services): State<Services>,
    call: Call,
    extras: Extras,
    key: IdempotencyKey,
    request: Request,
) -> Result<Response, Failure> {
    let asked = Asked {
        form: CallForm::OpenaiChatCompletions,
        ..Asked::default()
    };
    serve(services, call, extras, key, asked, request).await
}
