//! `/api/v1/cache`: stored answers are taken away.

use axum::extract::State;
use keyward_proto::router::v1::PurgeCacheRequest;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::parameters::Query;
use super::reply::{Outcome, Reply};
use crate::caller::Call;
use crate::services::Services;

pub(super) fn router() -> OpenApiRouter<Services> {
    OpenApiRouter::default().routes(routes!(purge))
}

/// Which answers.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Those whose request had this tag, as `team=search`, or any of that name, as `team`; all where
    /// absent.
    #[serde(default)]
    tag: String,
}

/// What was taken away.
#[derive(Debug, Serialize, ToSchema)]
struct Purged {
    /// How many answers.
    purged: i64,
}

/// Purge stored answers
///
/// Those of the account acted for; other accounts' are never touched.
#[utoipa::path(
    delete, path = "/api/v1/cache", operation_id = "purgeCache", tag = "Routes",
    params(Which),
    responses((status = 200, description = "How many were taken away.", body = Purged)),
)]
async fn purge(
    State(services): State<Services>,
    call: Call,
    Query(which): Query<Which>,
) -> Outcome {
    let request = call.request(PurgeCacheRequest {
        request_id: String::new(),
        tag: which.tag,
    });
    let answer = services.router().purge_cache(request).await?.into_inner();
    Reply::ok(&Purged {
        purged: answer.purged,
    })
}
