//! What is asked of a policy that is to be kept, beyond having a meaning: names that there are, and
//! bounds. What was kept already is not asked again: a provider may be gone since.

use std::collections::BTreeSet;

use keyward_proto::router::v1 as proto;
use prost::Message as _;

use super::{Misfit, Policy, rules};
use crate::domain::task::AUTO;

/// The most rules: each request goes through all of them.
const RULES_MAX: usize = 100;
/// The most entries of a list or map.
const ENTRIES_MAX: usize = 256;
/// The longest name, pattern or value, in bytes.
const NAME_BYTES_MAX: usize = 256;
/// The largest policy, in bytes: routers keep those of all who call.
const POLICY_BYTES_MAX: usize = 128 * 1024;
/// The highest cap on a charge, in nano-credits: a million credits; one without meaning is a
/// mistake.
const CHARGE_NANOS_MAX: i64 = 1_000_000 * 1_000_000_000;
/// The highest weight.
const WEIGHT_MAX: u32 = 1_000_000;
/// The longest that answers are kept, in seconds: 30 days.
const LIFETIME_SECONDS_MAX: u32 = 30 * 24 * 60 * 60;

/// Whether a policy may be kept, where these are the providers that there are; what it says then.
///
/// # Errors
/// [`Misfit`] with the first place that is wrong.
pub fn check(
    policy: &proto::RoutingPolicy,
    has_provider: impl Fn(&str) -> bool,
) -> Result<Policy, Misfit> {
    let checker = Checker {
        has_provider: &has_provider,
    };
    checker.policy(policy)?;
    Policy::read(policy)
}

struct Checker<'a> {
    has_provider: &'a dyn Fn(&str) -> bool,
}

impl Checker<'_> {
    fn policy(&self, policy: &proto::RoutingPolicy) -> Result<(), Misfit> {
        if policy.encoded_len() > POLICY_BYTES_MAX {
            let problem = format!("has more than {} KiB", POLICY_BYTES_MAX / 1024);
            return Err(Misfit::new("policy", problem));
        }
        charge("fallback_max_charge", policy.fallback_max_charge_nanos)?;
        charge("max_charge", policy.max_charge_nanos)?;
        if let Some(providers) = &policy.providers {
            self.provider_patterns("providers.allow", &providers.allow)?;
            self.provider_patterns("providers.block", &providers.block)?;
        }
        if let Some(models) = &policy.models {
            names("models.allow", &models.allow)?;
            names("models.block", &models.block)?;
        }
        aliases(policy)?;
        for proto::TaskModels { task, models } in &policy.tasks {
            let place = format!("tasks.{task}");
            if models.is_empty() {
                return Err(Misfit::new(place, "names no model"));
            }
            names(&place, models)?;
        }
        self.rules(&policy.rules)?;
        match policy.cache {
            Some(cache) if cache.lifetime_seconds > LIFETIME_SECONDS_MAX => {
                let problem = format!("is more than {LIFETIME_SECONDS_MAX}");
                Err(Misfit::new("cache.lifetime_seconds", problem))
            }
            _ => Ok(()),
        }
    }

    fn rules(&self, rules: &[proto::RoutingRule]) -> Result<(), Misfit> {
        if rules.len() > RULES_MAX {
            let problem = format!("has more than {RULES_MAX} entries");
            return Err(Misfit::new("rules", problem));
        }
        let mut seen = BTreeSet::new();
        for (index, rule) in rules.iter().enumerate() {
            let place = format!("rules[{index}]");
            name(&format!("{place}.name"), &rule.name)?;
            if !seen.insert(&rule.name) {
                let problem = "another rule has this name";
                return Err(Misfit::new(format!("{place}.name"), problem));
            }
            self.rule(&place, rule)?;
        }
        Ok(())
    }

    fn rule(&self, place: &str, rule: &proto::RoutingRule) -> Result<(), Misfit> {
        let does_nothing = rule.providers.is_empty()
            && rule.order.is_empty()
            && rule.weights.is_empty()
            && rule.max_charge_nanos.is_none();
        if does_nothing {
            let problem = "does nothing: give `providers`, `order`, `weights` or `max_charge`";
            return Err(Misfit::new(place, problem));
        }
        if let Some(found) = &rule.r#match {
            matched(&format!("{place}.match"), found)?;
        }
        self.providers(&format!("{place}.providers"), &rule.providers)?;
        self.providers(&format!("{place}.order"), &rule.order)?;
        bounded(&format!("{place}.weights"), rule.weights.len())?;
        for (provider, weight) in &rule.weights {
            let place = format!("{place}.weights.{provider}");
            self.provider(&place, provider)?;
            if *weight > WEIGHT_MAX {
                let problem = format!("is more than {WEIGHT_MAX}");
                return Err(Misfit::new(place, problem));
            }
        }
        charge(&format!("{place}.max_charge"), rule.max_charge_nanos)
    }

    fn providers(&self, place: &str, named: &[String]) -> Result<(), Misfit> {
        bounded(place, named.len())?;
        let mut numbered = named.iter().enumerate();
        numbered.try_for_each(|(index, name)| self.provider(&format!("{place}[{index}]"), name))
    }

    /// Patterns may also mean providers that are still to come.
    fn provider_patterns(&self, place: &str, patterns: &[String]) -> Result<(), Misfit> {
        names(place, patterns)?;
        let numbered = patterns.iter().enumerate();
        let mut named = numbered.filter(|(_, pattern)| !pattern.contains('*'));
        named.try_for_each(|(index, name)| self.provider(&format!("{place}[{index}]"), name))
    }

    fn provider(&self, place: &str, given: &str) -> Result<(), Misfit> {
        name(place, given)?;
        match (self.has_provider)(&rules::provider(given)) {
            true => Ok(()),
            false => Err(Misfit::new(place, "there is no such provider")),
        }
    }
}

