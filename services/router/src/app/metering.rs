//! The port to metering: holds and settles, usage records with their acknowledgements, and what a
//! tier means. Usage is a fact: once there is some, it is written down, and told until it is heard.

mod courier;
mod delivery;
mod extension;
pub(crate) mod leases;
mod replay;

use std::sync::Arc;
use std::time::Duration;

use keyward_auth::Connection;
use keyward_limits::Limits;
use keyward_proto::metering::v1 as proto;
use keyward_proto::metering::v1::metering_service_client::MeteringServiceClient;
use keyward_proto::metering::v1::pricing_service_client::PricingServiceClient;
use keyward_runtime::error::{Reason, ServiceError as _, metadata};
use keyward_runtime::ids;
use keyward_runtime::trace::{TraceContext, carry};
use moka::sync::Cache;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::meters::LeaseMeters;
use super::{Behalf, RouteError};
use crate::domain::parcel::{Held, Kind, Parcel};
use crate::spool::{Safety, Spool, SpoolError, Writing};
use courier::{Courier, Fresh};
pub(crate) use delivery::Settled;
use leases::{LeaseBook, LeasedHold, Ticket};
pub use replay::Replayed;
pub(crate) use replay::replay;

/// How long metering is waited for, once.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer is held back for its settle, which says what it cost; the settle goes on in
/// the background after.
const SETTLE_WAIT: Duration = Duration::from_secs(10);
/// How long an answer with an own key is held back for its record, where metering is slow: nothing
/// depends on it.
const RECORD_WAIT: Duration = Duration::from_secs(2);
/// How long the terms of a tier are taken for known.
const TIER_FRESH: Duration = Duration::from_secs(5);
/// Events on their way to the courier, which takes them at once.
const FRESH_MAX: usize = 4_096;

type Client = MeteringServiceClient<Connection>;

/// What metering charges a tier as that it does not know.
const TIER_OF_THE_UNKNOWN: &str = "trial";

/// What a tier means to the router.
#[derive(Debug, Clone, Copy)]
struct Terms {
    organization_keys: bool,
    limits: Limits,
}

impl From<proto::Tier> for Terms {
    fn from(tier: proto::Tier) -> Self {
        let limits = tier.default_limits.unwrap_or_default();
        Self {
            organization_keys: tier.organization_keys,
            limits: Limits::of(
                limits.requests_per_minute.unwrap_or(0).into(),
                limits.tokens_per_minute.unwrap_or(0),
                limits.concurrency.unwrap_or(0).into(),
            ),
        }
    }
}

/// A hold that stands.
#[derive(Debug, Clone)]
pub(crate) enum Hold {
    /// Metering placed it.
    Placed {
        /// Its id.
        id: String,
    },
    /// It was taken from a lease.
    Leased(Arc<LeasedHold>),
}

impl Hold {
    /// As metering is told of it.
    pub(crate) fn held(&self) -> Held {
        match self {
            Self::Placed { id } => Held {
                hold_id: id.clone(),
                ..Held::default()
            },
            Self::Leased(hold) => hold.held(),
        }
    }
}

/// The place of an attempt in the spool.
#[derive(Debug)]
pub(crate) struct Entry {
    sequence: i64,
    /// Its intent on the way to the disk, where that is waited for.
    writing: Result<Option<Writing>, SpoolError>,
}

/// The port.
pub(crate) struct MeteringPort {
    client: Client,
    pricing: PricingServiceClient<Connection>,
    /// What tiers mean, as known lately.
    tiers_fresh: Cache<String, Terms>,
    /// The same, as known last: metering being away takes no keys away and lifts no limit.
    tiers_last: Cache<String, Terms>,
    teller: Teller,
    leases: LeaseBook,
    /// What tells metering, until it is closed.
    courier: TaskTracker,
    closing: CancellationToken,
}

/// Writes events down and hands them to the courier.
#[derive(Debug, Clone)]
struct Teller {
    spool: Spool,
    fresh: mpsc::Sender<Fresh>,
    /// Of the process, which waits for what is being written.
    tracker: TaskTracker,
}

impl std::fmt::Debug for MeteringPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MeteringPort").finish_non_exhaustive()
    }
}

