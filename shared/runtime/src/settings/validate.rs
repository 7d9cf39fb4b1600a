//! From settings as written to settings as used: defaults, ranges, and what this version lacks.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use keyward_money::Nanos;
use keyward_secret::Secret;
use url::Url;

use super::providers::RawProvider;
use super::raw::{RawGrpc, RawMasterKey, RawProviders, RawProvidersGeneral, RawSettings, RawStore};
use super::sources::Environment;
use super::{
    EdgeSettings, GrpcSettings, LogFormat, LogSettings, MasterKey, MeteringSettings,
    ProviderSettings, ProvidersSettings, RoleUrls, Settings, SettingsError, StoreUrl,
    VaultSettings,
};
use crate::private_allow::PrivateAllow;

/// The longest that a revoked key may be used by a replica that cannot learn of it.
const REVOCATION_BOUND_MAX: Duration = Duration::from_secs(30);

/// Two heartbeats: with less, a router would doubt what it holds all the time.
const REVOCATION_BOUND_MIN: Duration = Duration::from_millis(500);

/// As many keys as a router can hold open.
const UNSEAL_CEILING: usize = 10_000;

/// The vault remembers so many ids for each router, some hundred bytes each.
const UNSEAL_CEILING_MAX: usize = 1_000_000;

/// A year, and time to look at it.
const RETENTION_DAYS: u32 = 400;

/// What events may be late by: with less, one could come again after it was forgotten.
const RETENTION_DAYS_MIN: u32 = 35;

/// A century: as good as for ever.
const RETENTION_DAYS_MAX: u32 = 36_500;

/// 1 credit: some days of a small user.
const LOW_BALANCE_DEFAULT: Nanos = Nanos::CREDIT;

/// The kinds of server that a provider given by settings alone can be.
const KINDS: [&str; 4] = ["openai", "anthropic", "google", "azure"];

pub(super) fn validate(
    raw: RawSettings,
    environment: &Environment,
) -> Result<Settings, SettingsError> {
    refuse_what_is_not_there_yet(&raw)?;
    let tls = super::tls::between_roles(raw.tls)?;
    let data_dir = PathBuf::from(raw.data_dir.unwrap_or_else(|| "./keyward-data".to_owned()));
    Ok(Settings {
        edge: EdgeSettings {
            listen: address("edge.listen", raw.edge.listen, "127.0.0.1:8080")?,
            body_metadata: raw.compat.body_metadata.unwrap_or(false),
            tls: super::tls::at_the_edge(raw.edge.tls.unwrap_or_default())?,
        },
        grpc: grpc(raw.grpc, tls.is_some())?,
        ops_listen: address("ops.listen", raw.ops.listen, "127.0.0.1:9464")?,
        peer_token_dir: raw
            .peers
            .token_dir
            .map_or_else(|| data_dir.join("peers"), PathBuf::from),
        urls: RoleUrls {
            router: super::tls::role_url("router.url", raw.router.url, tls.is_some())?,
            vault: super::tls::role_url("vault.url", raw.vault.url, tls.is_some())?,
            metering: super::tls::role_url("metering.url", raw.metering.url, tls.is_some())?,
        },
        tls,
        vault: VaultSettings {
            store: store_url("vault.store.url", raw.vault.store, &raw.store),
            master_keys: master_keys(raw.vault.master_keys.unwrap_or_default())?,
            transit: super::transit::validate(raw.vault.transit)?,
            cipher: raw.vault.cipher.unwrap_or_default(),
            fernet_keys: raw.vault.fernet_keys,
            revocation_bound: revocation_bound(raw.vault.revocation_bound)?,
            unseal_ceiling: unseal_ceiling(raw.vault.unseal_ceiling.as_deref())?,
            audit_checkpoint_dir: raw
                .vault
                .audit
                .checkpoint_dir
                .map_or_else(|| data_dir.join("audit-checkpoints"), PathBuf::from),
        },
        router_store: store_url("router.store.url", raw.router.store, &raw.store),
        metering: MeteringSettings {
            store: store_url("metering.store.url", raw.metering.store, &raw.store),
            retention_days: retention_days(raw.metering.retention_days.as_deref())?,
            leases: raw.metering.leases.unwrap_or(true),
            low_balance: credits(
                "metering.low_balance",
                raw.metering.low_balance.as_deref(),
                LOW_BALANCE_DEFAULT,
            )?,
        },
        bootstrap_admin_key: raw.bootstrap.admin_key,
        catalog_overlay: raw.catalog.overlay.map(PathBuf::from),
        providers: providers(raw.providers)?,
        routing: super::routing::validate(&raw.routing)?,
        mail: super::mail::validate(raw.mail)?,
        log: LogSettings {
            format: raw.log.format.unwrap_or(LogFormat::Auto),
            filter: raw
                .log
                .filter
                .or_else(|| environment.get("RUST_LOG").map(str::to_owned))
                .unwrap_or_else(|| "info".to_owned()),
        },
        redis: super::redis::validate(raw.redis)?,
        cache: super::cache::validate(raw.cache)?,
        telemetry: super::telemetry::validate(raw.telemetry, environment)?,
        shutdown_grace: raw.shutdown.grace.unwrap_or(Duration::from_secs(30)),
        data_dir,
    })
}

