//! The port to the vault: which keys a caller may use, the keys themselves for as long as a lease,
//! and word of what changes. Nothing that was revoked is used again: a change empties what is kept
//! here before it is acknowledged, and a gap, silence or a lost connection makes all of it unverified:
//! nothing of it is used until the vault has said what still holds.

mod freshness;
mod leases;
mod listing;
mod meters;
mod owners;
mod recovery;
mod testing;
mod watching;

use std::sync::Arc;
use std::time::{Duration, Instant};

use keyward_auth::{Authenticator, Connection, Principal};
use keyward_proto::vault::v1 as proto;
use keyward_proto::vault::v1::identity_service_client::IdentityServiceClient;
use keyward_proto::vault::v1::vault_service_client::VaultServiceClient;
use keyward_runtime::error::{Reason, WireError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Behalf, HealthBook, RouteError};
use freshness::Freshness;
pub(crate) use leases::Lease;
use leases::{Leases, Slot};
pub(crate) use listing::Listing;
use listing::Listings;
pub(crate) use meters::LeaseMeters;
pub(crate) use owners::NamedOwner;
pub(crate) use testing::TestLease;

/// How long the vault is waited for; it reads from its own disk.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// How long it is waited for once nothing is heard of it: callers should learn soon to come again.
const SILENT_TIMEOUT: Duration = Duration::from_secs(2);
/// How often listings are fetched anew when changes come in between.
const LISTING_TRIES: usize = 3;
/// How long a request waits for a lease that is being checked before it has the key opened anew:
/// longer than a check takes, shorter than a caller would notice.
const CHECK_WAIT: Duration = Duration::from_millis(500);
/// How often leases that have ended are overwritten, though nobody asks for them.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Why a key was not opened.
#[derive(Debug)]
pub(crate) enum UnsealError {
    /// It cannot be opened, ever: its record is damaged. Nothing else may serve in its stead.
    Broken,
    /// It was disabled or deleted since it was listed: no candidate any more.
    Gone,
    /// The vault opens nothing until it is unsealed.
    Sealed,
    /// The vault cannot be asked.
    Away,
}

/// The port.
pub(crate) struct VaultPort {
    client: VaultServiceClient<Connection>,
    identity: IdentityServiceClient<Connection>,
    listings: Listings,
    leases: Leases,
    freshness: Freshness,
    /// Whether the vault is being asked which leases hold.
    checking: watch::Sender<bool>,
    health: Arc<HealthBook>,
    meters: LeaseMeters,
}

impl std::fmt::Debug for VaultPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VaultPort")
            .field("freshness", &self.freshness)
            .finish_non_exhaustive()
    }
}

impl VaultPort {
    pub(crate) fn new(
        connection: Connection,
        revocation_bound: Duration,
        health: Arc<HealthBook>,
        meters: LeaseMeters,
    ) -> Self {
        Self {
            client: VaultServiceClient::new(connection.clone()),
            identity: IdentityServiceClient::new(connection),
            listings: Listings::new(),
            leases: Leases::new(),
            freshness: Freshness::new(revocation_bound),
            checking: watch::Sender::new(false),
            health,
            meters,
        }
    }

    fn patience(&self) -> Duration {
        if self.freshness.is_silent() {
            SILENT_TIMEOUT
        } else {
            CALL_TIMEOUT
        }
    }

    /// Whether changes are heard of.
    pub(crate) fn is_fresh(&self) -> bool {
        self.freshness.is_fresh()
    }

    /// The keys that a caller may use.
    pub(crate) async fn keys(&self, behalf: &Behalf) -> Result<Arc<Listing>, RouteError> {
        let place = listing::place(behalf.principal());
        if self.freshness.is_fresh()
            && let Some(known) = self.listings.get(&place)
        {
            return Ok(known);
        }
        let since = Instant::now();
        let listing = self.list(&place, since, behalf);
        let listed = tokio::time::timeout(self.patience(), listing).await;
        listed.map_err(|_| RouteError::away("the vault"))?
    }

    /// How a key of the caller's own is shown, if its listing is at hand.
    pub(crate) fn masked(&self, principal: &Principal, key_id: &str) -> Option<String> {
        let listing = self.listings.get(&listing::place(principal))?;
        listing.mask(key_id).map(str::to_owned)
    }

    /// One asks; those who come meanwhile wait for its answer, if it is up to date then.
    async fn list(
        &self,
        place: &str,
        since: Instant,
        behalf: &Behalf,
    ) -> Result<Arc<Listing>, RouteError> {
        let flight = self.listings.flight(place);
        let mut last = flight.lock().await;
        if let Some((asked, listing)) = last.as_ref()
            && *asked >= since
            && listing.sequence >= self.freshness.sequence()
        {
            return Ok(Arc::clone(listing));
        }
        if self.freshness.is_fresh()
            && let Some(known) = self.listings.get(place)
        {
            return Ok(known);
        }
        let asked = Instant::now();
        let mut listing = self.fetch_listing(behalf).await?;
        for _ in 1..LISTING_TRIES {
            if listing.sequence >= self.freshness.sequence() {
                break;
            }
            listing = self.fetch_listing(behalf).await?;
        }
        let heard_before = self.freshness.sequence();
        if self.freshness.is_fresh() && listing.sequence >= heard_before {
            self.listings.insert(place.to_owned(), Arc::clone(&listing));
            if self.freshness.sequence() != heard_before {
                self.listings.forget(place);
            }
        }
        *last = Some((asked, Arc::clone(&listing)));
        Ok(listing)
    }