impl MeteringPort {
    /// A port whose events go through `spool`; what lies there is told from now on. `tracker` is of
    /// the process.
    pub(crate) fn new(
        connection: Connection,
        spool: Spool,
        tracker: TaskTracker,
        meters: LeaseMeters,
    ) -> Self {
        let client = Client::new(connection.clone());
        let (fresh, arriving) = mpsc::channel(FRESH_MAX);
        let closing = CancellationToken::new();
        let tells = Courier::new(spool.clone(), client.clone(), arriving, closing.clone());
        // It outlives the requests, so it is none of the process's tasks.
        let courier = TaskTracker::new();
        courier.spawn(tells.run());
        courier.close();
        let leases = LeaseBook::open(client.clone(), spool.clone(), meters);
        Self {
            client,
            pricing: PricingServiceClient::new(connection),
            tiers_fresh: Cache::builder()
                .max_capacity(100)
                .time_to_live(TIER_FRESH)
                .build(),
            tiers_last: Cache::builder().max_capacity(100).build(),
            teller: Teller {
                spool,
                fresh,
                tracker,
            },
            leases,
            courier,
            closing,
        }
    }

    /// What metering lent.
    pub(crate) const fn leases(&self) -> &LeaseBook {
        &self.leases
    }

    /// Tells metering what it can be told still, and closes the spool. To be called once no request
    /// is in flight.
    pub(crate) async fn close(&self) {
        self.closing.cancel();
        self.courier.wait().await;
        self.leases.close().await;
        self.teller.spool.close().await;
    }

    /// Whether work can be taken on: what could not be recorded is not begun.
    pub(crate) fn admits(&self) -> Result<(), RouteError> {
        self.teller.spool.admits().map_err(unrecorded)
    }

    /// A place in the spool for an attempt that is about to be dispatched.
    pub(crate) fn place(&self) -> Result<Entry, RouteError> {
        self.admits()?;
        Ok(Entry {
            sequence: self.teller.spool.sequence(),
            writing: Ok(None),
        })
    }

    /// Begins to write that an attempt is dispatched. `event` is what is known of it by now.
    pub(crate) fn dispatching(
        &self,
        entry: &mut Entry,
        hold: Option<&Hold>,
        event: &proto::UsageEvent,
    ) {
        let spool = &self.teller.spool;
        let (held, safety) = match hold {
            Some(hold) => (hold.held(), Safety::Power),
            None => (Held::default(), Safety::Kill),
        };
        entry.writing = match spool.intent(entry.sequence, held, event, safety) {
            // It was let in, so it is served; its event is kept in memory if it comes to that.
            Err(_) if hold.is_none() => Ok(None),
            writing => writing,
        };
    }

    /// Something is about to be delivered, and so much was used until now. With the platform's key it
    /// is waited for until that survives this process: what a caller has got is charged.
    pub(crate) async fn delivering(&self, entry: &Entry, hold: Option<&Hold>, usage: proto::Usage) {
        let spool = &self.teller.spool;
        if hold.is_none() {
            return spool.note_checkpoint(entry.sequence, &usage);
        }
        // That it cannot be written is seen by the event at the end, too, which is kept in memory.
        let _ = spool.checkpoint(entry.sequence, &usage).await;
    }

    /// So much was used until now.
    pub(crate) fn delivered(&self, entry: &Entry, usage: proto::Usage) {
        let spool = &self.teller.spool;
        spool.note_checkpoint(entry.sequence, &usage);
    }

    /// Closes the books of an attempt. Of a settle it says what it came to, if metering could be told
    /// in time; it is told later else.
    pub(crate) async fn close_books(&self, entry: &Entry, parcel: Parcel) -> Option<Settled> {
        self.teller.tell(entry.sequence, parcel).await
    }

    /// The same of an attempt under a lease, whose charge is known here: it is written down, and
    /// metering is told without being waited for.
    pub(crate) async fn close_leased(&self, entry: &Entry, parcel: Parcel, ticket: Ticket) {
        self.teller
            .write_and_tell(entry.sequence, parcel, ticket)
            .await;
    }

    /// Whether a tier has keys of organisations.
    pub(crate) async fn organization_keys(&self, tier: &str) -> bool {
        let terms = self.terms(tier).await;
        terms.is_some_and(|terms| terms.organization_keys)
    }

    /// The limits of a tier on what the platform's keys serve. A tier that nobody knows counts as the
    /// one that it is charged as.
    pub(crate) async fn tier_limits(&self, tier: &str) -> Limits {
        let terms = match self.terms(tier).await {
            None => self.terms(TIER_OF_THE_UNKNOWN).await,
            known => known,
        };
        terms.map(|terms| terms.limits).unwrap_or_default()
    }

