//! Policies in memory: those of who called lately, as they are now. A change that was made here counts
//! at once; those of other routers are looked for all the time. While the store is away, what is known
//! holds; of whom nothing is known, nothing is served.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keyward_auth::{Principal, Subject};
use keyward_proto::router::v1 as proto;
use moka::sync::Cache;
use prost::Message as _;
use tokio_util::sync::CancellationToken;

use crate::app::RouteError;
use crate::domain::policy::{Layer, OwnerKind, Policy, PolicyOwner};
use crate::store::{Call, Changed, PolicyChange, PolicyStore, StoreError, StoredPolicy};

/// How much memory policies may take, about.
const BYTES_MAX: u64 = 64 * 1024 * 1024;
/// What an owner takes whose policy says nothing, about.
const BYTES_EACH: usize = 256;
/// How many times larger a policy is than it is encoded, about.
const BYTES_PER_ENCODED: usize = 8;
/// How often changes of other routers are looked for: a change holds everywhere within a second, and
/// what finds nothing costs the store next to nothing.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How many changes are taken in at a time.
const CHANGES_MAX: u32 = 200;

/// What is known of an owner.
#[derive(Debug, Clone)]
struct Known {
    /// The place of its last change; 0 where it never had a policy.
    sequence: u64,
    /// None where it says nothing.
    policy: Option<Arc<Policy>>,
    bytes: u32,
}

/// All that is known.
#[derive(Debug)]
pub(crate) struct PolicyBook {
    store: Arc<dyn PolicyStore>,
    known: Cache<PolicyOwner, Known>,
    /// Whether the store did not answer when it was last asked for changes.
    is_away: AtomicBool,
}

impl PolicyBook {
    /// Nothing is known yet.
    pub(crate) fn new(store: Arc<dyn PolicyStore>) -> Self {
        let known = Cache::builder()
            .max_capacity(BYTES_MAX)
            .weigher(|_, known: &Known| known.bytes)
            .build();
        Self {
            store,
            known,
            is_away: AtomicBool::new(false),
        }
    }

    /// The policies that concern a caller, the broadest first.
    pub(crate) async fn layers(&self, principal: &Principal) -> Result<Vec<Layer>, RouteError> {
        let owners = [
            (OwnerKind::Organization, &principal.organization),
            (OwnerKind::Project, &principal.project),
            (OwnerKind::User, &principal.user),
        ];
        let mut layers = Vec::new();
        for (kind, subject) in owners {
            let Some(Subject { uid, .. }) = subject else {
                continue;
            };
            let scope = kind.scope();
            let policy = self.policy(PolicyOwner::new(kind, uid)).await?;
            layers.extend(policy.map(|policy| Layer { scope, policy }));
        }
        Ok(layers)
    }

    async fn policy(&self, owner: PolicyOwner) -> Result<Option<Arc<Policy>>, RouteError> {
        if let Some(known) = self.known.get(&owner) {
            return Ok(known.policy);
        }
        let stored = self.stored(owner.clone()).await?;
        let known = match &stored {
            Some(stored) => read(stored)?,
            None => Known::nothing(),
        };
        Ok(self.learn(owner, known))
    }

    /// An owner's policy as it is kept.
    pub(super) async fn stored(
        &self,
        owner: PolicyOwner,
    ) -> Result<Option<StoredPolicy>, RouteError> {
        self.store.policy(owner).await.map_err(|error| away(&error))
    }

    /// What a call came to before, if it came.
    pub(super) async fn answered(&self, call: Call) -> Result<Option<Changed>, RouteError> {
        let answered = self.store.policy_answered(call).await;
        answered.map_err(|error| away(&error))
    }

    /// Makes a change, which counts from now on.
    pub(super) async fn change(&self, change: PolicyChange) -> Result<Changed, RouteError> {
        let changed = self.store.policy_change(change).await;
        let changed = changed.map_err(|error| away(&error))?;
        if let Changed::Now(stored) = &changed {
            self.take_in(stored);
        }
        Ok(changed)
    }

    /// Takes in what others change, until the process stops. `after` is the last change that was made
    /// before anything was known here.
    pub(crate) async fn follow(self: Arc<Self>, mut after: u64, stopping: CancellationToken) {
        let following = async {
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                match self.store.changes(after, CHANGES_MAX).await {
                    Ok(changes) => after = self.heard(&changes).unwrap_or(after),
                    Err(error) => self.missed(&error),
                }
            }
        };
        stopping.run_until_cancelled(following).await;
    }

    /// The last change that is taken in.
    fn heard(&self, changes: &[StoredPolicy]) -> Option<u64> {
        if self.is_away.swap(false, Ordering::Relaxed) {
            tracing::info!("changes of routing policies are heard of again");
        }
        for stored in changes {
            self.take_in(stored);
        }
        changes.last().map(|stored| stored.sequence)
    }

    fn missed(&self, error: &StoreError) {
        if !self.is_away.swap(true, Ordering::Relaxed) {
            let error = keyward_runtime::error::chain(error);
            tracing::warn!(%error, "changes of routing policies cannot be heard of; what is known holds");
        }
    }

    fn take_in(&self, stored: &StoredPolicy) {
        match read(stored) {
            Ok(known) => drop(self.learn(stored.owner.clone(), known)),
            // It is read, and told, when somebody calls who it concerns.
            Err(_) => self.known.invalidate(&stored.owner),
        }
    }

    /// What holds of an owner now that this is known: what was read before a change must not outlive
    /// it.
    fn learn(&self, owner: PolicyOwner, known: Known) -> Option<Arc<Policy>> {
        let later = |before: Option<moka::Entry<PolicyOwner, Known>>| match before {
            Some(before) if before.value().sequence > known.sequence => before.into_value(),
            _ => known,
        };
        let entry = self.known.entry(owner).and_upsert_with(later);
        entry.into_value().policy
    }

    pub(crate) async fn close(&self) {
        self.store.close().await;
    }
}

impl Known {
    fn nothing() -> Self {
        Self {
            sequence: 0,
            policy: None,
            bytes: u32::try_from(BYTES_EACH).unwrap_or(u32::MAX),
        }
    }
}

fn read(stored: &StoredPolicy) -> Result<Known, RouteError> {
    let unreadable = || unreadable(&stored.owner);
    let policy = proto::RoutingPolicy::decode(&*stored.document).map_err(|_| unreadable())?;
    let policy = Policy::read(&policy).map_err(|_| unreadable())?;
    let bytes = BYTES_EACH + stored.document.len() * BYTES_PER_ENCODED;
    Ok(Known {
        sequence: stored.sequence,
        policy: (policy != Policy::default()).then(|| Arc::new(policy)),
        bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
    })
}

/// A policy that a later version wrote, perhaps. What it forbids is not known, so nothing is served.
pub(super) fn unreadable(owner: &PolicyOwner) -> RouteError {
    let (kind, uid) = (owner.kind.name(), &owner.uid);
    tracing::error!(policy.owner_kind = kind, policy.owner_uid = %uid, "a routing policy cannot be read");
    RouteError::away("a routing policy that concerns this request")
}

fn away(error: &StoreError) -> RouteError {
    let error = keyward_runtime::error::chain(error);
    tracing::warn!(%error, "the store of routing policies failed");
    RouteError::away("the store of routing policies")
}

#[cfg(test)]
mod tests;
