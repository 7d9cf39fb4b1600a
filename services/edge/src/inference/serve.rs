//! A call of a model: the body goes to the router as it is, the answer comes back as it is.

use axum::extract::Request;
use axum::response::Response;
use http::{HeaderMap, HeaderName, header};
use keyward_proto::router::v1::invoke_response::Part;
use keyward_proto::router::v1::{
    CallForm, Header, InvokeRequestHead, InvokeResponse, InvokeResponseHead,
};
use tonic::Streaming;

use super::extras::Extras;
use super::upload::upload;
use super::{answer, comments};
use crate::caller::Call;
use crate::failure::Failure;
use crate::rest::IdempotencyKey;
use crate::server::BodyReader;
use crate::services::Services;

/// The largest body of a call to a model: long prompts with images, and no more than fits memory
/// many times.
const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Headers that mean something to a provider which speaks the caller's form.
static FOR_PROVIDERS: [HeaderName; 3] = [
    HeaderName::from_static("anthropic-version"),
    HeaderName::from_static("anthropic-beta"),
    HeaderName::from_static("openai-beta"),
];

/// What is asked for, as far as the address says it.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// The form.
    pub(crate) form: CallForm,
    /// The model, where the address names it.
    pub(crate) model: String,
    /// Whether a Gemini stream is to come as events.
    pub(crate) events: bool,
}

/// Serves a call.
pub(crate) async fn serve(
    services: Services,
    call: Call,
    extras: Extras,
    key: IdempotencyKey,
    asked: Asked,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let without_comments = comments::are_unread(asked.form, &parts.headers);
    let head = InvokeRequestHead {
        form: asked.form.into(),
        options: Some(extras.options),
        tags: extras.tags,
        client_request_id: extras.client_request_id,
        body_metadata: services.config().body_metadata,
        idempotency_key: key.request_id(),
        model: asked.model,
        content_type: multipart(&parts.headers),
        events: asked.events,
        headers: for_providers(&parts.headers),
    };
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
    answer::answer(head, rest, without_comments).await
}

/// The media type of a body in parts, which names what is between them; nothing for any other.
fn multipart(headers: &HeaderMap) -> String {
    let given = headers.get(header::CONTENT_TYPE);
    let text = given.and_then(|value| value.to_str().ok()).unwrap_or("");
    let kind = text.split(';').next().unwrap_or("").trim();
    match kind.eq_ignore_ascii_case("multipart/form-data") {
        true => text.to_owned(),
        false => String::new(),
    }
}

fn for_providers(headers: &HeaderMap) -> Vec<Header> {
    let given = FOR_PROVIDERS.iter().flat_map(|name| {
        let values = headers.get_all(name).iter();
        values.filter_map(|value| Some((name.to_string(), value.to_str().ok()?.to_owned())))
    });
    given.map(|(name, value)| Header { name, value }).collect()
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
