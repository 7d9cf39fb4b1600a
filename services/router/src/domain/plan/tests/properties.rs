//! What holds of every plan, whatever is asked, allowed and known.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::domain::policy::{Access, Fallback, Layer, OwnKeys, Policy, Rule, Scope, Steer};
use crate::domain::preferences::{Preferences, Sort};

const PROVIDERS: [&str; 8] = [
    "openai",
    "openrouter",
    "groq",
    "together",
    "cerebras",
    "anthropic",
    "sandbox",
    "gone",
];
const STATES: [&str; 9] = [
    "ok", "disabled", "expired", "error", "quota", "resting1", "resting2", "absent", "limited",
];
const MODELS: [&str; 7] = [
    "gpt-4o",
    "openai/gpt-oss-120b",
    "claude-3-opus-20240229",
    "groq/llama2-70b",
    "sandbox/echo",
    "auto",
    "x",
];

fn one_of<T: Clone + std::fmt::Debug + 'static>(values: &[T]) -> impl Strategy<Value = T> + use<T> {
    prop::sample::select(values.to_vec())
}

fn some_of(names: &[&'static str]) -> impl Strategy<Value = Vec<String>> + use<> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    prop_oneof![
        2 => Just(vec![]),
        1 => prop::sample::subsequence(names, 0..4),
    ]
}

