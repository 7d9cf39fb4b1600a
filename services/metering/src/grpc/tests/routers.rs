//! Routers that are only pretended: what they hold from leases, and what they are called for.

#![allow(
    clippy::disallowed_methods,
    reason = "what a test spawns ends with its runtime"
)]

use futures::StreamExt as _;
use futures::channel::mpsc;
use keyward_auth::Connection;
use keyward_proto::metering::v1 as wire;
use keyward_proto::metering::v1::metering_service_client::MeteringServiceClient;
use keyward_runtime::ids;
use uuid::Uuid;

use super::world::{World, hold, served, settle, uid, words};
use crate::domain::account::{AccountKey, AccountKind};
use crate::store::Store;

/// What three words and three more cost a professional.
pub(super) const PRICE: i64 = 9_450;

pub(super) fn account() -> String {
    format!("users/{}", uid("bob"))
}

pub(super) fn account_key() -> AccountKey {
    AccountKey::new(AccountKind::User, uid("bob"))
}

fn digest() -> Vec<u8> {
    let catalog = keyward_catalog::Catalog::embedded().expect("a catalogue");
    catalog.prices_digest().to_vec()
}

/// A router that holds from one lease.
pub(super) struct Router {
    /// The metering that it is connected to.
    metering: MeteringServiceClient<Connection>,
    holder: wire::LeaseHolder,
    pub(super) lease_id: String,
    pub(super) answers: mpsc::UnboundedSender<wire::WatchLeasesRequest>,
    pub(super) calls: mpsc::UnboundedReceiver<wire::WatchLeasesResponse>,
}

impl Router {
    pub(super) async fn start<S>(world: &World<S>, router: Uuid, start: u64) -> Self
    where
        S: Store + Clone + 'static,
    {
        let mut metering = world.metering();
        let holder = wire::LeaseHolder {
            router_id: router.to_string(),
            start,
        };
        let (answers, outgoing) = mpsc::unbounded();
        let hello = wire::WatchLeasesRequest {
            holder: Some(holder.clone()),
            ..wire::WatchLeasesRequest::default()
        };
        answers.unbounded_send(hello).expect("heard");
        let watched = metering.watch_leases(outgoing).await;
        let mut calls = watched.expect("watched").into_inner();
        let first = calls.message().await.expect("works").expect("a greeting");
        assert_eq!(first.call_id, 0);
        // Both directions are listened to all the time, as a router does.
        let (heard, calls_heard) = mpsc::unbounded();
        tokio::spawn(async move {
            while let Ok(Some(call)) = calls.message().await {
                let _ = heard.unbounded_send(call);
            }
        });
        Self {
            metering,
            holder,
            lease_id: ids::new_text(),
            answers,
            calls: calls_heard,
        }
    }

    pub(super) fn renewal(&self, wanted: i64) -> wire::RenewLeaseRequest {
        wire::RenewLeaseRequest {
            request_id: ids::new_text(),
            lease_id: self.lease_id.clone(),
            holder: Some(self.holder.clone()),
            account: account(),
            tier: "professional".to_owned(),
            wanted_nanos: wanted,
            least_nanos: 1,
            in_need: false,
            prices_digest: digest(),
        }
    }

    /// What is lent altogether.
    pub(super) async fn renew(&self, wanted: i64) -> i64 {
        let renewed = self
            .metering
            .clone()
            .renew_lease(self.renewal(wanted))
            .await;
        renewed.expect("answered").into_inner().granted_nanos
    }

    pub(super) async fn give_back(&self, returned_nanos: i64, closed: bool) {
        let back = wire::ReturnLeaseRequest {
            request_id: ids::new_text(),
            lease_id: self.lease_id.clone(),
            returned_nanos,
            closed,
        };
        self.metering
            .clone()
            .return_lease(back)
            .await
            .expect("taken");
    }

    pub(super) async fn call(&mut self) -> wire::WatchLeasesResponse {
        self.calls.next().await.expect("a call")
    }

    /// Waits until all leases are called back.
    pub(super) async fn recalled(&mut self) -> wire::WatchLeasesResponse {
        let call = self.call().await;
        let told = (call.call(), call.account.as_str());
        assert_eq!(told, (wire::LeaseCall::Recall, ""));
        call
    }

    pub(super) fn done(&self, call: &wire::WatchLeasesResponse, in_flight_nanos: i64) {
        let done = wire::WatchLeasesRequest {
            call_id: call.call_id,
            in_flight_nanos,
            ..wire::WatchLeasesRequest::default()
        };
        self.answers.unbounded_send(done).expect("heard");
    }

    /// What it would settle of its lease.
    pub(super) fn settlement(&self) -> wire::SettleUsageRequest {
        let request = hold(words(3, 3));
        let mut event = served(&request, words(3, 3));
        event.owner = Some(wire::UsageOwner {
            account: account(),
            user_uid: uid("bob").to_string(),
            ..wire::UsageOwner::default()
        });
        wire::SettleUsageRequest {
            lease_id: self.lease_id.clone(),
            held_nanos: PRICE,
            ..settle(&request, event)
        }
    }

    /// Settles what it held from its lease.
    pub(super) async fn settle(&self) -> wire::SettleUsageResponse {
        let settle = self.settlement();
        let settled = self.metering.clone().settle_usage(settle.clone()).await;
        let settled = settled.expect("settled").into_inner();
        let again = self.metering.clone().settle_usage(settle).await;
        assert!(again.expect("settled").into_inner().duplicate);
        settled
    }
}
