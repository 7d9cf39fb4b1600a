//! Leases on the wire, and the stream on which routers are called.

use std::pin::Pin;
use std::time::Duration;

use futures::{Stream, stream};
use keyward_money::Nanos;
use keyward_proto::metering::v1::{
    LeaseCall, LeaseHolder, RenewLeaseRequest, RenewLeaseResponse, WatchLeasesRequest,
    WatchLeasesResponse,
};
use tokio::sync::mpsc;
use tonic::{Status, Streaming};

use super::metering::IDLE_WHILE_STOPPING;
use super::{Grpc, convert, status};
use crate::MeteringError;
use crate::app::{Call, Connected, LIFETIME, RenewLease, Renewed};
use crate::domain::errand::ErrandKind;
use crate::domain::ledger::Holder;

/// What a router is called for.
pub(super) type Calls = Pin<Box<dyn Stream<Item = Result<WatchLeasesResponse, Status>> + Send>>;

pub(super) fn holder(holder: Option<LeaseHolder>) -> Result<Holder, MeteringError> {
    let holder = holder.unwrap_or_default();
    Ok(Holder {
        router: convert::uuid("holder", &holder.router_id)?,
        start: holder.start,
    })
}

pub(super) fn renewal(asked: RenewLeaseRequest) -> Result<RenewLease, MeteringError> {
    let account = asked.account.parse();
    Ok(RenewLease {
        id: convert::uuid("lease_id", &asked.lease_id)?,
        holder: holder(asked.holder)?,
        account: account.map_err(|error| MeteringError::invalid("account", error))?,
        tier: asked.tier,
        wanted: Nanos::new(asked.wanted_nanos),
        least: Nanos::new(asked.least_nanos),
        in_need: asked.in_need,
        prices_digest: asked.prices_digest,
    })
}

pub(super) fn renewed(renewed: Renewed) -> RenewLeaseResponse {
    match renewed {
        Renewed::Granted(lease) => RenewLeaseResponse {
            granted_nanos: lease.granted.get(),
            lifetime: Some(duration(LIFETIME)),
            price_version: lease.price_version,
            markup_basis_points: lease.markup.get(),
            retry_after: None,
        },
        Renewed::Nothing { retry_after } => RenewLeaseResponse {
            retry_after: Some(duration(retry_after)),
            ..RenewLeaseResponse::default()
        },
    }
}

fn duration(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or(0),
    }
}

/// A router's connection.
struct Watch {
    grpc: Grpc,
    connected: Connected,
    calls: mpsc::Receiver<Call>,
    incoming: Streaming<WatchLeasesRequest>,
    greeted: bool,
}

/// Calls until the router leaves. A stopping process waits for no stream that is idle.
pub(super) fn calls(grpc: Grpc, holder: Holder, incoming: Streaming<WatchLeasesRequest>) -> Calls {
    let (connected, calls) = grpc.app.connect_holder(holder);
    let watch = Watch {
        grpc,
        connected,
        calls,
        incoming,
        greeted: false,
    };
    let next = async |mut watch: Watch| {
        let message = watch.next().await?;
        Some((Ok(message), watch))
    };
    Box::pin(stream::unfold(watch, next))
}

impl Watch {
    async fn next(&mut self) -> Option<WatchLeasesResponse> {
        if !std::mem::replace(&mut self.greeted, true) {
            return Some(WatchLeasesResponse::default());
        }
        let stopping = self.grpc.stopping.clone();
        loop {
            let idle = async {
                stopping.cancelled().await;
                tokio::time::sleep(IDLE_WHILE_STOPPING).await;
            };
            tokio::select! {
                call = self.calls.recv() => return call.map(message),
                said = self.incoming.message() => self.heard(said.ok()??).await,
                () = idle => return None,
            }
        }
    }

    async fn heard(&self, said: WatchLeasesRequest) {
        if said.call_id != 0 {
            let in_flight = Nanos::new(said.in_flight_nanos);
            self.connected.done(said.call_id, in_flight);
        }
        if said.earlier_told
            && let Err(fault) = self.grpc.app.earlier_told(self.connected.holder).await
        {
            let fault = status(fault);
            tracing::error!(error = %fault.message(), "leases of a router's earlier starts stay");
        }
    }
}

fn message(call: Call) -> WatchLeasesResponse {
    let (errand, account) = (call.errand, call.errand.account);
    let kind = match errand.kind {
        ErrandKind::Flush => LeaseCall::Flush,
        ErrandKind::Recall => LeaseCall::Recall,
    };
    WatchLeasesResponse {
        call_id: call.id,
        call: kind.into(),
        account: account
            .map(|account| account.to_string())
            .unwrap_or_default(),
    }
}
