//! Sets a router up.

use std::path::Path;
use std::sync::Arc;

use keyward_auth::{Authenticator, Connection};
use keyward_catalog::CatalogHandle;
use keyward_egress::EgressError;
use keyward_limits::{Board, Gate, RedisError, RedisLimiter};
use keyward_proto::router::v1::router_service_server::RouterServiceServer;
use keyward_runtime::ids;
use keyward_runtime::serve::Process;
use keyward_storage::{PostgresUrl, StorageError};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::app::closing::Closing;
use crate::app::metering::MeteringPort;
use crate::app::meters::Meters;
use crate::app::vault::{LeaseMeters, VaultPort};
use crate::app::{
    CacheMeters, Core, Drains, HINTS_MAX, HealthBook, HealthMeters, LengthBook, PolicyBook,
    PriceOrder, RedisShelf, ResponseCache, Tokens, forget_answers, keep_tested, share_health,
};
use crate::config::RouterConfig;
use crate::domain::health::Hint;
use crate::domain::providers::{ProviderOverride, Providers, SANDBOX, UnknownKind};
use crate::grpc::{BODY_BYTES_MAX, RouterApi};
use crate::spool::Spool;
use crate::store::answers::AnswerStore;
use crate::store::postgres::PostgresStore;
use crate::store::sqlite::SqliteStore;
use crate::store::{PolicyStore, StoreError};
use crate::upstream::Egress;

