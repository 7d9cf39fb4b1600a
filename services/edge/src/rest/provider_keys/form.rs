//! What is sent about provider keys.

use std::collections::BTreeMap;

use keyward_proto::vault::v1::ProviderKeySettings;
use prost_types::FieldMask;
use serde::Deserialize;
use utoipa::ToSchema;

use super::owner::OwnerNames;
use crate::failure::Failure;
use crate::rest::values::{Change, Names, SecretText, Time, mask};

/// A new provider key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewProviderKey {
    /// The provider that it is for.
    #[schema(examples("sandbox"))]
    pub(super) provider: String,
    /// The key.
    pub(super) key: SecretText,
    /// Whose it is: `user`, `project`, `organization` or `system`.
    #[schema(examples("user"))]
    owner: Option<String>,
    /// The user, or whose project.
    user: Option<String>,
    /// The organization, or whose project.
    organization: Option<String>,
    /// The project.
    project: Option<String>,
    /// For people.
    pub(super) label: Option<String>,
    /// Where to send its requests; the provider's own address where absent.
    pub(super) base_url: Option<String>,
    /// Settings beside the secret.
    pub(super) settings: Option<Settings>,
    /// When it stops being used; never where absent.
    pub(super) expires_at: Option<Time>,
    /// Its share among keys of equal rank.
    pub(super) weight: Option<u32>,
    /// The models that it may serve, as patterns in which `*` stands for anything; any where absent.
    pub(super) allowed_models: Option<Names>,
    /// The users whom it may serve, members of the organization that owns it or its project; any
    /// where absent.
    pub(super) allowed_users: Option<Names>,
}

impl NewProviderKey {
    pub(super) fn owner(&self) -> OwnerNames {
        OwnerNames::new(
            self.owner.clone(),
            self.user.clone(),
            self.organization.clone(),
            self.project.clone(),
        )
    }
}

/// Settings of a provider key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProviderKeySettings)]
pub(super) struct Settings {
    /// Azure: the resource's address.
    endpoint: Option<String>,
    /// Azure: the version of its interface.
    api_version: Option<String>,
    /// Azure: deployments by model.
    deployments: Option<BTreeMap<String, String>>,
    /// Whether to take a key whose form is not its provider's.
    skip_format_check: Option<bool>,
}

impl From<Settings> for ProviderKeySettings {
    fn from(settings: Settings) -> Self {
        Self {
            endpoint: settings.endpoint.unwrap_or_default(),
            api_version: settings.api_version.unwrap_or_default(),
            deployments: settings.deployments.unwrap_or_default(),
            skip_format_check: settings.skip_format_check.unwrap_or_default(),
        }
    }
}

/// What changes about a provider key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProviderKeyChange, min_properties = 1)]
pub(super) struct Update {
    /// For people.
    pub(super) label: Option<String>,
    /// Whether it may serve.
    pub(super) enabled: Option<bool>,
    /// Its share among keys of equal rank.
    pub(super) weight: Option<u32>,
    /// The models that it may serve; `null` for any.
    #[serde(default)]
    #[schema(value_type = Option<Names>)]
    pub(super) allowed_models: Change<Names>,
    /// The users whom it may serve; `null` for any.
    #[serde(default)]
    #[schema(value_type = Option<Names>)]
    pub(super) allowed_users: Change<Names>,
    /// When it stops being used; `null` makes it last.
    #[serde(default)]
    #[schema(value_type = Option<Time>)]
    pub(super) expires_at: Change<Time>,
    /// Where to send its requests; empty for the provider's own address. Needs the key again.
    pub(super) base_url: Option<String>,
    /// All settings beside the secret. Another endpoint or API version needs the key again.
    pub(super) settings: Option<Settings>,
    /// The key, entered again for another address; taken with `base_url` or `settings` only.
    pub(super) key: Option<SecretText>,
}

impl Update {
    pub(super) fn mask(&self) -> Result<FieldMask, Failure> {
        mask(&[
            ("label", self.label.is_some()),
            ("enabled", self.enabled.is_some()),
            ("weight", self.weight.is_some()),
            ("allowed_models", self.allowed_models.is_given()),
            ("allowed_users", self.allowed_users.is_given()),
            ("expire_time", self.expires_at.is_given()),
            ("base_url", self.base_url.is_some()),
            ("settings", self.settings.is_some()),
        ])
    }
}

/// A new secret.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProviderKeyRotation)]
pub(super) struct Rotation {
    /// The new key.
    pub(super) key: SecretText,
}
