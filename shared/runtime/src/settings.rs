//! Settings: from a file and the environment, checked as a whole, or the process does not start.
//!
//! `raw` is the form that people write, `sources` gathers it, and this is the form that the program
//! uses: nothing unknown, nothing optional that has a default, every value of its own type.

mod cache;
mod error;
mod mail;
mod providers;
mod raw;
mod redis;
mod routing;
mod sources;
mod telemetry;
mod tls;
mod transit;
mod validate;
mod values;

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use keyward_money::Nanos;
use keyward_secret::Secret;
use url::Url;

use crate::tls::Files;

pub use error::SettingsError;
pub use mail::{MailSettings, MailTls};
pub use providers::{ProviderSettings, ProvidersSettings};
pub use sources::Environment;
pub use telemetry::{ExportSettings, TelemetrySettings};

/// Everything that can be set, after defaults and checks.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where embedded stores and generated keys live.
    pub data_dir: PathBuf,
    /// HTTP.
    pub edge: EdgeSettings,
    /// gRPC.
    pub grpc: GrpcSettings,
    /// The ops port.
    pub ops_listen: SocketAddr,
    /// Where the roles of several processes leave tokens for each other.
    pub peer_token_dir: PathBuf,
    /// mTLS between roles; without it, peer tokens on loopback.
    pub tls: Option<Files>,
    /// Where roles are that do not run in this process.
    pub urls: RoleUrls,
    /// Custody.
    pub vault: VaultSettings,
    /// Where the router's store is, if not in `data_dir`.
    pub router_store: Option<StoreUrl>,
    /// Money and usage.
    pub metering: MeteringSettings,
    /// The admin access key, if given.
    pub bootstrap_admin_key: Option<Secret>,
    /// The operator's overlay over the catalogue; `catalog/overlay.json` in `data_dir`, if it
    /// exists, where none is named.
    pub catalog_overlay: Option<PathBuf>,
    /// Providers.
    pub providers: ProvidersSettings,
    /// Whose key goes first, and what may follow.
    pub routing: RoutingSettings,
    /// Mail, if there is a server for it.
    pub mail: Option<MailSettings>,
    /// Where replicas share what they count.
    pub redis: Option<RedisSettings>,
    /// Answers that are stored for the very same request.
    pub cache: CacheSettings,
    /// Logging.
    pub log: LogSettings,
    /// Traces.
    pub telemetry: TelemetrySettings,
    /// How long a stopping process finishes what is in flight.
    pub shutdown_grace: Duration,
}

/// Settings of the HTTP edge.
#[derive(Debug, Clone)]
pub struct EdgeSettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Whether JSON answers carry key source, provider and charge as top-level fields.
    pub body_metadata: bool,
    /// HTTPS; plain HTTP where there is none.
    pub tls: Option<Files>,
}

/// Settings of the gRPC listener.
#[derive(Debug, Clone)]
pub struct GrpcSettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Whether server reflection is on; by default on, but for a vault that runs apart.
    pub reflection: Option<bool>,
}

/// Where roles are that do not run in this process.
#[derive(Debug, Clone, Default)]
pub struct RoleUrls {
    /// The router.
    pub router: Option<Url>,
    /// The vault.
    pub vault: Option<Url>,
    /// Metering.
    pub metering: Option<Url>,
}

/// Where a store is that is no file in `data_dir`.
#[derive(Debug, Clone)]
pub struct StoreUrl {
    /// The setting that says so: that of all stores, or of one.
    pub setting: &'static str,
    /// Its address, which may hold a password.
    pub url: Secret,
}

/// Settings of metering.
#[derive(Debug, Clone)]
pub struct MeteringSettings {
    /// Where its store is, if not in `data_dir`.
    pub store: Option<StoreUrl>,
    /// How many days usage records and transfers are kept in Postgres.
    pub retention_days: u32,
    /// `metering.leases`: whether routers are lent parts of balances.
    pub leases: bool,
    /// A balance that falls to this is told of as low.
    pub low_balance: Nanos,
}

/// Settings of the vault.
#[derive(Debug, Clone)]
pub struct VaultSettings {
    /// Where its store is, if not in `data_dir`.
    pub store: Option<StoreUrl>,
    /// The first is current, the rest only open; empty means the one generated in `data_dir`.
    pub master_keys: Vec<MasterKey>,
    /// A master key in a transit engine.
    pub transit: Option<TransitSettings>,
    /// What new records are sealed with.
    pub cipher: Cipher,
    /// Fernet keys in the order in which they are tried on tokens that are imported.
    pub fernet_keys: Vec<Secret>,
    /// How long an own key may be used after a change that a cut-off replica cannot learn of.
    pub revocation_bound: Duration,
    /// How many distinct provider keys one router is given in a minute at most.
    pub unseal_ceiling: usize,
    /// Where signed checkpoints of the audit log lie, and the log a second time.
    pub audit_checkpoint_dir: PathBuf,
}

