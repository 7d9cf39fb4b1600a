//! `AuditService`.

use keyward_proto::vault::v1::audit_service_server::AuditService;
use keyward_proto::vault::v1::{
    ListAuditEventsRequest, ListAuditEventsResponse, VerifyAuditLogRequest, VerifyAuditLogResponse,
};
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
        let filter = decode::audit_filter(message).map_err(status)?;
        let events = self
            .core
            .audit_list(&context, filter, page)
            .await
            .map_err(status)?;
        let (audit_events, next_page_token) =
            encode::paged(events, page, |event| event.id, encode::audit_event);
        Ok(Response::new(ListAuditEventsResponse {
            audit_events,
            next_page_token,
        }))
    }

    async fn verify_audit_log(
        &self,
        request: Request<VerifyAuditLogRequest>,
    ) -> Result<Response<VerifyAuditLogResponse>, Status> {
        self.answer(request, async |core, context, _| {
            core.audit_verify(context).await.map(encode::audit_proof)
        })
        .await
    }
}
