//! The two streams of `Invoke`.

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _, stream};
use keyward_proto::router::v1 as proto;
use keyward_proto::router::v1::invoke_request::Part as Asked;
use keyward_proto::router::v1::invoke_response::Part as Answered;
use keyward_runtime::error::{Reason, status, to_status};
use tokio::time::Instant;
use tonic::metadata::MetadataMap;
use tonic::{Status, Streaming};

use super::{convert, labels};
use crate::app::answer::{AnswerHead, Part, Parts};
use crate::app::{Behalf, Invocation};
use crate::domain::form::Form;
use crate::domain::request::Arrived;
use crate::domain::{deadline, dropped};

/// The largest body: a long conversation with some images.
pub(crate) const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;

/// When a call that has just come is to be answered, where it says so.
pub(super) fn due(metadata: &MetadataMap) -> Option<Instant> {
    let waits = metadata.get("grpc-timeout")?.to_str().ok()?;
    let time = deadline::to_answer(deadline::parse(waits)?);
    Instant::now().checked_add(time)
}

/// Reads a head, a body and an end.
pub(super) async fn read(
    mut asked: Streaming<proto::InvokeRequest>,
    behalf: Behalf,
    due: Option<Instant>,
) -> Result<Invocation, Status> {
    let Some(Asked::Head(head)) = next(&mut asked).await? else {
        return Err(invalid("the first part of a request is its head"));
    };
    let form = form(&head)?;
    labels::check(&head.client_request_id, &head.idempotency_key, &head.tags)?;
    let body = read_body(&mut asked).await?;
    Ok(Invocation {
        behalf,
        options: convert::options(head.options.unwrap_or_default())?,
        tags: head.tags,
        client_request_id: head.client_request_id,
        headers: head
            .headers
            .into_iter()
            .map(|header| (header.name, header.value))
            .collect(),
        body_metadata: head.body_metadata,
        idempotency_key: head.idempotency_key,
        due,
        arrived: Arrived {
            form,
            model: head.model,
            content_type: head.content_type,
            events: head.events,
            body,
        },
    })
}

/// A body in one piece; one that came in one piece is not copied.
async fn read_body(asked: &mut Streaming<proto::InvokeRequest>) -> Result<Bytes, Status> {
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    loop {
        match next(asked).await? {
            Some(Asked::Chunk(chunk)) if first.is_empty() && rest.is_empty() => first = chunk,
            Some(Asked::Chunk(chunk)) => {
                if rest.is_empty() {
                    rest.extend_from_slice(&std::mem::take(&mut first));
                }
                rest.extend_from_slice(&chunk);
            }
            Some(Asked::End(_)) => break,
            Some(Asked::Head(_)) => return Err(invalid("a request has one head")),
            None => return Err(invalid("the request broke off before its end")),
        }
        if first.len().max(rest.len()) > BODY_BYTES_MAX {
            let message = "the body is larger than 32 MiB";
            return Err(status(Reason::RequestTooLarge, message, Vec::new()));
        }
    }
    Ok(if rest.is_empty() {
        first
    } else {
        rest.freeze()
    })
}

async fn next(asked: &mut Streaming<proto::InvokeRequest>) -> Result<Option<Asked>, Status> {
    match asked.message().await? {
        None => Ok(None),
        Some(proto::InvokeRequest { part: Some(part) }) => Ok(Some(part)),
        Some(proto::InvokeRequest { part: None }) => Err(invalid("a part of the request is empty")),
    }
}

fn form(head: &proto::InvokeRequestHead) -> Result<Form, Status> {
    match head.form() {
        proto::CallForm::Unspecified => Err(invalid("the form of the call is missing")),
        proto::CallForm::OpenaiChatCompletions => Ok(Form::Chat),
        proto::CallForm::OpenaiCompletions => Ok(Form::Completions),
        proto::CallForm::OpenaiResponses => Ok(Form::Responses),
        proto::CallForm::OpenaiEmbeddings => Ok(Form::Embeddings),
        proto::CallForm::OpenaiImagesGenerations => Ok(Form::ImageGenerations),
        proto::CallForm::OpenaiImagesEdits => Ok(Form::ImageEdits),
        proto::CallForm::OpenaiImagesVariations => Ok(Form::ImageVariations),
        proto::CallForm::OpenaiAudioSpeech => Ok(Form::Speech),
        proto::CallForm::OpenaiAudioTranscriptions => Ok(Form::Transcriptions),
        proto::CallForm::OpenaiAudioTranslations => Ok(Form::Translations),
        proto::CallForm::OpenaiModerations => Ok(Form::Moderations),
        proto::CallForm::AnthropicMessages => Ok(Form::Messages),
        proto::CallForm::AnthropicCountTokens => Ok(Form::MessageTokens),
        proto::CallForm::GeminiGenerateContent => Ok(Form::GenerateContent),
        proto::CallForm::GeminiStreamGenerateContent => Ok(Form::StreamGenerateContent),
        proto::CallForm::GeminiCountTokens => Ok(Form::CountTokens),
        proto::CallForm::GeminiEmbedContent => Ok(Form::EmbedContent),
        proto::CallForm::GeminiBatchEmbedContents => Ok(Form::BatchEmbedContents),
    }
}

fn invalid(message: &str) -> Status {
    status(Reason::InvalidRequest, message, Vec::new())
}

/// Writes a head, chunks and a summary.
pub(super) fn write(
    head: AnswerHead,
    parts: Parts,
) -> impl Stream<Item = Result<proto::InvokeResponse, Status>> + Send {
    let dropped = dropped::header(&head.dropped);
    let headers = head.headers.into_iter().chain(dropped);
    let head = Answered::Head(proto::InvokeResponseHead {
        inference_id: head.inference_id,
        http_status: u32::from(head.http_status),
        headers: headers
            .map(|(name, value)| proto::Header { name, value })
            .collect(),
        provider: head.provider,
        upstream_model: head.upstream_model,
        key_source: head.source as i32,
        attempts: head.attempts,
        charge_nanos: head.charge.map(keyward_money::Nanos::get),
        cache: convert::cache(head.cache).into(),
    });
    let parts = stream::unfold(parts, |mut parts| async move {
        let part = parts.next().await?;
        let part = part.map(answered).map_err(|error| to_status(&error));
        Some((part, parts))
    });
    stream::once(std::future::ready(Ok(head)))
        .chain(parts)
        .map(|part| Ok(proto::InvokeResponse { part: Some(part?) }))
}

fn answered(part: Part) -> Answered {
    match part {
        Part::Chunk(chunk) => Answered::Chunk(chunk),
        Part::Summary(summary) => Answered::Summary(proto::InvokeSummary {
            charge_nanos: summary.charge.get(),
            list_cost_nanos: summary.list_cost.map(keyward_money::Nanos::get),
            usage: Some(summary.usage.into()),
            usage_source: summary.usage_source as i32,
        }),
    }
}
