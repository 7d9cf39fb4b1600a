//! Gemini's addresses: the model and what is asked of it stand in one segment of the path, which may
//! have slashes in it, as `openai/gpt-4o:generateContent`.

use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use keyward_proto::router::v1::{CallForm, GetModelRequest, ListModelsRequest, Model};
use serde::{Deserialize, Serialize};

use super::extras::Extras;
use super::serve::{Asked, serve};
use crate::caller::Call;
use crate::failure::Failure;
use crate::rest::{At, IdempotencyKey};
use crate::services::Services;

/// So many models come at once where nobody asks for another number: Gemini's own.
const PAGE_SIZE_DEFAULT: u32 = 50;
/// The most models that come at once.
const PAGE_SIZE_MAX: u32 = 1_000;

/// What can be asked of a model, by what stands behind the colon.
const VERBS: [(&str, CallForm); 5] = [
    ("generateContent", CallForm::GeminiGenerateContent),
    (
        "streamGenerateContent",
        CallForm::GeminiStreamGenerateContent,
    ),
    ("countTokens", CallForm::GeminiCountTokens),
    ("embedContent", CallForm::GeminiEmbedContent),
    ("batchEmbedContents", CallForm::GeminiBatchEmbedContents),
];

/// Where the models are, and what is asked of them.
pub(super) const MODELS: &str = "/v1beta/models";

/// Where OpenAI's models are looked at. Google's own library asks for `v1` where it is not told
/// otherwise, so models are called there too.
pub(super) const OPENAIS_MODELS: [&str; 2] = ["/v1/models", "/api/v1/llm/models"];

pub(super) fn routes() -> Router<Services> {
    let own = Router::new().route(MODELS, get(list_models)).route(
        &format!("{MODELS}/{{*call}}"),
        get(get_model).post(model_or_call),
    );
    OPENAIS_MODELS.iter().fold(own, |router, models| {
        router.route(&format!("{models}/{{*model}}"), post(model_or_call))
    })
}

#[derive(Debug, Deserialize)]
struct How {
    alt: Option<String>,
}

/// Calls a model.
async fn model_or_call(
    State(services): State<Services>,
    call: Call,
    extras: Extras,
    key: IdempotencyKey,
    At(address): At<String>,
    Query(how): Query<How>,
    request: Request,
) -> Result<Response, Failure> {
    let asked = asked(&address, how.alt.as_deref() == Some("sse"))
        .ok_or_else(|| Failure::not_found("models have no such method"))?;
    serve(services, call, extras, key, asked, request).await
}

fn asked(address: &str, events: bool) -> Option<Asked> {
    let (model, verb) = address.rsplit_once(':')?;
    let (_, form) = VERBS.into_iter().find(|(name, _)| *name == verb)?;
    Some(Asked {
        form,
        model: model.to_owned(),
        events,
    })
}

/// A model in Gemini's form.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct View {
    name: String,
    base_model_id: String,
    display_name: String,
    #[serde(skip_serializing_if = "is_unknown")]
    input_token_limit: u32,
    #[serde(skip_serializing_if = "is_unknown")]
    output_token_limit: u32,
    supported_generation_methods: Vec<&'static str>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_unknown(tokens: &u32) -> bool {
    *tokens == 0
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    models: Vec<View>,
    #[serde(skip_serializing_if = "String::is_empty")]
    next_page_token: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Page {
    page_size: Option<u32>,
    page_token: String,
}

/// Lists models in Gemini's form.
async fn list_models(
    State(services): State<Services>,
    call: Call,
    Query(page): Query<Page>,
) -> Result<Json<Listed>, Failure> {
    let wanted = page.page_size.filter(|size| *size > 0);
    let request = call.request(ListModelsRequest {
        page_size: wanted.unwrap_or(PAGE_SIZE_DEFAULT).min(PAGE_SIZE_MAX),
        page_token: page.page_token,
    });
    let found = services.router().list_models(request).await?.into_inner();
    Ok(Json(Listed {
        models: found.models.into_iter().map(View::from).collect(),
        next_page_token: found.next_page_token,
    }))
}

async fn get_model(
    State(services): State<Services>,
    call: Call,
    At(model): At<String>,
) -> Result<Response, Failure> {
    let request = call.request(GetModelRequest { model });
    let found = services.router().get_model(request).await?.into_inner();
    let model = found
        .model
        .ok_or_else(|| Failure::broken_contract("no model in the answer"))?;
    Ok(Json(View::from(model)).into_response())
}

impl From<Model> for View {
    fn from(model: Model) -> Self {
        let does = |endpoint: &str| model.endpoints.iter().any(|name| name == endpoint);
        let mut methods = Vec::new();
        if does("chat.completions") {
            methods.extend(["generateContent", "streamGenerateContent", "countTokens"]);
        }
        if does("embeddings") {
            methods.extend(["embedContent", "batchEmbedContents"]);
        }
        Self {
            name: format!("models/{}", model.model_id),
            display_name: model.model_id.clone(),
            base_model_id: model.model_id,
            input_token_limit: model.context_tokens,
            output_token_limit: model.output_tokens,
            supported_generation_methods: methods,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_behind_the_last_colon_is_asked_of_the_model() {
        let found = asked("google/gemini-2.5-flash:streamGenerateContent", true).unwrap();
        assert_eq!(found.form, CallForm::GeminiStreamGenerateContent);
        assert_eq!(found.model, "google/gemini-2.5-flash");
        assert!(found.events);
        let free = asked("deepseek/r1:free:generateContent", false).unwrap();
        assert_eq!(free.model, "deepseek/r1:free");
        for address in ["gemini-2.5-flash", "m:predict", "m:GenerateContent", ""] {
            assert!(asked(address, false).is_none(), "{address}");
        }
    }
}
