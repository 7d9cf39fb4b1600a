//! `MeteringService`: for the router.

use std::time::Duration;

use futures::{Stream, StreamExt as _};
use keyward_money::Nanos;
use keyward_proto::metering::v1::metering_service_server::MeteringService;
use keyward_proto::metering::v1::{
    ExtendHoldRequest, ExtendHoldResponse, PlaceHoldRequest, PlaceHoldResponse, RecordUsageRequest,
    RecordUsageResponse, RenewLeaseRequest, RenewLeaseResponse, ReturnLeaseRequest,
    ReturnLeaseResponse, SettleUsageRequest, SettleUsageResponse, VoidHoldRequest,
    VoidHoldResponse, WatchLeasesRequest,
};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming, async_trait};

use super::{Grpc, convert, leases, requester, status};
use crate::MeteringError;
use crate::app::{ExtendHold, PlaceHold, SettleLeased};

/// How many events that have arrived are stored together.
const RECORD_BATCH_MAX: usize = 256;

/// How long a stopping process waits for another event on a stream: little, beside the time that it
/// has to stop.
pub(super) const IDLE_WHILE_STOPPING: Duration = Duration::from_millis(100);

#[async_trait]
impl MeteringService for Grpc {
    async fn place_hold(
        &self,
        request: Request<PlaceHoldRequest>,
    ) -> Result<Response<PlaceHoldResponse>, Status> {
        let requester = requester(&request)?;
        let asked = place_hold(request.into_inner()).map_err(status)?;
        let hold = self
            .app
            .place_hold(&requester, asked)
            .await
            .map_err(status)?;
        Ok(Response::new(PlaceHoldResponse {
            hold_id: hold.request.id.to_string(),
            amount_nanos: hold.amount.get(),
            price_version: hold.terms.price_version,
            markup_basis_points: hold.terms.markup.get(),
        }))
    }

    async fn extend_hold(
        &self,
        request: Request<ExtendHoldRequest>,
    ) -> Result<Response<ExtendHoldResponse>, Status> {
        let asked = extend_hold(request.into_inner()).map_err(status)?;
        let amount = self.app.extend_hold(asked).await.map_err(status)?;
        Ok(Response::new(ExtendHoldResponse {
            amount_nanos: amount.get(),
        }))
    }

    async fn settle_usage(
        &self,
        request: Request<SettleUsageRequest>,
    ) -> Result<Response<SettleUsageResponse>, Status> {
        let SettleUsageRequest {
            request_id,
            hold_id,
            event,
            lease_id,
            held_nanos,
        } = request.into_inner();
        let hold_id = convert::uuid("hold_id", &hold_id).map_err(status)?;
        let settled = if lease_id.is_empty() {
            self.app.settle(&request_id, hold_id, event).await
        } else {
            let settle = SettleLeased {
                lease_id: convert::uuid("lease_id", &lease_id).map_err(status)?,
                held: Nanos::new(held_nanos),
                request_id,
                hold_id,
                event,
            };
            self.app.settle_leased(settle).await
        };
        let (priced, duplicate) = settled.map_err(status)?;
        Ok(Response::new(SettleUsageResponse {
            charge_nanos: priced.charge.get(),
            list_cost_nanos: priced.list_cost.map(Nanos::get),
            duplicate,
        }))
    }

    async fn void_hold(
        &self,
        request: Request<VoidHoldRequest>,
    ) -> Result<Response<VoidHoldResponse>, Status> {
        let VoidHoldRequest {
            request_id,
            hold_id,
            event,
        } = request.into_inner();
        let hold_id = convert::uuid("hold_id", &hold_id).map_err(status)?;
        let duplicate = self
            .app
            .void(&request_id, hold_id, event)
            .await
            .map_err(status)?;
        Ok(Response::new(VoidHoldResponse { duplicate }))
    }

