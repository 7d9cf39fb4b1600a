//! Which keys a caller may use, kept per principal until something about them changes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use keyward_auth::Principal;
use keyward_proto::metering::v1::KeySource;
use keyward_proto::vault::v1 as proto;
use moka::sync::Cache;
use parking_lot::Mutex;

use crate::app::HealthBook;
use crate::domain::plan::{KeyState, PlanKey};
use crate::domain::policy::Pattern;

/// How many principals' listings are kept.
const LISTINGS_MAX: u64 = 20_000;
/// A listing is fetched anew after this long, though nothing changed.
const LISTING_TTL: Duration = Duration::from_mins(1);
/// How many changed keys are remembered until they are listed again.
const CHANGED_MAX: usize = 10_000;

/// The keys of one principal.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) keys: Vec<Arc<PlanKey>>,
    /// The change that it includes.
    pub(super) sequence: u64,
    /// Internal ids of those whose keys are in it.
    owners: Vec<String>,
    /// How keys are shown, by id; the platform's are not.
    masks: HashMap<String, String>,
}

impl Listing {
    pub(super) fn read(response: proto::ListUsableKeysResponse, principal: &Principal) -> Self {
        let subjects = [&principal.user, &principal.project, &principal.organization];
        Self {
            masks: response.keys.iter().filter_map(mask).collect(),
            keys: response
                .keys
                .into_iter()
                .filter_map(plan_key)
                .map(Arc::new)
                .collect(),
            sequence: response.sequence,
            owners: subjects
                .into_iter()
                .flatten()
                .map(|subject| subject.uid.clone())
                .collect(),
        }
    }

    /// How a key is shown.
    pub(super) fn mask(&self, key_id: &str) -> Option<&str> {
        self.masks.get(key_id).map(String::as_str)
    }

    fn holds(&self, key_id: &str) -> bool {
        self.keys.iter().any(|key| key.id == key_id)
    }
}

/// Principals with the same user, project and organisation have the same keys, but for the
/// platform's, which are for those who may call models.
pub(super) fn place(principal: &Principal) -> String {
    let uid = |subject: &Option<keyward_auth::Subject>| {
        subject
            .as_ref()
            .map_or("-", |subject| subject.uid.as_str())
            .to_owned()
    };
    let may_call = principal.has(keyward_auth::Scope::Inference).to_string();
    [
        uid(&principal.user),
        uid(&principal.project),
        uid(&principal.organization),
        may_call,
    ]
    .join("/")
}

fn mask(usable: &proto::UsableKey) -> Option<(String, String)> {
    let key = usable.provider_key.as_ref()?;
    let is_own = key.owner.as_ref()?.kind() != proto::OwnerKind::System;
    is_own.then(|| (key.provider_key_id.clone(), key.masked_key.clone()))
}

fn plan_key(usable: proto::UsableKey) -> Option<PlanKey> {
    let key = usable.provider_key?;
    let owner = key.owner.as_ref().map(proto::Owner::kind)?;
    let source = match owner {
        proto::OwnerKind::User => KeySource::User,
        proto::OwnerKind::Project => KeySource::Project,
        proto::OwnerKind::Organization => KeySource::Organization,
        proto::OwnerKind::System => KeySource::System,
        proto::OwnerKind::Unspecified => return None,
    };
    let state = match key.status() {
        _ if !key.enabled => KeyState::Disabled,
        proto::KeyStatus::Disabled => KeyState::Disabled,
        proto::KeyStatus::Expired => KeyState::Expired,
        proto::KeyStatus::Error if usable.quota_exhausted => {
            KeyState::QuotaExhausted(key.status_reason)
        }
        proto::KeyStatus::Error => KeyState::Rejected(key.status_reason),
        proto::KeyStatus::Connected => KeyState::Connected,
        proto::KeyStatus::Untested | proto::KeyStatus::Unspecified => KeyState::Untested,
    };
    let millis = |time: prost_types::Timestamp| {
        u64::try_from(time.seconds)
            .unwrap_or(0)
            .saturating_mul(1000)
            + u64::try_from(time.nanos / 1_000_000).unwrap_or(0)
    };
    let settings = key.settings.unwrap_or_default();
    // Azure's keys say where their resource is in a field of its own.
    let own = [key.base_url, settings.endpoint];
    Some(PlanKey {
        id: key.provider_key_id,
        version: key.version,
        source,
        provider: key.provider,
        base_url: own.into_iter().find(|url| !url.is_empty()),
        api_version: settings.api_version,
        deployments: settings.deployments.into_iter().collect(),
        state,
        expires_ms: key.expire_time.map(millis),
        weight: key.weight,
        allowed_models: key
            .allowed_models
            .iter()
            .map(|text| Pattern::new(text))
            .collect(),
    })
}

