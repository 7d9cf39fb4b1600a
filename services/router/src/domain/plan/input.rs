//! What a plan is made from.

use keyward_catalog::Catalog;
use keyward_money::Nanos;
use keyward_proto::metering::v1::KeySource;

use crate::domain::health::HealthView;
use crate::domain::providers::Providers;

/// Which of a caller's own keys goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Prefer {
    /// The one for OpenRouter.
    #[default]
    OpenRouter,
    /// The provider's own.
    Provider,
}

/// What the operator allows.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Which of a caller's own keys goes first.
    pub prefer: Prefer,
    /// Whether a failing own key may fall back to credits.
    pub fallback_to_credits: bool,
    /// The most that such a fallback may cost.
    pub fallback_max_charge: Nanos,
}

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

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct RouteRequest {
    /// The model, as the caller named it.
    pub model: String,
    /// Those that OpenRouter may serve in its stead.
    pub models: Vec<String>,
    /// The key in the request.
    pub inline_key: Option<InlineKey>,
    /// Whose key the inline key is, or the provider whose key to use.
    pub byok_provider: Option<String>,
    /// What else may serve.
    pub allowance: Allowance,
    /// The most that a fallback to credits may cost.
    pub fallback_max_charge: Option<Nanos>,
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
#[derive(Debug, Clone)]
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
    /// What is known of it.
    pub state: KeyState,
    /// When it stops being used, in milliseconds since 1970.
    pub expires_ms: Option<u64>,
}

/// All that a plan is made from.
pub struct PlanInput<'a> {
    /// What is asked for.
    pub request: &'a RouteRequest,
    /// Who asks.
    pub principal: &'a PlanPrincipal,
    /// The keys that the caller may use, and the platform's.
    pub keys: &'a [PlanKey],
    /// What the operator allows.
    pub policy: Policy,
    /// The models.
    pub catalog: &'a Catalog,
    /// The providers.
    pub providers: &'a Providers,
    /// How keys stand.
    pub health: &'a dyn HealthView,
    /// The present, in milliseconds since 1970.
    pub now_ms: u64,
}

impl std::fmt::Debug for PlanInput<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlanInput")
            .field("request", self.request)
            .finish_non_exhaustive()
    }
}
