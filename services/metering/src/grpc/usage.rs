//! `UsageService`.

use keyward_proto::metering::v1::usage_service_server::UsageService;
use keyward_proto::metering::v1::{
    EstimateCostRequest, EstimateCostResponse, GetReceiptRequest, GetReceiptResponse,
    GetSavingsRequest, GetSavingsResponse, GetStatementRequest, GetStatementResponse,
    ListKeyStatisticsRequest, ListKeyStatisticsResponse, ListUsageRecordsRequest,
    ListUsageRecordsResponse, QueryUsageRequest, QueryUsageResponse, RerateUsageRequest,
    RerateUsageResponse,
};
use keyward_runtime::time;
use tonic::{Request, Response, Status, async_trait};

use super::{Grpc, convert, estimate, reports, requester, status, sums};
use crate::app::RecordsRequest;

#[async_trait]
impl UsageService for Grpc {
    async fn list_usage_records(
        &self,
        request: Request<ListUsageRecordsRequest>,
    ) -> Result<Response<ListUsageRecordsResponse>, Status> {
        let requester = requester(&request)?;
        let asked = request.into_inner();
        let asked = RecordsRequest {
            account: asked.account,
            inference_id: asked.inference_id,
            filter: convert::filter(asked.filter).map_err(status)?,
            page_size: asked.page_size,
            page_token: asked.page_token,
        };
        let page = self.app.usage_records(&requester, asked).await;
        let (rows, next_page_token) = page.map_err(status)?;
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
        request: Request<QueryUsageRequest>,
    ) -> Result<Response<QueryUsageResponse>, Status> {
        let requester = requester(&request)?;
        let asked = sums::request(request.into_inner()).map_err(status)?;
        let page = self.app.usage_sums(&requester, asked).await;
        Ok(Response::new(sums::response(page.map_err(status)?)))
    }

    async fn estimate_cost(
        &self,
        request: Request<EstimateCostRequest>,
    ) -> Result<Response<EstimateCostResponse>, Status> {
        let requester = requester(&request)?;
        let asked = estimate::request(request.into_inner()).map_err(status)?;
        let estimate = self.app.estimate(&requester, &asked).map_err(status)?;
        Ok(Response::new(estimate::response(estimate)))
    }

    async fn list_key_statistics(
        &self,
        request: Request<ListKeyStatisticsRequest>,
    ) -> Result<Response<ListKeyStatisticsResponse>, Status> {
        let requester = requester(&request)?;
        let asked = reports::keys_request(request.into_inner()).map_err(status)?;
        let page = self.app.key_statistics(&requester, asked).await;
        Ok(Response::new(reports::keys(page.map_err(status)?)))
    }

    async fn get_savings(
        &self,
        request: Request<GetSavingsRequest>,
    ) -> Result<Response<GetSavingsResponse>, Status> {
        let requester = requester(&request)?;
        let asked = request.into_inner();
        let filter = convert::filter(asked.filter).map_err(status)?;
        let savings = self.app.savings(&requester, &asked.account, filter).await;
        let (savings, start, end) = savings.map_err(status)?;
        Ok(Response::new(GetSavingsResponse {
            savings: Some(reports::savings(&savings)),
            start_time: Some(time::to_proto(start)),
            end_time: Some(time::to_proto(end)),
        }))
    }

    async fn get_statement(
        &self,
        request: Request<GetStatementRequest>,
    ) -> Result<Response<GetStatementResponse>, Status> {
        let requester = requester(&request)?;
        let asked = request.into_inner();
        let statement = self
            .app
            .statement(&requester, &asked.account, &asked.month)
            .await
            .map_err(status)?;
        Ok(Response::new(GetStatementResponse {
            statement: Some(reports::statement(&statement)),
        }))
    }

    async fn rerate_usage(
        &self,
        request: Request<RerateUsageRequest>,
    ) -> Result<Response<RerateUsageResponse>, Status> {
        let requester = requester(&request)?;
        let asked = reports::rerate_request(request.into_inner()).map_err(status)?;
        let report = self.app.rerate(&requester, asked).await;
        Ok(Response::new(reports::rerating(report.map_err(status)?)))
    }
}
