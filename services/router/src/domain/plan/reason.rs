//! Why a candidate stands where it stands.

use std::fmt;
use std::sync::Arc;

use keyward_money::Nanos;
use keyward_proto::metering::v1::KeySource;

use super::input::TaskChoice;
use crate::domain::health::Standing;
use crate::domain::policy::Scope;
use crate::domain::preferences::Sort;

/// What put a provider where it is, beside precedence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ordered {
    /// `provider.order`.
    ByRequest,
    /// `provider.sort`.
    Sorted(Sort),
    /// A rule of a policy.
    ByRule(Scope, Arc<str>),
    /// A policy puts the organisation's keys first.
    OrganizationFirst,
}

/// Why a key is a candidate, and why there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// Whose key.
    pub source: KeySource,
    /// Whether credits stand in for own keys.
    pub fallback: Option<Nanos>,
    /// What the model was chosen for, where it was.
    pub task: Option<(TaskChoice, Chosen)>,
    /// What put it there.
    pub ordered: Option<Ordered>,
    /// How it stands.
    pub standing: Standing,
    /// What its provider said when its credit was used up.
    pub no_credit: Option<String>,
}

/// How a model came to be chosen for a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen {
    /// It is in the table, at this place from 1.
    Ranked(u16),
    /// It is the cheapest that fits, or next to it.
    Cheapest,
}

impl Reason {
    /// In words, of a provider.
    pub fn told(&self, provider: &str) -> String {
        Told {
            reason: self,
            provider,
        }
        .to_string()
    }
}

struct Told<'a> {
    reason: &'a Reason,
    provider: &'a str,
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        whose(f, self.reason, self.provider)?;
        if let Some((choice, chosen)) = self.reason.task {
            task(f, choice, chosen)?;
        }
        if let Some(ordered) = &self.reason.ordered {
            order(f, ordered)?;
        }
        rests(f, self.reason)
    }
}

fn whose(f: &mut fmt::Formatter<'_>, reason: &Reason, provider: &str) -> fmt::Result {
    let whose = match (reason.source, reason.fallback) {
        (KeySource::Inline, _) => return f.write_str("the key sent with the request comes first"),
        (KeySource::System, Some(cap)) => {
            return write!(f, "credits serve where own keys fail, up to {cap}");
        }
        (KeySource::System, None) => {
            return f.write_str("no own key serves this model; credits do");
        }
        (KeySource::Project, _) => "the project's",
        (KeySource::Organization, _) => "the organisation's",
        _ => "your",
    };
    write!(f, "{whose} own key for {provider}")
}

fn task(f: &mut fmt::Formatter<'_>, choice: TaskChoice, chosen: Chosen) -> fmt::Result {
    write!(f, "; the task is {}", choice.task)?;
    if let Some(signal) = choice.signal {
        write!(f, ", by {signal}")?;
    }
    match chosen {
        Chosen::Ranked(place) => write!(f, ": no. {place} of its models"),
        Chosen::Cheapest => f.write_str(": of the cheapest that fit and answer well"),
    }
}

fn order(f: &mut fmt::Formatter<'_>, ordered: &Ordered) -> fmt::Result {
    match ordered {
        Ordered::ByRequest => f.write_str("; placed by `provider.order`"),
        Ordered::Sorted(Sort::Price) => f.write_str("; sorted by price"),
        Ordered::Sorted(Sort::Throughput) => f.write_str("; sorted by throughput"),
        Ordered::Sorted(Sort::Latency) => f.write_str("; sorted by latency"),
        Ordered::ByRule(scope, rule) => write!(f, "; placed by the rule {rule:?} of {scope}"),
        Ordered::OrganizationFirst => f.write_str("; policy puts the organisation's keys first"),
    }
}

fn rests(f: &mut fmt::Formatter<'_>, reason: &Reason) -> fmt::Result {
    match (reason.standing, &reason.no_credit) {
        (Standing::Resting { .. }, Some(said)) => {
            write!(f, "; it has no credit left and is tried last: {said}")
        }
        (Standing::Resting { .. }, None) => f.write_str("; it is cooling down and is tried last"),
        (Standing::Absent, _) => {
            f.write_str("; the model was not found with it and it is tried last")
        }
        (Standing::Good, _) => Ok(()),
    }
}