/// The last listing that was fetched for a principal, and when it was asked for.
pub(super) type Flight = tokio::sync::Mutex<Option<(Instant, Arc<Listing>)>>;

/// All listings.
pub(super) struct Listings {
    cache: Cache<String, Arc<Listing>>,
    flights: Cache<String, Arc<Flight>>,
    /// Keys that changed and were not listed since: their health may be void.
    changed: Mutex<HashSet<String>>,
}

impl Listings {
    pub(super) fn new() -> Self {
        let cache = Cache::builder()
            .max_capacity(LISTINGS_MAX)
            .time_to_live(LISTING_TTL)
            .support_invalidation_closures()
            .build();
        let flights = Cache::builder()
            .max_capacity(LISTINGS_MAX)
            .time_to_idle(LISTING_TTL)
            .build();
        Self {
            cache,
            flights,
            changed: Mutex::default(),
        }
    }

    pub(super) fn get(&self, place: &str) -> Option<Arc<Listing>> {
        self.cache.get(place)
    }

    /// Where those who fetch one principal's listing meet.
    pub(super) fn flight(&self, place: &str) -> Arc<Flight> {
        self.flights.get_with(place.to_owned(), Arc::default)
    }

    pub(super) fn insert(&self, place: String, listing: Arc<Listing>) {
        self.cache.insert(place, listing);
    }

    pub(super) fn forget(&self, place: &str) {
        self.cache.invalidate(place);
    }

    pub(super) fn forget_all(&self) {
        self.cache.invalidate_all();
    }

    /// Forgets the listings that hold a key.
    pub(super) fn forget_key(&self, key_id: &str) {
        let id = key_id.to_owned();
        self.forget_if(move |listing| listing.holds(&id));
    }

    /// A key changed: forgets the listings of its owner's principals.
    pub(super) fn key_changed(&self, key_id: &str, owner_uid: &str) {
        {
            let mut changed = self.changed.lock();
            if changed.len() < CHANGED_MAX {
                changed.insert(key_id.to_owned());
            }
        }
        if owner_uid.is_empty() {
            // The platform's keys are in everybody's listing.
            self.forget_all();
            return;
        }
        let (owner, id) = (owner_uid.to_owned(), key_id.to_owned());
        self.forget_if(move |listing| listing.owners.contains(&owner) || listing.holds(&id));
    }

    fn forget_if(&self, condition: impl Fn(&Listing) -> bool + Send + Sync + 'static) {
        let matches = move |_: &String, listing: &Arc<Listing>| condition(listing);
        if self.cache.invalidate_entries_if(matches).is_err() {
            self.forget_all();
        }
    }

    /// Cool-downs and breakers of a key that changed are void, unless the change is that it failed.
    pub(super) fn settle_changes(&self, listing: &Listing, health: &HealthBook) {
        let mut changed = self.changed.lock();
        if changed.is_empty() {
            return;
        }
        for key in &listing.keys {
            let failing = matches!(
                key.state,
                KeyState::Rejected(_) | KeyState::QuotaExhausted(_)
            );
            if changed.remove(&key.id) && !failing {
                health.forget(&key.id);
            }
        }
    }
}
