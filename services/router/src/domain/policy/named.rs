//! A model as patterns of policies mean it: by whichever of its names.

use std::fmt;

use keyward_catalog::{Catalog, Model};

use super::Pattern;

/// A model as it was asked for, with what the catalogue knows of it.
#[derive(Clone, Copy)]
pub struct Named<'a> {
    asked: &'a str,
    model: Option<&'a Model>,
    catalog: &'a Catalog,
}

impl<'a> Named<'a> {
    /// What was asked for by this name, which is this model of the catalogue, if it has it.
    pub fn new(asked: &'a str, model: Option<&'a Model>, catalog: &'a Catalog) -> Self {
        Self {
            asked,
            model,
            catalog,
        }
    }

    /// Whether a pattern means it, by any of its names. One without `*` means what anybody means who
    /// asks for that.
    pub fn is_meant_by(self, pattern: &Pattern) -> bool {
        let is_model = |model: &Model| {
            let meant = || self.catalog.resolve(pattern.as_str());
            let by_id = || model.id != self.asked && pattern.matches(&model.id);
            by_id()
                || pattern.matches(model.bare_name())
                || model.aliases.iter().any(|alias| pattern.matches(alias))
                || pattern.is_name() && meant().is_some_and(|meant| meant.id == model.id)
        };
        pattern.matches(self.asked) || self.model.is_some_and(is_model)
    }

    /// Whether a pattern that forbids means it: also where it is a variant (`:free`) of what is meant,
    /// which a pattern that allows has to name.
    pub fn is_forbidden_by(self, pattern: &Pattern) -> bool {
        let plain = || self.without_variant();
        self.is_meant_by(pattern) || plain().is_some_and(|plain| plain.is_meant_by(pattern))
    }

    fn without_variant(self) -> Option<Self> {
        let (plain, _) = self.asked.rsplit_once(':')?;
        let model = self.model.or_else(|| self.catalog.resolve(plain));
        Some(Self::new(plain, model, self.catalog))
    }
}

impl fmt::Debug for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.asked.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_meant_by_whichever_of_its_names() {
        let catalog = Catalog::embedded().unwrap();
        for (asked, pattern, meant, forbidden) in [
            ("gpt-4o", "openai/gpt-4o", true, true),
            ("openai/gpt-4o", "gpt-4o", true, true),
            ("openai/gpt-4o", "gpt-4o*", true, true),
            ("openrouter/openai/gpt-4o", "gpt-4o", true, true),
            ("claude-3-opus", "claude-3-opus-20240229", true, true),
            ("openai/gpt-4o-mini", "gpt-4o", false, false),
            ("gpt-4o", "gpt-4o-mini", false, false),
            // What nobody listed has one name.
            ("openai/gpt-99", "openai/gpt-99", true, true),
            ("openai/gpt-99", "gpt-99", false, false),
            // A variant is forbidden with its model, and allowed by its own name.
            ("openai/gpt-4o:free", "gpt-4o", false, true),
            ("openai/gpt-4o:free", "openai/gpt-4o:free", true, true),
            ("openai/gpt-4o:free", "gpt-4o-mini", false, false),
        ] {
            let named = Named::new(asked, catalog.resolve(asked), &catalog);
            let pattern = Pattern::new(pattern);
            let seen = (named.is_meant_by(&pattern), named.is_forbidden_by(&pattern));
            assert_eq!(seen, (meant, forbidden), "{asked} by {pattern:?}");
        }
    }
}