/// Settings that have a name already and no effect yet stop the start: an operator who sets them
/// relies on them.
fn refuse_what_is_not_there_yet(raw: &RawSettings) -> Result<(), SettingsError> {
    let missing = [
        ("edge.trusted_proxies", raw.edge.trusted_proxies.is_some()),
        ("providers.proxy", raw.providers.general.proxy.is_some()),
    ];
    match missing.into_iter().find(|(_, set)| *set) {
        Some((name, _)) => Err(SettingsError::NotYet {
            name,
            origin: String::new(),
        }),
        None => Ok(()),
    }
}

/// Where a role's store is: what is said of it, else what is said of all.
fn store_url(own: &'static str, given: Option<RawStore>, all: &RawStore) -> Option<StoreUrl> {
    let given = given.and_then(|store| store.url).map(|url| (own, url));
    let for_all = || Some(("store.url", all.url.clone()?));
    let (setting, url) = given.or_else(for_all)?;
    (!is_embedded(&url)).then_some(StoreUrl { setting, url })
}

fn retention_days(days: Option<&str>) -> Result<u32, SettingsError> {
    let days = days.map_or(Some(RETENTION_DAYS), |text| text.parse().ok());
    days.filter(|days| (RETENTION_DAYS_MIN..=RETENTION_DAYS_MAX).contains(days))
        .ok_or_else(|| {
            invalid(
                "metering.retention_days",
                "expected a number of days, from 35 to 36500",
            )
        })
}

fn is_embedded(url: &Secret) -> bool {
    url.expose().starts_with("sqlite:")
}

/// Without its place, which [`SettingsError::placed`] adds.
pub(super) fn invalid(name: &str, message: impl Into<String>) -> SettingsError {
    SettingsError::Invalid {
        name: name.to_owned(),
        origin: String::new(),
        message: message.into(),
    }
}

fn address(name: &str, text: Option<String>, default: &str) -> Result<SocketAddr, SettingsError> {
    let text = text.unwrap_or_else(|| default.to_owned());
    text.parse().map_err(|_| {
        invalid(
            name,
            format!("expected an address such as `{default}`, found `{text}`"),
        )
    })
}

fn grpc(raw: RawGrpc, has_tls: bool) -> Result<GrpcSettings, SettingsError> {
    let listen = address("grpc.listen", raw.listen, "127.0.0.1:50051")?;
    let is_said = raw.insecure == Some(true);
    if !listen.ip().is_loopback() && !has_tls && !is_said {
        return Err(invalid(
            "grpc.listen",
            "an address that others can reach needs `tls.cert`, `tls.key` and `tls.ca` \
             (`keyward certs dev` makes some to begin with), or `grpc.insecure = true`",
        ));
    }
    Ok(GrpcSettings {
        listen,
        reflection: raw.reflection,
    })
}

