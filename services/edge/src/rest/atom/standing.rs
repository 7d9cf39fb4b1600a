//! How a user stands with each provider: by the user's own keys, whoever asks.

use keyward_proto::router::v1::{ListProvidersRequest, Provider};
use keyward_proto::vault::v1::{KeyStatus, ProviderKey};

use super::keys::UserKeys;
use crate::caller::Call;
use crate::failure::Failure;
use crate::services::Services;

/// All providers, and the user's keys for them.
#[derive(Debug)]
pub(super) struct Standing {
    providers: Vec<Provider>,
    keys: UserKeys,
}

/// One provider.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) provider: &'a Provider,
    /// The newest key that works, else the newest.
    pub(super) key: Option<&'a ProviderKey>,
}

impl Standing {
    pub(super) async fn of(api: &Services, call: &Call, user: &str) -> Result<Self, Failure> {
        // First: it says whether the caller may ask at all.
        let keys = UserKeys::of(api, call, user).await?;
        let request = call.request(ListProvidersRequest::default());
        let listed = api.router().list_providers(request).await?;
        Ok(Self {
            providers: listed.into_inner().providers,
            keys,
        })
    }

    pub(super) fn all(&self) -> impl Iterator<Item = At<'_>> {
        self.providers.iter().map(|provider| {
            let keys = || self.keys.of_provider(&provider.provider);
            At {
                provider,
                key: keys().find(|key| works(key)).or_else(|| keys().next()),
            }
        })
    }

    /// Those that the user has a key for.
    pub(super) fn configured(&self) -> impl Iterator<Item = At<'_>> {
        self.all().filter(|at| at.key.is_some())
    }
}

impl At<'_> {
    pub(super) fn is_working(&self) -> bool {
        self.key.is_some_and(works)
    }
}

/// Whether a key may serve now, as far as is known.
fn works(key: &ProviderKey) -> bool {
    key.enabled && matches!(key.status(), KeyStatus::Connected | KeyStatus::Untested)
}