    async fn fetch_listing(&self, behalf: &Behalf) -> Result<Arc<Listing>, RouteError> {
        let request = behalf.request(proto::ListUsableKeysRequest {});
        let mut client = self.client.clone();
        let response = client
            .list_usable_keys(request)
            .await
            .map_err(|status| RouteError::from_status(&status, "the vault"))?
            .into_inner();
        let listing = Listing::read(response, behalf.principal());
        self.listings.settle_changes(&listing, &self.health);
        Ok(Arc::new(listing))
    }

    /// Opens a key for a caller, or gives the lease that is held already.
    pub(crate) async fn unseal(
        &self,
        key_id: &str,
        version: u64,
        behalf: &Behalf,
        inference_id: &str,
    ) -> Result<Arc<Lease>, UnsealError> {
        let slot = self.leases.slot(key_id);
        if let Some(lease) = self.verified(&slot, version) {
            return Ok(lease);
        }
        let since = Instant::now();
        if slot.held(version).is_some() {
            self.checked().await;
        }
        let opening = self.open(&slot, key_id, version, since, behalf, inference_id);
        let opened = tokio::time::timeout(self.patience(), opening).await;
        opened.map_err(|_| UnsealError::Away)?
    }

    fn verified(&self, slot: &Slot, version: u64) -> Option<Arc<Lease>> {
        slot.verified(version, self.freshness.epoch()?)
    }

    /// Waits while leases are being checked, but not for long.
    async fn checked(&self) {
        let mut checking = self.checking.subscribe();
        let over = checking.wait_for(|checking| !checking);
        // Whether they are by then is looked at afterwards.
        let _ = tokio::time::timeout(CHECK_WAIT, over).await;
    }

    /// One asks; those who come meanwhile wait for its answer, whether or not changes are heard of.
    async fn open(
        &self,
        slot: &Slot,
        key_id: &str,
        version: u64,
        since: Instant,
        behalf: &Behalf,
        inference_id: &str,
    ) -> Result<Arc<Lease>, UnsealError> {
        let _refreshing = slot.refreshing().await;
        if let Some(lease) = self.verified(slot, version) {
            return Ok(lease);
        }
        // What was opened since this request came is as good as asking for it.
        if let Some(lease) = slot.held(version).filter(|lease| lease.asked >= since) {
            return Ok(lease);
        }
        let (asked, epoch) = (Instant::now(), self.freshness.epoch());
        let request = proto::UnsealProviderKeyRequest {
            provider_key_id: key_id.to_owned(),
            purpose: proto::UnsealPurpose::Serve as i32,
            inference_id: inference_id.to_owned(),
        };
        let mut client = self.client.clone();
        let response = client
            .unseal_provider_key(behalf.request(request))
            .await
            .map_err(|status| unseal_error(&status))?;
        let lease = Lease::read(response.into_inner(), asked, epoch).ok_or(UnsealError::Broken)?;
        let lease = Arc::new(lease);
        slot.keep(Arc::clone(&lease));
        Ok(lease)
    }

    /// Stores what a provider's answer said about a key. A report that is lost is made again by the
    /// next answer of that kind, so it is tried once.
    pub(crate) async fn report(&self, report: proto::ReportKeyOutcomeRequest) {
        let key_id = report.provider_key_id.clone();
        let rejected = report.outcome == proto::KeyOutcome::Rejected as i32;
        let mut client = self.client.clone();
        let call = client.report_key_outcome(report);
        match tokio::time::timeout(CALL_TIMEOUT, call).await {
            Ok(Ok(_)) => {}
            Ok(Err(status)) => {
                tracing::warn!(key.id = %key_id, error = %status.message(), "a key's outcome was not stored");
            }
            Err(_) => tracing::warn!(key.id = %key_id, "storing a key's outcome took too long"),
        }
        if rejected {
            self.leases.forget(&key_id);
        }
        self.listings.forget_key(&key_id);
    }

    /// Forgets everything: what is here may no longer be true.
    fn forget_all(&self) {
        self.listings.forget_all();
        self.leases.forget_all();
    }

    /// Watches changes until the process stops.
    pub(crate) async fn watch(
        self: Arc<Self>,
        authenticator: Authenticator,
        stopping: CancellationToken,
    ) {
        watching::run(&self, &authenticator, &stopping).await;
    }

    /// Overwrites leases that have ended, until the process stops.
    pub(crate) async fn sweep(self: Arc<Self>, stopping: CancellationToken) {
        let mut ticks = tokio::time::interval(SWEEP_EVERY);
        let sweeping = async {
            loop {
                ticks.tick().await;
                self.meters.held(self.leases.sweep(self.freshness.epoch()));
            }
        };
        stopping.run_until_cancelled(sweeping).await;
    }
}

fn unseal_error(status: &tonic::Status) -> UnsealError {
    use tonic::Code::{Cancelled, DeadlineExceeded, Unauthenticated, Unavailable, Unknown};
    let wire = WireError::from(status);
    match wire.reason {
        Reason::ProviderKeyUnavailable => UnsealError::Broken,
        Reason::VaultSealed => UnsealError::Sealed,
        Reason::Overloaded | Reason::SecretCeiling | Reason::Internal => UnsealError::Away,
        _ => match status.code() {
            Cancelled | DeadlineExceeded | Unavailable | Unknown | Unauthenticated => {
                UnsealError::Away
            }
            _ => UnsealError::Gone,
        },
    }
}
