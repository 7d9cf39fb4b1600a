//! `Chat`: a typed conversation in, typed events out. It goes the way of every other request, in a form
//! of its own.

mod answer;
mod events;
mod media;
mod messages;
mod providers;
mod settings;

use bytes::Bytes;
use keyward_dialect::typed;
use keyward_proto::router::v1 as proto;
use keyward_runtime::error::{Reason, metadata, status, to_status};
use serde_json::Value;
use tokio::time::Instant;
use tonic::Status;

use super::{convert, labels};
use crate::app::{Behalf, Invocation, RouteError};
use crate::domain::form::Form;
use crate::domain::request::Arrived;

pub(super) use answer::write;

/// Reads a request.
pub(super) fn read(
    mut request: proto::ChatRequest,
    behalf: Behalf,
    due: Option<Instant>,
) -> Result<Invocation, Status> {
    let (id, key) = (&request.client_request_id, &request.idempotency_key);
    labels::check(id, key, &request.tags)?;
    if !request.idempotency_key.is_empty() && !request.whole {
        let message = "an answer can come again only where it is asked for `whole`";
        return Err(invalid("idempotency_key", message));
    }
    Ok(Invocation {
        behalf,
        options: convert::options(request.options.take().unwrap_or_default())?,
        tags: std::mem::take(&mut request.tags),
        client_request_id: std::mem::take(&mut request.client_request_id),
        headers: Vec::new(),
        body_metadata: false,
        idempotency_key: std::mem::take(&mut request.idempotency_key),
        due,
        arrived: Arrived {
            form: Form::TypedChat,
            events: true,
            body: body(request)?,
            ..Arrived::default()
        },
    })
}

/// The conversation and what concerns its way, as one body.
fn body(mut request: proto::ChatRequest) -> Result<Bytes, Status> {
    let model = std::mem::take(&mut request.model);
    let models = std::mem::take(&mut request.models);
    let (providers, drop_params) = (request.providers.take(), request.drop_params);
    let written = typed::request(&settings::read(request)?, &model);
    let mut members = written.map_err(|refusal| to_status(&RouteError::from(&refusal)))?;
    if model.is_empty() {
        members.remove("model");
    }
    if !models.is_empty() {
        members.insert("models".to_owned(), models.into());
    }
    if let Some(providers) = providers {
        members.insert("provider".to_owned(), providers::write(&providers)?);
    }
    if let Some(drop_params) = drop_params {
        members.insert("drop_params".to_owned(), drop_params.into());
    }
    Ok(Value::Object(members).to_string().into())
}

fn invalid(field: &str, message: &str) -> Status {
    let facts = vec![(metadata::PARAM, field.to_owned())];
    status(Reason::InvalidRequest, message, facts)
}
