//! A policy in JSON. What is shown can be written again as it is.

use std::collections::BTreeMap;

use keyward_proto::router::v1::{self as contract, RoutingPolicy, TaskModels};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::rules::Rule;
use crate::rest::values::Amount;

/// Declares words of a policy, and what they are in the contract.
macro_rules! choices {
    ($(#[$doc:meta])* $name:ident of $contract:ident { $($choice:ident),+ $(,)? }) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "kebab-case")]
        $(#[$doc])*
        pub(super) enum $name { $($choice),+ }

        impl $name {
            fn of(value: i32) -> Option<Self> {
                match contract::$contract::try_from(value) {
                    $(Ok(contract::$contract::$choice) => Some(Self::$choice),)+
                    Ok(contract::$contract::Unspecified) | Err(_) => None,
                }
            }

            fn number(choice: Option<Self>) -> i32 {
                let choice = match choice {
                    $(Some(Self::$choice) => contract::$contract::$choice,)+
                    None => contract::$contract::Unspecified,
                };
                choice.into()
            }
        }
    };
}

choices!(
    /// Which of a caller's own keys goes first: the one for OpenRouter, or the provider's own.
    #[schema(as = KeyPreference)]
    Preference of KeyPreference { Openrouter, Provider }
);

choices!(
    /// Whether the keys of users serve; where they are required, some key of the caller's, its
    /// project's or its organization's has to, never credits.
    OwnKeys of OwnKeys { Allowed, Forbidden, Required }
);

choices!(
    /// Whose keys go first.
    KeysFirst of KeysFirst { Own, Organization }
);

choices!(
    /// What may serve at most where the first key fails.
    #[schema(as = PolicyFallback)]
    FallbackLimit of Fallback { None, OwnKeys, Credits }
);

/// Whether credits may be spent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = CreditUse)]
enum Credits {
    #[default]
    Allowed,
    Forbidden,
}

/// What may be used: of what is allowed, what is not blocked. In names `*` stands for anything.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct AccessList {
    /// Only these; all where it is empty.
    #[schema(examples(json!(["openai", "groq"])))]
    allow: Vec<String>,
    /// Never these.
    block: Vec<String>,
}

impl AccessList {
    fn of(list: Option<contract::AccessList>) -> Self {
        let contract::AccessList { allow, block } = list.unwrap_or_default();
        Self { allow, block }
    }

    fn into_proto(self) -> Option<contract::AccessList> {
        let Self { allow, block } = self;
        let says_nothing = allow.is_empty() && block.is_empty();
        (!says_nothing).then_some(contract::AccessList { allow, block })
    }
}

/// Whether answers are stored and given again.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyCache)]
struct Cache {
    /// Whether they are where a request does not say.
    enabled: bool,
    /// For how long, in seconds; the platform's time where absent.
    lifetime_seconds: Option<u32>,
}

/// What an owner allows of routing. A narrower one never allows what a broader one forbids.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = RoutingPolicy)]
pub(super) struct PolicyDocument {
    /// Which of the own keys goes first; the broader policy's word where absent.
    prefer: Option<Preference>,
    /// Whether the keys of users serve; they do where absent.
    own_keys: Option<OwnKeys>,
    /// Whose keys go first; the user's where nobody says.
    keys_first: Option<KeysFirst>,
    /// What may serve at most where the first key fails.
    fallback: Option<FallbackLimit>,
    /// The most that a fallback to credits may cost.
    fallback_max_charge: Option<Amount>,
    /// Whether credits may be spent.
    credits: Credits,
    /// The most that any request may cost in credits.
    max_charge: Option<Amount>,
    /// Which providers may be called.
    providers: AccessList,
    /// Which models may be named.
    models: AccessList,
    /// Names of its own for models.
    #[schema(examples(json!({"fast": "openai/gpt-4o-mini"})))]
    aliases: BTreeMap<String, String>,
    /// The models for tasks, the best first, in place of the shipped ones.
    #[schema(examples(json!({"code": ["deepseek/deepseek-chat"]})))]
    tasks: BTreeMap<String, Vec<String>>,
    /// What holds for some requests only.
    rules: Vec<Rule>,
    /// Whether answers are stored; the broader policy's word where absent.
    cache: Option<Cache>,
}

impl PolicyDocument {
    pub(super) fn of(policy: RoutingPolicy) -> Self {
        let task = |TaskModels { task, models }| (task, models);
        Self {
            prefer: Preference::of(policy.prefer),
            own_keys: OwnKeys::of(policy.own_keys),
            keys_first: KeysFirst::of(policy.keys_first),
            fallback: FallbackLimit::of(policy.fallback),
            fallback_max_charge: policy.fallback_max_charge_nanos.map(Amount::new),
            credits: match policy.forbid_credits {
                true => Credits::Forbidden,
                false => Credits::Allowed,
            },
            max_charge: policy.max_charge_nanos.map(Amount::new),
            providers: AccessList::of(policy.providers),
            models: AccessList::of(policy.models),
            aliases: policy.aliases,
            tasks: policy.tasks.into_iter().map(task).collect(),
            rules: policy.rules.into_iter().map(Rule::of).collect(),
            cache: policy.cache.map(|cache| Cache {
                enabled: cache.enabled,
                lifetime_seconds: Some(cache.lifetime_seconds).filter(|seconds| *seconds > 0),
            }),
        }
    }

    pub(super) fn into_proto(self) -> RoutingPolicy {
        let task = |(task, models)| TaskModels { task, models };
        RoutingPolicy {
            prefer: Preference::number(self.prefer),
            own_keys: OwnKeys::number(self.own_keys),
            keys_first: KeysFirst::number(self.keys_first),
            fallback: FallbackLimit::number(self.fallback),
            fallback_max_charge_nanos: self.fallback_max_charge.map(Amount::nanos),
            forbid_credits: self.credits == Credits::Forbidden,
            max_charge_nanos: self.max_charge.map(Amount::nanos),
            providers: self.providers.into_proto(),
            models: self.models.into_proto(),
            aliases: self.aliases,
            tasks: self.tasks.into_iter().map(task).collect(),
            rules: self.rules.into_iter().map(Rule::into_proto).collect(),
            cache: self.cache.map(|cache| contract::CachePolicy {
                enabled: cache.enabled,
                lifetime_seconds: cache.lifetime_seconds.unwrap_or(0),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that can be said.
    const WHOLE: &str = r#"{
        "prefer": "provider", "own_keys": "required", "keys_first": "organization",
        "fallback": "own-keys", "fallback_max_charge": "0.05", "credits": "forbidden",
        "max_charge": "1.00", "providers": {"allow": ["openai"], "block": ["groq"]},
        "models": {"allow": ["openai/*"], "block": []}, "aliases": {"fast": "openai/gpt-4o-mini"},
        "tasks": {"code": ["deepseek/deepseek-chat"]},
        "rules": [{
            "name": "nights",
            "match": {
                "model": "openai/*", "endpoint": "chat.completions", "task": "code",
                "tags": {"team": "search-*"}, "prompt_tokens": {"min": 1, "max": 9},
                "hours": {"from": "22:00", "to": "06:00", "days": ["friday"],
                    "time_zone": "Europe/Berlin"}
            },
            "providers": ["openai"], "order": ["openai"], "weights": {"openai": 3},
            "max_charge": "0.02"
        }],
        "cache": {"enabled": true, "lifetime_seconds": 60}
    }"#;

    #[test]
    fn what_is_written_is_shown_and_nothing_of_it_is_lost() {
        for text in [
            WHOLE,
            "{}",
            r#"{"rules": [{"name": "a", "max_charge": "0"}]}"#,
        ] {
            let given: PolicyDocument = serde_json::from_str(text).unwrap();
            let written = given.into_proto();
            let shown = serde_json::to_value(PolicyDocument::of(written.clone())).unwrap();
            let again: PolicyDocument = serde_json::from_value(shown.clone()).unwrap();
            assert_eq!(again.into_proto(), written, "{shown}");
        }
        let whole: PolicyDocument = serde_json::from_str(WHOLE).unwrap();
        let shown = serde_json::to_value(PolicyDocument::of(whole.into_proto())).unwrap();
        let expected: serde_json::Value = serde_json::from_str(WHOLE).unwrap();
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_there_is_not_is_refused() {
        for text in [
            r#"{"prefer": "mine"}"#,
            r#"{"provider": {}}"#,
            r#"{"max_charge": 1}"#,
            r#"{"rules": [{"match": {"models": "x"}}]}"#,
        ] {
            let read = serde_json::from_str::<PolicyDocument>(text);
            assert!(read.is_err(), "{text}");
        }
    }
}
