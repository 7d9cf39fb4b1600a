//! The providers that can be called here: the catalogue's, as the operator's settings change them,
//! and those that only the settings know.

use std::collections::BTreeMap;

use keyward_catalog::{Catalog, Dialect, Endpoint, Model, ProviderInfo};
use url::Url;

use super::form::{Form, Language};
use super::wire::Listener;

/// The provider that carries other vendors' models.
pub const OPENROUTER: &str = "openrouter";
/// Those whose forms callers speak: each gets the bare names of its form that nobody knows.
const OPENAI: &str = "openai";
const ANTHROPIC: &str = "anthropic";
const GOOGLE: &str = "google";
/// The built-in one.
pub const SANDBOX: &str = "sandbox";

/// What the operator's settings say of a provider.
#[derive(Debug, Clone, Default)]
pub struct ProviderOverride {
    /// Where requests go instead of the provider's own address.
    pub base_url: Option<Url>,
    /// The dialect of a provider that the catalogue does not know: `openai`, `anthropic`, `google`
    /// or `azure`.
    pub kind: Option<String>,
    /// Whether it asks for no key, and serves as the platform's own.
    pub keyless: bool,
    /// Whether it may be used at all.
    pub enabled: bool,
}

/// Whose the models are that are named in a language without saying whose they are.
pub(crate) const fn home(language: Language) -> &'static str {
    match language {
        Language::OpenAi | Language::Keyward => OPENAI,
        Language::Anthropic => ANTHROPIC,
        Language::Google => GOOGLE,
    }
}

/// Who has keys for a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keys {
    /// Whoever got one there.
    #[default]
    Anybodys,
    /// Nobody: it is the platform's own server, and asks for none.
    Nobodys,
}

/// A provider as it is called here.
#[derive(Debug, Clone)]
pub struct Provider {
    /// How it is spoken to.
    pub dialect: Dialect,
    /// Where requests go, unless a key says otherwise.
    pub base_url: Option<Url>,
    /// Whether the address is from the operator's settings, and so needs no guard.
    pub is_operators_address: bool,
    /// Whether it stops billing when a request is cancelled.
    pub cancel_stops_billing: bool,
    /// Whether it takes `stream_options` in a streamed request.
    pub takes_stream_options: bool,
    /// Who has keys for it.
    pub keys: Keys,
    /// In which of OpenAI's two forms it has conversations, where it speaks OpenAI's.
    conversations: Conversations,
    /// The path of a call that costs nothing and says whether it answers, where it has one.
    pub free_call: Option<&'static str>,
}

/// In which of OpenAI's two forms a provider has conversations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Conversations {
    /// In both, but for models that are asked by responses alone.
    AsModel,
    /// In both with every model: who resells them translates.
    Both,
    /// By chat completions alone.
    Chat,
}

impl Conversations {
    fn of(info: &ProviderInfo) -> Self {
        match (info.lacks_responses, info.carries_everything) {
            (true, _) => Self::Chat,
            (false, true) => Self::Both,
            (false, false) => Self::AsModel,
        }
    }
}

impl Provider {
    /// Who is asked for a model: the provider's name for it, and what the catalogue knows of it.
    pub(crate) fn listener<'a>(&self, name: &'a str, model: Option<&Model>) -> Listener<'a> {
        Listener {
            dialect: self.dialect,
            model: name,
            only: self.only(model),
        }
    }

    /// Of OpenAI's two forms of conversations the one in which a model is asked here, if only one.
    fn only(&self, model: Option<&Model>) -> Option<Form> {
        let by_responses = |model: &Model| {
            model.supports(Endpoint::Responses) && !model.supports(Endpoint::ChatCompletions)
        };
        match (self.conversations, model) {
            (Conversations::Chat, _) => Some(Form::Chat),
            (Conversations::AsModel, Some(model)) if by_responses(model) => Some(Form::Responses),
            _ => None,
        }
    }
}

/// All providers, by name.
#[derive(Debug, Clone, Default)]
pub struct Providers {
    by_name: BTreeMap<String, Provider>,
}

/// A provider of the settings has a `kind` that there is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("providers.{name}.kind is {kind:?}: expected openai, anthropic, google or azure")]
pub struct UnknownKind {
    /// The provider.
    pub name: String,
    /// What was written.
    pub kind: String,
}

impl Providers {
    /// The catalogue's providers, changed and added to by the settings.
    pub fn new(
        catalog: &Catalog,
        overrides: &BTreeMap<String, ProviderOverride>,
    ) -> Result<Self, UnknownKind> {
        let mut by_name = BTreeMap::new();
        for info in catalog.providers() {
            let provider = Provider {
                dialect: info.dialect,
                base_url: info
                    .base_url
                    .as_deref()
                    .and_then(|url| Url::parse(url).ok()),
                is_operators_address: false,
                keys: Keys::default(),
                cancel_stops_billing: info.cancel_stops_billing,
                // Mistral refuses members that it does not know, and reports usage anyway.
                takes_stream_options: info.name != "mistral",
                conversations: Conversations::of(info),
                free_call: free_call(info.dialect),
            };
            by_name.insert(info.name.clone(), provider);
        }
        for (name, given) in overrides {
            if !given.enabled {
                by_name.remove(name);
                continue;
            }
            let provider = by_name.entry(name.clone()).or_insert(Provider {
                dialect: Dialect::OpenAi,
                base_url: None,
                is_operators_address: false,
                keys: Keys::default(),
                cancel_stops_billing: false,
                takes_stream_options: true,
                conversations: Conversations::AsModel,
                free_call: free_call(Dialect::OpenAi),
            });
            if let Some(kind) = &given.kind {
                provider.dialect = dialect(name, kind)?;
                provider.free_call = free_call(provider.dialect);
            }
            if given.keyless {
                provider.keys = Keys::Nobodys;
            }
            if let Some(base_url) = &given.base_url {
                provider.base_url = Some(base_url.clone());
                provider.is_operators_address = true;
            }
        }
        Ok(Self { by_name })
    }

    /// Their names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// A provider by name.
    pub fn get(&self, name: &str) -> Option<&Provider> {
        self.by_name.get(name)
    }
}

/// The list of models, where that is for whoever may call them; Azure's is of its deployments.
fn free_call(dialect: Dialect) -> Option<&'static str> {
    match dialect {
        Dialect::OpenAi => Some("/models"),
        Dialect::Anthropic => Some("/v1/models"),
        Dialect::Google => Some("/v1beta/models"),
        Dialect::Azure | Dialect::Sandbox => None,
    }
}

fn dialect(name: &str, kind: &str) -> Result<Dialect, UnknownKind> {
    match kind {
        "openai" | "openai-compatible" => Ok(Dialect::OpenAi),
        "anthropic" => Ok(Dialect::Anthropic),
        "google" => Ok(Dialect::Google),
        "azure" => Ok(Dialect::Azure),
        _ => Err(UnknownKind {
            name: name.to_owned(),
            kind: kind.to_owned(),
        }),
    }
}