pub(super) fn url(name: &str, text: Option<String>) -> Result<Option<Url>, SettingsError> {
    let Some(text) = text else { return Ok(None) };
    let expected = || invalid(name, "expected a URL such as `http://127.0.0.1:50051`");
    let url = Url::parse(&text).map_err(|_| expected())?;
    let usable = matches!(url.scheme(), "http" | "https") && url.host().is_some();
    if usable {
        Ok(Some(url))
    } else {
        Err(expected())
    }
}

fn master_keys(raw: Vec<RawMasterKey>) -> Result<Vec<MasterKey>, SettingsError> {
    raw.into_iter()
        .map(|RawMasterKey { id, key }| match key {
            Some(key) if !id.is_empty() => Ok(MasterKey { id, key }),
            _ => Err(invalid(
                "vault.master_keys",
                "each needs an `id` and a `key`",
            )),
        })
        .collect()
}

/// An amount of credits, zero or more.
pub(super) fn credits(
    setting: &'static str,
    given: Option<&str>,
    default: Nanos,
) -> Result<Nanos, SettingsError> {
    let expected = || invalid(setting, "expected credits, zero or more, such as \"0.05\"");
    match given.map(str::parse) {
        None => Ok(default),
        Some(Ok(amount)) if amount >= Nanos::ZERO => Ok(amount),
        Some(_) => Err(expected()),
    }
}

fn revocation_bound(bound: Option<Duration>) -> Result<Duration, SettingsError> {
    match bound.unwrap_or(Duration::from_secs(1)) {
        bound if (REVOCATION_BOUND_MIN..=REVOCATION_BOUND_MAX).contains(&bound) => Ok(bound),
        _ => Err(invalid(
            "vault.revocation_bound",
            "expected at least 500ms and at most 30s",
        )),
    }
}

fn unseal_ceiling(ceiling: Option<&str>) -> Result<usize, SettingsError> {
    let ceiling = ceiling.map_or(Some(UNSEAL_CEILING), |text| text.parse().ok());
    ceiling
        .filter(|ceiling| (1..=UNSEAL_CEILING_MAX).contains(ceiling))
        .ok_or_else(|| {
            invalid(
                "vault.unseal_ceiling",
                "expected a number of keys a minute, from 1 to 1000000",
            )
        })
}

fn providers(raw: RawProviders) -> Result<ProvidersSettings, SettingsError> {
    let by_name = raw
        .by_name
        .into_iter()
        .map(|(name, provider)| Ok((name.clone(), provider_settings(&name, provider)?)))
        .collect::<Result<_, SettingsError>>()?;
    Ok(ProvidersSettings {
        private_allow: private_allow(&raw.general)?,
        ca_file: raw.general.ca_file.map(PathBuf::from),
        by_name,
    })
}

fn private_allow(general: &RawProvidersGeneral) -> Result<PrivateAllow, SettingsError> {
    let entries = general.private_allow.as_deref().unwrap_or_default();
    let allow = PrivateAllow::read(entries)
        .map_err(|error| invalid("providers.private_allow", error.to_string()))?;
    match general.allow_private_base_urls {
        Some(true) => Ok(PrivateAllow::everything()),
        _ => Ok(allow),
    }
}

fn provider_settings(name: &str, raw: RawProvider) -> Result<ProviderSettings, SettingsError> {
    if let Some(kind) = raw.kind.as_deref().filter(|kind| !KINDS.contains(kind)) {
        let name = format!("providers.{name}.kind");
        return Err(invalid(
            &name,
            format!("expected one of {}, found `{kind}`", KINDS.join(", ")),
        ));
    }
    let keyless = raw.keyless.unwrap_or(false);
    if keyless && (raw.system_key.is_some() || raw.base_url.is_none()) {
        let name = format!("providers.{name}.keyless");
        let needs = "a server that asks for no key has a `base_url` and no `system_key`";
        return Err(invalid(&name, needs));
    }
    Ok(ProviderSettings {
        keyless,
        base_url: url(&format!("providers.{name}.base_url"), raw.base_url)?,
        system_key: raw.system_key,
        enabled: raw.enabled,
        kind: raw.kind,
    })
}
