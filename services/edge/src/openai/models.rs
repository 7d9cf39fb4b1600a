//! `GET /v1/models` and `/v1/models/{id}` in OpenAI's form, with what the catalogue knows besides.

use axum::Json;
use axum::extract::State;
use keyward_proto::router::v1::{GetModelRequest, ListModelsRequest, Model};
use serde_json::{Value, json};

use crate::caller::Call;
use crate::failure::Failure;
use crate::rest::At;
use crate::services::Services;

/// Lists the models that the caller may name, all at once, as OpenAI does.
pub(crate) async fn list_models(
    State(services): State<Services>,
    call: Call,
) -> Result<Json<Value>, Failure> {
    let request = call.request(ListModelsRequest::default());
    let models = services.router().list_models(request).await?.into_inner();
    let data: Vec<Value> = models.models.iter().map(present).collect();
    Ok(Json(json!({"object": "list", "data": data})))
}

/// Returns one model by id or alias.
pub(crate) async fn get_model(
    State(services): State<Services>,
    call: Call,
    At(model): At<String>,
) -> Result<Json<Value>, Failure> {
    let request = call.request(GetModelRequest { model });
    let found = services.router().get_model(request).await?.into_inner();
    let model = found
        .model
        .ok_or_else(|| Failure::broken_contract("no model in the answer"))?;
    Ok(Json(present(&model)))
}

fn present(model: &Model) -> Value {
    // OpenAI's form has no way to say that this is not known.
    let created = model.release_time.map_or(0, |time| time.seconds);
    json!({
        "id": model.model_id,
        "object": "model",
        "created": created,
        "owned_by": model.vendor,
        "aliases": model.aliases,
        "endpoints": model.endpoints,
        "providers": model.providers,
        "context_length": known(model.context_tokens),
        "max_output_tokens": known(model.output_tokens),
    })
}

fn known(tokens: u32) -> Option<u32> {
    (tokens > 0).then_some(tokens)
}
