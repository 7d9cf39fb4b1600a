//! The providers as one caller sees them: what they offer, whose keys there are for them, and how
//! they have fared.

use std::sync::Arc;

use keyward_catalog::{Catalog, ProviderInfo};
use keyward_proto::metering::v1::KeySource;

use super::{Behalf, Core, RouteError, now_ms};
use crate::domain::health::{Pace, State};
use crate::domain::keyring::Keyring;
use crate::domain::plan::PlanKey;
use crate::domain::provider_health::Wellness;
use crate::domain::providers::Provider;

/// A provider for one caller.
#[derive(Debug)]
pub(crate) struct ProviderView<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// What the catalogue says of it; none for one that only the settings know.
    pub(crate) info: Option<&'a ProviderInfo>,
    /// How it is called here.
    pub(crate) provider: &'a Provider,
    /// How the caller's keys for it stand.
    pub(crate) keys: Keyring,
    /// How it has fared.
    pub(crate) wellness: Wellness,
    /// How fast it answered, and how often it failed.
    pub(crate) pace: Pace,
    /// Its breaker, or that of one of the caller's keys, whichever stands worse.
    pub(crate) breaker: State,
    /// As of when.
    pub(crate) now_ms: u64,
}

impl Core {
    /// The providers that may be called here: the catalogue's in its order, then those of the
    /// settings by name. With `only`, at most the one of that name.
    pub(crate) async fn provider_views<'a>(
        &'a self,
        catalog: &'a Catalog,
        behalf: &Behalf,
        only: Option<&str>,
    ) -> Result<Vec<ProviderView<'a>>, RouteError> {
        let listing = self.vault.keys(behalf).await?;
        let organization_keys = self.has_organization_keys(&listing.keys, behalf).await;
        let now_ms = now_ms();
        let known = catalog.providers().iter().map(|info| info.name.as_str());
        let own = self.providers.names();
        let own = own.filter(|name| catalog.provider(name).is_none());
        let names = known
            .chain(own)
            .filter(|name| only.is_none_or(|o| o == *name));
        let view = |name: &'a str| {
            let all = || listing.keys.iter().map(Arc::as_ref);
            let keys = || all().filter(|key: &&PlanKey| key.provider == name);
            Some(ProviderView {
                name,
                info: catalog.provider(name),
                provider: self.providers.get(name)?,
                keys: Keyring::of(keys(), organization_keys, now_ms),
                wellness: self.wellness(name, keys(), now_ms),
                pace: self.health.pace(name, now_ms),
                breaker: self.breaker(name, keys(), now_ms),
                now_ms,
            })
        };
        Ok(names.filter_map(view).collect())
    }

    fn wellness<'k>(
        &self,
        provider: &str,
        keys: impl Iterator<Item = &'k PlanKey>,
        now_ms: u64,
    ) -> Wellness {
        let resting =
            keys.filter_map(|key| self.health.resting_since(&key.id, key.version, now_ms));
        self.health.wellness(provider, resting.min(), now_ms)
    }

    fn breaker<'k>(
        &self,
        provider: &str,
        keys: impl Iterator<Item = &'k PlanKey>,
        now_ms: u64,
    ) -> State {
        let of_keys = keys.map(|key| self.health.key_state(&key.id, key.version, now_ms));
        of_keys.fold(
            self.health.provider_state(provider, now_ms),
            State::or_worse,
        )
    }

    /// Whether keys of the caller's organisation may serve it; asked only where there are any.
    pub(super) async fn has_organization_keys(
        &self,
        keys: &[Arc<PlanKey>],
        behalf: &Behalf,
    ) -> bool {
        let is_organizations = |key: &Arc<PlanKey>| key.source == KeySource::Organization;
        let tier = &behalf.principal().tier;
        keys.iter().any(is_organizations) && self.metering.organization_keys(tier).await
    }
}
