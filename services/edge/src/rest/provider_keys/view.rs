//! What is shown of provider keys: never the secret.

use std::collections::BTreeMap;

use keyward_proto::vault::v1::{ProviderKey, ProviderKeySettings};
use serde::Serialize;
use utoipa::ToSchema;

use super::hygiene::HygieneView;
use crate::rest::reply::{Resource, page};
use crate::rest::values::{Time, present};
use crate::rest::words::{KeyStatus, OwnerKind};

/// A provider key, masked.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProviderKey)]
pub(crate) struct ProviderKeyView {
    /// Its id.
    id: String,
    /// The provider that it is for.
    #[schema(examples("openai"))]
    provider: String,
    /// Whose it is.
    owner: OwnerKind,
    /// The owner's id; `null` for the platform.
    #[schema(required, examples("bob"))]
    owner_id: Option<String>,
    /// For people.
    label: String,
    /// What it looks like: the provider's public prefix and the last four characters.
    #[schema(examples("sk-proj-…wxyz"))]
    masked_key: String,
    /// Tells keys of one owner apart without showing them.
    fingerprint: String,
    /// How it stands.
    status: KeyStatus,
    /// Why, in the provider's words.
    #[schema(required)]
    status_reason: Option<String>,
    /// Whether it may serve.
    enabled: bool,
    /// Which secret it is: one more with each rotation.
    version: u64,
    /// Where its requests go, if not to the provider's own address.
    #[schema(required)]
    base_url: Option<String>,
    /// Settings beside the secret.
    settings: SettingsView,
    /// Its share among keys of equal rank.
    weight: u32,
    /// Patterns of the models that it may serve; `null` for any.
    #[schema(required)]
    allowed_models: Option<Vec<String>>,
    /// The users whom it may serve; `null` for any.
    #[schema(required)]
    allowed_users: Option<Vec<String>>,
    /// When it was stored.
    #[schema(required)]
    created_at: Option<Time>,
    /// When it was last changed.
    #[schema(required)]
    updated_at: Option<Time>,
    /// When it stops being used.
    #[schema(required)]
    expires_at: Option<Time>,
    /// When it last served.
    #[schema(required)]
    last_used_at: Option<Time>,
    /// When it was last tested.
    #[schema(required)]
    last_tested_at: Option<Time>,
    /// How it is kept.
    hygiene: HygieneView,
}

/// Settings of a provider key; only what is set.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProviderKeySettingsShown)]
struct SettingsView {
    /// Azure: the resource's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
    /// Azure: the version of its interface.
    #[serde(skip_serializing_if = "Option::is_none")]
    api_version: Option<String>,
    /// Azure: deployments by model.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    deployments: BTreeMap<String, String>,
    /// Whether its form was not checked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    skip_format_check: bool,
}

impl From<ProviderKeySettings> for SettingsView {
    fn from(settings: ProviderKeySettings) -> Self {
        Self {
            endpoint: present(settings.endpoint),
            api_version: present(settings.api_version),
            deployments: settings.deployments.into_iter().collect(),
            skip_format_check: settings.skip_format_check,
        }
    }
}

/// An empty list does not limit.
fn limiting(names: Vec<String>) -> Option<Vec<String>> {
    Some(names).filter(|names| !names.is_empty())
}

page!(
    /// A page of provider keys.
    ProviderKeyList { provider_keys: ProviderKeyView }
);

impl Resource for ProviderKey {
    type View = ProviderKeyView;

    fn into_view(self) -> ProviderKeyView {
        let owner = self.owner.unwrap_or_default();
        ProviderKeyView {
            id: self.provider_key_id,
            provider: self.provider,
            owner: OwnerKind::of(owner.kind),
            owner_id: present(owner.id),
            label: self.label,
            masked_key: self.masked_key,
            fingerprint: self.fingerprint,
            status: KeyStatus::of(self.status),
            status_reason: present(self.status_reason),
            enabled: self.enabled,
            version: self.version,
            base_url: present(self.base_url),
            settings: self.settings.unwrap_or_default().into(),
            weight: self.weight,
            allowed_models: limiting(self.allowed_models),
            allowed_users: limiting(self.allowed_users),
            created_at: Time::from_proto(self.create_time.as_ref()),
            updated_at: Time::from_proto(self.update_time.as_ref()),
            expires_at: Time::from_proto(self.expire_time.as_ref()),
            last_used_at: Time::from_proto(self.last_used_time.as_ref()),
            last_tested_at: Time::from_proto(self.last_tested_time.as_ref()),
            hygiene: self.hygiene.unwrap_or_default().into(),
        }
    }

    fn etag(&self) -> Option<&str> {
        Some(&self.etag)
    }
}
