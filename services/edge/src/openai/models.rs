//! `GET /v1/models` and `/v1/models/{id}` in OpenAI's form, with what the catalogue knows besides.

mod anthropic;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::HeaderMap;
use keyward_proto::router::v1::{GetModelRequest, ListModelsRequest, Model};
use serde::Serialize;
use utoipa::ToSchema;

use crate::caller::Call;
use crate::failure::Failure;
use crate::rest::At;
use crate::services::Services;

/// A model that the caller may name.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Model)]
pub(crate) struct ModelView {
    /// Its id.
    #[schema(examples("sandbox/echo"))]
    id: String,
    /// Always `model`.
    #[schema(examples("model"))]
    object: &'static str,
    /// When it came out, in seconds since 1970; 0 where unknown.
    created: i64,
    /// Who made it.
    #[schema(examples("sandbox"))]
    owned_by: String,
    /// Other names for it.
    aliases: Vec<String>,
    /// The endpoints that it serves.
    endpoints: Vec<String>,
    /// The providers that offer it.
    providers: Vec<String>,
    /// Tokens that prompt and answer may have together; `null` where unknown.
    #[schema(required)]
    context_length: Option<u32>,
    /// Tokens that an answer may have; `null` where unknown.
    #[schema(required)]
    max_output_tokens: Option<u32>,
    /// What it reads.
    input_modalities: Vec<String>,
    /// What it makes.
    output_modalities: Vec<String>,
    /// What it can do.
    capabilities: Vec<String>,
}

/// The models that the caller may name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelList {
    /// Always `list`.
    #[schema(examples("list"))]
    object: &'static str,
    /// The models.
    data: Vec<ModelView>,
}

/// List models
///
/// All at once, as OpenAI does; in Anthropic's form for who sends `anthropic-version`.
#[utoipa::path(
    get, path = "/v1/models", operation_id = "listModels", tag = "Models",
    responses((status = 200, description = "The models that the access key may name.", body = ModelList)),
)]
pub(crate) async fn list_models(
    State(services): State<Services>,
    call: Call,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let request = call.request(ListModelsRequest::default());
    let models = services.router().list_models(request).await?.into_inner();
    if headers.contains_key("anthropic-version") {
        return Ok(Json(anthropic::list(models.models)).into_response());
    }
    let data = models.models.into_iter().map(ModelView::from).collect();
    let object = "list";
    Ok(Json(ModelList { object, data }).into_response())
}

/// Show a model
///
/// By its id or an alias; slashes in it may stand as they are.
#[utoipa::path(
    get, path = "/v1/models/{*model}", operation_id = "getModel", tag = "Models",
    params(("model" = String, Path, description = "The model.", example = "sandbox/echo")),
    responses((status = 200, description = "The model.", body = ModelView)),
)]
pub(crate) async fn get_model(
    State(services): State<Services>,
    call: Call,
    At(model): At<String>,
) -> Result<Json<ModelView>, Failure> {
    let request = call.request(GetModelRequest { model });
    let found = services.router().get_model(request).await?.into_inner();
    let model = found
        .model
        .ok_or_else(|| Failure::broken_contract("no model in the answer"))?;
    Ok(Json(model.into()))
}

impl From<Model> for ModelView {
    fn from(model: Model) -> Self {
        let known = |tokens: u32| (tokens > 0).then_some(tokens);
        Self {
            id: model.model_id,
            object: "model",
            // OpenAI's form has no way to say that this is not known.
            created: model.release_time.map_or(0, |time| time.seconds),
            owned_by: model.vendor,
            aliases: model.aliases,
            endpoints: model.endpoints,
            providers: model.providers,
            context_length: known(model.context_tokens),
            max_output_tokens: known(model.output_tokens),
            input_modalities: model.input_modalities,
            output_modalities: model.output_modalities,
            capabilities: model.capabilities,
        }
    }
}
