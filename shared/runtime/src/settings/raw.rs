//! The form in which people write settings: sections and fields as in the documentation, everything
//! optional, nothing unknown.

use std::collections::BTreeMap;
use std::time::Duration;

use keyward_secret::Secret;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::providers::RawProvider;
use super::sources::Gathered;
use super::values::{duration, secret, secrets, text};
use super::{Cipher, Hedge, LogFormat, MailTls, OnCreditExhausted, Prefer, SettingsError};

/// Declares a section: fields that are all optional, others refused.
macro_rules! section {
    ($name:ident { $($(#[$attribute:meta])* $field:ident: $kind:ty,)* }) => {
        #[derive(Debug, Default, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub(super) struct $name {
            $($(#[$attribute])* pub(super) $field: $kind,)*
        }
    };
}

section!(RawSettings {
    #[serde(deserialize_with = "text")]
    data_dir: Option<String>,
    edge: RawEdge,
    grpc: RawGrpc,
    ops: RawOps,
    peers: RawPeers,
    router: RawRole,
    vault: RawVault,
    metering: RawMetering,
    store: RawStore,
    redis: RawRedis,
    cache: RawCache,
    catalog: RawCatalog,
    bootstrap: RawBootstrap,
    tls: RawTls,
    routing: RawRouting,
    telemetry: RawTelemetry,
    log: RawLog,
    mail: RawMail,
    compat: RawCompat,
    shutdown: RawShutdown,
    #[serde(skip)]
    providers: RawProviders,
});

section!(RawEdge { listen: Option<String>, tls: Option<RawTls>, trusted_proxies: Option<Vec<String>>, });
section!(RawGrpc { listen: Option<String>, insecure: Option<bool>, reflection: Option<bool>, });
section!(RawOps { listen: Option<String>, });
section!(RawPeers { token_dir: Option<String>, });
section!(RawRole { url: Option<String>, store: Option<RawStore>, });
section!(RawMetering {
    url: Option<String>,
    store: Option<RawStore>,
    #[serde(deserialize_with = "text")]
    retention_days: Option<String>,
    leases: Option<bool>,
    #[serde(deserialize_with = "text")]
    low_balance: Option<String>,
});
section!(RawStore {
    #[serde(deserialize_with = "secret")]
    url: Option<Secret>,
});
section!(RawCatalog { overlay: Option<String>, });
section!(RawRedis {
    #[serde(deserialize_with = "secret")]
    url: Option<Secret>,
    ca_file: Option<String>,
    #[serde(deserialize_with = "text")]
    routers: Option<String>,
    #[serde(deserialize_with = "duration")]
    timeout: Option<Duration>,
});
section!(RawCache {
    enabled: Option<bool>,
    #[serde(deserialize_with = "text")]
    max_bytes: Option<String>,
    #[serde(deserialize_with = "duration")]
    lifetime: Option<Duration>,
});
section!(RawTls { cert: Option<String>, key: Option<String>, ca: Option<String>, });
section!(RawTelemetry { otlp_endpoint: Option<String>, propagate_to_providers: Option<bool>, });
section!(RawCompat { body_metadata: Option<bool>, });
section!(RawBootstrap {
    #[serde(deserialize_with = "secret")]
    admin_key: Option<Secret>,
});
section!(RawShutdown {
    #[serde(deserialize_with = "duration")]
    grace: Option<Duration>,
});
section!(RawVault {
    url: Option<String>,
    store: Option<RawStore>,
    master_keys: Option<Vec<RawMasterKey>>,
    transit: RawTransit,
    #[serde(deserialize_with = "secrets")]
    fernet_keys: Vec<Secret>,
    cipher: Option<Cipher>,
    audit: RawAudit,
    #[serde(deserialize_with = "duration")]
    revocation_bound: Option<Duration>,
    #[serde(deserialize_with = "text")]
    unseal_ceiling: Option<String>,
});
section!(RawTransit {
    url: Option<String>,
    mount: Option<String>,
    key: Option<String>,
    #[serde(deserialize_with = "secret")]
    token: Option<Secret>,
    token_file: Option<String>,
    namespace: Option<String>,
    ca_file: Option<String>,
});
section!(RawAudit { checkpoint_dir: Option<String>, });
section!(RawRouting {
    prefer: Option<Prefer>,
    fallback_to_credits: Option<bool>,
    #[serde(deserialize_with = "text")]
    fallback_max_charge: Option<String>,
    on_credit_exhausted: Option<OnCreditExhausted>,
    drop_params: Option<bool>,
    #[serde(deserialize_with = "duration")]
    key_test_interval: Option<Duration>,
    max_attempts: Option<u32>,
    #[serde(deserialize_with = "duration")]
    failover_budget: Option<Duration>,
    #[serde(deserialize_with = "duration")]
    probe_interval: Option<Duration>,
    hedge: Option<Hedge>,
});
section!(RawMail {
    host: Option<String>,
    port: Option<u16>,
    user: Option<String>,
    #[serde(deserialize_with = "secret")]
    password: Option<Secret>,
    from: Option<String>,
    tls: Option<MailTls>,
    ca_file: Option<String>,
});
section!(RawLog { format: Option<LogFormat>, filter: Option<String>, });

/// A master key as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMasterKey {
    pub(super) id: String,
    #[serde(deserialize_with = "secret")]
    pub(super) key: Option<Secret>,
}

/// The section `providers`: some fields of its own, every other name a provider.
#[derive(Debug, Default)]
pub(super) struct RawProviders {
    pub(super) general: RawProvidersGeneral,
    pub(super) by_name: BTreeMap<String, RawProvider>,
}

section!(RawProvidersGeneral {
    proxy: Option<String>,
    ca_file: Option<String>,
    private_allow: Option<Vec<String>>,
    allow_private_base_urls: Option<bool>,
});

/// The fields of `providers` that are no providers.
const PROVIDERS_GENERAL: [&str; 4] = [
    "proxy",
    "ca_file",
    "private_allow",
    "allow_private_base_urls",
];

impl RawSettings {
    pub(super) fn read(gathered: &Gathered) -> Result<Self, SettingsError> {
        let mut table = gathered.table.clone();
        let providers = table.remove("providers");
        let mut raw: Self = read(Value::Table(table), "", gathered)?;
        match providers {
            None => {}
            Some(Value::Table(providers)) => raw.providers = read_providers(providers, gathered)?,
            Some(_) => {
                return Err(SettingsError::Invalid {
                    name: "providers".to_owned(),
                    origin: gathered.origin("providers"),
                    message: "expected a section".to_owned(),
                });
            }
        }
        Ok(raw)
    }
}

fn read_providers(table: Table, gathered: &Gathered) -> Result<RawProviders, SettingsError> {
    let (general, named): (Table, Table) = table
        .into_iter()
        .partition(|(name, _)| PROVIDERS_GENERAL.contains(&name.as_str()));
    let general = read(Value::Table(general), "providers", gathered)?;
    let by_name = named
        .into_iter()
        .map(|(name, value)| {
            let provider = read(value, &format!("providers.{name}"), gathered)?;
            Ok((name, provider))
        })
        .collect::<Result<_, SettingsError>>()?;
    Ok(RawProviders { general, by_name })
}

fn read<T: DeserializeOwned>(
    value: Value,
    prefix: &str,
    gathered: &Gathered,
) -> Result<T, SettingsError> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let message = without_value(error.into_inner().message());
        let mut name = match (prefix, path.as_str()) {
            (prefix, ".") => prefix.to_owned(),
            ("", path) => path.to_owned(),
            (prefix, path) => format!("{prefix}.{path}"),
        };
        // For an unknown field the path may end at the section that it is in.
        if let Some(field) = message
            .strip_prefix("unknown field `")
            .and_then(|rest| rest.split('`').next())
            && name.split('.').next_back() != Some(field)
        {
            name = if name.is_empty() {
                field.to_owned()
            } else {
                format!("{name}.{field}")
            };
        }
        SettingsError::Invalid {
            origin: gathered.origin(&name),
            name,
            message,
        }
    })
}

/// Serde repeats the value that it found, which may be a secret in the wrong place: only its kind is
/// kept.
fn without_value(message: &str) -> String {
    let found = ["invalid type: ", "invalid value: "]
        .iter()
        .find_map(|prefix| message.strip_prefix(prefix));
    let Some((found, expected)) = found.and_then(|found| found.rsplit_once(", expected ")) else {
        return message.to_owned();
    };
    let kind = found.split(['"', '`']).next().unwrap_or_default().trim();
    let expected = match expected.starts_with("struct ") {
        true => "a section",
        false => expected,
    };
    format!("expected {expected}, found {kind}")
}