fn access(names: &[&'static str]) -> impl Strategy<Value = Access> + use<> {
    let patterns = |names: Vec<String>| names.iter().map(|name| Pattern::new(name)).collect();
    (some_of(names), some_of(names)).prop_map(move |(allow, block)| Access {
        allow: patterns(allow),
        block: patterns(block),
    })
}

prop_compose! {
    fn any_policy()(
        (providers, models) in (access(&PROVIDERS), access(&MODELS)),
        fallback in one_of(&[None, Some(Fallback::None), Some(Fallback::OwnKeys), Some(Fallback::Credits)]),
        own_keys in one_of(&[OwnKeys::Allowed, OwnKeys::Allowed, OwnKeys::Forbidden, OwnKeys::Required]),
        forbids_credits in prop::bool::weighted(0.2),
        max_charge in one_of(&[None, Some(Nanos::new(7)), Some(Nanos::new(70_000_000))]),
        (only, order) in (some_of(&PROVIDERS), some_of(&PROVIDERS)),
    ) -> Policy {
        let then = Steer { providers: only, order, ..Steer::default() };
        let rule = Rule { name: "rule".into(), then, ..Rule::default() };
        Policy {
            providers,
            models,
            fallback,
            own_keys,
            forbids_credits,
            max_charge,
            rules: vec![rule],
            ..Policy::default()
        }
    }
}

prop_compose! {
    fn any_preferences()(
        (order, only, ignore) in (some_of(&PROVIDERS), some_of(&PROVIDERS), some_of(&PROVIDERS)),
        allow_fallbacks in prop::bool::weighted(0.8),
        sort in one_of(&[None, Some(Sort::Price), Some(Sort::Latency), Some(Sort::Throughput)]),
        require_parameters in any::<bool>(),
    ) -> Preferences {
        Preferences {
            order,
            only,
            ignore,
            allow_fallbacks,
            sort,
            require_parameters,
            ..Preferences::default()
        }
    }
}

fn any_key() -> impl Strategy<Value = String> {
    (
        one_of(&["u", "p", "o", "s"]),
        one_of(&PROVIDERS),
        one_of(&STATES),
    )
        .prop_map(|(owner, provider, state)| format!("{owner}:{provider}:{state}"))
}

prop_compose! {
    fn any_case()(
        (model, models) in (one_of(&MODELS), some_of(&MODELS[..4])),
        keys in prop::collection::vec(any_key(), 0..12),
        (provider_first, credits, tier, is_inline) in any::<(bool, bool, bool, bool)>(),
        allowance in one_of(&[Allowance::Policy, Allowance::None, Allowance::OwnKeys, Allowance::Credits]),
        preferences in prop_oneof![Just(Preferences::default()), any_preferences()],
        policies in prop::collection::vec(any_policy(), 0..3),
        affinity: u64,
    ) -> Case {
        let scopes = [Scope::Organization, Scope::Project, Scope::User];
        let layer = |(scope, policy)| Layer { scope, policy: Arc::new(policy) };
        Case::new(model, &keys.join(" ")).with(|case| {
            if provider_first {
                case.policy.prefer = Prefer::Provider;
            }
            case.policy.fallback_to_credits = credits;
            case.principal.organization_keys = tier;
            case.request.allowance = allowance;
            case.request.models = models;
            case.request.preferences = preferences;
            case.request.affinity = affinity;
            case.request.inline_key = is_inline.then(|| InlineKey::of("sk-any"));
            case.layers = scopes.into_iter().zip(policies).map(layer).collect();
        })
    }
}

fn is_own(candidate: &Candidate) -> bool {
    candidate.source != KeySource::System
}

/// A policy that allows no fallback at all allows own keys instead.
fn with_own_keys(policy: &mut Policy) {
    if policy.fallback == Some(Fallback::None) {
        policy.fallback = Some(Fallback::OwnKeys);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_ineligible_key_is_ever_a_candidate(case in any_case()) {
        for candidate in case.plan().candidates {
            for state in ["disabled", "expired", "error"] {
                prop_assert!(!candidate.key_id().contains(state), "{:?}", candidate);
            }
            prop_assert!(*candidate.provider != *"gone");
            let is_organizations = candidate.source == KeySource::Organization;
            prop_assert!(case.principal.organization_keys || !is_organizations);
        }
    }

    #[test]
    fn what_a_policy_forbids_is_in_no_plan(case in any_case()) {
        let plan = case.plan();
        for (layer, candidate) in case.layers.iter().flat_map(|layer| {
            plan.candidates.iter().map(move |candidate| (layer, candidate))
        }) {
            let policy = &layer.policy;
            let provider = &*candidate.provider;
            prop_assert!(policy.providers.permits(provider));
            prop_assert!(!policy.models.block.iter().any(|model| model.matches(&candidate.model)));
            for rule in &policy.rules {
                let only = &rule.then.providers;
                prop_assert!(only.is_empty() || only.iter().any(|name| name == provider));
            }
            if !is_own(candidate) {
                prop_assert!(!policy.forbids_credits && policy.own_keys != OwnKeys::Required);
                prop_assert!(policy.max_charge.is_none_or(|max| candidate.charge_cap <= Some(max)));
            }
            if policy.own_keys == OwnKeys::Forbidden {
                prop_assert!(!matches!(candidate.source, KeySource::User | KeySource::Inline));
            }
        }
    }

    #[test]
    fn credits_never_stand_in_for_an_own_key_without_consent(case in any_case()) {
        let plan = case.plan();
        let own_may_serve = plan.candidates.iter().any(is_own);
        for candidate in plan.candidates.iter().filter(|candidate| !is_own(candidate)) {
            let inline = case.request.inline_key.is_some();
            if candidate.is_fallback() {
                prop_assert!(case.policy.fallback_to_credits);
                prop_assert!(matches!(case.request.allowance, Allowance::Policy | Allowance::Credits));
                prop_assert!(candidate.charge_cap.is_some());
            } else {
                // It comes before the models for which there are own keys.
                prop_assert!(!own_may_serve || !case.request.models.is_empty() || case.request.model == "x");
            }
            prop_assert!(!inline || case.request.allowance == Allowance::Credits);
        }
    }

    #[test]
    fn no_fallback_means_one_candidate(case in any_case()) {
        let narrow = case.with(|case| case.request.allowance = Allowance::None);
        prop_assert!(narrow.plan().candidates.len() <= 1);
    }

    #[test]
    fn a_request_that_narrows_adds_no_key(case in any_case()) {
        // Kept to one provider, another one may be first.
        let case = case.with(|case| case.request.preferences.allow_fallbacks = true);
        let wide = case.clone().with(|case| case.request.allowance = Allowance::Credits).plan();
        let ids: Vec<&str> = wide.candidates.iter().map(Candidate::key_id).collect();
        for candidate in &case.plan().candidates {
            // A key on its own needs no consent, whatever the request says of fallbacks.
            prop_assert!(ids.contains(&candidate.key_id()));
        }
    }

    #[test]
    fn a_policy_that_narrows_adds_no_candidate(case in any_case(), more in any_policy()) {
        // With no fallback at all, and where the model is left to us, what is next moves up.
        let case = case.with(|case| {
            case.request.model = "gpt-4o".into();
            case.request.models.clear();
            case.request.preferences.allow_fallbacks = true;
            if case.request.allowance == Allowance::None {
                case.request.allowance = Allowance::OwnKeys;
            }
            for layer in &mut case.layers {
                with_own_keys(Arc::make_mut(&mut layer.policy));
            }
        });
        let mut more = more;
        with_own_keys(&mut more);
        let wide = case.plan();
        let layer = Layer { scope: Scope::User, policy: Arc::new(more) };
        let narrow = case.with(|case| case.layers.push(layer));
        for candidate in narrow.plan().candidates {
            let is_same = |other: &Candidate| {
                (&other.provider, other.key_id()) == (&candidate.provider, candidate.key_id())
            };
            prop_assert!(wide.candidates.iter().any(is_same), "{:?}", candidate);
        }
    }

    #[test]
    fn the_same_is_planned_the_same(case in any_case()) {
        prop_assert_eq!(case.plan(), case.plan());
    }

    #[test]
    fn where_nothing_serves_there_is_a_reason(case in any_case()) {
        let plan = case.plan();
        prop_assert!(!plan.candidates.is_empty() || plan.refusal.is_some());
    }

    #[test]
    fn every_key_is_a_candidate_or_left_out_with_a_reason(case in any_case()) {
        let case = case.with(|case| {
            case.request.model = "gpt-4o".into();
            case.request.models.clear();
        });
        let plan = case.plan();
        prop_assert!(plan.left_out.iter().all(|left| !left.reason().is_empty()));
        // What may not be named at all is refused before any key is looked at.
        if matches!(plan.refusal, Some(Refusal::ModelForbidden(_))) {
            return Ok(());
        }
        for key in &case.keys {
            let candidates = plan.candidates.iter().map(Candidate::key_id);
            let left_out = plan.left_out.iter().map(LeftOut::key_id);
            let told = candidates.chain(left_out).filter(|id| *id == key.id).count();
            let alike = case.keys.iter().filter(|other| other.id == key.id).count();
            let has_model = ["openai", "openrouter"].contains(&key.provider.as_str());
            prop_assert_eq!(told, if has_model { alike } else { 0 }, "{:?}: {:?}", key, plan);
        }
    }
}
