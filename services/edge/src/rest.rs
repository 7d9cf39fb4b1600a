//! The management API: JSON over HTTP, resource by resource. Each file maps one resource to its
//! service and back, and nothing else.

mod access_keys;
mod audit_events;
mod body;
mod credits;
mod location;
mod members;
mod organizations;
mod parameters;
mod projects;
mod provider_keys;
mod reply;
mod requests;
mod routes;
mod tenant;
mod usage;
mod users;
mod values;
pub(crate) mod words;

use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post};
use keyward_runtime::error::Reason;

pub(crate) use location::At;

use crate::failure::Failure;
use crate::services::Services;

/// How long a call of the management API may take, body and services together.
const CALL_TIMEOUT: Duration = Duration::from_mins(1);

/// The routes of the management API.
pub(crate) fn router() -> Router<Services> {
    tenancy()
        .merge(keys())
        .merge(money())
        .layer(from_fn(in_time))
}

fn tenancy() -> Router<Services> {
    Router::new()
        .route("/api/v1/users", get(users::list).post(users::create))
        .route(
            "/api/v1/users/{user}",
            get(users::get).patch(users::update).delete(users::delete),
        )
        .route(
            "/api/v1/organizations",
            get(organizations::list).post(organizations::create),
        )
        .route(
            "/api/v1/organizations/{organization}",
            get(organizations::get)
                .patch(organizations::update)
                .delete(organizations::delete),
        )
        .route(
            "/api/v1/organizations/{organization}/members",
            get(members::list).post(members::create),
        )
        .route(
            "/api/v1/organizations/{organization}/members/{user}",
            get(members::get)
                .put(members::set)
                .patch(members::set)
                .delete(members::remove),
        )
        .route(
            "/api/v1/projects",
            get(projects::list).post(projects::create),
        )
        .route(
            "/api/v1/projects/{project}",
            get(projects::get)
                .patch(projects::update)
                .delete(projects::delete),
        )
}

fn keys() -> Router<Services> {
    Router::new()
        .route(
            "/api/v1/access-keys",
            get(access_keys::list).post(access_keys::create),
        )
        .route(
            "/api/v1/access-keys/{id}",
            get(access_keys::get).delete(access_keys::revoke),
        )
        .route(
            "/api/v1/provider-keys",
            get(provider_keys::list).post(provider_keys::create),
        )
        .route(
            "/api/v1/provider-keys/{id}",
            get(provider_keys::get)
                .patch(provider_keys::update)
                .delete(provider_keys::delete),
        )
        .route(
            "/api/v1/provider-keys/{id}/rotate",
            post(provider_keys::rotate),
        )
        // Verbs that are still to come, and must not be taken for ids meanwhile.
        .route("/api/v1/provider-keys/import", any(crate::routes::unknown))
        .route("/api/v1/provider-keys/test", any(crate::routes::unknown))
        .route("/api/v1/audit-events", get(audit_events::list))
        .route("/api/v1/routes/explain", post(routes::explain))
}

fn money() -> Router<Services> {
    Router::new()
        .route("/api/v1/credits", get(credits::balance))
        .route("/api/v1/credits/grants", post(credits::grant))
        .route("/api/v1/credits/transactions", get(credits::transactions))
        .route("/api/v1/usage/records", get(usage::records))
        .route("/api/v1/requests/{request_id}", get(requests::receipt))
}

async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(CALL_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Failure::new(
            Reason::Overloaded,
            "a service that this request needs did not answer in time",
        )
        .into_response(),
    }
}
