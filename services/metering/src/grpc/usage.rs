//! `UsageService`.

use keyward_proto::metering::v1::usage_service_server::UsageService;
use keyward_proto::metering::v1::{
    EstimateCostRequest, EstimateCostResponse, GetReceiptRequest, GetReceiptResponse,
    ListUsageRecordsRequest, ListUsageRecordsResponse, QueryUsageRequest, QueryUsageResponse,
};
use tonic::{Request, Response, Status, async_trait};

use super::{Grpc, convert, requester, status};

#[async_trait]
impl UsageService for Grpc {
    async fn list_usage_records(
        &self,
        request: Request<ListUsageRecordsRequest>,
    ) -> Result<Response<ListUsageRecordsResponse>, Status> {
        let requester = requester(&request)?;
        let asked = request.into_inner();
        let (rows, next_page_token) = self
            .app
            .usage_records(
                &requester,
                &asked.account,
                &asked.inference_id,
                asked.page_size,
                &asked.page_token,
            )
            .await
            .map_err(status)?;
        Ok(Response::new(ListUsageRecordsResponse {
            records: rows.into_iter().map(convert::usage_record).collect(),
            next_page_token,
        }))
    }

    async fn get_receipt(
        &self,
        request: Request<GetReceiptRequest>,
    ) -> Result<Response<GetReceiptResponse>, Status> {
        let requester = requester(&request)?;
        let inference_id = request.into_inner().inference_id;
        let receipt = self
            .app
            .receipt(&requester, &inference_id)
            .await
            .map_err(status)?;
        Ok(Response::new(GetReceiptResponse {
            receipt: Some(convert::receipt(receipt)),
        }))
    }

    async fn query_usage(
        &self,
        _: Request<QueryUsageRequest>,
    ) -> Result<Response<QueryUsageResponse>, Status> {
        Err(Status::unimplemented("not available in this version yet"))
    }

    async fn estimate_cost(
        &self,
        _: Request<EstimateCostRequest>,
    ) -> Result<Response<EstimateCostResponse>, Status> {
        Err(Status::unimplemented("not available in this version yet"))
    }
}
