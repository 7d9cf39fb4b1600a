//! Use cases. They make ids and times, ask the domain what may be done, and the store to do it; the
//! only place with control flow across both.

pub(crate) mod access_keys;
pub(crate) mod accounts;
pub(crate) mod audit;
pub(crate) mod bootstrap;
pub(crate) mod ceilings;
mod check;
pub(crate) mod concerns;
mod context;
mod due_tests;
pub(crate) mod exchange;
pub(crate) mod hub;
pub(crate) mod hygiene;
pub(crate) mod key_file;
mod leases;
pub(crate) mod master_keys;
pub(crate) mod members;
mod meters;
mod outcomes;
mod owners;
pub(crate) mod policy_changes;
pub(crate) mod projects;
pub(crate) mod provider_keys;
mod refused;
mod replay;
pub(crate) mod replicas;
pub(crate) mod sealing;
pub(crate) mod system_keys;
mod unseal;
mod usable;
pub(crate) mod watch;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use keyward_auth::GrantSigner;
use keyward_runtime::private_allow::PrivateAllow;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::domain::envelope::Cipher;
use crate::domain::fernet::FernetKeys;
use crate::domain::fingerprint::FingerprintKey;
use crate::domain::refusals::Refusals;
use crate::domain::replay::ReplayKey;
use crate::error::Result;
use crate::kek::{KekSource, MasterKeys};
use crate::store::Store;

pub(crate) use context::Context;
pub(crate) use meters::Meters;
pub(crate) use outcomes::{KeyOutcome, OutcomeReport};
pub(crate) use owners::OwnerRef;
pub(crate) use replay::{AskedChange, Command, Turns};
pub(crate) use sealing::{Seals, random, sweep};
pub(crate) use unseal::{UnsealPurpose, UnsealWish};

use audit::AuditLog;
use ceilings::Ceilings;
use hub::ChangeHub;

/// How long a change waits for connected watchers to confirm it: long enough for one that is well,
/// short enough that one that hangs does not stop its owner from revoking a key.
const ACKNOWLEDGE_WAIT: Duration = Duration::from_millis(250);

/// How often an unconditional change is tried again when others change the same thing.
const CHANGE_TRIES: usize = 5;

/// Where the time comes from; tests bring their own.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The system's.
    pub fn system() -> Self {
        Self::from_fn(keyward_runtime::time::now)
    }

    /// Another one.
    pub fn from_fn(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The present in whole milliseconds, as the store keeps it.
    pub fn now(&self) -> Timestamp {
        keyward_runtime::time::from_millis((self.0)().as_millisecond())
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// What all use cases share.
pub(crate) struct Core {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) masters: Arc<MasterKeys>,
    pub(crate) kek_source: KekSource,
    /// What this process is called among the vault's.
    pub(crate) replica: String,
    /// Has the vault's state read again at once.
    pub(crate) follow_soon: Notify,
    pub(crate) seals: Seals,
    pub(crate) fingerprints: FingerprintKey,
    pub(crate) replays: ReplayKey,
    pub(crate) turns: Turns,
    pub(crate) signer: GrantSigner,
    pub(crate) hub: ChangeHub,
    /// This vault among those that share its store; another one at each start.
    pub(crate) vault_id: Uuid,
    pub(crate) ceilings: Ceilings,
    pub(crate) refusals: Mutex<Refusals>,
    pub(crate) meters: Meters,
    pub(crate) audit: Arc<AuditLog>,
    pub(crate) clock: Clock,
    pub(crate) private_allow: PrivateAllow,
    /// What new records are sealed with.
    pub(crate) cipher: Cipher,
    /// What opens tokens that are imported.
    pub(crate) fernet_keys: Option<FernetKeys>,
    /// Those that keys can be stored for; any where it is empty.
    pub(crate) providers: BTreeSet<String>,
    pub(crate) stopping: CancellationToken,
}

impl Core {
    /// Tells watchers of a committed change, and waits a little for them. Returns how many of those
    /// connected have not confirmed it.
    async fn publish(&self, sequence: u64) -> u32 {
        self.hub.announce(sequence);
        let (here, elsewhere) = tokio::join!(
            self.hub.confirmed(sequence, ACKNOWLEDGE_WAIT),
            self.laggards_elsewhere(sequence, ACKNOWLEDGE_WAIT),
        );
        let laggards = here.saturating_add(elsewhere);
        if laggards > 0 {
            self.meters.laggards(laggards);
            tracing::warn!(
                sequence,
                laggards,
                "routers have not confirmed a change in time"
            );
        }
        laggards
    }

    /// How many of those connected have not confirmed all there is to confirm, after a little wait.
    pub(crate) async fn laggards_now(&self) -> Result<u32> {
        let head = self.store.change_head().await?;
        Ok(self.publish(head).await)
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").finish_non_exhaustive()
    }
}
