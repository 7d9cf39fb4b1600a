//! From the contract to policies. What is wrong is told with its place, named as callers write it:
//! `rules[2].match.hours.time_zone`.

mod changed;
mod check;
mod rules;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use keyward_money::Nanos;
use keyward_proto::router::v1 as proto;

use super::{Access, Caching, Fallback, KeysFirst, OwnKeys, Pattern, Policy, Prefer, Rule};
use crate::domain::task::Task;
pub use changed::changed_members;
pub use check::check;

/// How much of a place is told: any that can be kept, whole.
const PLACE_CHARS_MAX: usize = 300;

/// What is wrong with a policy, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{place}`: {problem}")]
pub struct Misfit {
    /// The place, such as `rules[2].match.hours.time_zone`.
    pub place: String,
    /// What is wrong there, after the place.
    pub problem: String,
}

impl Misfit {
    /// A place may end with what is wrong with it: a name that somebody gave.
    fn new(place: impl AsRef<str>, problem: impl Into<String>) -> Self {
        let printable = place.as_ref().chars().filter(|c| !c.is_control());
        Self {
            place: printable.take(PLACE_CHARS_MAX).collect(),
            problem: problem.into(),
        }
    }

    fn unknown_word(place: &str) -> Self {
        Self::new(place, "is none of the values that there are")
    }
}

impl Policy {
    /// What a policy of the contract says.
    ///
    /// # Errors
    /// [`Misfit`] where something in it has no meaning.
    pub fn read(policy: &proto::RoutingPolicy) -> Result<Self, Misfit> {
        Ok(Self {
            prefer: prefer(policy.prefer)?,
            own_keys: own_keys(policy.own_keys)?,
            keys_first: keys_first(policy.keys_first)?,
            fallback: fallback(policy.fallback)?,
            fallback_max_charge: policy.fallback_max_charge_nanos.map(Nanos::new),
            forbids_credits: policy.forbid_credits,
            max_charge: policy.max_charge_nanos.map(Nanos::new),
            providers: access(policy.providers.as_ref()),
            models: access(policy.models.as_ref()),
            aliases: policy.aliases.clone(),
            tasks: tasks(&policy.tasks)?,
            rules: rules(&policy.rules)?,
            caching: policy.cache.map(|cache| Caching {
                enabled: cache.enabled,
                lifetime: (cache.lifetime_seconds > 0)
                    .then(|| Duration::from_secs(cache.lifetime_seconds.into())),
            }),
        })
    }
}

fn prefer(word: i32) -> Result<Option<Prefer>, Misfit> {
    match proto::KeyPreference::try_from(word) {
        Ok(proto::KeyPreference::Unspecified) => Ok(None),
        Ok(proto::KeyPreference::Openrouter) => Ok(Some(Prefer::OpenRouter)),
        Ok(proto::KeyPreference::Provider) => Ok(Some(Prefer::Provider)),
        Err(_) => Err(Misfit::unknown_word("prefer")),
    }
}

fn own_keys(word: i32) -> Result<OwnKeys, Misfit> {
    match proto::OwnKeys::try_from(word) {
        Ok(proto::OwnKeys::Unspecified | proto::OwnKeys::Allowed) => Ok(OwnKeys::Allowed),
        Ok(proto::OwnKeys::Forbidden) => Ok(OwnKeys::Forbidden),
        Ok(proto::OwnKeys::Required) => Ok(OwnKeys::Required),
        Err(_) => Err(Misfit::unknown_word("own_keys")),
    }
}

fn keys_first(word: i32) -> Result<Option<KeysFirst>, Misfit> {
    match proto::KeysFirst::try_from(word) {
        Ok(proto::KeysFirst::Unspecified) => Ok(None),
        Ok(proto::KeysFirst::Own) => Ok(Some(KeysFirst::Own)),
        Ok(proto::KeysFirst::Organization) => Ok(Some(KeysFirst::Organization)),
        Err(_) => Err(Misfit::unknown_word("keys_first")),
    }
}

fn fallback(word: i32) -> Result<Option<Fallback>, Misfit> {
    match proto::Fallback::try_from(word) {
        Ok(proto::Fallback::Unspecified) => Ok(None),
        Ok(proto::Fallback::None) => Ok(Some(Fallback::None)),
        Ok(proto::Fallback::OwnKeys) => Ok(Some(Fallback::OwnKeys)),
        Ok(proto::Fallback::Credits) => Ok(Some(Fallback::Credits)),
        Err(_) => Err(Misfit::unknown_word("fallback")),
    }
}

fn access(list: Option<&proto::AccessList>) -> Access {
    let patterns = |texts: &[String]| texts.iter().map(|text| Pattern::new(text)).collect();
    list.map_or_else(Access::default, |list| Access {
        allow: patterns(&list.allow),
        block: patterns(&list.block),
    })
}

fn tasks(tasks: &[proto::TaskModels]) -> Result<BTreeMap<Task, Vec<String>>, Misfit> {
    let mut read = BTreeMap::new();
    for proto::TaskModels { task, models } in tasks {
        let place = format!("tasks.{task}");
        let named = rules::task(&place, task)?;
        if read.insert(named, models.clone()).is_some() {
            return Err(Misfit::new(place, "is there twice"));
        }
    }
    Ok(read)
}

fn rules(rules: &[proto::RoutingRule]) -> Result<Vec<Rule>, Misfit> {
    let numbered = rules.iter().enumerate();
    numbered
        .map(|(index, rule)| rules::rule(&format!("rules[{index}]"), rule))
        .collect()
}
