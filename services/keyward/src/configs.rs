//! From the settings of the process to what each role is told. A role is told no more than it needs:
//! the platform's own provider keys go to the vault alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use keyward_auth::access_key;
use keyward_catalog::{CatalogError, CatalogFile};
use keyward_limits::RedisConfig;
use keyward_metering::{Config as MeteringConfig, CourierConfig, MailConfig};
use keyward_router::domain::providers::{ProviderOverride, SANDBOX};
use keyward_router::{CacheConfig, RouterConfig, SharedLimits};
use keyward_runtime::settings::{
    Cipher, Hedge, MailSettings, MailTls, MasterKey, OnCreditExhausted, Prefer, ProviderSettings,
    RedisSettings, Settings, SettingsError, StoreUrl, TransitSettings,
};
use keyward_secret::Secret;
use keyward_vault::domain::envelope;
use keyward_vault::domain::fernet::FernetKey;
use keyward_vault::domain::master_key as vault;
use keyward_vault::{
    AuditConfig, MasterKeySetting, PostgresUrl, TransitSetting, TransitToken, VaultConfig,
};

use crate::roles::{Role, Roles};

/// What a start says of the audit log on its command line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AuditChoices {
    /// Whether a store is taken that is older than what was signed of it.
    pub(crate) accept_older_store: bool,
    /// Whether nothing is given out without an event.
    pub(crate) is_required: bool,
}

impl Default for AuditChoices {
    fn default() -> Self {
        Self {
            accept_older_store: false,
            is_required: true,
        }
    }
}

/// Checks what only the roles can judge, before anything is made.
///
/// # Errors
/// [`SettingsError::Invalid`] with the setting's name; the value is not in it.
pub(crate) fn check(settings: &Settings, roles: &Roles) -> Result<(), SettingsError> {
    let admin_key = settings.bootstrap_admin_key.as_ref();
    if admin_key.is_some_and(|key| !access_key::is_well_formed(key.expose())) {
        let message = "expected `kw_` and 32 or more of `[A-Za-z0-9_-]`";
        return Err(invalid("bootstrap.admin_key", message.to_owned()));
    }
    if roles.has(Role::Router) {
        check_providers(settings)?;
        router_postgres(settings)?;
    }
    if roles.has(Role::Vault) {
        vault_postgres(settings)?;
    }
    if roles.has(Role::Metering) {
        metering_postgres(settings)?;
    }
    for MasterKey { id, key } in &settings.vault.master_keys {
        vault::MasterKey::from_base64(id, key.expose())
            .map_err(|error| invalid("vault.master_keys", error.to_string()))?;
    }
    for key in &settings.vault.fernet_keys {
        FernetKey::parse(key.expose())
            .map_err(|error| invalid("vault.fernet_keys", error.to_string()))?;
    }
    Ok(())
}

/// A provider that is neither known nor has an address is a typing error, most likely.
fn check_providers(settings: &Settings) -> Result<(), SettingsError> {
    let known = known_providers().map_err(|error| invalid("providers", error.to_string()))?;
    for (name, provider) in &settings.providers.by_name {
        if !known.contains(name) && provider.base_url.is_none() {
            let message = format!(
                "there is no provider of that name, and one of your own needs a `base_url`; known: {}",
                known.join(", ")
            );
            return Err(invalid(&format!("providers.{name}"), message));
        }
    }
    Ok(())
}

fn invalid(name: &str, message: String) -> SettingsError {
    SettingsError::Invalid {
        name: name.to_owned(),
        origin: "as set".to_owned(),
        message,
    }
}

/// Checks what a vault needs that shares its store with others, beyond what a migration does.
///
/// # Errors
/// [`SettingsError::Invalid`] with the setting's name.
pub(crate) fn check_custody(settings: &Settings, roles: &Roles) -> Result<(), SettingsError> {
    if !roles.has(Role::Vault) || settings.vault.store.is_none() {
        return Ok(());
    }
    let needed = |name, message: &str| SettingsError::Invalid {
        name: String::from(name),
        origin: "not set".to_owned(),
        message: message.to_owned(),
    };
    if settings.vault.master_keys.is_empty() && settings.vault.transit.is_none() {
        let message =
            "is needed with Postgres, or `vault.transit`: every vault of a store has the same one";
        return Err(needed("vault.master_keys", message));
    }
    if settings.bootstrap_admin_key.is_none() {
        let message = "is needed with Postgres: there is no folder to leave a generated one in";
        return Err(needed("bootstrap.admin_key", message));
    }
    Ok(())
}

/// Where the vault's store is, if it is no embedded one.
///
/// # Errors
/// [`SettingsError::Invalid`]; the address is not in it.
pub(crate) fn vault_postgres(settings: &Settings) -> Result<Option<PostgresUrl>, SettingsError> {
    postgres(settings.vault.store.as_ref())
}

