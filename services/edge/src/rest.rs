//! The management API: JSON over HTTP, resource by resource. Each file maps one resource to its
//! service and back, and nothing else.

mod access_keys;
mod atom;
mod audit_events;
mod body;
mod budgets;
mod cache;
mod costs;
mod credits;
mod idempotency;
mod location;
mod members;
mod notices;
mod organizations;
mod parameters;
mod price_versions;
mod prices;
mod projects;
mod provider_keys;
mod providers;
mod reply;
mod requests;
mod routes;
mod routing_policy;
mod tenant;
mod tiers;
mod usage;
mod users;
mod values;
mod vault;
mod webhooks;
pub(crate) mod words;

use std::time::Duration;

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use keyward_runtime::error::Reason;
use utoipa_axum::router::OpenApiRouter;

pub(crate) use idempotency::IdempotencyKey;
pub(crate) use location::At;

use crate::failure::Failure;
use crate::services::Services;

/// How long a call of the management API may take until its answer begins, body and services
/// together.
const CALL_TIMEOUT: Duration = Duration::from_mins(1);

/// The routes of the management API, and what the document says of them.
pub(crate) fn router() -> OpenApiRouter<Services> {
    OpenApiRouter::default()
        .merge(users::router())
        .merge(organizations::router())
        .merge(members::router())
        .merge(projects::router())
        .merge(access_keys::router())
        .merge(provider_keys::router())
        .merge(providers::router())
        .merge(routes::router())
        .merge(routing_policy::router())
        .merge(cache::router())
        .merge(credits::router())
        .merge(budgets::router())
        .merge(usage::router())
        .merge(requests::router())
        .merge(tiers::router())
        .merge(prices::router())
        .merge(price_versions::router())
        .merge(costs::router())
        .merge(notices::router())
        .merge(webhooks::router())
        .merge(audit_events::router())
        .merge(vault::router())
        .merge(atom::router())
        .layer(from_fn(in_time))
}

async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(CALL_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => late().into_response(),
    }
}

/// A service took longer than [`CALL_TIMEOUT`].
fn late() -> Failure {
    Failure::new(
        Reason::Overloaded,
        "a service that this request needs did not answer in time",
    )
}
