//! The port to metering: holds and settles, usage records with their acknowledgements, and what a
//! tier means. Usage is a fact: once there is some, it is told until it is heard.

mod extension;
mod recorder;

use std::time::Duration;

use keyward_auth::Connection;
use keyward_money::Nanos;
use keyward_proto::metering::v1 as proto;
use keyward_proto::metering::v1::metering_service_client::MeteringServiceClient;
use keyward_proto::metering::v1::pricing_service_client::PricingServiceClient;
use keyward_runtime::error::{Reason, ServiceError as _};
use keyward_runtime::ids;
use keyward_runtime::trace::carry;
use moka::sync::Cache;
use prometheus_client::metrics::gauge::Gauge;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Behalf, RouteError};
pub(crate) use recorder::RecordHandle;
use recorder::{Recorder, Stored};

/// How long metering is waited for, once.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer is held back for its settle, which says what it cost; the settle goes on in
/// the background after.
const SETTLE_WAIT: Duration = Duration::from_secs(10);
/// How long an answer with an own key is held back for its record: nothing depends on it, so metering
/// being away shall hardly be felt.
const RECORD_WAIT: Duration = Duration::from_secs(2);
/// The first pause before a settle is tried again; doubled up to the longest.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(5);
/// How long the terms of a tier are taken for known.
const TIER_FRESH: Duration = Duration::from_secs(5);

/// A hold that stands.
#[derive(Debug, Clone)]
pub(crate) struct Hold {
    pub(crate) id: String,
}

/// What a settle came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settled {
    pub(crate) charge: Nanos,
    pub(crate) list_cost: Option<Nanos>,
}

/// The port.
pub(crate) struct MeteringPort {
    client: MeteringServiceClient<Connection>,
    pricing: PricingServiceClient<Connection>,
    /// What tiers say of keys of organisations, as known lately.
    tiers_fresh: Cache<String, bool>,
    /// The same, as known last: metering being away does not take keys away.
    tiers_last: Cache<String, bool>,
    recorder: Recorder,
    tracker: TaskTracker,
    stopping: CancellationToken,
}

impl std::fmt::Debug for MeteringPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MeteringPort").finish_non_exhaustive()
    }
}

impl MeteringPort {
    pub(crate) fn new(
        connection: Connection,
        records_waiting: Gauge,
        tracker: TaskTracker,
        stopping: CancellationToken,
    ) -> Self {
        let client = MeteringServiceClient::new(connection.clone());
        let recorder = Recorder::start(client.clone(), records_waiting, &tracker, stopping.clone());
        Self {
            client,
            pricing: PricingServiceClient::new(connection),
            tiers_fresh: Cache::builder()
                .max_capacity(100)
                .time_to_live(TIER_FRESH)
                .build(),
            tiers_last: Cache::builder().max_capacity(100).build(),
            recorder,
            tracker,
            stopping,
        }
    }

    /// A way to record what a request does; `None` where no more could be kept.
    pub(crate) fn record_handle(&self) -> Option<RecordHandle> {
        self.recorder.handle()
    }

    /// Whether a tier has keys of organisations.
    pub(crate) async fn organization_keys(&self, tier: &str) -> bool {
        if let Some(known) = self.tiers_fresh.get(tier) {
            return known;
        }
        let mut client = self.pricing.clone();
        let call = client.get_tier(proto::GetTierRequest {
            tier: tier.to_owned(),
        });
        match tokio::time::timeout(CALL_TIMEOUT, call).await {
            Ok(Ok(response)) => {
                let known = response
                    .into_inner()
                    .tier
                    .is_some_and(|terms| terms.organization_keys);
                self.tiers_fresh.insert(tier.to_owned(), known);
                self.tiers_last.insert(tier.to_owned(), known);
                known
            }
            Ok(Err(_)) | Err(_) => self.tiers_last.get(tier).unwrap_or(false),
        }
    }

