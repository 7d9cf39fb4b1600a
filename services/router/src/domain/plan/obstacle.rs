//! Why something that might serve does not.

use std::fmt;
use std::sync::Arc;

use crate::domain::form::Form;
use crate::domain::policy::Scope;
use crate::domain::providers::OPENROUTER;
use crate::domain::task::Lack;

/// Why a key, or a provider, is no candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// The caller has no key for the provider.
    NoKey,
    /// The access key may not call the model.
    ModelNotAllowed,
    /// A policy forbids the model.
    ModelForbidden(Scope),
    /// It is switched off.
    Disabled,
    /// It is past its time.
    Expired,
    /// Its provider refused it, for this reason.
    Rejected(String),
    /// It is not for this model.
    OtherModels,
    /// The tier has no keys of organisations.
    NoOrganizationKeys,
    /// A policy does not let users' own keys serve.
    OwnKeysForbidden(Scope),
    /// A policy forbids the provider.
    ProviderForbidden(Scope),
    /// A rule of a policy names other providers.
    RuledOut(Scope, Arc<str>),
    /// The request names another provider.
    OtherProviderNamed(String),
    /// The request brings its own key and allows no other.
    InlineOnly,
    /// The request allows no fallback.
    NoFallback,
    /// `provider.ignore` has it.
    Ignored,
    /// `provider.only` does not have it.
    NotAmongOnly,
    /// `provider.allow_fallbacks` is false, and others come first.
    FallbacksOff,
    /// It costs more than `provider.max_price`.
    TooDear,
    /// What it costs is not known, so `provider.max_price` cannot be kept to.
    PriceUnknown,
    /// The model lacks something that the request needs.
    Lacks(Lack),
    /// The request asks for what only OpenRouter knows of its providers.
    Unknowable(&'static str),
    /// The provider is not among those that can be called here.
    NotAvailable,
    /// The provider cannot be asked what is asked, or not from the form that the caller speaks.
    NotCallable(Form),
    /// Nobody said where the provider is.
    NoAddress,
    /// The provider asks for no key, so none is shown to it.
    Keyless,
    /// Credits may not be spent, for this reason.
    Credits(CreditsRefusal),
}

/// What there is of the caller's own for what credits might pay for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Own {
    /// No key that could be used: one that is off, or for other models, is as if it were not there.
    Absent,
    /// One that somebody's word keeps from serving: paying in its stead needs consent.
    Withheld,
    /// One that serves, or would but for a fault: credits stand in for it, up to the cap for that.
    There,
}

/// Why credits may not be spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreditsRefusal {
    /// A policy never spends them.
    Forbidden(Scope),
    /// The request brings its own key and does not allow them.
    NotWithInline,
    /// The request names a provider whose key is to serve.
    OwnKeyAsked,
    /// The request allows no fallback to them.
    NotAsked,
    /// A policy allows no fallback to them.
    NoFallback(Scope),
    /// What they would pay for has no price.
    PriceUnknown,
    /// The platform's key does not work.
    KeyFailing,
}

impl Obstacle {
    /// What a key that meets it is to whoever might pay with credits instead.
    pub(super) fn own(&self) -> Own {
        match self {
            Self::Rejected(_) | Self::NotAvailable | Self::NotCallable(_) | Self::NoAddress => {
                Own::There
            }
            Self::Disabled
            | Self::Expired
            | Self::OtherModels
            | Self::NoOrganizationKeys
            | Self::Keyless => Own::Absent,
            _ => Own::Withheld,
        }
    }

    /// In words, of a provider.
    pub fn told(&self, provider: &str) -> String {
        Told {
            obstacle: self,
            provider,
        }
        .to_string()
    }
}

struct Told<'a> {
    obstacle: &'a Obstacle,
    provider: &'a str,
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let provider = self.provider;
        match self.obstacle {
            Obstacle::NoKey => write!(f, "you have no key for {provider}"),
            Obstacle::ModelNotAllowed => f.write_str("this access key may not call the model"),
            Obstacle::ModelForbidden(scope) => write!(f, "{scope} does not allow the model"),
            Obstacle::Keyless => write!(f, "{provider} asks for no key, and serves for credits"),
            Obstacle::Disabled => f.write_str("the key is disabled"),
            Obstacle::Expired => f.write_str("the key has expired"),
            Obstacle::Rejected(said) => write!(f, "{provider} refused this key: {said}"),
            Obstacle::OtherModels => f.write_str("the key is for other models"),
            Obstacle::NoOrganizationKeys => {
                f.write_str("the organisation's tier does not include keys of organisations")
            }
            Obstacle::OwnKeysForbidden(scope) => {
                write!(f, "{scope} does not let users' own keys serve")
            }
            Obstacle::ProviderForbidden(scope) => write!(f, "{scope} does not allow {provider}"),
            Obstacle::RuledOut(scope, rule) => {
                write!(f, "the rule {rule:?} of {scope} names other providers")
            }
            Obstacle::OtherProviderNamed(named) => {
                write!(f, "the request asks for a key of {named}")
            }
            Obstacle::InlineOnly => {
                f.write_str("the request brings its own key and allows no other")
            }
            Obstacle::NoFallback => f.write_str("the request allows no fallback"),
            Obstacle::Ignored => f.write_str("`provider.ignore` names it"),
            Obstacle::NotAmongOnly => f.write_str("`provider.only` does not name it"),
            Obstacle::FallbacksOff => {
                f.write_str("`provider.allow_fallbacks` is false, and another comes first")
            }
            Obstacle::TooDear => f.write_str("it costs more than `provider.max_price`"),
            Obstacle::PriceUnknown => {
                f.write_str("its price is unknown, so `provider.max_price` cannot be kept to")
            }
            Obstacle::Lacks(lack) => lacks(f, *lack),
            Obstacle::Unknowable(what) => write!(
                f,
                "`provider.{what}` cannot be told of {provider}; with a key for {OPENROUTER} it is \
                 kept to there"
            ),
            Obstacle::NotAvailable => write!(f, "{provider} is not available here"),
            Obstacle::NotCallable(form) => {
                write!(f, "{provider} cannot be called in {}", form.told())
            }
            Obstacle::NoAddress => write!(
                f,
                "{provider} has no address: set providers.{provider}.base_url"
            ),
            Obstacle::Credits(refusal) => refusal.fmt(f),
        }
    }
}

fn lacks(f: &mut fmt::Formatter<'_>, lack: Lack) -> fmt::Result {
    match lack {
        Lack::Endpoint(endpoint) => write!(f, "the model has no endpoint {endpoint}"),
        Lack::Capability(capability) => {
            write!(f, "the model is not known to have {}", capability.name())
        }
        Lack::Context => f.write_str("the request is longer than the model takes"),
    }
}

impl fmt::Display for CreditsRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forbidden(scope) => write!(f, "{scope} does not allow credits"),
            Self::NotWithInline => {
                f.write_str("the request brings its own key and does not allow credits")
            }
            Self::OwnKeyAsked => f.write_str("the request asks for an own key, not for credits"),
            Self::NotAsked => f.write_str("the request does not allow a fallback to credits"),
            Self::NoFallback(scope) => write!(f, "{scope} does not allow a fallback to credits"),
            Self::PriceUnknown => f.write_str("its price is unknown, so credits cannot pay for it"),
            Self::KeyFailing => f.write_str("the platform's key does not work at present"),
        }
    }
}
