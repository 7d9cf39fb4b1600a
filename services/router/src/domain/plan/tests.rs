//! The table of precedence and consent, as data. A key is written `owner:provider[:state]`, with
//! `u`ser, `p`roject, `o`rganisation, `s`ystem; a candidate `owner:provider`, `i` being inline.

mod consent;
mod properties;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use keyward_catalog::{Capability, Catalog};

use super::*;
use crate::domain::health::{HealthView, Seen, Standing};
use crate::domain::policy::{Layer, Operator, Pattern, Prefer};
use crate::domain::providers::{ProviderOverride, Providers};
use crate::domain::task::{Cheapest, weighed};

const NOW_MS: u64 = 1_000_000;

/// Reads the standing out of the key's id, which is the key as it is written.
struct WrittenHealth;

impl HealthView for WrittenHealth {
    fn standing(&self, key_id: &str, _: u64, _: &str, now_ms: u64) -> Standing {
        if key_id.contains(":resting") {
            let longer = u64::from(key_id.ends_with('2'));
            Standing::Resting {
                until_ms: now_ms + 10 + longer,
            }
        } else if key_id.contains(":absent") {
            Standing::Absent
        } else {
            Standing::Good
        }
    }

    fn limited_ms(&self, key_id: &str, _: u64, _: &str, _: u64) -> u64 {
        u64::from(key_id.contains(":limited"))
    }

    /// Azure is quick, OpenAI sends much, Deep Infra fails nine times of ten, of the others nothing is
    /// known.
    fn seen(&self, provider: &str, _: &str, _: u64) -> Option<Seen> {
        let (first_byte_ms, tokens) = match provider {
            "azure" => (100, 20),
            "openai" => (900, 90),
            "deepinfra" => (500, 50),
            _ => return None,
        };
        Some(Seen {
            first_byte_ms,
            tokens_per_second: Some(tokens),
            failed_of_10_000: if provider == "deepinfra" { 9_000 } else { 0 },
        })
    }
}

fn key(written: &str) -> PlanKey {
    let mut parts = written.split(':');
    let source = match parts.next() {
        Some("u") => KeySource::User,
        Some("p") => KeySource::Project,
        Some("o") => KeySource::Organization,
        _ => KeySource::System,
    };
    let provider = parts.next().unwrap().to_owned();
    let state = match parts.next().unwrap_or("") {
        "disabled" => KeyState::Disabled,
        "expired" => KeyState::Expired,
        "error" => KeyState::Rejected("no such key".into()),
        "quota" => KeyState::QuotaExhausted("empty".into()),
        _ => KeyState::Connected,
    };
    let expires_ms = written.ends_with("past").then_some(NOW_MS);
    let allowed = written
        .split_once(":for:")
        .map(|(_, model)| Pattern::new(model));
    PlanKey {
        id: written.into(),
        version: 1,
        source,
        provider,
        base_url: None,
        api_version: String::new(),
        deployments: std::collections::BTreeMap::new(),
        state,
        expires_ms,
        weight: 1,
        allowed_models: allowed.into_iter().collect(),
    }
}

/// The models that are shipped, and the same by price.
fn models() -> &'static (Catalog, Cheapest) {
    static MODELS: std::sync::OnceLock<(Catalog, Cheapest)> = std::sync::OnceLock::new();
    MODELS.get_or_init(|| {
        let catalog = Catalog::embedded().unwrap();
        let cheapest = Cheapest::of(&catalog);
        (catalog, cheapest)
    })
}

#[derive(Clone, Debug)]
struct Case {
    request: RouteRequest,
    keys: Vec<Arc<PlanKey>>,
    principal: PlanPrincipal,
    policy: Operator,
    layers: Vec<Layer>,
    keyless: bool,
}

