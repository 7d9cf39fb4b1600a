//! ATOM's words: `Configured` or `Not Configured`, `Working` or `Failed`.

use std::collections::BTreeSet;

use keyward_proto::router::v1::{Provider, TestProviderKeyResponse};
use keyward_proto::vault::v1::ProviderKey;
use serde::Serialize;
use utoipa::ToSchema;

use super::standing::{At, Standing};
use crate::rest::values::{Time, present};
use crate::rest::words::KeyStatus;

/// Whether the user has a key for a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(super) enum Setup {
    /// It has.
    Configured,
    /// It has not.
    #[serde(rename = "Not Configured")]
    NotConfigured,
}

/// Whether a key works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(super) enum Connection {
    /// It does, as far as is known.
    Working,
    /// It does not.
    Failed,
}

impl Connection {
    fn of(works: bool) -> Self {
        match works {
            true => Self::Working,
            false => Self::Failed,
        }
    }
}

/// A provider, and how the user stands with it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AtomProvider {
    /// Its id.
    #[schema(examples("openai"))]
    id: String,
    /// Its name for people.
    name: String,
    /// Whether the user has a key for it.
    status: Setup,
    /// Whether that works.
    #[schema(required)]
    connection: Option<Connection>,
    /// What it looks like.
    #[schema(required)]
    masked_key: Option<String>,
    /// What keys look like.
    #[schema(required)]
    key_format: Option<String>,
    /// Where to get one.
    #[schema(required)]
    key_url: Option<String>,
    /// What it can do.
    capabilities: Vec<String>,
    /// The ids of its models.
    models: Vec<String>,
}

impl From<At<'_>> for AtomProvider {
    fn from(at: At<'_>) -> Self {
        let provider = at.provider;
        Self {
            id: provider.provider.clone(),
            name: provider.display_name.clone(),
            status: match at.key {
                Some(_) => Setup::Configured,
                None => Setup::NotConfigured,
            },
            connection: at.key.map(|_| Connection::of(at.is_working())),
            masked_key: at.key.map(|key| key.masked_key.clone()),
            key_format: present(provider.key_form.clone()),
            key_url: present(provider.key_url.clone()),
            capabilities: capabilities(provider),
            models: provider.models.clone(),
        }
    }
}

/// What its models are called for, `chat` and `embeddings` for two, and what they can do.
fn capabilities(provider: &Provider) -> Vec<String> {
    let endpoints = provider.endpoints.iter();
    let calls = endpoints.map(|name| name.split('.').next().unwrap_or_default());
    let all: BTreeSet<&str> = calls
        .chain(provider.capabilities.iter().map(String::as_str))
        .collect();
    all.into_iter().map(str::to_owned).collect()
}

/// All providers.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AtomProviders {
    /// The user.
    user_id: String,
    /// The providers.
    providers: Vec<AtomProvider>,
}

impl AtomProviders {
    pub(super) fn new(user_id: String, standing: &Standing) -> Self {
        Self {
            user_id,
            providers: standing.all().map(AtomProvider::from).collect(),
        }
    }
}

/// The providers that the user has a key for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AtomServices {
    /// The user.
    user_id: String,
    /// Those providers.
    services: Vec<AtomProvider>,
    /// How many they are.
    count: usize,
}

impl AtomServices {
    pub(super) fn new(user_id: String, standing: &Standing) -> Self {
        let services: Vec<_> = standing.configured().map(AtomProvider::from).collect();
        Self {
            user_id,
            count: services.len(),
            services,
        }
    }
}

/// How all stands.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AtomStatus {
    /// The user.
    user_id: String,
    /// How many providers the user has a key for.
    configured_providers: usize,
    /// How many of those work.
    working_providers: usize,
    /// How many providers there are.
    available_providers: usize,
    /// Those with a key.
    providers: Vec<AtomProvider>,
}

impl AtomStatus {
    pub(super) fn new(user_id: String, standing: &Standing) -> Self {
        Self {
            user_id,
            configured_providers: standing.configured().count(),
            working_providers: standing.configured().filter(At::is_working).count(),
            available_providers: standing.all().count(),
            providers: standing.configured().map(AtomProvider::from).collect(),
        }
    }
}

/// A key, masked.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AtomKey {
    /// The provider.
    provider: String,
    /// What it looks like.
    masked_key: String,
    /// For people.
    label: String,
    /// How it stands.
    status: KeyStatus,
    /// Why, in the provider's words.
    #[schema(required)]
    error: Option<String>,
    /// When it was stored.
    #[schema(required)]
    created_at: Option<Time>,
    /// When it last served.
    #[schema(required)]
    last_used: Option<Time>,
    /// When it was last tested.
    #[schema(required)]
    last_tested: Option<Time>,
}

impl From<&ProviderKey> for AtomKey {
    fn from(key: &ProviderKey) -> Self {
        Self {
            provider: key.provider.clone(),
            masked_key: key.masked_key.clone(),
            label: key.label.clone(),
            status: KeyStatus::of(key.status),
            error: present(key.status_reason.clone()),
            created_at: Time::from_proto(key.create_time.as_ref()),
            last_used: Time::from_proto(key.last_used_time.as_ref()),
            last_tested: Time::from_proto(key.last_tested_time.as_ref()),
        }
    }
}

/// A user's keys.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AtomKeys {
    /// The user.
    user_id: String,
    /// The keys, masked, newest first.
    keys: Vec<AtomKey>,
    /// How many they are.
    count: usize,
}

impl AtomKeys {
    pub(super) fn new(user_id: String, keys: &[ProviderKey]) -> Self {
        Self {
            user_id,
            keys: keys.iter().map(AtomKey::from).collect(),
            count: keys.len(),
        }
    }
}

/// Something was done.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AtomDone {
    /// `true`.
    success: bool,
    /// The provider.
    provider: String,
    /// What was done.
    message: String,
}

impl AtomDone {
    pub(super) fn new(provider: &str, message: &str) -> Self {
        Self {
            success: true,
            provider: provider.to_owned(),
            message: message.to_owned(),
        }
    }
}

/// A key was saved.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AtomSaved {
    /// `true`.
    success: bool,
    /// What was done.
    message: String,
    /// The key, masked.
    key: AtomKey,
}

impl AtomSaved {
    pub(super) fn new(key: &ProviderKey) -> Self {
        Self {
            success: true,
            message: "API key saved successfully".to_owned(),
            key: key.into(),
        }
    }
}

/// What a provider said of a key.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AtomTest {
    /// Whether the key works.
    success: bool,
    /// The provider.
    provider: String,
    /// The same in a word.
    status: Connection,
    /// What was found.
    message: String,
    /// Models that it reaches.
    models: Vec<String>,
}

impl AtomTest {
    pub(super) fn new(provider: String, found: TestProviderKeyResponse) -> Self {
        Self {
            success: found.valid,
            provider,
            status: Connection::of(found.valid),
            message: found.message,
            models: found.models,
        }
    }
}
