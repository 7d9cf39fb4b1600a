//! Settings of providers: those we know, and any other server by its settings alone.

use std::collections::BTreeMap;
use std::path::PathBuf;

use keyward_secret::Secret;
use serde::Deserialize;
use url::Url;

use super::values::secret;
use crate::private_allow::PrivateAllow;

/// Settings of all providers.
#[derive(Debug, Clone, Default)]
pub struct ProvidersSettings {
    /// Further certificate authorities to trust when calling providers.
    pub ca_file: Option<PathBuf>,
    /// What base URLs of key owners may lead to though it is private.
    pub private_allow: PrivateAllow,
    /// Settings of single providers.
    pub by_name: BTreeMap<String, ProviderSettings>,
}

/// Settings of one provider.
#[derive(Debug, Clone, Default)]
pub struct ProviderSettings {
    /// Where requests go instead of the provider's own address.
    pub base_url: Option<Url>,
    /// The platform's own key; for the vault alone.
    pub system_key: Option<Secret>,
    /// Whether it asks for no key, and serves as the platform's own.
    pub keyless: bool,
    /// Whether it may be used; `true` where not set.
    pub enabled: Option<bool>,
    /// The dialect of a provider that we do not know; `openai` where not set.
    pub kind: Option<String>,
}

impl ProvidersSettings {
    /// Whether a provider is switched on; `default` where nothing is set.
    pub fn is_enabled(&self, name: &str, default: bool) -> bool {
        self.by_name
            .get(name)
            .and_then(|provider| provider.enabled)
            .unwrap_or(default)
    }
}

/// As written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawProvider {
    pub(super) base_url: Option<String>,
    #[serde(deserialize_with = "secret")]
    pub(super) system_key: Option<Secret>,
    pub(super) keyless: Option<bool>,
    pub(super) enabled: Option<bool>,
    pub(super) kind: Option<String>,
}
