//! Providers as data.

use serde::{Deserialize, Serialize};

/// The form in which a provider is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// OpenAI's: `base_url` ends with the version, `/chat/completions` is added.
    OpenAi,
    /// Anthropic's: `/v1/messages` is added.
    Anthropic,
    /// Gemini's: `/v1beta/models/…` is added.
    Google,
    /// OpenAI's at an Azure endpoint: `/openai/deployments/…` is added.
    Azure,
    /// Answered here, without network.
    Sandbox,
}

/// A provider that Keyward knows without being told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderInfo {
    /// Its name in settings, keys and model names.
    pub name: String,
    /// Its name for people.
    pub display_name: String,
    /// Where requests go; absent where each key says so (Azure) or nothing is sent (the sandbox).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// How it is spoken to.
    pub dialect: Dialect,
    /// What its keys look like, for people.
    pub key_hint: String,
    /// Where people get a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_url: Option<String>,
    /// Whether it stops billing when a request is cancelled; if not, or if unknown, an abandoned
    /// answer is read to its end so that it can be settled.
    pub cancel_stops_billing: bool,
    /// Whether it speaks OpenAI's form and has conversations by its chat completions alone, not by
    /// responses.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lacks_responses: bool,
    /// Whether it resells models of any vendor, listed here or not (OpenRouter).
    #[serde(default)]
    pub carries_everything: bool,
    /// How OpenRouter spells it as a vendor; absent where it has no models of its own there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub openrouter_vendor: Option<String>,
}
