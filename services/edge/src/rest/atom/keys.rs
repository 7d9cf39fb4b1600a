//! A user's keys, by provider. Whoever may not see them gets the vault's answer: there is no such user.

use keyward_proto::router::v1::{TestProviderKeyRequest, TestProviderKeyResponse};
use keyward_proto::vault::v1::{ListProviderKeysRequest, Owner, OwnerKind, ProviderKey};

use crate::caller::Call;
use crate::failure::Failure;
use crate::services::Services;

/// The largest page.
const PAGE_SIZE: u32 = 200;
/// The most pages that are read: two thousand keys of one user are no page for people.
const PAGES_MAX: usize = 10;

/// All keys of a user, newest first.
#[derive(Debug)]
pub(super) struct UserKeys(Vec<ProviderKey>);

pub(super) fn owner(user: &str) -> Owner {
    Owner {
        kind: OwnerKind::User.into(),
        id: user.to_owned(),
    }
}

impl UserKeys {
    pub(super) async fn of(api: &Services, call: &Call, user: &str) -> Result<Self, Failure> {
        let mut keys = Vec::new();
        let mut page_token = String::new();
        for _ in 0..PAGES_MAX {
            let request = call.request(ListProviderKeysRequest {
                owner: Some(owner(user)),
                page_size: PAGE_SIZE,
                page_token,
            });
            let page = api.provider_keys().list_provider_keys(request).await?;
            let page = page.into_inner();
            keys.extend(page.provider_keys);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        Ok(Self(keys))
    }

    pub(super) fn all(&self) -> &[ProviderKey] {
        &self.0
    }

    pub(super) fn of_provider(&self, provider: &str) -> impl Iterator<Item = &ProviderKey> {
        self.0.iter().filter(move |key| key.provider == provider)
    }

    /// The key that stands for a provider.
    pub(super) fn newest(&self, provider: &str) -> Result<&ProviderKey, Failure> {
        let newest = self.of_provider(provider).next();
        newest.ok_or_else(|| Failure::not_found("the user has no key for this provider"))
    }
}

/// Asks the provider whether a key works.
pub(super) async fn test(
    api: &Services,
    call: &Call,
    key: &ProviderKey,
) -> Result<TestProviderKeyResponse, Failure> {
    let request = call.request(TestProviderKeyRequest {
        provider_key_id: key.provider_key_id.clone(),
        unsaved: None,
    });
    let found = api.router().test_provider_key(request).await?;
    Ok(found.into_inner())
}
