//! What metering calls for, done.

use std::sync::Arc;

use futures::future::join_all;
use keyward_money::Nanos;
use keyward_proto::metering::v1::{LeaseCall, WatchLeasesRequest, WatchLeasesResponse};

use super::LeaseBook;
use super::slot::Slot;

impl LeaseBook {
    /// Does it; says so, and what requests in flight hold.
    pub(super) async fn answer(&self, call: WatchLeasesResponse) -> WatchLeasesRequest {
        let slots = self.slots_of(&call.account);
        match call.call() {
            LeaseCall::Flush => {
                join_all(slots.iter().map(|slot| slot.told())).await;
            }
            LeaseCall::Recall => {
                join_all(slots.iter().map(|slot| self.recall(slot))).await;
            }
            LeaseCall::Unspecified => {}
        }
        let held = slots.iter().map(|slot| slot.in_flight());
        let in_flight = held.fold(Nanos::ZERO, Nanos::saturating_add);
        WatchLeasesRequest {
            call_id: call.call_id,
            in_flight_nanos: in_flight.get(),
            ..WatchLeasesRequest::default()
        }
    }

    async fn recall(&self, slot: &Slot) {
        slot.end_current();
        self.give_back(slot).await;
    }

    fn slots_of(&self, account: &str) -> Vec<Arc<Slot>> {
        if account.is_empty() {
            return self.slots();
        }
        self.shared
            .slots
            .read()
            .get(account)
            .cloned()
            .into_iter()
            .collect()
    }
}