    async fn renew_lease(
        &self,
        request: Request<RenewLeaseRequest>,
    ) -> Result<Response<RenewLeaseResponse>, Status> {
        let asked = leases::renewal(request.into_inner()).map_err(status)?;
        let renewed = self.app.renew_lease(asked).await.map_err(status)?;
        Ok(Response::new(leases::renewed(renewed)))
    }

    async fn return_lease(
        &self,
        request: Request<ReturnLeaseRequest>,
    ) -> Result<Response<ReturnLeaseResponse>, Status> {
        let asked = request.into_inner();
        let lease = convert::uuid("lease_id", &asked.lease_id).map_err(status)?;
        let returned = Nanos::new(asked.returned_nanos);
        let returning = self.app.return_lease(lease, returned, asked.closed);
        returning.await.map_err(status)?;
        Ok(Response::new(ReturnLeaseResponse {}))
    }

    type WatchLeasesStream = leases::Calls;

    async fn watch_leases(
        &self,
        request: Request<Streaming<WatchLeasesRequest>>,
    ) -> Result<Response<Self::WatchLeasesStream>, Status> {
        let mut incoming = request.into_inner();
        let first = incoming.message().await?.unwrap_or_default();
        let holder = leases::holder(first.holder).map_err(status)?;
        let calls = leases::calls(self.clone(), holder, incoming);
        Ok(Response::new(calls))
    }

    type RecordUsageStream =
        std::pin::Pin<Box<dyn Stream<Item = Result<RecordUsageResponse, Status>> + Send>>;

    async fn record_usage(
        &self,
        request: Request<Streaming<RecordUsageRequest>>,
    ) -> Result<Response<Self::RecordUsageStream>, Status> {
        let app = self.app.clone();
        let batches = batches(request.into_inner(), self.stopping.clone());
        let answers = batches.then(move |batch| {
            let app = app.clone();
            async move {
                let batch = batch.into_iter().collect::<Result<Vec<_>, Status>>()?;
                let recorded = app.record_usage(batch).await.map_err(status)?;
                Ok(RecordUsageResponse {
                    acknowledged_sequence: recorded.sequence,
                })
            }
        });
        Ok(Response::new(Box::pin(answers)))
    }
}

/// Events in batches as they arrive. A stopping process would wait for such a stream, which its
/// sender keeps open, so it ends once nothing comes any more; requests that are still being
/// finished can bring theirs, over another stream if need be.
fn batches<S>(incoming: S, stopping: CancellationToken) -> impl Stream<Item = Vec<S::Item>>
where
    S: Stream + Unpin,
{
    let incoming = incoming.ready_chunks(RECORD_BATCH_MAX);
    futures::stream::unfold((incoming, stopping), async |(mut incoming, stopping)| {
        let idle_while_stopping = async {
            stopping.cancelled().await;
            tokio::time::sleep(IDLE_WHILE_STOPPING).await;
        };
        let batch = tokio::select! {
            batch = incoming.next() => batch?,
            () = idle_while_stopping => return None,
        };
        Some((batch, (incoming, stopping)))
    })
}

fn place_hold(request: PlaceHoldRequest) -> Result<PlaceHold, MeteringError> {
    convert::uuid("inference_id", &request.inference_id)?;
    Ok(PlaceHold {
        id: convert::uuid("request_id", &request.request_id)?,
        inference_id: request.inference_id,
        provider: request.provider,
        model: request.model,
        estimate: request.estimate.unwrap_or_default().into(),
        service_tier: request.service_tier,
        charge_cap: request.charge_cap_nanos.map(Nanos::new),
        lifetime: request
            .lifetime
            .and_then(|lifetime| Duration::try_from(lifetime).ok()),
        tags: request.tags.into_iter().collect(),
    })
}

fn extend_hold(request: ExtendHoldRequest) -> Result<ExtendHold, MeteringError> {
    convert::uuid("request_id", &request.request_id)?;
    Ok(ExtendHold {
        hold_id: convert::uuid("hold_id", &request.hold_id)?,
        estimate: request.estimate.unwrap_or_default().into(),
        service_tier: request.service_tier,
    })
}
