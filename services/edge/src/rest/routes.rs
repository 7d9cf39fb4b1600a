//! `/api/v1/routes/explain`: who would serve a model, and why. Nothing is sent or charged.

use axum::extract::State;
use http::StatusCode;
use keyward_proto::router::v1::{ResolveRouteRequest, RouteCandidate};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Given;
use super::reply::{Outcome, Reply};
use super::values::present;
use super::words;
use crate::caller::Call;
use crate::openai::Extras;
use crate::services::Services;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    model: String,
    endpoint: Option<String>,
}

/// What a call may ask of routing in headers, it may ask here too.
pub(crate) async fn explain(
    State(services): State<Services>,
    call: Call,
    extras: Extras,
    Given(question): Given<Question>,
) -> Outcome {
    let request = call.request(ResolveRouteRequest {
        model: question.model,
        endpoint: question.endpoint.unwrap_or_default(),
        options: Some(extras.options),
    });
    let answer = services.router().resolve_route(request).await?.into_inner();
    let candidates: Vec<Value> = answer.candidates.into_iter().map(candidate_json).collect();
    let body = json!({"candidates": candidates});
    Ok(Reply::json(StatusCode::OK, body))
}

fn candidate_json(candidate: RouteCandidate) -> Value {
    json!({
        "provider": candidate.provider,
        "model": candidate.upstream_model,
        "key_source": words::key_source(candidate.key_source, &candidate.provider),
        "key_id": present(candidate.provider_key_id),
        "chosen": candidate.chosen,
        "eligible": candidate.eligible,
        "reason": candidate.reason,
    })
}
