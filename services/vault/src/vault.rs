//! Putting the vault together: settings in, servers out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use keyward_auth::{CredentialExchanger, GrantSigner, RefusedPeers};
use keyward_proto::vault::v1::audit_service_server::AuditServiceServer;
use keyward_proto::vault::v1::identity_service_server::IdentityServiceServer;
use keyward_proto::vault::v1::master_key_service_server::MasterKeyServiceServer;
use keyward_proto::vault::v1::provider_key_service_server::ProviderKeyServiceServer;
use keyward_proto::vault::v1::vault_service_server::VaultServiceServer;
use keyward_runtime::metrics::Metrics;
use keyward_runtime::private_allow::PrivateAllow;
use keyward_secret::Secret;
use keyward_storage::PostgresUrl;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::audit::start::{AuditStartError, Ground};
use crate::app::audit::{self, AuditConfig};
use crate::app::bootstrap::Bootstrap;
use crate::app::ceilings::Ceilings;
use crate::app::hub::ChangeHub;
use crate::app::hygiene::{KeyGauges, count_keys};
use crate::app::key_file::{KeyFile, KeyFileError};
use crate::app::{Clock, Core, Meters, Seals, Turns, replicas, sweep};
use crate::domain::envelope::Cipher;
use crate::domain::fernet::{FernetKey, FernetKeys, InvalidFernetKey};
use crate::domain::fingerprint::FingerprintKey;
use crate::domain::generation::SEALS_MAX;
use crate::domain::master_key::{MasterKeyError, MasterKeyRing};
use crate::domain::replay::{ReplayKey, forgotten_before};
use crate::error::VaultError;
use crate::grpc::VaultGrpc;
use crate::kek::{self, KekError, KekSource, MasterKeys, TransitSetting};
use crate::store::Store;
use crate::store::postgres::PostgresStore;
use crate::store::sqlite::SqliteStore;

/// The store's file in `data_dir`.
pub(crate) const STORE_FILE: &str = "vault.db";
/// The generated master key's file in `data_dir`.
pub(crate) const MASTER_KEY_FILE: &str = "master.key";

/// The folder in `data_dir` for checkpoints, where none is named.
pub(crate) const CHECKPOINT_FOLDER: &str = "audit-checkpoints";

/// How long changes are kept for watchers that come back: far longer than any of them keeps what
/// it held.
const CHANGES_KEPT: SignedDuration = SignedDuration::from_hours(1);
/// What is overwritten stays in the store's log no longer than this, if nobody reads it meanwhile.
const SWEEP_EVERY: Duration = Duration::from_secs(5);
/// How often older ones are forgotten.
const PRUNE_EVERY: Duration = Duration::from_mins(5);

/// How many distinct secrets one router is given in a minute, unless it is told otherwise: as many as
/// it can hold.
const UNSEAL_CEILING: usize = 10_000;

/// A master key as the settings have it.
#[derive(Debug, Clone)]
pub struct MasterKeySetting {
    /// Its id.
    pub id: String,
    /// 32 bytes in base64.
    pub key: Secret,
}

/// What the vault needs to know. It reads no settings itself.
#[derive(Debug, Clone)]
pub struct VaultConfig {
    /// Where an embedded store lies, and the master key if it is a generated one. Must exist.
    pub data_dir: PathBuf,
    /// Where the store is, if it is no embedded one.
    pub postgres: Option<PostgresUrl>,
    /// The master keys, the first of them current; none to have one generated in `data_dir`.
    pub master_keys: Vec<MasterKeySetting>,
    /// A master key in a transit engine.
    pub transit: Option<TransitSetting>,
    /// What new records are sealed with; old ones open whatever they were sealed with.
    pub cipher: Cipher,
    /// Fernet keys in the order in which they are tried on tokens that are imported.
    pub fernet_keys: Vec<Secret>,
    /// What key owners may name though it is private.
    pub private_allow: PrivateAllow,
    /// The providers that keys can be stored for; any where it is empty.
    pub providers: BTreeSet<String>,
    /// How long a router that hears nothing goes on with what it holds.
    pub revocation_bound: Duration,
    /// How many distinct secrets one router is given in a minute at most.
    pub unseal_ceiling: usize,
    /// The most records that one data key of an owner seals before it is replaced.
    pub seals_max: u64,
    /// How often the vault looks for data keys to replace, for records to seal anew, and for what
    /// its store may still hold of what was overwritten.
    pub sweep_every: Duration,
    /// What it counts goes here.
    pub metrics: Metrics,
    /// Where the time comes from.
    pub clock: Clock,
    /// How the audit log is kept.
    pub audit: AuditConfig,
}

