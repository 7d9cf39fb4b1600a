//! What the router is told at its start. The binary fills it in from its settings.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use keyward_limits::RedisConfig;
use keyward_money::Nanos;
use keyward_runtime::private_allow::PrivateAllow;
use keyward_storage::PostgresUrl;

use crate::domain::health::PROBE_INTERVAL_MS;
use crate::domain::policy::{Operator, Prefer};
use crate::domain::providers::ProviderOverride;
use crate::spool::SpoolLimits;

/// Settings of a router. There is no outbound proxy yet: a binary that is given one must refuse it.
#[derive(Debug, Clone)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own in the settings"
)]
pub struct RouterConfig {
    /// `providers.NAME`: what the operator changes about providers, or adds.
    pub providers: BTreeMap<String, ProviderOverride>,
    /// Whether the sandbox may be called.
    pub sandbox_enabled: bool,
    /// `routing.prefer`.
    pub prefer: Prefer,
    /// `routing.fallback_to_credits`.
    pub fallback_to_credits: bool,
    /// `routing.fallback_max_charge`.
    pub fallback_max_charge: Nanos,
    /// `routing.on_credit_exhausted`.
    pub on_credit_exhausted: OnCreditExhausted,
    /// `routing.drop_params`: whether settings that a provider lacks are left out of requests that say
    /// nothing of it.
    pub drop_params: bool,
    /// `providers.private_allow` and `providers.allow_private_base_urls`.
    pub private_allow: PrivateAllow,
    /// `providers.ca_file`.
    pub ca_file: Option<PathBuf>,
    /// `vault.revocation_bound`.
    pub revocation_bound: Duration,
    /// `shutdown.grace`: how long a stopping process waits for requests in flight.
    pub shutdown_grace: Duration,
    /// `routing.key_test_interval`: how long a stored key goes without a use or a test until it is
    /// tested; never where none.
    pub key_test_interval: Option<Duration>,
    /// `telemetry.propagate_to_providers`: whether requests to providers carry the trace's ids.
    pub trace_providers: bool,
    /// How long providers are waited for.
    pub timeouts: Timeouts,
    /// How far a request goes to be served.
    pub failover: Failover,
    /// The file of the spool: of this router alone.
    pub spool: PathBuf,
    /// How much the spool takes in.
    pub spool_limits: SpoolLimits,
    /// The file of its store, where that is no other.
    pub database: PathBuf,
    /// `router.store.url`: where its store is, if not in that file.
    pub postgres: Option<PostgresUrl>,
    /// `cache.*`: answers that are stored.
    pub cache: CacheConfig,
    /// `redis.*`: where limits are counted that several routers share; in process where none.
    pub shared_limits: Option<SharedLimits>,
}

/// Answers that are stored for the very same request.
#[derive(Debug, Clone, Copy)]
pub struct CacheConfig {
    /// Whether requests that say nothing of it may use them.
    pub enabled: bool,
    /// How many bytes of memory they may take in all; 0 stores none. In Redis, its own settings bound
    /// them.
    pub max_bytes: usize,
    /// How long an answer is given.
    pub lifetime: Duration,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            max_bytes: 64 * 1024 * 1024,
            lifetime: Duration::from_hours(1),
        }
    }
}

/// Limits that several routers share.
#[derive(Debug, Clone)]
pub struct SharedLimits {
    /// Where they are counted.
    pub redis: RedisConfig,
    /// How many routers there are: while Redis is away, each lets its part pass.
    pub routers: NonZeroU64,
}

impl RouterConfig {
    /// What holds where nothing else is said, with the spool and the store in these files.
    pub fn new(spool: PathBuf, database: PathBuf) -> Self {
        Self {
            providers: BTreeMap::new(),
            sandbox_enabled: true,
            prefer: Prefer::OpenRouter,
            fallback_to_credits: true,
            fallback_max_charge: Nanos::new(50_000_000),
            on_credit_exhausted: OnCreditExhausted::Finish,
            drop_params: false,
            private_allow: PrivateAllow::default(),
            ca_file: None,
            revocation_bound: Duration::from_secs(1),
            shutdown_grace: Duration::from_secs(30),
            key_test_interval: None,
            trace_providers: false,
            timeouts: Timeouts::default(),
            failover: Failover::default(),
            spool,
            spool_limits: SpoolLimits::default(),
            database,
            postgres: None,
            cache: CacheConfig::default(),
            shared_limits: None,
        }
    }

    pub(crate) fn operator(&self) -> Operator {
        Operator {
            prefer: self.prefer,
            fallback_to_credits: self.fallback_to_credits,
            fallback_max_charge: self.fallback_max_charge,
        }
    }
}

/// What becomes of a stream that is about to use more than is held for it, where the balance does not
/// cover more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnCreditExhausted {
    /// It goes on, and the balance may fall below zero.
    Finish,
    /// It ends with what is held, as at a limit of its length.
    Cut,
}

/// How far a request goes to be served.
#[derive(Debug, Clone, Copy)]
pub struct Failover {
    /// `routing.max_attempts`: the most attempts of one request. A pool of keys may be larger, a
    /// caller's patience is not.
    pub max_attempts: u32,
    /// `routing.failover_budget`: after this long no further attempt is begun.
    pub budget: Duration,
    /// `routing.probe_interval`: how long what fails is left alone before it is probed.
    pub probe_interval: Duration,
    /// `routing.hedge`: whether a second attempt is made beside a slow one.
    pub hedge: Hedge,
}

/// Whether a second attempt is made beside one that takes its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hedge {
    /// Never.
    Off,
    /// Once it takes longer than 95 of 100 answers of that model there.
    P95,
}

impl Default for Failover {
    fn default() -> Self {
        Self {
            max_attempts: 8,
            budget: Duration::from_mins(2),
            probe_interval: Duration::from_millis(PROBE_INTERVAL_MS),
            hedge: Hedge::Off,
        }
    }
}

/// How long providers are waited for.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// To be connected.
    pub connect: Duration,
    /// For the head of a streamed answer, which comes before the thinking.
    pub first_byte_streamed: Duration,
    /// For the head of a plain answer, which comes after all of it.
    pub first_byte_plain: Duration,
    /// Between two chunks.
    pub idle: Duration,
    /// For the first content of a stream, before it is committed without.
    pub commit: Duration,
    /// For what is left of an answer whose caller has gone.
    pub drain: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_byte_streamed: Duration::from_mins(1),
            first_byte_plain: Duration::from_mins(5),
            idle: Duration::from_mins(1),
            commit: Duration::from_secs(5),
            drain: Duration::from_mins(1),
        }
    }
}
