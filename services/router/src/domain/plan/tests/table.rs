//! Runs the cases of `cases.txt`.

use std::ops::RangeInclusive;
use std::sync::Arc;

use keyward_catalog::{Capability, Endpoint};

use super::*;
use crate::app::RouteError;
use crate::domain::form::Form;
use crate::domain::policy::{
    Access, Fallback, Hours, KeysFirst, Layer, Match, OwnKeys, Pattern, Policy, Rule, Scope, Steer,
    Weekdays,
};
use crate::domain::preferences::{DataCollection, Sort};
use crate::domain::task::Task;

const CASES: &str = include_str!("cases.txt");

#[test]
fn every_case_is_served_as_it_says() {
    let lines = CASES
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut count = 0;
    for line in lines {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        let [model, keys, holds, expect] = columns[..] else {
            panic!("four columns: {line}");
        };
        let mut case = Case::new(model, keys);
        for word in holds.split_whitespace() {
            case.hold(word);
        }
        check_case(&case, expect, line);
        count += 1;
    }
    assert!(count >= 150, "{count} cases");
}

fn check_case(case: &Case, expect: &str, line: &str) {
    let plan = case.plan();
    if let Some(part) = expect.strip_prefix('!') {
        assert!(plan.candidates.is_empty(), "{line}\n{:?}", plan.candidates);
        let refusal = plan.refusal.as_ref().unwrap();
        let told = RouteError::refused(refusal, &case.request.model).to_string();
        let reasons = plan
            .left_out
            .iter()
            .map(LeftOut::reason)
            .collect::<String>();
        let is_told = told.contains(part) || reasons.contains(part);
        assert!(is_told, "{line}\n{told}\n{reasons}");
        return;
    }
    let mut seen = plan.candidates.iter();
    for word in expect.split_whitespace() {
        if word == "*" {
            return;
        }
        let candidate = seen.next();
        let is_meant = candidate.is_some_and(|candidate| means(word, candidate));
        assert!(
            is_meant,
            "{line}\n{word} is {candidate:?}\n{:?}",
            plan.left_out
        );
    }
    assert_eq!(seen.next(), None, "{line}");
}

/// `owner:provider[=name][@cap]`.
fn means(word: &str, candidate: &Candidate) -> bool {
    let (word, cap) = match word.split_once('@') {
        Some((word, cap)) => (word, Some(cap)),
        None => (word, None),
    };
    let (who, name) = match word.split_once('=') {
        Some((who, name)) => (who, Some(name)),
        None => (word, None),
    };
    let seen_cap = candidate
        .charge_cap
        .map_or("-".to_owned(), |cap| cap.to_string());
    written(candidate) == who
        && name.is_none_or(|name| *name == *candidate.upstream_model)
        && cap.is_none_or(|cap| cap == seen_cap)
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::to_owned).collect()
}

impl Case {
    /// Takes in one word of what holds.
    fn hold(&mut self, word: &str) {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        if let Some((owner, name)) = name.split_once('.') {
            return self.policy_of(owner, name, value);
        }
        let preferences = &mut self.request.preferences;
        match name {
            "prefer" => self.policy.prefer = prefer(value),
            "no-credits" => self.policy.fallback_to_credits = false,
            "no-org-keys" => self.principal.organization_keys = false,
            "ask" => self.request.allowance = allowance(value),
            "named" => self.request.byok_provider = Some(value.to_owned()),
            "inline" => self.request.inline_key = Some(InlineKey::of(value)),
            "order" => preferences.order = list(value),
            "only" => preferences.only = list(value),
            "ignore" => preferences.ignore = list(value),
            "alone" => preferences.allow_fallbacks = false,
            "sort" => preferences.sort = Some(sort(value)),
            "max" => {
                let (prompt, completion) = value.split_once('/').unwrap();
                preferences.max_price.prompt = Some(prompt.parse().unwrap());
                preferences.max_price.completion = Some(completion.parse().unwrap());
            }
            "params" => preferences.require_parameters = true,
            "deny" => preferences.data_collection = DataCollection::Deny,
            "zdr" => preferences.zero_data_retention = true,
            "quant" => preferences.quantizations = list(value),
            _ => self.hold_of_request(name, value),
        }
    }

    fn hold_of_request(&mut self, name: &str, value: &str) {
        let request = &mut self.request;
        match name {
            "models" => request.models = list(value),
            "task" => {
                let task = Task::named(value).unwrap();
                request.task = Some(TaskChoice { task, signal: None });
            }
            "needs" => request.needs = list(value).iter().map(|name| capability(name)).collect(),
            "size" => request.prompt_tokens = value.parse().unwrap(),
            "for" => request.form = Form::of(Endpoint::named(value).unwrap()),
            "tag" => {
                let (tag, value) = value.split_once(':').unwrap();
                request.tags.insert(tag.to_owned(), value.to_owned());
            }
            _ => panic!("{name} is no word of a case"),
        }
    }