    /// Holds credits.
    pub(crate) async fn hold(
        &self,
        request: proto::PlaceHoldRequest,
        behalf: &Behalf,
    ) -> Result<Hold, RouteError> {
        let mut client = self.client.clone();
        let hold_id = request.request_id.clone();
        let call = client.place_hold(behalf.request(request));
        let error = match tokio::time::timeout(CALL_TIMEOUT, call).await {
            Ok(Ok(response)) => {
                return Ok(Hold {
                    id: response.into_inner().hold_id,
                });
            }
            Ok(Err(status)) => RouteError::from_status(&status, "metering"),
            Err(_) => RouteError::away("metering"),
        };
        if error.reason() == Reason::Overloaded {
            // It may stand all the same.
            self.give_back(hold_id);
        }
        Err(error)
    }

    /// Gives a hold back that nobody waits for.
    pub(crate) fn give_back(&self, hold_id: String) {
        let client = self.client.clone();
        let stopping = self.stopping.clone();
        let void = move || {
            let mut client = client.clone();
            let request = proto::VoidHoldRequest {
                request_id: ids::new_text(),
                hold_id: hold_id.clone(),
                event: None,
            };
            async move {
                match client.void_hold(request).await {
                    Err(status) if status.code() != tonic::Code::NotFound => Err(status),
                    // There was none.
                    _ => Ok(()),
                }
            }
        };
        self.tracker
            .spawn(carry(async move { until_done(void, &stopping).await }));
    }

    /// Charges what was used. `None` if metering could not be told in time; it is told later then.
    pub(crate) async fn settle(&self, request: proto::SettleUsageRequest) -> Option<Settled> {
        let client = self.client.clone();
        let settled = self.persist(move || {
            let (mut client, request) = (client.clone(), request.clone());
            async move {
                let response = client.settle_usage(request).await?.into_inner();
                Ok(Settled {
                    charge: Nanos::new(response.charge_nanos),
                    list_cost: response.list_cost_nanos.map(Nanos::new),
                })
            }
        });
        settled.await
    }

    /// Gives a hold back.
    pub(crate) async fn void(&self, request: proto::VoidHoldRequest) {
        let client = self.client.clone();
        let voided = self.persist(move || {
            let (mut client, request) = (client.clone(), request.clone());
            async move { client.void_hold(request).await.map(|_| ()) }
        });
        voided.await;
    }

    /// Does something until it is done, in a task that outlives the waiting.
    async fn persist<T, F, A>(&self, act: F) -> Option<T>
    where
        T: Send + 'static,
        F: Fn() -> A + Send + 'static,
        A: Future<Output = Result<T, tonic::Status>> + Send,
    {
        let stopping = self.stopping.clone();
        let task = self
            .tracker
            .spawn(carry(async move { until_done(act, &stopping).await }));
        tokio::time::timeout(SETTLE_WAIT, task).await.ok()?.ok()?
    }
}

impl Stored {
    /// Waits until a record is stored, within bounds.
    pub(crate) async fn within_bounds(self) {
        if tokio::time::timeout(RECORD_WAIT, self.0).await.is_err() {
            tracing::warn!("a usage record is not stored yet; it is kept until it is");
        }
    }
}

async fn until_done<T, F, A>(act: F, stopping: &CancellationToken) -> Option<T>
where
    F: Fn() -> A,
    A: Future<Output = Result<T, tonic::Status>>,
{
    let mut pause = RETRY_PAUSE;
    loop {
        let failure = match tokio::time::timeout(CALL_TIMEOUT, act()).await {
            Ok(Ok(done)) => return Some(done),
            Ok(Err(status)) => status,
            Err(_) => tonic::Status::deadline_exceeded("metering took too long"),
        };
        if !may_mend(&failure) {
            tracing::error!(code = ?failure.code(), error = %failure.message(), "metering refused a settle");
            return None;
        }
        // A stopping process tries once more as it leaves; what is lost then is settled by the
        // hold's expiry.
        if stopping.is_cancelled() && pause > RETRY_PAUSE {
            tracing::error!(error = %failure.message(), "a settle could not be told before the end");
            return None;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RETRY_PAUSE_MAX);
    }
}

/// Whether telling it again may help: all but what metering says of the message itself. Not to be
/// let in says nothing of the message, and usage that was refused so would be lost.
fn may_mend(status: &tonic::Status) -> bool {
    use tonic::Code::{AlreadyExists, FailedPrecondition, InvalidArgument, NotFound};
    !matches!(
        status.code(),
        AlreadyExists | FailedPrecondition | InvalidArgument | NotFound
    )
}
