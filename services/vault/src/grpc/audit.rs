//! `AuditService`.

use keyward_proto::vault::v1::audit_service_server::AuditService;
use keyward_proto::vault::v1::{ListAuditEventsRequest, ListAuditEventsResponse};
use tonic::{Request, Response, Status};

use super::{VaultGrpc, decode, encode, status};

#[tonic::async_trait]
impl AuditService for VaultGrpc {
    async fn list_audit_events(
        &self,
        request: Request<ListAuditEventsRequest>,
    ) -> Result<Response<ListAuditEventsResponse>, Status> {
        let (context, message) = self.admit(request).await?;
        let page = decode::page(message.page_size, &message.page_token).map_err(status)?;
        let about = &message.provider_key_id;
        let events = self
            .core
            .audit_list(&context, about, page)
            .await
            .map_err(status)?;
        let (audit_events, next_page_token) =
            encode::paged(events, page, |event| event.id, encode::audit_event);
        Ok(Response::new(ListAuditEventsResponse {
            audit_events,
            next_page_token,
        }))
    }
}