    async fn terms(&self, tier: &str) -> Option<Terms> {
        if let Some(known) = self.tiers_fresh.get(tier) {
            return Some(known);
        }
        let mut client = self.pricing.clone();
        let call = client.get_tier(proto::GetTierRequest {
            tier: tier.to_owned(),
        });
        match tokio::time::timeout(CALL_TIMEOUT, call).await {
            Ok(Ok(response)) => {
                let terms = Terms::from(response.into_inner().tier?);
                self.tiers_fresh.insert(tier.to_owned(), terms);
                self.tiers_last.insert(tier.to_owned(), terms);
                Some(terms)
            }
            Ok(Err(_)) | Err(_) => self.tiers_last.get(tier),
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
                return Ok(Hold::Placed {
                    id: response.into_inner().hold_id,
                });
            }
            Ok(Err(status)) => RouteError::from_status(&status, "metering"),
            Err(_) => RouteError::away("metering"),
        };
        if error.reason() == Reason::Overloaded {
            // It may stand all the same.
            self.give_back(Hold::Placed { id: hold_id });
        }
        Err(error)
    }

    /// Gives a hold back that nobody waits for.
    pub(crate) fn give_back(&self, hold: Hold) {
        // One that was taken from a lease goes back as it is dropped.
        let Hold::Placed { id: hold_id } = hold else {
            return;
        };
        let teller = self.teller.clone();
        let void = Parcel::Void(proto::VoidHoldRequest {
            request_id: ids::new_text(),
            hold_id,
            event: None,
        });
        let sequence = teller.spool.sequence();
        let told = async move {
            teller.tell(sequence, void).await;
        };
        self.teller.tracker.spawn(carry(told));
    }
}

impl Entry {
    /// Waits until the intent is as safe as it has to be before anything is delivered.
    pub(crate) async fn safe(&mut self) -> Result<(), RouteError> {
        match std::mem::replace(&mut self.writing, Ok(None)) {
            Ok(Some(writing)) => writing.safe().await.map_err(unrecorded),
            Ok(None) => Ok(()),
            Err(error) => Err(unrecorded(error)),
        }
    }
}

impl Teller {
    /// Writes something down and has metering told; waits for that for a while.
    async fn tell(&self, sequence: i64, parcel: Parcel) -> Option<Settled> {
        let wait = match parcel.kind() {
            Kind::Record => RECORD_WAIT,
            Kind::Settle | Kind::Void => SETTLE_WAIT,
        };
        let (waiting, told) = oneshot::channel();
        let teller = self.clone();
        let handing = async move { teller.hand_over(sequence, parcel, waiting).await };
        // In a task of its own: who waits may go, and what is written is handed on all the same.
        self.tracker.spawn(carry(handing)).await.ok()?;
        tokio::time::timeout(wait, told).await.ok()?.ok()?
    }

    /// Writes something down and has metering told; waits for that only where it could not be
    /// written.
    async fn write_and_tell(&self, sequence: i64, parcel: Parcel, ticket: Ticket) {
        let (waiting, told) = oneshot::channel();
        let (written, is_written) = oneshot::channel();
        let teller = self.clone();
        let telling = async move {
            let written_now = teller.hand_over(sequence, parcel, waiting).await;
            // Who waits may have gone.
            let _ = written.send(written_now);
            // Where nobody says what became of it, it is told after the next start.
            if told.await.is_ok() {
                ticket.told();
            }
        };
        let telling = self.tracker.spawn(carry(telling));
        if !is_written.await.unwrap_or(false) {
            let _ = tokio::time::timeout(SETTLE_WAIT, telling).await;
        }
    }

    /// What cannot be written is told all the same, and kept in memory until it is. Says whether it
    /// could be.
    async fn hand_over(
        &self,
        sequence: i64,
        parcel: Parcel,
        waiting: oneshot::Sender<Option<Settled>>,
    ) -> bool {
        let is_written = self.spool.event(sequence, &parcel).await.is_ok();
        let fresh = Fresh {
            sequence,
            parcel,
            waiting,
            is_written,
            trace: TraceContext::current(),
        };
        if self.fresh.send(fresh).await.is_err() && !is_written {
            tracing::error!("usage came after the end, and could not be written");
        }
        is_written
    }
}

fn unrecorded(error: SpoolError) -> RouteError {
    let message = format!("{error}, so that nothing new can be recorded; try again shortly");
    RouteError::new(Reason::Overloaded, message).with(metadata::RETRY_AFTER_MS, "1000")
}
