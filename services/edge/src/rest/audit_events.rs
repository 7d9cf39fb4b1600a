//! `/api/v1/audit-events`: who touched which key, and when.

use axum::extract::State;
use keyward_proto::vault::v1::{
    AuditEvent, ListAuditEventsRequest, VerifyAuditLogRequest, VerifyAuditLogResponse,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::parameters::{Nothing, PageSize, Query};
use super::reply::{Outcome, Reply, Resource, page};
use super::values::{Time, present};
use crate::caller::Call;
use crate::services::Services;

pub(super) fn router() -> OpenApiRouter<Services> {
    OpenApiRouter::default()
        .routes(routes!(list))
        .routes(routes!(verify, verify_again))
}

/// Which events, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Only those of this provider key.
    provider_key: Option<String>,
    /// Only those in the name of this user.
    user: Option<String>,
    /// Only those in the name of this organization.
    organization: Option<String>,
    /// Only those in the name of this access key.
    access_key: Option<String>,
    /// Only those of this action.
    #[param(example = "provider_key.unseal")]
    action: Option<String>,
    /// Only those with this outcome: `ok`, `refused` or `failed`.
    outcome: Option<String>,
    /// Only those about this, whatever it is.
    resource: Option<String>,
    /// Only those in this trace.
    trace: Option<String>,
    /// Only those for this request to a model.
    request: Option<String>,
    /// Only those at this time or later.
    from: Option<Time>,
    /// Only those before this time.
    to: Option<Time>,
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
    /// Why not; of a routing policy, which of its members were changed.
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
    /// SHA-256 of the sealed secret that was stored or opened.
    #[schema(required)]
    record_sha256: Option<String>,
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
            record_sha256: present(self.record_sha256),
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
        user: which.user.unwrap_or_default(),
        organization: which.organization.unwrap_or_default(),
        access_key_id: which.access_key.unwrap_or_default(),
        action: which.action.unwrap_or_default(),
        outcome: which.outcome.unwrap_or_default(),
        resource_id: which.resource.unwrap_or_default(),
        trace_id: which.trace.unwrap_or_default(),
        inference_id: which.request.unwrap_or_default(),
        start_time: which.from.map(Time::to_proto),
        end_time: which.to.map(Time::to_proto),
        page_size: which.page_size.0,
        page_token: which.page_token,
    });
    let answer = services.audit().list_audit_events(request).await?;
    let answer = answer.into_inner();
    AuditEventList::reply(answer.audit_events, answer.next_page_token)
}

/// What the audit log proves to be.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditProof)]
pub(crate) struct AuditProofView {
    /// Whether nothing is wrong with it.
    proven: bool,
    /// How many events the whole chains have.
    events: u64,
    /// The chains that are whole, one for each instance of the vault.
    chains: Vec<AuditChainView>,
    /// Events of the last moments, which have no place in a chain yet.
    unlinked_events: u64,
    /// What is wrong: of each chain its first broken place, and keys that were set back.
    faults: Vec<String>,
}

/// The chain of one instance of the vault.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditChain)]
pub(crate) struct AuditChainView {
    /// The instance.
    instance: String,
    /// How many events it has.
    events: u64,
    /// The last one's hash, in hexadecimal.
    head_hash: String,
}

impl From<VerifyAuditLogResponse> for AuditProofView {
    fn from(proof: VerifyAuditLogResponse) -> Self {
        let chain = |chain: keyward_proto::vault::v1::AuditChain| AuditChainView {
            instance: chain.instance,
            events: chain.event_count,
            head_hash: chain.head_hash,
        };
        let chains: Vec<_> = proof.chains.into_iter().map(chain).collect();
        Self {
            proven: proof.proven,
            events: chains.iter().map(|chain| chain.events).sum(),
            chains,
            unlinked_events: proof.unlinked_events,
            faults: proof.faults,
        }
    }
}

/// Verify the audit log
///
/// Reads all of it: every event against the one before, every checkpoint, every stored key against
/// what was last said of it. `keyward audit verify` does the same without trusting the gateway.
#[utoipa::path(
    post, path = "/api/v1/audit-events/verify", operation_id = "verifyAuditLog", tag = "Audit",
    responses((status = 200, description = "What was found.", body = AuditProofView)),
)]
async fn verify(State(services): State<Services>, call: Call, _: Query<Nothing>) -> Outcome {
    let request = call.request(VerifyAuditLogRequest {});
    let answer = services.audit().verify_audit_log(request).await?;
    Reply::ok(&AuditProofView::from(answer.into_inner()))
}

/// Verify the audit log, by GET
///
/// The same as by POST: it changes nothing.
#[utoipa::path(
    get, path = "/api/v1/audit-events/verify", operation_id = "getAuditProof", tag = "Audit",
    responses((status = 200, description = "What was found.", body = AuditProofView)),
)]
async fn verify_again(services: State<Services>, call: Call, nothing: Query<Nothing>) -> Outcome {
    verify(services, call, nothing).await
}