/// Where a master key lies in a transit engine of OpenBao or HashiCorp Vault.
#[derive(Debug, Clone)]
pub struct TransitSettings {
    /// The server; https, or http on loopback.
    pub url: Url,
    /// Where the engine is mounted.
    pub mount: String,
    /// The key's name.
    pub key: String,
    /// The token, where it is given.
    pub token: Option<Secret>,
    /// The file with the token, where that is given.
    pub token_file: Option<PathBuf>,
    /// The namespace.
    pub namespace: Option<String>,
    /// Certificates to trust instead of the public ones.
    pub ca_file: Option<PathBuf>,
}

/// What new records are sealed with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
pub enum Cipher {
    /// AES-256-GCM.
    #[default]
    #[serde(rename = "aes-256-gcm")]
    Aes256Gcm,
    /// Fernet.
    #[serde(rename = "fernet")]
    Fernet,
}

/// A master key as given.
#[derive(Debug, Clone)]
pub struct MasterKey {
    /// Its id, kept with what it wraps.
    pub id: String,
    /// 32 bytes in base64.
    pub key: Secret,
}

/// Settings of routing.
#[derive(Debug, Clone)]
pub struct RoutingSettings {
    /// Which of a user's own keys goes first.
    pub prefer: Prefer,
    /// Whether a failing own key may fall back to the platform's.
    pub fallback_to_credits: bool,
    /// The most that such a request may cost its account.
    pub fallback_max_charge: Nanos,
    /// What becomes of a stream that the credits do not cover to its end.
    pub on_credit_exhausted: OnCreditExhausted,
    /// Whether settings that a provider lacks are left out of a request, rather than refused, where
    /// it says nothing of that.
    pub drop_params: bool,
    /// How long a stored key goes without a use or a test until it is tested; never where none.
    pub key_test_interval: Option<Duration>,
    /// The most attempts of one request.
    pub max_attempts: u32,
    /// After this long no further attempt is begun.
    pub failover_budget: Duration,
    /// How long what fails is left alone before it is probed.
    pub probe_interval: Duration,
    /// Whether a second attempt is made beside a slow one.
    pub hedge: Hedge,
}

/// Whether a second attempt is made beside one that takes its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hedge {
    /// Never.
    #[default]
    Off,
    /// Once it takes longer than 95 of 100 answers.
    P95,
}

/// What becomes of a stream that is about to use more than is held for it, where the balance does not
/// cover more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnCreditExhausted {
    /// It goes on; the balance may fall below zero.
    #[default]
    Finish,
    /// It ends with what is held.
    Cut,
}

/// Which of a user's own keys goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Prefer {
    /// OpenRouter's.
    Openrouter,
    /// The provider's own.
    Provider,
}

/// Answers that are stored for the very same request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheSettings {
    /// Whether requests that say nothing of it may use them.
    pub enabled: bool,
    /// How many bytes of memory they may take; 0 stores none.
    pub max_bytes: usize,
    /// How long an answer is given.
    pub lifetime: Duration,
}

/// Where replicas share what they count.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// `redis://` or `rediss://`; it may hold a password.
    pub url: Secret,
    /// Certificates to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// How long a request waits for one step of it.
    pub timeout: Duration,
    /// How many routers share it: while it is away, each lets its part of a limit pass.
    pub routers: NonZeroU64,
}

/// Settings of logging.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// How lines look.
    pub format: LogFormat,
    /// Which lines are written, as in `RUST_LOG`.
    pub filter: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, else JSON.
    #[serde(skip)]
    Auto,
    /// For people.
    Text,
    /// For machines, an object a line.
    Json,
}

impl Settings {
    /// Reads the settings of this process.
    ///
    /// # Errors
    /// [`SettingsError`], which names the setting, where it was set, and what was expected.
    pub fn load(environment: &Environment) -> Result<Self, SettingsError> {
        let gathered = sources::gather(environment)?;
        let raw = raw::RawSettings::read(&gathered)?;
        validate::validate(raw, environment).map_err(|error| error.placed(&gathered))
    }
}

#[cfg(test)]
mod tests;
