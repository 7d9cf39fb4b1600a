//! Rules: what holds for requests of some kind only.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;
use std::sync::Arc;

use jiff::Timestamp;
use keyward_catalog::Endpoint;
use keyward_money::Nanos;

use super::{Hours, Named, Pattern};
use crate::domain::task::Task;

/// Which requests a rule is about: those of which all that is given holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Match {
    /// The model, by any of its names.
    pub model: Option<Pattern>,
    /// The endpoint.
    pub endpoint: Option<Endpoint>,
    /// The task, given or guessed.
    pub task: Option<Task>,
    /// Tags, each with a pattern for its value.
    pub tags: BTreeMap<String, Pattern>,
    /// The prompt's length in tokens, as estimated before routing.
    pub prompt_tokens: Option<RangeInclusive<u64>>,
    /// When it comes.
    pub hours: Option<Hours>,
}

/// What a rule does.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Steer {
    /// Only these providers; all where empty.
    pub providers: Vec<String>,
    /// Which providers go first, in this order.
    pub order: Vec<String>,
    /// How often each provider goes first among those that are otherwise alike; 1 where absent.
    pub weights: BTreeMap<String, u32>,
    /// The most that a request may cost in credits.
    pub max_charge: Option<Nanos>,
}

/// A rule.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rule {
    /// What people call it.
    pub name: Arc<str>,
    /// Which requests it is about.
    pub when: Match,
    /// What it does.
    pub then: Steer,
}

/// What rules look at.
#[derive(Debug, Clone, Copy)]
pub struct RuleFacts<'a> {
    /// The model.
    pub model: Named<'a>,
    /// The endpoint.
    pub endpoint: Endpoint,
    /// The task, given or guessed.
    pub task: Option<Task>,
    /// The caller's tags.
    pub tags: &'a HashMap<String, String>,
    /// The prompt's length in tokens, as estimated.
    pub prompt_tokens: u64,
    /// The present.
    pub now: Timestamp,
}

impl Match {
    /// Whether a request is meant.
    pub fn holds(&self, facts: &RuleFacts<'_>) -> bool {
        let model = |pattern: &Pattern| facts.model.is_meant_by(pattern);
        let tag = |(name, pattern): (&String, &Pattern)| {
            let value = facts.tags.get(name);
            value.is_some_and(|value| pattern.matches(value))
        };
        self.model.as_ref().is_none_or(model)
            && self.endpoint.is_none_or(|is| is == facts.endpoint)
            && self.task.is_none_or(|is| Some(is) == facts.task)
            && self.tags.iter().all(tag)
            && self
                .prompt_tokens
                .as_ref()
                .is_none_or(|range| range.contains(&facts.prompt_tokens))
            && self
                .hours
                .as_ref()
                .is_none_or(|hours| hours.contains(facts.now))
    }
}

#[cfg(test)]
mod tests {
    use keyward_catalog::Catalog;

    use super::*;

    fn facts<'a>(catalog: &'a Catalog, tags: &'a HashMap<String, String>) -> RuleFacts<'a> {
        RuleFacts {
            model: Named::new("gpt-4o", catalog.resolve("gpt-4o"), catalog),
            endpoint: Endpoint::ChatCompletions,
            task: Some(Task::Code),
            tags,
            prompt_tokens: 1000,
            now: "2026-11-22T12:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn all_that_is_given_has_to_hold() {
        let catalog = Catalog::embedded().unwrap();
        let tags = HashMap::from([("team".to_owned(), "search-eu".to_owned())]);
        let tagged = |value| Match {
            tags: BTreeMap::from([("team".to_owned(), Pattern::new(value))]),
            ..Match::default()
        };
        let model = |text| Match {
            model: Some(Pattern::new(text)),
            ..Match::default()
        };
        let long = |range| Match {
            prompt_tokens: Some(range),
            ..Match::default()
        };
        for (when, holds) in [
            (Match::default(), true),
            (model("openai/*"), true),
            (model("gpt-4o"), true),
            (model("anthropic/*"), false),
            (tagged("search-*"), true),
            (tagged("search"), false),
            (long(0..=1000), true),
            (long(1001..=u64::MAX), false),
            (
                Match {
                    task: Some(Task::Chat),
                    ..model("*")
                },
                false,
            ),
            (
                Match {
                    endpoint: Some(Endpoint::Embeddings),
                    ..Match::default()
                },
                false,
            ),
        ] {
            assert_eq!(when.holds(&facts(&catalog, &tags)), holds, "{when:?}");
        }
    }
}
