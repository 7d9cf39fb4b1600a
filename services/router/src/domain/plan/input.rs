//! What a plan is made from.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use keyward_catalog::{Capability, Catalog};
use keyward_money::Nanos;
use keyward_proto::metering::v1::KeySource;

use crate::domain::form::Form;
use crate::domain::health::HealthView;
use crate::domain::policy::{Layer, Operator, Pattern};
use crate::domain::preferences::Preferences;
use crate::domain::providers::Providers;
use crate::domain::task::{Cheapest, Signal, Task};

/// What may serve when the first key fails, as the request says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Allowance {
    /// Whatever policy allows; nothing, with an inline key.
    #[default]
    Policy,
    /// Nothing else.
    None,
    /// Further own keys.
    OwnKeys,
    /// Own keys, then credits.
    Credits,
}

/// The key of a request itself, as far as planning goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InlineKey {
    /// Whose key it looks like, where its form tells.
    pub looks_like: Option<&'static str>,
}

impl InlineKey {
    /// What planning may know of a key.
    pub fn of(key: &str) -> Self {
        Self {
            looks_like: inline_key_provider(key),
        }
    }
}

/// The provider that a key's form gives away.
fn inline_key_provider(key: &str) -> Option<&'static str> {
    // Longest first: every other one begins with `sk-` too.
    const FORMS: [(&str, &str); 8] = [
        ("sk-or-v1-", "openrouter"),
        (crate::sandbox::KEY_PREFIX, "sandbox"),
        ("sk-ant-", "anthropic"),
        ("sk-proj-", "openai"),
        ("sk-svcacct-", "openai"),
        ("AIza", "google"),
        ("gsk_", "groq"),
        ("xai-", "xai"),
    ];
    FORMS
        .into_iter()
        .find(|(prefix, _)| key.starts_with(prefix))
        .map(|(_, provider)| provider)
}

/// What a request is for, and how that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskChoice {
    /// The task.
    pub task: Task,
    /// What spoke for it; none where the caller said so.
    pub signal: Option<Signal>,
}

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct RouteRequest {
    /// The model, as the caller named it.
    pub model: String,
    /// Those that may serve in its stead, in order.
    pub models: Vec<String>,
    /// The form that the caller speaks, which says what the model is asked for.
    pub form: Form,
    /// The key in the request.
    pub inline_key: Option<InlineKey>,
    /// Whose key the inline key is, or the provider whose key to use.
    pub byok_provider: Option<String>,
    /// What else may serve.
    pub allowance: Allowance,
    /// The most that a fallback to credits may cost.
    pub fallback_max_charge: Option<Nanos>,
    /// What else is asked of routing.
    pub preferences: Preferences,
    /// What it is for.
    pub task: Option<TaskChoice>,
    /// The caller's tags.
    pub tags: HashMap<String, String>,
    /// The prompt's length in tokens, as estimated.
    pub prompt_tokens: u64,
    /// The most tokens that the answer may have, as asked or expected.
    pub output_tokens: u64,
    /// What a model has to be able to do for it.
    pub needs: Vec<Capability>,
    /// Requests with the same number choose the same among equals: those whose prompts begin alike,
    /// so that a provider's cache of prompts is of use.
    pub affinity: u64,
}

/// Who asks.
#[derive(Debug, Clone, Default)]
pub struct PlanPrincipal {
    /// Whether the tier has keys of organisations.
    pub organization_keys: bool,
    /// The models that may be named; empty for all.
    pub allowed_models: Vec<String>,
}

/// What is known of a stored key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyState {
    /// Stored, never used.
    Untested,
    /// Accepted last time.
    Connected,
    /// Refused by its provider, with its reason.
    Rejected(String),
    /// Without credit when last used, with the provider's reason.
    QuotaExhausted(String),
    /// Switched off.
    Disabled,
    /// Past its time.
    Expired,
}

/// A stored key, without its secret.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanKey {
    /// Its id.
    pub id: String,
    /// Which secret it holds.
    pub version: u64,
    /// Whose it is.
    pub source: KeySource,
    /// The provider it opens.
    pub provider: String,
    /// Where requests with it go, if not the provider's address.
    pub base_url: Option<String>,
    /// Which version of the provider's interface it is for; empty for the usual one.
    pub api_version: String,
    /// What models are called at the key's own resource, by their names elsewhere.
    pub deployments: BTreeMap<String, String>,
    /// What is known of it.
    pub state: KeyState,
    /// When it stops being used, in milliseconds since 1970.
    pub expires_ms: Option<u64>,
    /// How often it goes first among its owner's keys for the provider.
    pub weight: u32,
    /// The models that it is for; all where empty.
    pub allowed_models: Vec<Pattern>,
}

impl PlanKey {
    /// What a model is called where the key is for, by any of its names; none where nobody says that
    /// it is called otherwise than at the provider.
    pub(super) fn deployment(&self, names: [&str; 2], upstream: &str) -> Option<&str> {
        // Most keys say nothing, and taking names apart for each of many costs.
        if self.deployments.is_empty() {
            return None;
        }
        let bare = |name: &str| {
            name.rsplit('/')
                .next()
                .and_then(|name| self.deployments.get(name))
        };
        let whole = |name: &str| self.deployments.get(name);
        let named = |name: &str| whole(name).or_else(|| bare(name));
        let found = names
            .into_iter()
            .find_map(named)
            .or_else(|| whole(upstream));
        found.map(String::as_str)
    }
}

/// All that a plan is made from.
pub struct PlanInput<'a> {
    /// What is asked for.
    pub request: &'a RouteRequest,
    /// Who asks.
    pub principal: &'a PlanPrincipal,
    /// The keys that the caller may use, and the platform's.
    pub keys: &'a [Arc<PlanKey>],
    /// What the settings allow.
    pub operator: &'a Operator,
    /// What the owners concerned allow, the broadest first.
    pub layers: &'a [Layer],
    /// The models.
    pub catalog: &'a Catalog,
    /// The same by price.
    pub cheapest: &'a Cheapest,
    /// The providers.
    pub providers: &'a Providers,
    /// How keys stand.
    pub health: &'a dyn HealthView,
    /// The present, in milliseconds since 1970.
    pub now_ms: u64,
}

impl PlanInput<'_> {
    /// The present.
    pub(super) fn now(&self) -> Timestamp {
        let millis = i64::try_from(self.now_ms).unwrap_or(i64::MAX);
        Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
    }
}

impl std::fmt::Debug for PlanInput<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlanInput")
            .field("request", self.request)
            .finish_non_exhaustive()
    }
}