/// Where metering's store is, if it is no embedded one.
///
/// # Errors
/// As of [`vault_postgres`].
pub(crate) fn metering_postgres(settings: &Settings) -> Result<Option<PostgresUrl>, SettingsError> {
    postgres(settings.metering.store.as_ref())
}

/// Where the router's store is, if it is no embedded one.
///
/// # Errors
/// As of [`vault_postgres`].
pub(crate) fn router_postgres(settings: &Settings) -> Result<Option<PostgresUrl>, SettingsError> {
    postgres(settings.router_store.as_ref())
}

fn postgres(store: Option<&StoreUrl>) -> Result<Option<PostgresUrl>, SettingsError> {
    let parse = |store: &StoreUrl| {
        let url = PostgresUrl::parse(store.url.expose());
        url.map_err(|error| invalid(store.setting, error.to_string()))
    };
    store.map(parse).transpose()
}

pub(crate) fn vault(settings: &Settings) -> anyhow::Result<VaultConfig> {
    let master_key = |key: &MasterKey| MasterKeySetting {
        id: key.id.clone(),
        key: key.key.clone(),
    };
    Ok(VaultConfig {
        master_keys: settings.vault.master_keys.iter().map(master_key).collect(),
        transit: settings.vault.transit.as_ref().and_then(transit),
        cipher: match settings.vault.cipher {
            Cipher::Aes256Gcm => envelope::Cipher::Aes256Gcm,
            Cipher::Fernet => envelope::Cipher::Fernet,
        },
        fernet_keys: settings.vault.fernet_keys.clone(),
        private_allow: settings.providers.private_allow.clone(),
        providers: provider_names(settings)?,
        revocation_bound: settings.vault.revocation_bound,
        unseal_ceiling: settings.vault.unseal_ceiling,
        audit: AuditConfig::new(&settings.vault.audit_checkpoint_dir),
        postgres: vault_postgres(settings)?,
        ..VaultConfig::new(&settings.data_dir)
    })
}

fn transit(settings: &TransitSettings) -> Option<TransitSetting> {
    let given = settings.token.clone().map(TransitToken::Given);
    let token = given.or_else(|| settings.token_file.clone().map(TransitToken::File))?;
    Some(TransitSetting {
        url: settings.url.clone(),
        mount: settings.mount.clone(),
        key: settings.key.clone(),
        token,
        namespace: settings.namespace.clone(),
        ca_file: settings.ca_file.clone(),
    })
}

pub(crate) fn metering(settings: &Settings) -> Result<MeteringConfig, SettingsError> {
    Ok(MeteringConfig {
        courier: CourierConfig {
            private_allow: settings.providers.private_allow.clone(),
            ca_file: settings.providers.ca_file.clone(),
            mail: settings.mail.as_ref().map(mail),
        },
        postgres: metering_postgres(settings)?,
        retention_days: settings.metering.retention_days,
        leases: settings.metering.leases,
        low_balance: settings.metering.low_balance,
        ..MeteringConfig::new(settings.data_dir.join("metering.db"))
    })
}

fn mail(settings: &MailSettings) -> MailConfig {
    MailConfig {
        host: settings.host.clone(),
        port: settings.port,
        login: settings.login.clone(),
        from: settings.from.clone(),
        ca_file: settings.ca_file.clone(),
        tls: match settings.tls {
            MailTls::Required => keyward_metering::MailTls::Required,
            MailTls::Implicit => keyward_metering::MailTls::Implicit,
            MailTls::None => keyward_metering::MailTls::None,
        },
    }
}

