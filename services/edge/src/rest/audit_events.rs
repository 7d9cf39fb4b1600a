//! `/api/v1/audit-events`: who touched which key, and when.

use axum::extract::State;
use keyward_proto::vault::v1::{AuditEvent, ListAuditEventsRequest};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::parameters::{PageSize, Query};
use super::reply::{Outcome, Resource, page};
use super::values::{Time, present};
use crate::caller::Call;
use crate::services::Services;

pub(super) fn router() -> OpenApiRouter<Services> {
    OpenApiRouter::default().routes(routes!(list))
}

/// Which events, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Only those of this provider key.
    provider_key: Option<String>,
    /// At most this many.
    #[serde(default)]
    #[param(inline)]
    page_size: PageSize,
    /// Where the page before ended: its `next_page_token`.
    #[serde(default)]
    page_token: String,
}

/// Something that was done to a key, or refused.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEvent)]
pub(crate) struct AuditEventView {
    /// Its id.
    id: String,
    /// When.
    #[schema(required)]
    time: Option<Time>,
    /// What was done.
    #[schema(examples("provider_key.create"))]
    action: String,
    /// Whether it was.
    #[schema(examples("ok"))]
    outcome: String,
    /// Why not.
    #[schema(required)]
    reason: Option<String>,
    /// The service that asked.
    #[schema(examples("edge"))]
    peer: String,
    /// The access key in whose name it was asked.
    #[schema(required)]
    access_key_id: Option<String>,
    /// The user in whose name it was asked.
    #[schema(required)]
    user: Option<String>,
    /// The organization in which it was asked.
    #[schema(required)]
    organization: Option<String>,
    /// What it was done to.
    #[schema(required)]
    resource_id: Option<String>,
    /// Which version of that.
    #[schema(required)]
    resource_version: Option<u64>,
    /// The request to a model that needed it.
    #[schema(required)]
    request_id: Option<String>,
    /// What the key was opened for.
    #[schema(required)]
    purpose: Option<String>,
    /// The lease under which it was used, as in usage records.
    #[schema(required)]
    lease_id: Option<String>,
    /// The trace that the request was in.
    #[schema(required)]
    trace_id: Option<String>,
}

page!(
    /// A page of audit events.
    AuditEventList { audit_events: AuditEventView }
);

impl Resource for AuditEvent {
    type View = AuditEventView;

    fn into_view(self) -> AuditEventView {
        AuditEventView {
            id: self.audit_event_id,
            time: Time::from_proto(self.event_time.as_ref()),
            action: self.action,
            outcome: self.outcome,
            reason: present(self.reason),
            peer: self.peer,
            access_key_id: present(self.access_key_id),
            user: present(self.user),
            organization: present(self.organization),
            resource_id: present(self.resource_id),
            resource_version: Some(self.resource_version).filter(|version| *version > 0),
            request_id: present(self.inference_id),
            purpose: present(self.purpose),
            lease_id: present(self.lease_id),
            trace_id: present(self.trace_id),
        }
    }
}

/// List audit events
///
/// Who touched which key, and when. Never a secret.
#[utoipa::path(
    get, path = "/api/v1/audit-events", operation_id = "listAuditEvents", tag = "Audit",
    params(Which),
    responses((status = 200, description = "A page, newest first.", body = AuditEventList)),
)]
async fn list(State(services): State<Services>, call: Call, Query(which): Query<Which>) -> Outcome {
    let request = call.request(ListAuditEventsRequest {
        provider_key_id: which.provider_key.unwrap_or_default(),
        page_size: which.page_size.0,
        page_token: which.page_token,
    });
    let answer = services.audit().list_audit_events(request).await?;
    let answer = answer.into_inner();
    AuditEventList::reply(answer.audit_events, answer.next_page_token)
}
