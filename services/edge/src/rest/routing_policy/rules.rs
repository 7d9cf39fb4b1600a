//! Rules of a policy in JSON.

use std::collections::BTreeMap;

use keyward_proto::router::v1::{RoutingRule, RuleHours, RuleMatch};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::rest::values::{Amount, present};

/// What holds for some requests only. It has to do something.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RoutingRule)]
pub(super) struct Rule {
    /// What people call it; unique within its policy.
    #[schema(examples("nights"))]
    name: String,
    /// Which requests it is about: those of which all that is given holds.
    #[serde(default)]
    r#match: Match,
    /// Only these providers; all where it is empty.
    #[serde(default)]
    providers: Vec<String>,
    /// Which providers go first, in this order.
    #[serde(default)]
    #[schema(examples(json!(["groq", "openai"])))]
    order: Vec<String>,
    /// How often each provider goes first among those that are otherwise alike; 1 where absent.
    #[serde(default)]
    weights: BTreeMap<String, u32>,
    /// The most that such a request may cost in credits.
    max_charge: Option<Amount>,
}

/// Which requests a rule is about.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = RuleMatch)]
struct Match {
    /// The model, by any of its names; `*` stands for anything.
    #[schema(examples("openai/*"))]
    model: Option<String>,
    /// The endpoint.
    #[schema(examples("chat.completions"))]
    endpoint: Option<String>,
    /// The task: `code`, `reasoning`, `chat`, `embeddings` or `vision`.
    task: Option<String>,
    /// Tags, each with what its value has to be; `*` stands for anything.
    #[schema(examples(json!({"team": "search-*"})))]
    tags: BTreeMap<String, String>,
    /// How long the prompt is, in tokens, as estimated.
    prompt_tokens: Option<Tokens>,
    /// When it comes.
    hours: Option<Hours>,
}

/// A range of tokens, both ends included.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RuleTokens)]
struct Tokens {
    /// At least this many.
    min: Option<u64>,
    /// At most this many.
    max: Option<u64>,
}

/// A part of the day.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RuleHours)]
struct Hours {
    /// From when on.
    #[schema(examples("22:00"))]
    from: String,
    /// Until before when; on the next day where that is not after `from`.
    #[schema(examples("06:00"))]
    to: String,
    /// The days on which it begins, `monday` to `sunday`; every day where it is empty.
    #[serde(default)]
    days: Vec<String>,
    /// The zone of the times, as IANA names it; `UTC` where absent.
    #[schema(examples("Europe/Berlin"))]
    time_zone: Option<String>,
}

impl Rule {
    pub(super) fn of(rule: RoutingRule) -> Self {
        Self {
            name: rule.name,
            r#match: Match::of(rule.r#match.unwrap_or_default()),
            providers: rule.providers,
            order: rule.order,
            weights: rule.weights,
            max_charge: rule.max_charge_nanos.map(Amount::new),
        }
    }

    pub(super) fn into_proto(self) -> RoutingRule {
        RoutingRule {
            name: self.name,
            r#match: Some(self.r#match.into_proto()),
            providers: self.providers,
            order: self.order,
            weights: self.weights,
            max_charge_nanos: self.max_charge.map(Amount::nanos),
        }
    }
}

impl Match {
    fn of(found: RuleMatch) -> Self {
        let tokens = match (found.prompt_tokens_min, found.prompt_tokens_max) {
            (None, None) => None,
            (min, max) => Some(Tokens { min, max }),
        };
        Self {
            model: present(found.model),
            endpoint: present(found.endpoint),
            task: present(found.task),
            tags: found.tags,
            prompt_tokens: tokens,
            hours: found.hours.map(Hours::of),
        }
    }

    fn into_proto(self) -> RuleMatch {
        RuleMatch {
            model: self.model.unwrap_or_default(),
            endpoint: self.endpoint.unwrap_or_default(),
            task: self.task.unwrap_or_default(),
            tags: self.tags,
            prompt_tokens_min: self.prompt_tokens.and_then(|tokens| tokens.min),
            prompt_tokens_max: self.prompt_tokens.and_then(|tokens| tokens.max),
            hours: self.hours.map(Hours::into_proto),
        }
    }
}

impl Hours {
    fn of(hours: RuleHours) -> Self {
        Self {
            from: hours.from,
            to: hours.to,
            days: hours.days,
            time_zone: present(hours.time_zone),
        }
    }

    fn into_proto(self) -> RuleHours {
        RuleHours {
            from: self.from,
            to: self.to,
            days: self.days,
            time_zone: self.time_zone.unwrap_or_default(),
        }
    }
}