/// Why a router could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum RouterError {
    /// A provider of the settings has a kind that there is not.
    #[error(transparent)]
    Provider(#[from] UnknownKind),
    /// The way out could not be set up.
    #[error(transparent)]
    Egress(#[from] EgressError),
    /// The spool could not be opened, or another router has it.
    #[error("the usage spool cannot be opened")]
    Spool(#[from] StorageError),
    /// Its store could not be opened, or another process has it.
    #[error("the router's store cannot be opened")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The Redis of the settings cannot be used.
    #[error(transparent)]
    Limits(#[from] RedisError),
}

/// The roles that a router calls.
#[derive(Debug, Clone)]
pub struct RouterConnections {
    /// The vault.
    pub vault: Connection,
    /// Metering.
    pub metering: Connection,
}

/// A router that runs. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Router {
    core: Arc<Core>,
}

impl Router {
    /// Sets a router up and starts what runs beside requests: watching the vault for changes and
    /// telling metering of usage, from what lies in the spool on. The former ends as the process stops,
    /// which waits for it and for every request in flight; the latter at [`Self::close`].
    /// `authenticator` is the one of the layer in front: it is told what to
    /// forget. `catalog` may be replaced at any time; its providers are those of the start.
    pub async fn open(
        config: &RouterConfig,
        connections: RouterConnections,
        authenticator: Authenticator,
        catalog: CatalogHandle,
        process: &Process,
    ) -> Result<Self, RouterError> {
        let providers = Providers::new(&catalog.current(), &overrides(config))?;
        let egress = Egress::new(
            config.private_allow.clone(),
            config.ca_file.as_deref(),
            config.timeouts.connect,
        )?;
        let (board, told, hints) = board(config)?;
        let health_meters = HealthMeters::new(&process.metrics);
        let health = HealthBook::new(config.failover.probe_interval, health_meters, told);
        let health = Arc::new(health);
        let vault = VaultPort::new(
            connections.vault,
            config.revocation_bound,
            Arc::clone(&health),
            LeaseMeters::new(&process.metrics),
        );
        let vault = Arc::new(vault);
        let (tracker, stopping) = (process.tracker.clone(), process.stopping.clone());
        let meters = Meters::new(&process.metrics);
        let spool = Spool::open(&config.spool, config.spool_limits, meters.spool()).await?;
        let metering = MeteringPort::new(
            connections.metering,
            spool,
            tracker.clone(),
            meters.leases(),
        );
        let store = open_store(config).await?;
        let policies = policies(store.policies, process).await?;
        let forgetting = forget_answers(Arc::clone(&store.answers), stopping.clone());
        tracker.spawn(forgetting);
        let gate = Arc::new(gate(config, &meters)?);
        tracker.spawn(keep(Arc::clone(&gate), stopping.clone()));
        if let (Some(board), Some(hints)) = (board, hints) {
            let sharing = share_health(board, hints, Arc::clone(&health), stopping.clone());
            tracker.spawn(sharing);
        }
        tracker.spawn(Arc::clone(&vault).sweep(stopping.clone()));
        tracker.spawn(Arc::clone(&vault).watch(authenticator, stopping.clone()));
        let core = Core {
            catalog,
            providers,
            operator: config.operator(),
            prices: PriceOrder::default(),
            health,
            vault,
            policies,
            metering,
            gate,
            cache: cache(config, process)?,
            answers: store.answers,
            egress,
            timeouts: config.timeouts,
            failover: config.failover,
            meters,
            tokens: Tokens::new(),
            lengths: LengthBook::new(),
            drains: Drains::new(),
            on_credit_exhausted: config.on_credit_exhausted,
            drop_params: config.drop_params,
            closing: Closing::new(process.stopping.clone(), config.shutdown_grace),
            trace_providers: config.trace_providers,
            tracker,
        };
        let core = Arc::new(core);
        if let Some(interval) = config.key_test_interval {
            let testing = keep_tested(Arc::clone(&core), interval, stopping);
            core.tracker.spawn(testing);
        }
        Ok(Self { core })
    }

    /// The gRPC service.
    pub fn server(&self) -> RouterServiceServer<RouterApi> {
        // A typed conversation is one message, with its images and files.
        RouterServiceServer::new(RouterApi::new(Arc::clone(&self.core)))
            .max_decoding_message_size(BODY_BYTES_MAX)
    }

    /// Tells metering what it can be told still, and closes the spool: what is left stays there. To be
    /// called once nothing is in flight any more, and before metering closes.
    pub async fn close(&self) {
        self.core.metering.close().await;
        self.core.policies.close().await;
    }

    /// Whether it can serve: the vault's changes are heard.
    pub fn is_ready(&self) -> bool {
        self.core.vault.is_fresh()
    }
}

impl From<StoreError> for RouterError {
    fn from(error: StoreError) -> Self {
        Self::Store(Box::new(error))
    }
}

/// Makes a schema in Postgres or brings it up to date, which a start never does; says from which
/// version, and to which.
///
/// # Errors
/// [`StorageError`] if it cannot be reached, refuses, or is of a later version.
pub async fn migrate(url: &PostgresUrl) -> Result<(u32, u32), StorageError> {
    PostgresStore::migrate(url).await
}

/// Makes a store in a file, or brings it up to date.
///
/// # Errors
/// [`RouterError::Store`] if it cannot be opened, or another process has it.
pub async fn migrate_file(path: &Path) -> Result<(), RouterError> {
    open_file(path).await?.close().await;
    Ok(())
}

/// The policies, and what follows the changes that others make.
async fn policies(
    store: Arc<dyn PolicyStore>,
    process: &Process,
) -> Result<Arc<PolicyBook>, RouterError> {
    let (is_shared, last) = (store.is_shared(), store.last_change().await?);
    let policies = Arc::new(PolicyBook::new(store));
    if is_shared {
        let following = Arc::clone(&policies).follow(last, process.stopping.clone());
        process.spawn(following);
    }
    Ok(policies)
}

/// The one store, by its topics.
struct Store {
    policies: Arc<dyn PolicyStore>,
    answers: Arc<dyn AnswerStore>,
}

impl Store {
    fn of(store: impl PolicyStore + AnswerStore + 'static) -> Self {
        let store = Arc::new(store);
        Self {
            policies: Arc::clone(&store) as Arc<dyn PolicyStore>,
            answers: store,
        }
    }
}

async fn open_store(config: &RouterConfig) -> Result<Store, RouterError> {
    Ok(match &config.postgres {
        Some(url) => Store::of(PostgresStore::open(url).await.map_err(StoreError::from)?),
        None => Store::of(open_file(&config.database).await?),
    })
}

async fn open_file(path: &Path) -> Result<SqliteStore, RouterError> {
    let path = path.to_owned();
    let opening = tokio::task::spawn_blocking(move || SqliteStore::open(&path));
    let opened = opening
        .await
        .map_err(|fault| RouterError::Store(Box::new(fault)))?;
    Ok(opened?)
}

/// Where routers tell each other how keys and providers stand, and the way there.
type Sharing = (
    Option<Board>,
    Option<mpsc::Sender<Hint>>,
    Option<mpsc::Receiver<Hint>>,
);

fn board(config: &RouterConfig) -> Result<Sharing, RedisError> {
    let Some(shared) = &config.shared_limits else {
        return Ok((None, None, None));
    };
    let board = Board::new(&shared.redis, "health", ids::new_text())?;
    let (told, hints) = mpsc::channel(HINTS_MAX);
    Ok((Some(board), Some(told), Some(hints)))
}

/// Where limits are counted.
fn gate(config: &RouterConfig, meters: &Meters) -> Result<Gate, RedisError> {
    let Some(shared) = &config.shared_limits else {
        return Ok(Gate::default());
    };
    let redis = RedisLimiter::new(&shared.redis)?;
    Ok(Gate::shared(redis, shared.routers, meters.limits_local()))
}

/// Where answers are stored: in the Redis that routers share, if there is one.
fn cache(config: &RouterConfig, process: &Process) -> Result<ResponseCache, RedisError> {
    let shared = config.shared_limits.as_ref();
    let redis = shared.map(|shared| RedisShelf::new(&shared.redis));
    let meters = CacheMeters::new(&process.metrics);
    Ok(ResponseCache::new(config.cache, redis.transpose()?, meters))
}

async fn keep(gate: Arc<Gate>, stopping: CancellationToken) {
    gate.keep(stopping).await;
}

fn overrides(config: &RouterConfig) -> std::collections::BTreeMap<String, ProviderOverride> {
    let mut overrides = config.providers.clone();
    if !config.sandbox_enabled {
        overrides.insert(
            SANDBOX.to_owned(),
            ProviderOverride {
                enabled: false,
                ..Default::default()
            },
        );
    }
    overrides
}