    fn policy_of(&mut self, owner: &str, name: &str, value: &str) {
        let scope = match owner {
            "o" => Scope::Organization,
            "p" => Scope::Project,
            _ => Scope::User,
        };
        if !self.layers.iter().any(|layer| layer.scope == scope) {
            self.layers.push(Layer {
                scope,
                policy: Arc::default(),
            });
            self.layers.sort_by_key(|layer| layer.scope);
        }
        let layer = self.layers.iter_mut().find(|layer| layer.scope == scope);
        policy(Arc::make_mut(&mut layer.unwrap().policy), name, value);
    }
}

/// Takes one word into a policy.
fn policy(policy: &mut Policy, name: &str, value: &str) {
    let patterns = |value: &str| list(value).iter().map(|text| Pattern::new(text)).collect();
    let amount = |value: &str| Some(value.parse().unwrap());
    let pair = |value: &str| {
        let (name, value) = value.split_once(':').unwrap();
        (name.to_owned(), value.to_owned())
    };
    let access = |access: &mut Access, which: &str| match which {
        "allow" => access.allow = patterns(value),
        _ => access.block = patterns(value),
    };
    match name {
        "prefer" => policy.prefer = Some(prefer(value)),
        "own_keys" if value == "forbidden" => policy.own_keys = OwnKeys::Forbidden,
        "own_keys" => policy.own_keys = OwnKeys::Required,
        "keys_first" if value == "own" => policy.keys_first = Some(KeysFirst::Own),
        "keys_first" => policy.keys_first = Some(KeysFirst::Organization),
        "fallback" => policy.fallback = Some(fallback(value)),
        "cap" => policy.fallback_max_charge = amount(value),
        "max" => policy.max_charge = amount(value),
        "credits" => policy.forbids_credits = true,
        "providers.allow" => access(&mut policy.providers, "allow"),
        "providers.block" => access(&mut policy.providers, "block"),
        "models.allow" => access(&mut policy.models, "allow"),
        "models.block" => access(&mut policy.models, "block"),
        "alias" => policy.aliases.extend([pair(value)]),
        "task" => {
            let (task, models) = pair(value);
            policy
                .tasks
                .insert(Task::named(&task).unwrap(), list(&models));
        }
        "rule" => policy.rules.push(rule(value)),
        _ => panic!("{name} is no word of a policy"),
    }
}

/// `when>then`, each `name:value`.
fn rule(text: &str) -> Rule {
    let (when, then) = text.split_once('>').unwrap();
    let (name, value) = then.split_once(':').unwrap();
    let mut steer = Steer::default();
    match name {
        "order" => steer.order = list(value),
        "providers" => steer.providers = list(value),
        "max" => steer.max_charge = Some(value.parse().unwrap()),
        "weights" => {
            let (provider, weight) = value.split_once(':').unwrap();
            steer
                .weights
                .insert(provider.to_owned(), weight.parse().unwrap());
        }
        _ => panic!("{text}"),
    }
    Rule {
        name: text.into(),
        when: matching(when),
        then: steer,
    }
}

fn matching(text: &str) -> Match {
    let mut when = Match::default();
    let Some((name, value)) = text.split_once(':') else {
        return when;
    };
    match name {
        "model" => when.model = Some(Pattern::new(value)),
        "endpoint" => when.endpoint = Some(Endpoint::Embeddings),
        "task" => when.task = Task::named(value),
        "min" => when.prompt_tokens = Some(RangeInclusive::new(value.parse().unwrap(), u64::MAX)),
        "tag" => {
            let (tag, value) = value.split_once(':').unwrap();
            when.tags.insert(tag.to_owned(), Pattern::new(value));
        }
        "hours" => when.hours = Some(hours(value)),
        _ => panic!("{text}"),
    }
    when
}

fn hours(text: &str) -> Hours {
    let time = |text: &str| text.replace('.', ":").parse().unwrap();
    let (from, to) = text.split_once('-').unwrap();
    Hours {
        from: time(from),
        to: time(to),
        days: Weekdays::ALL,
        zone: jiff::tz::TimeZone::UTC,
    }
}

fn prefer(value: &str) -> Prefer {
    match value {
        "provider" => Prefer::Provider,
        _ => Prefer::OpenRouter,
    }
}

fn allowance(value: &str) -> Allowance {
    match value {
        "none" => Allowance::None,
        "own" => Allowance::OwnKeys,
        _ => Allowance::Credits,
    }
}

fn fallback(value: &str) -> Fallback {
    match value {
        "none" => Fallback::None,
        "own-keys" => Fallback::OwnKeys,
        _ => Fallback::Credits,
    }
}

fn sort(value: &str) -> Sort {
    match value {
        "price" => Sort::Price,
        "latency" => Sort::Latency,
        _ => Sort::Throughput,
    }
}

fn capability(name: &str) -> Capability {
    match name {
        "tools" => Capability::Tools,
        "vision" => Capability::Vision,
        "json_schema" => Capability::JsonSchema,
        _ => Capability::Reasoning,
    }
}