impl VaultConfig {
    /// The defaults for a folder.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        let data_dir = data_dir.into();
        Self {
            audit: AuditConfig::new(data_dir.join(CHECKPOINT_FOLDER)),
            data_dir,
            postgres: None,
            master_keys: Vec::new(),
            transit: None,
            cipher: Cipher::default(),
            fernet_keys: Vec::new(),
            private_allow: PrivateAllow::default(),
            providers: BTreeSet::new(),
            revocation_bound: Duration::from_secs(1),
            unseal_ceiling: UNSEAL_CEILING,
            seals_max: SEALS_MAX,
            sweep_every: SWEEP_EVERY,
            metrics: Metrics::new(),
            clock: Clock::system(),
        }
    }
}

/// Why the vault does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The master key file.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// A store that several vaults can share has a master key that they share.
    #[error("with Postgres a master key must be given: set `vault.master_keys` or `vault.transit`")]
    NoMasterKey,
    /// A master key in the settings.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    /// A provider of master keys.
    #[error(transparent)]
    Kek(#[from] KekError),
    /// A Fernet key in the settings.
    #[error(transparent)]
    FernetKey(#[from] InvalidFernetKey),
    /// The store.
    #[error("the vault's store cannot be opened")]
    Store(#[from] keyward_storage::StorageError),
    /// The store was sealed with another master key.
    #[error("the master key does not open the store: it was made with another one")]
    OtherMasterKey(#[source] VaultError),
    /// The audit log.
    #[error(transparent)]
    Audit(#[from] AuditStartError),
    /// Anything else.
    #[error("the vault cannot start")]
    Vault(#[from] VaultError),
}

/// A running vault. Clones share it.
#[derive(Debug, Clone)]
pub struct Vault {
    core: Arc<Core>,
    grpc: VaultGrpc,
}

impl Vault {
    /// Opens store and master key, both made if there are none, and starts what runs by itself on
    /// `tracker` until `stopping`.
    ///
    /// # Errors
    /// [`StartError`], in one line for the operator.
    pub async fn open(
        config: VaultConfig,
        tracker: TaskTracker,
        stopping: CancellationToken,
    ) -> Result<Self, StartError> {
        // Before the store is made: a new key for an old store would only open nothing.
        let source = kek_source(&config);
        let has_master_key = !config.master_keys.is_empty() || config.transit.is_some();
        if config.postgres.is_some() && !has_master_key {
            return Err(StartError::NoMasterKey);
        }
        let providers = source.providers(!config.data_dir.join(STORE_FILE).exists(), &[])?;
        kek::check(&providers).await?;
        let masters = Arc::new(MasterKeys::new(providers));
        let store = open_store(&config).await?;
        let gauges = KeyGauges::new(&config.metrics);
        let sweep_every = config.sweep_every;
        let core = Arc::new(core(config, source, masters, store, stopping).await?);
        core.meet_master_keys().await?;
        core.enter_custody().await?;
        tracker.spawn(prune(Arc::clone(&core)));
        tracker.spawn(Arc::clone(&core).follow());
        tracker.spawn(count_keys(Arc::clone(&core), gauges));
        tracker.spawn(replicas::follow(Arc::clone(&core)));
        tracker.spawn(sweep(Arc::clone(&core), sweep_every));
        let grpc = VaultGrpc::new(Arc::clone(&core), tracker);
        Ok(Self { core, grpc })
    }

    /// The server of `ProviderKeyService`.
    pub fn provider_key_server(&self) -> ProviderKeyServiceServer<VaultGrpc> {
        ProviderKeyServiceServer::new(self.grpc.clone())
    }

    /// The server of `VaultService`.
    pub fn vault_server(&self) -> VaultServiceServer<VaultGrpc> {
        VaultServiceServer::new(self.grpc.clone())
    }

    /// The server of `MasterKeyService`.
    pub fn master_key_server(&self) -> MasterKeyServiceServer<VaultGrpc> {
        MasterKeyServiceServer::new(self.grpc.clone())
    }

    /// The server of `IdentityService`.
    pub fn identity_server(&self) -> IdentityServiceServer<VaultGrpc> {
        IdentityServiceServer::new(self.grpc.clone())
    }

    /// The server of `AuditService`.
    pub fn audit_server(&self) -> AuditServiceServer<VaultGrpc> {
        AuditServiceServer::new(self.grpc.clone())
    }

    /// What exchanges credentials in this process.
    pub fn exchanger(&self) -> Arc<dyn CredentialExchanger> {
        Arc::new(self.grpc.clone())
    }

    /// Who writes down which roles were refused a method.
    pub fn refused_peers(&self) -> Arc<dyn RefusedPeers> {
        Arc::new(self.grpc.clone())
    }

    /// Whether the store answers.
    ///
    /// # Errors
    /// What is wrong with it.
    pub async fn ready(&self) -> Result<(), VaultError> {
        self.core.store.change_head().await?;
        Ok(())
    }

    /// Closes the store, once all that uses it has ended.
    pub async fn close(&self) {
        self.core.leave_custody().await;
        self.core.audit.close().await;
        self.core.store.close().await;
    }

    /// Makes sure that there is a user `admin` with an access key of every scope: `given`, or a
    /// generated one where there is none yet.
    ///
    /// # Errors
    /// [`VaultError::Invalid`] if the given one is malformed.
    pub async fn bootstrap_admin(&self, given: Option<Secret>) -> Result<Bootstrap, VaultError> {
        self.core.bootstrap_admin(given).await
    }

    /// Makes the store's system keys those of the settings, by provider; with the sandbox, its own
    /// too.
    ///
    /// # Errors
    /// [`VaultError::Invalid`] if one of them can be no key.
    pub async fn sync_system_keys(
        &self,
        wanted: BTreeMap<String, Secret>,
        sandbox: bool,
    ) -> Result<(), VaultError> {
        self.core.sync_system_keys(wanted, sandbox).await
    }
}

/// Makes a schema in Postgres or brings it up to date, which a start never does; says from which
/// version, and to which.
///
/// # Errors
/// [`StartError::Store`] if it cannot be reached, refuses, or is of a later version.
pub async fn migrate(url: &PostgresUrl) -> Result<(u32, u32), StartError> {
    Ok(PostgresStore::migrate(url).await?)
}

async fn open_store(config: &VaultConfig) -> Result<Arc<dyn Store>, StartError> {
    Ok(match &config.postgres {
        Some(url) => Arc::new(PostgresStore::open(url).await?),
        None => Arc::new(SqliteStore::open(&config.data_dir.join(STORE_FILE))?),
    })
}

pub(crate) fn master_keys(
    config: &VaultConfig,
    may_make: bool,
) -> Result<MasterKeyRing, StartError> {
    Ok(kek_source(config).ring(may_make)?)
}

fn kek_source(config: &VaultConfig) -> KekSource {
    let file = KeyFile::at(config.data_dir.join(MASTER_KEY_FILE));
    KekSource::new(&config.master_keys, file, config.transit.clone())
}

/// A name that no other process of the vault has, and that says a little of where it runs.
fn replica_name() -> String {
    let unique = keyward_runtime::ids::new().simple().to_string();
    format!("{}-{}", std::process::id(), &unique[24..])
}

/// None where there is none to open tokens with.
fn fernet_keys(settings: &[Secret]) -> Result<Option<FernetKeys>, InvalidFernetKey> {
    let keys = settings.iter().map(|key| FernetKey::parse(key.expose()));
    let keys: Vec<_> = keys.collect::<Result<_, _>>()?;
    Ok(FernetKeys::new(keys).ok())
}

/// The vault's own secrets prove at once whether the master key is the right one.
async fn core(
    config: VaultConfig,
    kek_source: KekSource,
    masters: Arc<MasterKeys>,
    store: Arc<dyn Store>,
    stopping: CancellationToken,
) -> Result<Core, StartError> {
    let own = |error| match error {
        VaultError::KeyUnavailable(_) => StartError::OtherMasterKey(error),
        error => StartError::Vault(error),
    };
    let (limit, clock) = (config.seals_max, config.clock.clone());
    let seals = Seals::begin(Arc::clone(&store), Arc::clone(&masters), limit, clock).await;
    let seals = seals.map_err(own)?;
    let (_, fingerprint) = seals.system_secret("fingerprint").await.map_err(own)?;
    let (_, replay) = seals.system_secret("replay").await.map_err(own)?;
    let (signing_id, seed) = seals.system_secret("grant-signing").await.map_err(own)?;
    let signer = GrantSigner::from_seed(signing_id.to_string(), &seed)
        .map_err(|_| VaultError::Internal("the grant signing key is malformed"))?;
    let audit_signing = seals.system_secret("audit-signing").await;
    let (_, audit_signing) = audit_signing.map_err(own)?;
    let ground = Ground {
        store: Arc::clone(&store),
        data_dir: config.data_dir.clone(),
        config: config.audit,
        metrics: config.metrics.clone(),
        clock: config.clock.clone(),
        signing_seed: seed_of(&audit_signing)?,
    };
    let audit = audit::start::start(ground).await?;
    let head = store.change_head().await.map_err(VaultError::from)?;
    Ok(Core {
        store,
        masters,
        kek_source,
        replica: replica_name(),
        follow_soon: Notify::new(),
        seals,
        fingerprints: FingerprintKey::new(&fingerprint),
        replays: ReplayKey::new(&replay),
        turns: Turns::new(),
        signer,
        vault_id: keyward_runtime::ids::new(),
        hub: ChangeHub::new(head, config.revocation_bound),
        meters: Meters::new(&config.metrics),
        ceilings: Ceilings::new(config.unseal_ceiling),
        refusals: Mutex::default(),
        audit: Arc::new(audit),
        clock: config.clock,
        private_allow: config.private_allow,
        cipher: config.cipher,
        fernet_keys: fernet_keys(&config.fernet_keys)?,
        providers: config.providers,
        stopping,
    })
}

fn seed_of(secret: &[u8]) -> Result<[u8; 32], VaultError> {
    secret
        .try_into()
        .map_err(|_| VaultError::Internal("the audit signing key is malformed"))
}

/// Forgets what nobody asks for any more: old changes, and answers to old requests.
async fn prune(core: Arc<Core>) {
    let mut ticks = tokio::time::interval(PRUNE_EVERY);
    loop {
        tokio::select! {
            () = core.stopping.cancelled() => return,
            _ = ticks.tick() => {}
        }
        core.masters.sweep();
        let before = core.clock.now().checked_sub(CHANGES_KEPT);
        if let Ok(before) = before
            && let Err(error) = core.store.changes_prune(before).await
        {
            tracing::warn!(%error, "old changes cannot be forgotten now");
        }
        let before = forgotten_before(core.clock.now());
        if let Err(error) = core.store.replays_prune(before).await {
            tracing::warn!(%error, "old answers cannot be forgotten now");
        }
    }
}
