//! What is found: in settings, in files, in stores, in the network. Nothing is judged here.

pub(crate) mod files;
pub(crate) mod network;
pub(crate) mod stores;
pub(crate) mod tls;

use std::net::SocketAddr;

use jiff::Timestamp;
use keyward_router::domain::providers::SANDBOX;
use keyward_runtime::settings::{Environment, Settings};
use keyward_runtime::time;
use keyward_runtime::tls::Certificates;

use super::judge;
use crate::configs;
use crate::roles::{Role, Roles};

/// What is looked at.
#[derive(Debug)]
pub(crate) struct Subject {
    /// The settings of the process.
    pub(crate) settings: Settings,
    /// Its environment.
    pub(crate) environment: Environment,
    /// The roles that it runs.
    pub(crate) roles: Roles,
    /// By what it knows roles elsewhere, where that is certificates and they can be used.
    pub(crate) certificates: Option<Certificates>,
}

impl Subject {
    /// A variable that is set to something.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        let value = self.environment.get(name)?.trim();
        (!value.is_empty()).then_some(value)
    }

    /// Providers at which the settings give the platform a key, the sandbox aside.
    fn platform_keys(&self) -> impl Iterator<Item = &str> {
        let providers = self.settings.providers.by_name.iter();
        providers
            .filter(|(name, provider)| provider.system_key.is_some() && *name != SANDBOX)
            .map(|(name, _)| name.as_str())
    }
}

/// What is risky of the settings.
pub(crate) fn settings(subject: &Subject) -> judge::settings::Facts {
    let (settings, roles) = (&subject.settings, &subject.roles);
    let public = |address: SocketAddr| (!address.ip().is_loopback()).then(|| address.to_string());
    let routes = roles.has(Role::Router);
    let routing = &settings.routing;
    judge::settings::Facts {
        strangers: subject.environment.strangers().map(str::to_owned).collect(),
        public_edge: public(settings.edge.listen).filter(|_| roles.has(Role::Edge)),
        public_grpc: public(settings.grpc.listen)
            .filter(|_| roles.serves_grpc() && settings.tls.is_none()),
        sandbox: configs::sandbox_is_enabled(settings),
        any_base_url: settings.providers.private_allow.is_everything(),
        fallback: (routes && routing.fallback_to_credits)
            .then(|| routing.fallback_max_charge.to_string()),
        platform_keys: subject.platform_keys().map(str::to_owned).collect(),
    }
}

/// The secrets that this process was given.
pub(crate) fn secrets(subject: &Subject) -> judge::secrets::Facts {
    let keys = subject.platform_keys();
    let vault = &subject.settings.vault;
    let fernet_keys = !vault.fernet_keys.is_empty();
    judge::secrets::Facts {
        runs_vault: subject.roles.has(Role::Vault),
        system_keys: keys
            .map(|name| format!("providers.{name}.system_key"))
            .chain(fernet_keys.then(|| "vault.fernet_keys".to_owned()))
            .collect(),
        master_keys: (!vault.master_keys.is_empty())
            .then_some("vault.master_keys")
            .into_iter()
            .chain(vault.transit.is_some().then_some("vault.transit.token"))
            .collect(),
        admin_key: subject.settings.bootstrap_admin_key.is_some(),
    }
}

/// The catalogue in force; `None` in a process that has none.
pub(crate) fn catalogue(subject: &Subject) -> Option<judge::catalogue::Facts> {
    let needs_it = subject.roles.has(Role::Router) || subject.roles.has(Role::Metering);
    let loaded = needs_it.then(|| crate::catalog::folder(&subject.settings).load())?;
    Some(judge::catalogue::Facts {
        found: match loaded {
            Ok(catalogue) => Ok((catalogue.version(), catalogue.as_of().to_owned())),
            Err(error) => Err(format!("{:#}", anyhow::Error::new(error))),
        },
        today: judge::catalogue::date(time::now()),
    })
}

/// The clocks.
pub(crate) fn clock(
    last_write: Option<(&'static str, Timestamp)>,
    gateway: Option<Timestamp>,
) -> judge::clock::Facts {
    let now = time::now();
    judge::clock::Facts {
        now,
        last_write,
        gateway,
    }
}
