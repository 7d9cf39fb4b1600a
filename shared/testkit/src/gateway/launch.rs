//! With which settings a gateway is started.

use std::collections::BTreeMap;

use crate::ScriptedUpstream;
use crate::canary::characters;

use super::{Gateway, Topology};

/// A gateway to be started, and its settings.
#[derive(Debug, Clone)]
pub struct Launch {
    pub(super) topology: Topology,
    /// Whether roles apart know each other by tokens instead of certificates.
    pub(super) peer_tokens: bool,
    pub(super) admin_key: Option<String>,
    /// For every process.
    pub(super) settings: BTreeMap<String, String>,
    /// For the process with the vault alone.
    pub(super) vault_settings: BTreeMap<String, String>,
    /// How large a file of the router's process may get, in KiB.
    pub(super) router_file_kib: Option<u32>,
}

impl Launch {
    /// With free ports, a data folder of its own, an admin key, and the log at `trace`.
    pub fn new(topology: Topology) -> Self {
        let launch = Self {
            topology,
            peer_tokens: false,
            admin_key: Some(format!("kw_{}", characters(40))),
            settings: BTreeMap::new(),
            vault_settings: BTreeMap::new(),
            router_file_kib: None,
        };
        launch.set("log.filter", "trace").set("log.format", "json")
    }

    /// Without a given admin key: the gateway makes one.
    #[must_use]
    pub fn without_admin_key(mut self) -> Self {
        self.admin_key = None;
        self
    }

    /// With peer tokens between roles apart, and nothing encrypted.
    #[must_use]
    pub fn with_peer_tokens(mut self) -> Self {
        self.peer_tokens = true;
        self
    }

    /// A setting for every process, by its name in the documentation.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.insert(variable(name), value.to_owned());
        self
    }

    /// A variable for every process that is no setting of ours.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.settings.insert(name.to_owned(), value.to_owned());
        self
    }

    /// A setting for the process with the vault alone.
    #[must_use]
    pub fn vault_set(mut self, name: &str, value: &str) -> Self {
        self.vault_settings.insert(variable(name), value.to_owned());
        self
    }

    /// Lets no file of the router's process grow beyond this, as a full disk does.
    #[must_use]
    pub fn router_files_up_to(mut self, kib: Option<u32>) -> Self {
        self.router_file_kib = kib;
        self
    }

    /// Sends a provider's requests to this upstream.
    #[must_use]
    pub fn provider(self, name: &str, upstream: &ScriptedUpstream) -> Self {
        let setting = format!("providers.{name}.base_url");
        self.set(&setting, &upstream.base_url())
    }

    /// The platform's own key at a provider; given to the vault alone.
    #[must_use]
    pub fn system_key(self, provider: &str, key: &str) -> Self {
        self.vault_set(&format!("providers.{provider}.system_key"), key)
    }

    /// Starts it and waits until it is ready.
    pub async fn start(self) -> Gateway {
        Gateway::start(self).await
    }
}

/// The environment variable of a setting.
fn variable(setting: &str) -> String {
    match setting {
        "data_dir" => "KEYWARD_DATA_DIR".to_owned(),
        _ => format!("KEYWARD_{}", setting.replace('.', "__").to_uppercase()),
    }
}
