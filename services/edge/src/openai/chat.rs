//! `POST /v1/chat/completions`: the body goes to the router as it is, the answer comes back as it is.

use axum::extract::{Request, State};
use axum::response::Response;
use keyward_proto::router::v1::invoke_response::Part;
use keyward_proto::router::v1::{CallForm, InvokeRequestHead, InvokeResponse, InvokeResponseHead};
use tonic::Streaming;

use super::answer;
use super::extras::Extras;
use super::schema::{ChatCompletion, ChatRequest};
use super::upload::upload;
use crate::caller::Call;
use crate::failure::Failure;
use crate::rest::IdempotencyKey;
use crate::server::BodyReader;
use crate::services::Services;

/// The largest body of a call to a model: long prompts with images, and no more than fits memory
/// many times.
const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;

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
    let head = InvokeRequestHead {
        form: CallForm::OpenaiChatCompletions.into(),
        options: Some(extras.options),
        tags: extras.tags,
        client_request_id: extras.client_request_id,
        body_metadata: services.config().body_metadata,
        idempotency_key: key.request_id(),
    };
    let (parts, body) = request.into_parts();
    let body = BodyReader::new(&parts.headers, body, BODY_BYTES_MAX)?;
    let (parts, mut fault) = upload(head, body);
    let opening = open(services, call.request(parts));
    let opened = tokio::select! {
        biased;
        Ok(failure) = &mut fault => return Err(failure),
        opened = opening => opened,
    };
    // The router only sees the body end too early; what is wrong with it is known here.
    let (head, rest) = opened.map_err(|failure| fault.try_recv().unwrap_or(failure))?;
    answer::answer(head, rest).await
}

async fn open<T>(
    services: Services,
    request: tonic::Request<T>,
) -> Result<(InvokeResponseHead, Streaming<InvokeResponse>), Failure>
where
    T: futures::Stream<Item = keyward_proto::router::v1::InvokeRequest> + Send + 'static,
{
    let mut parts = services.router().invoke(request).await?.into_inner();
    match parts.message().await?.and_then(|message| message.part) {
        Some(Part::Head(head)) => Ok((head, parts)),
        _ => Err(Failure::broken_contract("an answer without a head")),
    }
}
