//! The answer: its bytes read back into events, and told as they come.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use futures::{Stream, stream};
use keyward_dialect::canonical::Event;
use keyward_dialect::{Failure, Garbled, typed};
use keyward_money::Nanos;
use keyward_proto::router::v1 as proto;
use keyward_proto::router::v1::chat_response::Event as Typed;
use keyward_runtime::error::{Reason, metadata, status, to_status};
use tonic::Status;

use super::convert;
use super::events::Encoder;
use crate::app::RouteError;
use crate::app::answer::{AnswerHead, Part, Parts, Summary};

/// What an answer's bytes are.
enum Body {
    /// Events, to be told as they come.
    Stream(typed::Events),
    /// One answer, to be told once it is whole.
    Plain(BytesMut),
}

/// An answer that is being told.
struct Telling {
    body: Body,
    parts: Parts,
    encoder: Encoder,
    told: VecDeque<Typed>,
    /// Who served it, for what is said if it fails.
    facts: Vec<(&'static str, String)>,
    failure: Option<Failure>,
    is_over: bool,
}

/// Writes an answer. A provider's own refusal of the request is a status.
pub(in crate::grpc) async fn write(
    head: AnswerHead,
    mut parts: Parts,
) -> Result<impl Stream<Item = Result<proto::ChatResponse, Status>> + Send, Status> {
    let facts = facts(&head);
    if head.http_status >= 400 {
        let body = whole(&mut parts).await?;
        return Err(refused(head.http_status, &body, facts));
    }
    let telling = Telling {
        body: match is_stream(&head) {
            true => Body::Stream(typed::Events::default()),
            false => Body::Plain(BytesMut::new()),
        },
        parts,
        encoder: Encoder::default(),
        told: VecDeque::from([Typed::Head(opened(head))]),
        facts,
        failure: None,
        is_over: false,
    };
    Ok(stream::unfold(telling, |mut telling| async move {
        let next = telling.next().await?;
        telling.is_over |= next.is_err();
        let event = next.map(|event| proto::ChatResponse { event: Some(event) });
        Some((event, telling))
    }))
}

impl Telling {
    async fn next(&mut self) -> Option<Result<Typed, Status>> {
        loop {
            if let Some(event) = self.told.pop_front() {
                return Some(Ok(event));
            }
            if self.is_over {
                let failure = self.failure.take()?;
                return Some(Err(self.broken(&failure)));
            }
            let taken = match self.parts.next().await {
                Some(Ok(part)) => self.take(part),
                Some(Err(error)) => Err(to_status(&error)),
                None => Err(to_status(&RouteError::away("the provider"))),
            };
            if let Err(status) = taken {
                return Some(Err(status));
            }
        }
    }

    fn take(&mut self, part: Part) -> Result<(), Status> {
        match part {
            Part::Chunk(bytes) => self.read(&bytes).map_err(|error| garbled(&error)),
            Part::Summary(summary) => {
                self.end().map_err(|error| garbled(&error))?;
                self.told.push_back(Typed::Summary(closed(summary)));
                self.is_over = true;
                Ok(())
            }
        }
    }

    fn read(&mut self, bytes: &[u8]) -> Result<(), Garbled> {
        let mut events = Vec::new();
        match &mut self.body {
            Body::Stream(reader) => reader.push(bytes, &mut events)?,
            Body::Plain(body) => body.extend_from_slice(bytes),
        }
        self.tell(events);
        Ok(())
    }

    /// The answer is whole: a plain one is told now.
    fn end(&mut self) -> Result<(), Garbled> {
        if let Body::Plain(body) = &self.body {
            let events = typed::answer(body)?;
            self.tell(events);
        }
        Ok(())
    }

    fn tell(&mut self, events: Vec<Event>) {
        for event in events {
            match event {
                Event::Failed(failure) => self.failure = Some(failure),
                event => self.told.extend(self.encoder.take(event)),
            }
        }
    }

    /// The provider failed in the middle: what came until then was told, and so was its cost.
    fn broken(&mut self, failure: &Failure) -> Status {
        let reason = match failure.status {
            429 => Reason::ProviderRateLimited,
            504 => Reason::UpstreamTimeout,
            _ => Reason::UpstreamError,
        };
        status(reason, &failure.message, std::mem::take(&mut self.facts))
    }
}

fn is_stream(head: &AnswerHead) -> bool {
    let kind = head.headers.iter().find(|(name, _)| name == "content-type");
    kind.is_some_and(|(_, kind)| kind.starts_with("text/event-stream"))
}

fn facts(head: &AnswerHead) -> Vec<(&'static str, String)> {
    vec![
        (metadata::INFERENCE_ID, head.inference_id.clone()),
        (metadata::PROVIDER, head.provider.clone()),
        (metadata::UPSTREAM_MODEL, head.upstream_model.clone()),
        (metadata::ATTEMPTS, head.attempts.to_string()),
    ]
}

/// All that is left of a body. A provider's refusal is short.
async fn whole(parts: &mut Parts) -> Result<Bytes, Status> {
    let mut body = BytesMut::new();
    while let Some(part) = parts.next().await {
        if let Part::Chunk(bytes) = part.map_err(|error| to_status(&error))? {
            body.extend_from_slice(&bytes);
        }
    }
    Ok(body.freeze())
}

/// A provider's own refusal, in its own words.
fn refused(http_status: u16, body: &[u8], mut facts: Vec<(&'static str, String)>) -> Status {
    let failure = Failure::read(http_status, body);
    let reason = match http_status {
        404 => Reason::ModelNotFound,
        413 => Reason::RequestTooLarge,
        _ => Reason::InvalidRequest,
    };
    facts.push((metadata::PROVIDER_STATUS, http_status.to_string()));
    facts.extend(failure.param.map(|param| (metadata::PARAM, param)));
    status(reason, &failure.message, facts)
}

fn garbled(error: &Garbled) -> Status {
    tracing::error!(%error, "a typed answer cannot be read back");
    status(Reason::Internal, "an internal error occurred", Vec::new())
}

fn opened(head: AnswerHead) -> proto::ChatHead {
    let headers = head.headers.into_iter();
    let headers = headers.filter(|(name, _)| name != "content-type");
    proto::ChatHead {
        inference_id: head.inference_id,
        provider: head.provider,
        upstream_model: head.upstream_model,
        key_source: head.source as i32,
        attempts: head.attempts,
        headers: headers
            .map(|(name, value)| proto::Header { name, value })
            .collect(),
        cache: convert::cache(head.cache).into(),
        dropped_fields: head.dropped,
    }
}

fn closed(summary: Summary) -> proto::ChatSummary {
    proto::ChatSummary {
        charge_nanos: summary.charge.get(),
        list_cost_nanos: summary.list_cost.map(Nanos::get),
        usage: Some(summary.usage.into()),
        usage_source: summary.usage_source as i32,
        service_tier: summary.service_tier,
    }
}
