//! What the caller's name for a model means, and who could serve it.

use keyward_catalog::{Dialect, ModelRef};
use keyward_proto::metering::v1::KeySource;

use super::{LeftOut, PlanInput, Refusal};
use crate::domain::providers::{OPENAI, OPENROUTER};

/// A model as it is asked for.
pub(super) struct Target<'a> {
    requested: &'a str,
    reference: ModelRef<'a>,
    /// What OpenRouter would call a model that the catalogue does not list there: its list is
    /// longer than ours, and an own key may try.
    unlisted_at_openrouter: Option<String>,
}

impl<'a> Target<'a> {
    pub(super) fn find(input: &PlanInput<'a>) -> Self {
        Self::named(input, &input.request.model)
    }

    pub(super) fn named(input: &PlanInput<'a>, requested: &'a str) -> Self {
        let configured = |name: &str| input.providers.get(name).is_some();
        let reference = input.catalog.reference(requested, configured);
        let unlisted_at_openrouter = openrouter_name(&reference, input);
        Self {
            requested,
            reference,
            unlisted_at_openrouter,
        }
    }

    /// Its id in the catalogue, or the caller's name for it.
    pub(super) fn id(&self) -> &str {
        self.reference
            .model()
            .map_or(self.requested, |model| model.id.as_str())
    }

    pub(super) fn is_listed(&self) -> bool {
        self.reference.model().is_some()
    }

    /// What a provider calls it; `None` where it does not have it.
    pub(super) fn name_at(&self, provider: &str) -> Option<&str> {
        match &self.reference {
            ModelRef::Known {
                model,
                pinned_provider,
            } => {
                if pinned_provider.is_some_and(|pin| pin != provider) {
                    return None;
                }
                let offered = model
                    .offer(provider)
                    .map(|offer| offer.upstream_for(self.requested));
                let unlisted = || self.unlisted_at_openrouter.as_deref();
                offered.or_else(|| {
                    if provider == OPENROUTER {
                        unlisted()
                    } else {
                        None
                    }
                })
            }
            ModelRef::Unlisted {
                openrouter_name, ..
            } if provider == OPENROUTER => openrouter_name.as_deref(),
            ModelRef::Unlisted { vendor, name, .. } => (vendor == provider).then_some(name),
            ModelRef::Unknown => (provider == OPENAI).then_some(self.requested),
        }
    }

    /// The providers that have it, direct ones first in the catalogue's order.
    pub(super) fn providers(&self) -> Vec<&str> {
        match &self.reference {
            ModelRef::Known { .. } => {
                let mut all: Vec<&str> = self
                    .reference
                    .offers()
                    .map(|offer| offer.provider.as_str())
                    .collect();
                all.sort_by_key(|provider| *provider == OPENROUTER);
                all.extend(self.unlisted_at_openrouter.as_ref().map(|_| OPENROUTER));
                all
            }
            ModelRef::Unlisted {
                vendor,
                openrouter_name,
                ..
            } => {
                let resold = openrouter_name.as_ref().map(|_| OPENROUTER);
                let mut all = vec![vendor.as_str()];
                all.extend(resold.filter(|resold| resold != vendor));
                all
            }
            ModelRef::Unknown => Vec::new(),
        }
    }

    /// The provider that an inline key of no telling form is for: the vendor, if it can be called.
    pub(super) fn own_provider(&self, input: &PlanInput<'_>) -> Option<&str> {
        if matches!(self.reference, ModelRef::Unknown) {
            return Some(OPENAI);
        }
        self.providers()
            .into_iter()
            .find(|provider| input.providers.get(provider).is_some())
    }

    pub(super) fn is_allowed(&self, input: &PlanInput<'_>) -> bool {
        let allowed = &input.principal.allowed_models;
        allowed.is_empty()
            || allowed
                .iter()
                .any(|allowed| self.is_meant_by(allowed, input))
    }

    fn is_meant_by(&self, allowed: &str, input: &PlanInput<'_>) -> bool {
        if let Some(prefix) = allowed.strip_suffix('*') {
            return self.requested.starts_with(prefix) || self.id().starts_with(prefix);
        }
        let same_model = || {
            let meant = input
                .catalog
                .resolve(allowed)
                .map(|model| model.id.as_str());
            meant.is_some() && meant == self.reference.model().map(|model| model.id.as_str())
        };
        allowed == self.requested || same_model()
    }

    /// What would serve it, were it allowed.
    pub(super) fn not_allowed(&self) -> Vec<LeftOut> {
        let row = |provider: &str| LeftOut {
            provider: provider.to_owned(),
            upstream_model: self.name_at(provider).unwrap_or_default().to_owned(),
            source: KeySource::Unspecified,
            key_id: String::new(),
            reason: "this access key may not call the model".to_owned(),
        };
        self.providers().into_iter().map(row).collect()
    }

    /// Whether the key or provider that the request names is of another provider than the model's.
    pub(super) fn mismatch(&self, input: &PlanInput<'_>) -> Option<Refusal> {
        let named = input.request.byok_provider.as_deref();
        let looks_like = input.request.inline_key.and_then(|key| key.looks_like);
        if let (Some(named), Some(form)) = (named, looks_like)
            && named != form
        {
            let text = format!("the key is one of {form}, but x-byok-provider says {named}");
            return Some(Refusal::KeyMismatch(text));
        }
        let provider = named.or(looks_like)?;
        if self.name_at(provider).is_some() {
            return None;
        }
        if matches!(self.reference, ModelRef::Unknown) {
            return Some(Refusal::ModelNotFound);
        }
        let having = self.providers().join(", ");
        let text = format!(
            "a key for {provider} does not serve {:?}, which is at {having}",
            self.requested
        );
        Some(Refusal::KeyMismatch(text))
    }

    /// Why nobody can serve it.
    pub(super) fn refusal(&self, input: &PlanInput<'_>) -> Refusal {
        if matches!(self.reference, ModelRef::Unknown) {
            return Refusal::ModelNotFound;
        }
        let callable = |provider: &&str| {
            let known = input.providers.get(provider);
            known.is_some_and(|provider| is_callable(provider.dialect))
        };
        let helpful = self
            .providers()
            .into_iter()
            .filter(callable)
            .map(str::to_owned);
        Refusal::NoKey(helpful.collect())
    }
}

fn openrouter_name(reference: &ModelRef<'_>, input: &PlanInput<'_>) -> Option<String> {
    let ModelRef::Known {
        model,
        pinned_provider: None,
    } = reference
    else {
        return None;
    };
    if model.offer(OPENROUTER).is_some() {
        return None;
    }
    let vendor = match input.catalog.provider(model.vendor()) {
        Some(provider) => provider.openrouter_vendor.as_deref()?,
        None => model.vendor(),
    };
    Some(format!("{vendor}/{}", model.bare_name()))
}

/// Whether providers of this form can be called yet.
pub(super) fn is_callable(dialect: Dialect) -> bool {
    matches!(dialect, Dialect::OpenAi | Dialect::Sandbox)
}
