//! `CreditService`.

use keyward_money::Nanos;
use keyward_proto::metering::v1::credit_service_server::CreditService;
use keyward_proto::metering::v1::{
    GetBalanceRequest, GetBalanceResponse, GrantCreditsRequest, GrantCreditsResponse,
    ListTransactionsRequest, ListTransactionsResponse, RefundChargeRequest, RefundChargeResponse,
};
use tonic::{Request, Response, Status, async_trait};

use super::{Grpc, convert, requester, status};
use crate::app::{Grant, Refund};

#[async_trait]
impl CreditService for Grpc {
    async fn get_balance(
        &self,
        request: Request<GetBalanceRequest>,
    ) -> Result<Response<GetBalanceResponse>, Status> {
        let requester = requester(&request)?;
        let account = request.into_inner().account;
        let (name, balance) = self
            .app
            .balance(&requester, &account)
            .await
            .map_err(status)?;
        Ok(Response::new(GetBalanceResponse {
            account: name.to_string(),
            balance_nanos: balance.balance.get(),
            held_nanos: balance.held.get(),
            available_nanos: balance.balance.saturating_sub(balance.held).get(),
        }))
    }

    async fn grant_credits(
        &self,
        request: Request<GrantCreditsRequest>,
    ) -> Result<Response<GrantCreditsResponse>, Status> {
        let requester = requester(&request)?;
        let asked = request.into_inner();
        let grant = Grant {
            account: asked.account,
            amount: Nanos::new(asked.amount_nanos),
            request_id: asked.request_id,
            note: asked.note,
            priority: asked.priority,
            expire_time: convert::moment("expire_time", asked.expire_time).map_err(status)?,
        };
        let (transfer, duplicate) = self.app.grant(&requester, grant).await.map_err(status)?;
        Ok(Response::new(GrantCreditsResponse {
            transaction: Some(convert::transfer(transfer)),
            duplicate,
        }))
    }

    async fn refund_charge(
        &self,
        request: Request<RefundChargeRequest>,
    ) -> Result<Response<RefundChargeResponse>, Status> {
        let requester = requester(&request)?;
        let asked = request.into_inner();
        let refund = Refund {
            inference_id: asked.inference_id,
            amount: asked.amount_nanos.map(Nanos::new),
            request_id: asked.request_id,
            note: asked.note,
        };
        let refunded = self.app.refund(&requester, refund).await;
        let (transfer, duplicate) = refunded.map_err(status)?;
        Ok(Response::new(RefundChargeResponse {
            transaction: Some(convert::transfer(transfer)),
            duplicate,
        }))
    }

    async fn list_transactions(
        &self,
        request: Request<ListTransactionsRequest>,
    ) -> Result<Response<ListTransactionsResponse>, Status> {
        let requester = requester(&request)?;
        let asked = request.into_inner();
        let (rows, next_page_token) = self
            .app
            .transactions(
                &requester,
                &asked.account,
                asked.page_size,
                &asked.page_token,
            )
            .await
            .map_err(status)?;
        Ok(Response::new(ListTransactionsResponse {
            transactions: rows.into_iter().map(convert::transaction).collect(),
            next_page_token,
        }))
    }
}
