//! The providers that are used, tried as requests try them.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use keyward_catalog::Catalog;
use keyward_egress::Prober;
use keyward_router::domain::providers::SANDBOX;
use keyward_vault::inspect::Destination;
use url::Url;

use super::LIMIT;
use crate::doctor::gather::Subject;
use crate::doctor::judge::providers::Facts;
use crate::roles::Role;

/// An address to try.
struct Target {
    provider: String,
    url: Url,
    /// Whether the settings name it; then it may be any.
    is_operators: bool,
    /// Whether an owner of a key does.
    is_owners: bool,
}

/// Tries all of them at once; `None` where the router does not run here.
pub(crate) async fn gather(
    subject: &Subject,
    stored: &BTreeSet<Destination>,
) -> Option<Vec<Facts>> {
    if !subject.roles.has(Role::Router) {
        return None;
    }
    let targets = targets(subject, stored);
    let providers = &subject.settings.providers;
    let exceptions = providers.private_allow.clone();
    let prober = match Prober::new(exceptions, providers.ca_file.as_deref(), LIMIT) {
        Ok(prober) => prober,
        Err(error) => {
            let problem = error.to_string();
            return Some(
                targets
                    .into_iter()
                    .map(|target| facts(target, Err(problem.clone())))
                    .collect(),
            );
        }
    };
    let tried = targets.into_iter().map(async |target| {
        let reached = prober.probe(&target.url, target.is_operators).await;
        facts(target, reached.map_err(|error| error.to_string()))
    });
    Some(join_all(tried).await)
}

fn facts(target: Target, reached: Result<(), String>) -> Facts {
    let host = target.url.host_str().unwrap_or_default();
    let port = target.url.port_or_known_default().unwrap_or_default();
    Facts {
        provider: target.provider,
        host: format!("{host}:{port}"),
        is_owners: target.is_owners,
        reached,
    }
}

/// Those that stored keys are for, and those that the settings give a key or an address.
fn targets(subject: &Subject, stored: &BTreeSet<Destination>) -> Vec<Target> {
    let by_name = &subject.settings.providers.by_name;
    let in_settings = by_name
        .iter()
        .filter(|(_, given)| given.system_key.is_some() || given.base_url.is_some())
        .map(|(name, _)| Destination {
            provider: name.clone(),
            base_url: None,
        });
    let catalogue = Catalog::embedded().ok();
    let mut targets = BTreeMap::new();
    for destination in stored.iter().cloned().chain(in_settings) {
        let Destination { provider, base_url } = destination;
        let given = by_name.get(&provider);
        if provider == SANDBOX || given.is_some_and(|given| given.enabled == Some(false)) {
            continue;
        }
        let (is_owners, of_settings) = (base_url.is_some(), given.and_then(|g| g.base_url.clone()));
        let is_operators = !is_owners && of_settings.is_some();
        let known = || {
            let provider = catalogue.as_ref()?.provider(&provider)?;
            provider.base_url.as_deref()?.parse().ok()
        };
        let url = match &base_url {
            Some(url) => url.parse().ok(),
            None => of_settings.or_else(known),
        };
        if let Some(url) = url {
            let target = Target {
                provider: provider.clone(),
                url,
                is_operators,
                is_owners,
            };
            targets.insert((provider, base_url), target);
        }
    }
    targets.into_values().collect()
}