pub(crate) fn router(settings: &Settings) -> Result<RouterConfig, SettingsError> {
    let routing = &settings.routing;
    let overrides = |(name, provider): (&String, &ProviderSettings)| {
        let given = ProviderOverride {
            base_url: provider.base_url.clone(),
            kind: provider.kind.clone(),
            keyless: provider.keyless,
            enabled: provider.enabled.unwrap_or(true),
        };
        (name.clone(), given)
    };
    Ok(RouterConfig {
        providers: settings.providers.by_name.iter().map(overrides).collect(),
        sandbox_enabled: sandbox_is_enabled(settings),
        prefer: match routing.prefer {
            Prefer::Openrouter => keyward_router::Prefer::OpenRouter,
            Prefer::Provider => keyward_router::Prefer::Provider,
        },
        fallback_to_credits: routing.fallback_to_credits,
        fallback_max_charge: routing.fallback_max_charge,
        on_credit_exhausted: match routing.on_credit_exhausted {
            OnCreditExhausted::Finish => keyward_router::OnCreditExhausted::Finish,
            OnCreditExhausted::Cut => keyward_router::OnCreditExhausted::Cut,
        },
        drop_params: routing.drop_params,
        key_test_interval: routing.key_test_interval,
        failover: keyward_router::Failover {
            max_attempts: routing.max_attempts,
            budget: routing.failover_budget,
            probe_interval: routing.probe_interval,
            hedge: match routing.hedge {
                Hedge::Off => keyward_router::Hedge::Off,
                Hedge::P95 => keyward_router::Hedge::P95,
            },
        },
        private_allow: settings.providers.private_allow.clone(),
        ca_file: settings.providers.ca_file.clone(),
        revocation_bound: settings.vault.revocation_bound,
        shutdown_grace: settings.shutdown_grace,
        trace_providers: settings.telemetry.propagate_to_providers,
        cache: CacheConfig {
            enabled: settings.cache.enabled,
            max_bytes: settings.cache.max_bytes,
            lifetime: settings.cache.lifetime,
        },
        shared_limits: settings.redis.as_ref().map(shared_limits),
        postgres: router_postgres(settings)?,
        ..RouterConfig::new(spool(settings), router_file(settings))
    })
}

fn shared_limits(redis: &RedisSettings) -> SharedLimits {
    SharedLimits {
        redis: RedisConfig {
            url: redis.url.clone(),
            ca_file: redis.ca_file.clone(),
            timeout: redis.timeout,
        },
        routers: redis.routers,
    }
}

/// The file of the router's store, where that is no other.
pub(crate) fn router_file(settings: &Settings) -> PathBuf {
    settings.data_dir.join("router.db")
}

/// The file of the router's spool.
pub(crate) fn spool(settings: &Settings) -> PathBuf {
    settings.data_dir.join("spool.db")
}

/// The providers of the catalogue, in its order; no version of it changes them.
fn known_providers() -> Result<Vec<String>, CatalogError> {
    let providers = CatalogFile::hand()?.providers;
    Ok(providers
        .into_iter()
        .map(|provider| provider.name)
        .collect())
}

/// The providers of the catalogue, and those that the settings add.
fn provider_names(settings: &Settings) -> Result<BTreeSet<String>, CatalogError> {
    Ok(known_providers()?
        .into_iter()
        .chain(settings.providers.by_name.keys().cloned())
        .collect())
}

/// The platform's own provider keys, by provider; of servers that ask for none, what stands for one.
pub(crate) fn system_keys(settings: &Settings) -> BTreeMap<String, Secret> {
    let key = |(name, provider): (&String, &ProviderSettings)| {
        let none = || provider.keyless.then(Secret::no_key);
        Some((name.clone(), provider.system_key.clone().or_else(none)?))
    };
    settings.providers.by_name.iter().filter_map(key).collect()
}

/// On by default wherever the store is SQLite, which it always is so far.
pub(crate) fn sandbox_is_enabled(settings: &Settings) -> bool {
    settings.providers.is_enabled(SANDBOX, true)
}

#[cfg(test)]
mod tests {
    use keyward_runtime::settings::{Environment, Settings};

    use super::check_custody;
    use crate::roles::Roles;

    #[test]
    fn with_postgres_the_master_key_and_the_first_access_key_are_given() {
        let postgres = ("VAULT__STORE__URL", "postgres://u:p@db.example/d");
        let admin = (
            "BOOTSTRAP__ADMIN_KEY",
            "kw_0123456789012345678901234567890123456789",
        );
        let ring = ("VAULT__MASTER_KEYS", r#"[{"id": "a", "key": "b"}]"#);
        let transit = [
            ("VAULT__TRANSIT__URL", "https://bao.example"),
            ("VAULT__TRANSIT__KEY", "keyward"),
            ("VAULT__TRANSIT__TOKEN", "t"),
        ];
        for (set, missing) in [
            (vec![], None),
            (vec![postgres], Some("vault.master_keys")),
            (vec![postgres, admin], Some("vault.master_keys")),
            (vec![postgres, ring], Some("bootstrap.admin_key")),
            (vec![postgres, admin, ring], None),
            ([&transit[..], &[postgres, admin]].concat(), None),
        ] {
            let variables = set
                .iter()
                .map(|(name, value)| (format!("KEYWARD_{name}"), (*value).to_owned()));
            let settings = Settings::load(&Environment::of(variables, None)).unwrap();
            let checked = check_custody(&settings, &Roles::of(&[]));
            let named = checked.err().map(|error| error.to_string());
            let names = |setting: &str| named.as_ref().is_some_and(|error| error.contains(setting));
            assert_eq!(named.is_some(), missing.is_some(), "{set:?}: {named:?}");
            assert!(missing.is_none_or(names), "{set:?}: {named:?}");
        }
    }
}
