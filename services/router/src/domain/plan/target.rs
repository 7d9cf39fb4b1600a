//! What the caller's name for a model means, and who could serve it.

use std::sync::Arc;

use keyward_catalog::{Model, ModelRef};
use keyward_proto::metering::v1::KeySource;

use super::{LeftOut, Obstacle, PlanInput, Refusal};
use crate::domain::policy::Named;
use crate::domain::preferences::Sort;
use crate::domain::providers::{OPENROUTER, home};
use crate::domain::wire;

/// OpenRouter's suffixes for ways to sort, which every provider's keys honour.
const SORTED: [(&str, Sort); 2] = [(":nitro", Sort::Throughput), (":floor", Sort::Price)];

/// A model as it is asked for.
pub(super) struct Target<'a> {
    requested: &'a str,
    reference: ModelRef<'a>,
    /// What OpenRouter would call a model that the catalogue does not list there: its list is
    /// longer than ours, and an own key may try.
    unlisted_at_openrouter: Option<String>,
    /// By what its name says that providers are to be sorted, and OpenRouter's name that says so.
    sorted: Option<(Sort, String)>,
    /// Whose it is where nobody knows it.
    home: &'static str,
}

impl<'a> Target<'a> {
    /// What a name means; one that is an owner's own for a model means that.
    pub(super) fn named(input: &PlanInput<'a>, name: &'a str) -> Self {
        let requested = input.layers().alias(name).unwrap_or(name);
        let configured = |name: &str| input.providers.get(name).is_some();
        let whole = input.catalog.reference(requested, configured);
        let (plain, sort) = without_sort(requested);
        let sorted = sort.and_then(|sort| match &whole {
            ModelRef::Unlisted {
                openrouter_name: Some(name),
                ..
            } => Some((sort, name.clone())),
            _ => None,
        });
        let reference = match sorted {
            Some(_) => input.catalog.reference(plain, configured),
            None => whole,
        };
        let unlisted_at_openrouter = openrouter_name(&reference, input);
        Self {
            requested: if sorted.is_some() { plain } else { requested },
            reference,
            unlisted_at_openrouter,
            sorted,
            home: home(input.request.form.language()),
        }
    }

    /// A model of the catalogue.
    pub(super) fn of(input: &PlanInput<'a>, model: &'a Model) -> Self {
        let reference = ModelRef::Known {
            model,
            pinned_provider: None,
        };
        Self {
            requested: &model.id,
            unlisted_at_openrouter: openrouter_name(&reference, input),
            reference,
            sorted: None,
            home: home(input.request.form.language()),
        }
    }

    /// By what its name says that providers are to be sorted.
    pub(super) fn sort(&self) -> Option<Sort> {
        self.sorted.as_ref().map(|(sort, _)| *sort)
    }

    /// The model, if the catalogue has it.
    pub(super) fn model(&self) -> Option<&'a Model> {
        self.reference.model()
    }

    /// As it was asked for, and by its id.
    pub(super) fn names(&self) -> [&str; 2] {
        [self.requested, self.id()]
    }

    /// As patterns mean it.
    pub(super) fn all_names(&self, input: &PlanInput<'a>) -> Named<'a> {
        Named::new(self.requested, self.model(), input.catalog)
    }

    /// Whether nobody knows it.
    pub(super) fn is_unknown(&self) -> bool {
        matches!(self.reference, ModelRef::Unknown)
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
        if let Some((_, name)) = self.sorted.as_ref().filter(|_| provider == OPENROUTER) {
            return Some(name);
        }
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
                offered.or_else(|| match provider == OPENROUTER {
                    true => self.unlisted_at_openrouter.as_deref(),
                    false => unlisted_at_vendor(model, provider),
                })
            }
            ModelRef::Unlisted {
                openrouter_name, ..
            } if provider == OPENROUTER => openrouter_name.as_deref(),
            ModelRef::Unlisted { vendor, name, .. } => (vendor == provider).then_some(name),
            ModelRef::Unknown => (provider == self.home).then_some(self.requested),
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

    /// The provider that the request's own key is for, where it has one: who is named, else whose key
    /// it looks like, else the vendor, if it can be called.
    pub(super) fn inline_provider<'b>(&'b self, input: &'b PlanInput<'_>) -> Option<&'b str> {
        let inline = input.request.inline_key?;
        let named = input.request.byok_provider.as_deref();
        let said = named.or(inline.looks_like);
        said.or_else(|| self.own_provider(input))
    }

    fn own_provider(&self, input: &PlanInput<'_>) -> Option<&str> {
        if self.is_unknown() {
            return Some(self.home);
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

    /// What would serve it, were it not for this.
    pub(super) fn left_out(&self, obstacle: &Obstacle) -> Vec<LeftOut> {
        let row = |provider: &str| LeftOut {
            provider: Arc::from(provider),
            upstream_model: Arc::from(self.name_at(provider).unwrap_or_default()),
            source: KeySource::Unspecified,
            key: None,
            obstacle: obstacle.clone(),
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
        if self.is_unknown() {
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
        if self.is_unknown() {
            return Refusal::ModelNotFound;
        }
        let form = input.request.form;
        let known = |provider: &&str| input.providers.get(provider).is_some();
        let callable = |provider: &&str| {
            let known = input.providers.get(provider).zip(self.name_at(provider));
            known.is_some_and(|(known, name)| {
                wire::form(known.listener(name, self.model()), form).is_some()
            })
        };
        let having: Vec<&str> = self.providers().into_iter().filter(known).collect();
        let named = |providers: &[&str]| providers.iter().map(|&name| name.to_owned()).collect();
        let helpful: Vec<&str> = having.iter().copied().filter(callable).collect();
        match (having.as_slice(), helpful.as_slice()) {
            ([_, ..], []) => Refusal::NotCallable(named(&having), form),
            (_, helpful) => Refusal::NoKey(named(helpful)),
        }
    }
}

/// A name without OpenRouter's suffix for a way to sort.
fn without_sort(name: &str) -> (&str, Option<Sort>) {
    let suffixed = |(suffix, sort): (&str, Sort)| Some((name.strip_suffix(suffix)?, Some(sort)));
    let found = SORTED.into_iter().find_map(suffixed);
    found.unwrap_or((name, None))
}

/// What the model's own vendor would call one that is only known from OpenRouter, whose list knows more
/// of it than ours: an own key may try. Variants are OpenRouter's own.
fn unlisted_at_vendor<'a>(model: &'a Model, provider: &str) -> Option<&'a str> {
    let is_resold = model
        .offers
        .iter()
        .all(|offer| offer.provider == OPENROUTER);
    let name = model.bare_name();
    let may_have_it = provider == model.vendor() && is_resold && !name.contains(':');
    may_have_it.then_some(name)
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