impl Case {
    fn new(model: &str, keys: &str) -> Self {
        Self {
            request: RouteRequest {
                model: model.into(),
                ..RouteRequest::default()
            },
            keys: keys.split_whitespace().map(key).map(Arc::new).collect(),
            principal: PlanPrincipal {
                organization_keys: true,
                allowed_models: vec![],
            },
            policy: Operator {
                prefer: Prefer::OpenRouter,
                fallback_to_credits: true,
                fallback_max_charge: Nanos::new(50_000_000),
            },
            layers: Vec::new(),
            keyless: false,
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn plan(&self) -> Plan {
        let (catalog, cheapest) = models();
        let local = ProviderOverride {
            base_url: Some("http://127.0.0.1:8000/v1".parse().unwrap()),
            kind: None,
            keyless: self.keyless,
            enabled: true,
        };
        let overrides = BTreeMap::from([("local".to_owned(), local)]);
        let providers = Providers::new(catalog, &overrides).unwrap();
        plan(&PlanInput {
            request: &self.request,
            principal: &self.principal,
            keys: &self.keys,
            operator: &self.policy,
            layers: &self.layers,
            catalog,
            cheapest,
            providers: &providers,
            health: &WrittenHealth,
            now_ms: NOW_MS,
        })
    }

    fn order(&self) -> String {
        self.plan()
            .candidates
            .iter()
            .map(written)
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// `owner:provider`.
fn written(candidate: &Candidate) -> String {
    let owner = match candidate.source {
        KeySource::Inline => "i",
        KeySource::User => "u",
        KeySource::Project => "p",
        KeySource::Organization => "o",
        _ => "s",
    };
    format!("{owner}:{}", candidate.provider)
}

fn check(model: &str, keys: &str, expect: &str) {
    assert_eq!(
        Case::new(model, keys).order(),
        expect,
        "{model} with {keys}"
    );
}

#[test]
fn the_table_of_precedence_holds() {
    let all =
        "s:openai s:openrouter o:openai o:openrouter p:openai p:openrouter u:openai u:openrouter";
    check(
        "gpt-4o",
        all,
        "u:openrouter u:openai p:openrouter p:openai o:openrouter o:openai s:openai s:openrouter",
    );
    check("gpt-4o", "s:openai", "s:openai");
    check("gpt-4o", "s:openai u:groq", "s:openai");
    check("gpt-4o", "u:openai s:openai", "u:openai s:openai");
    check("gpt-4o", "o:openai p:openai", "p:openai o:openai");
    check("openai/gpt-4o", "u:openrouter", "u:openrouter");
    check("claude-3-opus-20240229", "u:openrouter", "u:openrouter");
    check(
        "sandbox/echo",
        "u:sandbox u:openrouter s:sandbox",
        "u:sandbox s:sandbox",
    );
    check("sandbox/status-429", "s:sandbox", "s:sandbox");
}

/// Else whoever stored some text as a key would be served for nothing.
#[test]
fn nobody_has_a_key_of_their_own_for_the_platforms_server_without_keys() {
    let keyless = Case::new("local/llama", "u:local").with(|case| case.keyless = true);
    let plan = keyless.plan();
    assert!(plan.candidates.is_empty());
    let left = plan.left_out.iter().map(|left| &left.obstacle);
    assert!(
        left.into_iter()
            .any(|obstacle| *obstacle == Obstacle::Keyless)
    );
}

#[test]
fn a_preference_for_providers_holds_within_each_level() {
    let keys = "u:openrouter u:openai p:openrouter p:openai o:openrouter";
    let case = Case::new("gpt-4o", keys).with(|case| case.policy.prefer = Prefer::Provider);
    assert_eq!(
        case.order(),
        "u:openai u:openrouter p:openai p:openrouter o:openrouter"
    );
    let case = Case::new("anthropic/claude-3-opus", "u:openrouter u:openai")
        .with(|case| case.policy.prefer = Prefer::Provider);
    assert_eq!(case.order(), "u:openrouter");
}

#[test]
fn models_that_nobody_listed_work_with_own_keys_only() {
    check("openai/gpt-99", "u:openai s:openai", "u:openai");
    check("openai/gpt-99", "u:openrouter", "u:openrouter");
    check("gpt-99", "u:openai u:openrouter s:openai", "u:openai");
    check(
        "openrouter/some/model",
        "u:openrouter u:openai",
        "u:openrouter",
    );
    check(
        "openrouter/openai/gpt-4o",
        "u:openrouter u:openai s:openai",
        "u:openrouter",
    );
    check("local/llama", "u:local", "u:local");
    check("gpt-4o:free", "u:openrouter u:openai", "u:openrouter");
}

#[test]
fn keys_that_are_off_are_no_candidates_and_need_no_consent() {
    for state in ["disabled", "expired", "ok:past"] {
        let keys = format!("u:openai:{state} s:openai");
        let plan = Case::new("gpt-4o", &keys).with(|case| case.policy.fallback_to_credits = false);
        assert_eq!(plan.order(), "s:openai", "{state}");
        assert_eq!(plan.plan().candidates[0].charge_cap, None, "{state}");
    }
    let case = Case::new("gpt-4o", "o:openai s:openai")
        .with(|case| case.principal.organization_keys = false);
    assert_eq!(case.order(), "s:openai");
}

#[test]
fn credits_instead_of_an_own_key_need_consent() {
    let forbidden = |case: &mut Case| case.policy.fallback_to_credits = false;
    let asks = |allowance| move |case: &mut Case| case.request.allowance = allowance;
    let case = |state: &str| Case::new("gpt-4o", &format!("u:openai:{state} s:openai"));
    for (state, allowed) in [
        ("ok", "u:openai s:openai"),
        ("error", "s:openai"),
        ("quota", "u:openai s:openai"),
        ("resting", "s:openai u:openai"),
        ("absent", "s:openai u:openai"),
    ] {
        let refused = if state == "error" { "" } else { "u:openai" };
        assert_eq!(case(state).order(), allowed, "{state}");
        assert_eq!(
            case(state).with(asks(Allowance::Credits)).order(),
            allowed,
            "{state}"
        );
        assert_eq!(case(state).with(forbidden).order(), refused, "{state}");
        assert_eq!(
            case(state).with(asks(Allowance::None)).order(),
            refused,
            "{state}"
        );
        assert_eq!(
            case(state).with(asks(Allowance::OwnKeys)).order(),
            refused,
            "{state}"
        );
        let both = case(state).with(forbidden).with(asks(Allowance::Credits));
        assert_eq!(both.order(), refused, "{state}");
    }
    let plan = case("error").with(forbidden).plan();
    assert!(
        matches!(plan.refusal, Some(Refusal::KeyRejected(said)) if said.contains("no such key"))
    );
}

#[test]
fn the_cap_is_the_smaller_of_policy_and_request() {
    let case = Case::new("gpt-4o", "u:openai s:openai");
    let cap = |case: Case| case.plan().candidates[1].charge_cap.map(Nanos::get);
    assert_eq!(cap(case.clone()), Some(50_000_000));
    let asks = |nanos| {
        move |case: &mut Case| {
            case.request.fallback_max_charge = Some(Nanos::new(nanos));
        }
    };
    assert_eq!(cap(case.clone().with(asks(1))), Some(1));
    assert_eq!(cap(case.with(asks(1_000_000_000))), Some(50_000_000));
}

#[test]
fn a_request_narrows_who_serves() {
    let keys = "u:openrouter u:openai p:openai s:openai";
    let asks = |allowance| move |case: &mut Case| case.request.allowance = allowance;
    let case = Case::new("gpt-4o", keys);
    assert_eq!(
        case.clone().with(asks(Allowance::None)).order(),
        "u:openrouter"
    );
    let own = case.clone().with(asks(Allowance::OwnKeys));
    assert_eq!(own.order(), "u:openrouter u:openai p:openai");
    let named = case.with(|case| case.request.byok_provider = Some("openai".into()));
    assert_eq!(named.order(), "u:openai p:openai s:openai");
    let system = Case::new("gpt-4o", "s:openai s:openrouter").with(asks(Allowance::None));
    assert_eq!(system.order(), "s:openai");
    let none = Case::new("gpt-4o", "s:openai u:groq")
        .with(|case| case.request.byok_provider = Some("openai".into()));
    assert_eq!(
        none.plan().refusal,
        Some(Refusal::NoKey(vec![
            "openai".into(),
            "azure".into(),
            "openrouter".into()
        ]))
    );
    let first = Case::new("gpt-4o", "u:openrouter:resting u:openai").with(asks(Allowance::None));
    assert_eq!(first.order(), "u:openrouter");
    let refused = Case::new("gpt-4o", "u:openrouter:error u:openai").with(asks(Allowance::None));
    assert_eq!(refused.order(), "");
}

#[test]
fn cool_downs_order_and_never_exclude() {
    check(
        "gpt-4o",
        "u:openrouter:resting u:openai p:openai",
        "u:openai p:openai u:openrouter",
    );
    check(
        "gpt-4o",
        "u:openrouter:resting2 u:openai:resting1",
        "u:openai u:openrouter",
    );
    check(
        "gpt-4o",
        "u:openai:absent p:openai:resting o:openai",
        "o:openai u:openai p:openai",
    );
    check("gpt-4o", "u:openai:resting", "u:openai");
}

fn inline(model: &str, key: &str, provider: Option<&str>, allowance: Allowance) -> Case {
    Case::new(model, "u:openai u:openrouter s:openai").with(|case| {
        case.request.inline_key = Some(InlineKey::of(key));
        case.request.byok_provider = provider.map(str::to_owned);
        case.request.allowance = allowance;
    })
}

#[test]
fn an_inline_key_is_first_and_alone_unless_the_request_allows_more() {
    let none = Allowance::Policy;
    for (model, key, provider, expect) in [
        ("gpt-4o", "sk-abc", None, "i:openai"),
        ("gpt-4o", "sk-or-v1-abc", None, "i:openrouter"),
        ("gpt-4o", "sk-abc", Some("openai"), "i:openai"),
        ("groq/llama2-70b", "gsk_abc", None, "i:groq"),
        (
            "claude-3-opus-20240229",
            "sk-or-v1-abc",
            None,
            "i:openrouter",
        ),
        ("gpt-99", "sk-abc", None, "i:openai"),
        ("sandbox/echo", "sk-sandbox-x", None, "i:sandbox"),
        ("local/llama", "anything", None, "i:local"),
    ] {
        assert_eq!(
            inline(model, key, provider, none).order(),
            expect,
            "{model} {key}"
        );
    }
    let own = inline("gpt-4o", "sk-abc", None, Allowance::OwnKeys);
    assert_eq!(own.order(), "i:openai u:openrouter u:openai");
    let credits = inline("gpt-4o", "sk-abc", None, Allowance::Credits);
    assert_eq!(credits.order(), "i:openai u:openrouter u:openai s:openai");
    let narrowed = credits.with(|case| case.policy.fallback_to_credits = false);
    assert_eq!(narrowed.order(), "i:openai u:openrouter u:openai");
}

#[test]
fn a_key_of_another_provider_is_a_mismatch() {
    for (model, key, provider) in [
        ("claude-3-opus-20240229", "sk-proj-abc", None),
        ("claude-3-opus-20240229", "sk-abc", Some("openai")),
        ("gpt-4o", "sk-or-v1-abc", Some("openai")),
        ("sandbox/echo", "sk-or-v1-abc", None),
    ] {
        let plan = inline(model, key, provider, Allowance::Credits).plan();
        assert!(
            matches!(plan.refusal, Some(Refusal::KeyMismatch(_))),
            "{model} {key}: {plan:?}"
        );
        assert!(plan.candidates.is_empty());
    }
    let stored = Case::new("gpt-4o", "u:openai")
        .with(|case| case.request.byok_provider = Some("groq".into()));
    assert!(matches!(
        stored.plan().refusal,
        Some(Refusal::KeyMismatch(_))
    ));
}

#[test]
fn what_cannot_be_served_says_why() {
    let refusal = |model: &str, keys: &str| Case::new(model, keys).plan().refusal.unwrap();
    assert_eq!(
        refusal("nonsense", "u:openrouter s:openai"),
        Refusal::ModelNotFound
    );
    assert_eq!(refusal("nobody/nonsense", ""), Refusal::ModelNotFound);
    let all = vec![
        "openai".to_owned(),
        "azure".to_owned(),
        "openrouter".to_owned(),
    ];
    assert_eq!(refusal("gpt-4o", "u:groq"), Refusal::NoKey(all.clone()));
    let mut counting = Case::new("gpt-4o", "u:openai");
    counting.request.form = Form::MessageTokens;
    assert_eq!(
        counting.plan().refusal,
        Some(Refusal::NotCallable(all, Form::MessageTokens))
    );
    let both = vec!["anthropic".to_owned(), "openrouter".to_owned()];
    assert_eq!(
        refusal("claude-3-opus-20240229", "u:openai"),
        Refusal::NoKey(both)
    );
    let plan = Case::new("gpt-4o", "u:groq").plan();
    let reasons: Vec<String> = plan.left_out.iter().map(LeftOut::reason).collect();
    assert!(
        reasons.contains(&"you have no key for openai".to_owned()),
        "{reasons:?}"
    );
}

#[test]
fn an_access_key_names_only_what_it_may() {
    for (allowed, model, may) in [
        ("gpt-4o", "gpt-4o", true),
        ("gpt-4o", "openai/gpt-4o", true),
        ("openai/*", "gpt-4o", true),
        ("openai/gpt-4o", "gpt-4o-mini", false),
        ("anthropic/*", "gpt-4o", false),
    ] {
        let case = Case::new(model, "u:openai")
            .with(|case| case.principal.allowed_models = vec![allowed.into()]);
        let refused = case.plan().refusal == Some(Refusal::ModelNotAllowed);
        let said = "this access key may not call the model";
        let shown = case
            .plan()
            .left_out
            .iter()
            .any(|left| left.reason() == said);
        assert_eq!(shown, refused, "{allowed} for {model}");
        assert_eq!(!refused, may, "{allowed} for {model}");
    }
}

#[test]
fn an_access_key_lists_only_what_it_may_to_fall_back_to() {
    for (models, refusal) in [
        (&["openai/gpt-4o", "gpt-4o"][..], None),
        (
            &["gpt-4o", "anthropic/claude-3-opus"],
            Some(Refusal::FallbackNotAllowed(
                "anthropic/claude-3-opus".into(),
            )),
        ),
    ] {
        let case = Case::new("gpt-4o", "u:openrouter").with(|case| {
            case.principal.allowed_models = vec!["gpt-4o".into()];
            case.request.models = models.iter().map(|name| (*name).to_owned()).collect();
        });
        assert_eq!(case.plan().refusal, refusal, "{models:?}");
    }
}

#[test]
fn so_many_models_are_looked_at_whoever_sells_them_too() {
    // Two of these sell the same model, among the cheapest of each, at prices of their own.
    let case = Case::new("auto", "u:deepinfra u:together u:groq")
        .with(|case| case.request.needs = vec![Capability::Tools]);
    let plan = case.plan();
    let is_cheapest = |one: &&Candidate| matches!(one.reason.task, Some((_, Chosen::Cheapest)));
    let cheapest = plan.candidates.iter().filter(is_cheapest);
    let models: BTreeSet<&str> = cheapest.map(|one| &*one.model).collect();
    assert_eq!(models.len(), 4, "{models:?}");
}

#[test]
fn whoever_serves_the_cheapest_model_is_chosen_by_price_too() {
    let (catalog, cheapest) = models();
    let price = |one: &Candidate| {
        let seen = WrittenHealth.seen(&one.provider, &one.model, NOW_MS);
        let mut offers = cheapest.find(catalog, &one.provider, |model| *model.id == *one.model);
        offers.next().map(|(price, _)| weighed(price, seen))
    };
    for need in [
        Capability::Tools,
        Capability::JsonSchema,
        Capability::Vision,
    ] {
        let keys = "u:deepinfra u:groq u:openai u:openrouter u:together";
        let plan = Case::new("auto", keys)
            .with(|case| {
                case.request.needs = vec![need];
                // As much of each as prices are compared by.
                (case.request.prompt_tokens, case.request.output_tokens) = (3, 1);
            })
            .plan();
        let is_cheapest = |one: &&Candidate| matches!(one.reason.task, Some((_, Chosen::Cheapest)));
        let found: Vec<_> = plan.candidates.iter().filter(is_cheapest).collect();
        for of_model in found.chunk_by(|one, next| one.model == next.model) {
            let least = of_model.iter().filter_map(|one| price(one)).min();
            assert_eq!(price(of_model[0]), least, "{need:?}: {of_model:#?}");
        }
    }
}

#[test]
fn what_fails_most_of_the_time_is_not_the_cheapest() {
    let needs = |case: &mut Case| case.request.needs = vec![Capability::Tools];
    let first = |keys: &str| Case::new("auto", keys).with(needs).order();
    let (failing, well) = ("u:deepinfra", "u:groq");
    let both = first(&format!("{failing} {well}"));
    assert!(both.starts_with(well), "{both}");
    assert!(first(failing).starts_with(failing));
}
