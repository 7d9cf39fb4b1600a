//! `/api/v1/audit-events`: who touched which key, and when.

use axum::extract::State;
use keyward_proto::vault::v1::{AuditEvent, ListAuditEventsRequest};
use serde_json::{Value, json};

use super::parameters::Parameters;
use super::reply::{Outcome, Reply, Resource};
use super::values::{present, time_text};
use crate::caller::Call;
use crate::services::Services;

impl Resource for AuditEvent {
    const LIST: &'static str = "audit_events";

    fn into_json(self) -> Value {
        let version = Some(self.resource_version).filter(|version| *version > 0);
        json!({
            "id": self.audit_event_id,
            "time": time_text(self.event_time.as_ref()),
            "action": self.action,
            "outcome": self.outcome,
            "reason": present(self.reason),
            "peer": self.peer,
            "access_key_id": present(self.access_key_id),
            "user": present(self.user),
            "organization": present(self.organization),
            "resource_id": present(self.resource_id),
            "resource_version": version,
            "request_id": present(self.inference_id),
            "purpose": present(self.purpose),
            "lease_id": present(self.lease_id),
            "trace_id": present(self.trace_id),
        })
    }
}

pub(crate) async fn list(
    State(services): State<Services>,
    call: Call,
    mut parameters: Parameters,
) -> Outcome {
    let provider_key_id = parameters.take("provider_key")?;
    let page = parameters.page()?;
    parameters.finish()?;
    let request = call.request(ListAuditEventsRequest {
        provider_key_id,
        page_size: page.size,
        page_token: page.token,
    });
    let answer = services.audit().list_audit_events(request).await?;
    let answer = answer.into_inner();
    Ok(Reply::list(answer.audit_events, answer.next_page_token))
}