fn matched(place: &str, found: &proto::RuleMatch) -> Result<(), Misfit> {
    if !found.model.is_empty() {
        name(&format!("{place}.model"), &found.model)?;
    }
    bounded(&format!("{place}.tags"), found.tags.len())?;
    for (tag, value) in &found.tags {
        let place = format!("{place}.tags.{tag}");
        name(&place, tag)?;
        name(&place, value)?;
    }
    let days = found.hours.as_ref().map_or(0, |hours| hours.days.len());
    bounded(&format!("{place}.hours.days"), days)
}

/// One step only: what an alias means is a model.
fn aliases(policy: &proto::RoutingPolicy) -> Result<(), Misfit> {
    bounded("aliases", policy.aliases.len())?;
    for (alias, model) in &policy.aliases {
        let place = format!("aliases.{alias}");
        name(&place, alias)?;
        name(&place, model)?;
        let problem = match () {
            () if alias == AUTO => "`auto` has a meaning of its own",
            () if model == AUTO => "an alias cannot mean `auto`",
            () if policy.aliases.contains_key(model) => "means another alias",
            () => continue,
        };
        return Err(Misfit::new(place, problem));
    }
    Ok(())
}

fn names(place: &str, given: &[String]) -> Result<(), Misfit> {
    bounded(place, given.len())?;
    let mut numbered = given.iter().enumerate();
    numbered.try_for_each(|(index, text)| name(&format!("{place}[{index}]"), text))
}

fn name(place: &str, text: &str) -> Result<(), Misfit> {
    let problem = match text {
        text if text.trim().is_empty() => "is empty".to_owned(),
        text if text.len() > NAME_BYTES_MAX => format!("has more than {NAME_BYTES_MAX} bytes"),
        text if text.trim() != text => "begins or ends with a space".to_owned(),
        text if text.contains(char::is_control) => "has a control character in it".to_owned(),
        _ => return Ok(()),
    };
    Err(Misfit::new(place, problem))
}

fn bounded(place: &str, entries: usize) -> Result<(), Misfit> {
    if entries <= ENTRIES_MAX {
        return Ok(());
    }
    let problem = format!("has more than {ENTRIES_MAX} entries");
    Err(Misfit::new(place, problem))
}

fn charge(place: &str, nanos: Option<i64>) -> Result<(), Misfit> {
    let problem = match nanos {
        None | Some(0..=CHARGE_NANOS_MAX) => return Ok(()),
        Some(..0) => "is negative",
        Some(_) => "is more than a million credits",
    };
    Err(Misfit::new(place, problem))
}
