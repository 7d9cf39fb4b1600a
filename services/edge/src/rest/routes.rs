//! `/api/v1/routes/explain`: who would serve a model, and why. Nothing is sent or charged.

use axum::extract::State;
use bytes::Bytes;
use keyward_proto::router::v1::{ResolveRouteRequest, RouteCandidate, RoutingOptions};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::Given;
use super::parameters::{Nothing, Query};
use super::reply::{Outcome, Reply};
use super::values::present;
use super::words;
use crate::caller::Call;
use crate::inference::Extras;
use crate::services::Services;

pub(super) fn router() -> OpenApiRouter<Services> {
    OpenApiRouter::default().routes(routes!(explain))
}

/// What would be asked for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RouteQuestion)]
struct Question {
    /// The model, as a request would name it.
    #[schema(examples("sandbox/echo"))]
    model: Option<String>,
    /// The endpoint; the model's first where absent.
    #[schema(examples("chat.completions"))]
    endpoint: Option<String>,
    /// What it is for, where the model is `auto`.
    task: Option<String>,
    /// Models that may serve in its stead, in order.
    #[serde(default)]
    models: Vec<String>,
    /// What a request's `provider` would say, in OpenRouter's form.
    #[schema(value_type = Option<Object>, examples(json!({"order": ["openai"]})))]
    provider: Option<Box<RawValue>>,
    /// The body of a request as it would be sent, in place of `model`, `models` and `provider`: what
    /// its messages decide counts too. It goes nowhere, and is not kept.
    #[schema(value_type = Option<Object>)]
    request: Option<Box<RawValue>>,
}

/// Who might serve a request, in order.
#[derive(Debug, Serialize, ToSchema)]
struct Route {
    /// The candidates, those that were left out at the end.
    candidates: Vec<Candidate>,
}

/// A key at a provider that might serve a request.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RouteCandidate)]
struct Candidate {
    /// The provider.
    provider: String,
    /// The name of the model there.
    model: String,
    /// Whose key, as in the header `x-keyward-key-source`.
    #[schema(required, examples("user:openrouter"))]
    key_source: Option<String>,
    /// The key; `null` where there is none to show.
    #[schema(required)]
    key_id: Option<String>,
    /// Whether it would serve first.
    chosen: bool,
    /// Whether it may serve at all.
    eligible: bool,
    /// Why it stands where it stands, or why it is left out.
    reason: String,
}

impl From<RouteCandidate> for Candidate {
    fn from(candidate: RouteCandidate) -> Self {
        Self {
            key_source: words::key_source(candidate.key_source, &candidate.provider),
            provider: candidate.provider,
            model: candidate.upstream_model,
            key_id: present(candidate.provider_key_id),
            chosen: candidate.chosen,
            eligible: candidate.eligible,
            reason: candidate.reason,
        }
    }
}

/// Explain a route
///
/// Who would serve a request, with whose key, and why. Nothing is sent or charged. What a request
/// may ask of routing in headers counts here too.
#[utoipa::path(
    post, path = "/api/v1/routes/explain", operation_id = "explainRoute", tag = "Routes",
    params(Extras), request_body = Question,
    responses((status = 200, description = "The candidates.", body = Route)),
)]
async fn explain(
    State(services): State<Services>,
    call: Call,
    _: Query<Nothing>,
    extras: Extras,
    Given(question): Given<Question>,
) -> Outcome {
    let request = call.request(ResolveRouteRequest {
        model: question.model.unwrap_or_default(),
        endpoint: question.endpoint.unwrap_or_default(),
        options: Some(RoutingOptions {
            task: question.task.unwrap_or(extras.options.task),
            ..extras.options
        }),
        models: question.models,
        provider_preferences: question
            .provider
            .map_or_else(String::new, |json| json.get().to_owned()),
        tags: extras.tags,
        body: question.request.map(bytes_of).unwrap_or_default(),
    });
    let answer = services.router().resolve_route(request).await?.into_inner();
    let candidates = answer.candidates.into_iter().map(Candidate::from).collect();
    Reply::ok(&Route { candidates })
}

fn bytes_of(json: Box<RawValue>) -> Bytes {
    Box::<str>::from(json).into_string().into()
}
