//! Whatever is wrong with a policy is told by its place, and what may be kept can be read.

use keyward_proto::router::v1::{
    AccessList, CachePolicy, RoutingPolicy, RoutingRule, RuleHours, RuleMatch, TaskModels,
};
use proptest::prelude::*;

use super::*;

fn has_provider(name: &str) -> bool {
    ["openai", "groq", "openrouter"].contains(&name)
}

fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}

/// A policy in which everything is said.
fn whole() -> RoutingPolicy {
    RoutingPolicy {
        prefer: proto::KeyPreference::Provider.into(),
        own_keys: proto::OwnKeys::Required.into(),
        keys_first: proto::KeysFirst::Organization.into(),
        fallback: proto::Fallback::OwnKeys.into(),
        fallback_max_charge_nanos: Some(5),
        forbid_credits: true,
        max_charge_nanos: Some(7),
        providers: Some(AccessList {
            allow: texts(["openai", "g*"]),
            block: texts(["groq"]),
        }),
        models: Some(AccessList {
            allow: texts(["openai/*"]),
            block: texts(["*-mini"]),
        }),
        aliases: [("fast".to_owned(), "openai/gpt-4o-mini".to_owned())].into(),
        tasks: vec![TaskModels {
            task: "code".to_owned(),
            models: texts(["openai/gpt-4o"]),
        }],
        rules: vec![rule("nights")],
        cache: Some(CachePolicy {
            enabled: true,
            lifetime_seconds: 60,
        }),
    }
}

fn rule(name: &str) -> RoutingRule {
    RoutingRule {
        name: name.to_owned(),
        r#match: Some(RuleMatch {
            model: "openai/*".to_owned(),
            endpoint: "chat.completions".to_owned(),
            task: "code".to_owned(),
            tags: [("team".to_owned(), "search-*".to_owned())].into(),
            prompt_tokens_min: Some(1),
            prompt_tokens_max: Some(9),
            hours: Some(RuleHours {
                from: "22:00".to_owned(),
                to: "06:30".to_owned(),
                days: texts(["monday", "sunday"]),
                time_zone: "Europe/Berlin".to_owned(),
            }),
        }),
        providers: texts(["OpenAI"]),
        order: texts(["openai", "groq"]),
        weights: [("openai".to_owned(), 3)].into(),
        max_charge_nanos: Some(9),
    }
}

#[test]
fn everything_that_is_said_is_read() {
    let read = check(&whole(), has_provider).unwrap();
    assert_eq!(read.prefer, Some(Prefer::Provider));
    assert_eq!(read.own_keys, OwnKeys::Required);
    assert_eq!(read.keys_first, Some(KeysFirst::Organization));
    assert_eq!(read.fallback, Some(Fallback::OwnKeys));
    assert_eq!(read.fallback_max_charge, Some(Nanos::new(5)));
    assert!(read.forbids_credits);
    assert_eq!(read.max_charge, Some(Nanos::new(7)));
    assert!(read.providers.permits("openai") && !read.providers.permits("groq"));
    assert!(read.models.permits("openai/gpt-4o"));
    assert_eq!(read.aliases["fast"], "openai/gpt-4o-mini");
    assert_eq!(read.tasks[&Task::Code], ["openai/gpt-4o"]);
    let caching = read.caching.unwrap();
    assert_eq!(
        (caching.enabled, caching.lifetime),
        (true, Some(Duration::from_mins(1)))
    );
    let [rule] = &read.rules[..] else {
        panic!("{read:?}");
    };
    assert_eq!(&*rule.name, "nights");
    assert_eq!(rule.then.providers, ["openai"]);
    assert_eq!(rule.then.weights["openai"], 3);
    assert_eq!(rule.then.max_charge, Some(Nanos::new(9)));
    assert_eq!(rule.when.prompt_tokens, Some(1..=9));
    assert!(rule.when.tags["team"].matches("search-eu"));
    let hours = rule.when.hours.as_ref().unwrap();
    // A Sunday, an hour ahead of UTC.
    assert!(hours.contains("2026-11-22T21:00:00Z".parse().unwrap()));
    assert!(!hours.contains("2026-11-22T20:59:00Z".parse().unwrap()));
}

#[test]
fn an_empty_policy_allows_everything() {
    let read = check(&RoutingPolicy::default(), has_provider);
    assert_eq!(read, Ok(Policy::default()));
}

/// A policy with one thing changed, and the place where that is wrong.
type Wrong = (&'static str, fn(&mut RoutingPolicy));

const WRONG: &[Wrong] = &[
    ("prefer", |p| p.prefer = 9),
    ("own_keys", |p| p.own_keys = 9),
    ("keys_first", |p| p.keys_first = 9),
    ("fallback", |p| p.fallback = 9),
    ("fallback_max_charge", |p| {
        p.fallback_max_charge_nanos = Some(-1);
    }),
    ("max_charge", |p| p.max_charge_nanos = Some(i64::MAX)),
    ("providers.block[0]", |p| access(p).block = texts(["grok"])),
    ("providers.allow[1]", |p| {
        access(p).allow = texts(["g*", ""]);
    }),
    ("providers.allow", |p| {
        access(p).allow = vec!["*".to_owned(); 257];
    }),
    ("models.block[0]", |p| models(p).block = texts([" x"])),
    ("models.allow[0]", |p| {
        models(p).allow = vec!["x".repeat(257)];
    }),
    ("aliases.auto", |p| alias(p, "auto", "openai/gpt-4o")),
    ("aliases.best", |p| alias(p, "best", "auto")),
    ("aliases.quick", |p| alias(p, "quick", "fast")),
    ("aliases.self", |p| alias(p, "self", "self")),
    ("aliases.none", |p| alias(p, "none", "")),
    ("tasks.poetry", |p| p.tasks[0].task = "poetry".to_owned()),
    ("tasks.code", |p| p.tasks[0].models.clear()),
    ("tasks.code", |p| p.tasks.push(p.tasks[0].clone())),
    ("tasks.code[0]", |p| p.tasks[0].models = texts([""])),
    ("rules", |p| {
        p.rules = (0..101).map(|n| rule(&n.to_string())).collect();
    }),
    ("rules[0].name", |p| p.rules[0].name.clear()),
    ("rules[1].name", |p| p.rules.push(rule("nights"))),
    ("rules[1]", |p| {
        p.rules.push(RoutingRule {
            name: "idle".to_owned(),
            ..RoutingRule::default()
        });
    }),
    ("rules[0].providers[0]", |p| {
        p.rules[0].providers = texts(["*"]);
    }),
    ("rules[0].order[1]", |p| {
        p.rules[0].order[1] = "grok".to_owned();
    }),
    ("rules[0].weights.grok", |p| weigh(p, "grok", 1)),
    ("rules[0].weights.groq", |p| weigh(p, "groq", u32::MAX)),
    ("rules[0].max_charge", |p| {
        p.rules[0].max_charge_nanos = Some(-5);
    }),
    ("rules[0].match.model", |p| {
        when(p).model = "a\nb".to_owned();
    }),
    ("rules[0].match.endpoint", |p| {
        when(p).endpoint = "chat".to_owned();
    }),
    ("rules[0].match.task", |p| {
        when(p).task = "poetry".to_owned();
    }),
    ("rules[0].match.tags.team", |p| {
        when(p).tags = [("team".to_owned(), String::new())].into();
    }),
    ("rules[0].match.prompt_tokens", |p| {
        when(p).prompt_tokens_min = Some(10);
    }),
    ("rules[0].match.hours.from", |p| hours(p).from.clear()),
    ("rules[0].match.hours.to", |p| {
        hours(p).to = "24:30".to_owned();
    }),
    ("rules[0].match.hours.days[0]", |p| {
        hours(p).days = texts(["Mon"]);
    }),
    ("rules[0].match.hours.time_zone", |p| {
        hours(p).time_zone = "Mars/North".to_owned();
    }),
    ("cache.lifetime_seconds", |p| {
        p.cache.as_mut().unwrap().lifetime_seconds = u32::MAX;
    }),
    ("policy", |p| {
        let list = vec!["x".repeat(256); 256];
        access(p).allow = vec!["*".to_owned()];
        *models(p) = AccessList {
            allow: list.clone(),
            block: list,
        };
    }),
];

fn access(policy: &mut RoutingPolicy) -> &mut AccessList {
    policy.providers.as_mut().unwrap()
}

fn models(policy: &mut RoutingPolicy) -> &mut AccessList {
    policy.models.as_mut().unwrap()
}

fn alias(policy: &mut RoutingPolicy, alias: &str, model: &str) {
    policy.aliases.insert(alias.to_owned(), model.to_owned());
}

fn weigh(policy: &mut RoutingPolicy, provider: &str, weight: u32) {
    policy.rules[0].weights.insert(provider.to_owned(), weight);
}

fn when(policy: &mut RoutingPolicy) -> &mut RuleMatch {
    policy.rules[0].r#match.as_mut().unwrap()
}

fn hours(policy: &mut RoutingPolicy) -> &mut RuleHours {
    when(policy).hours.as_mut().unwrap()
}

#[test]
fn what_is_wrong_is_told_by_its_place() {
    for (place, change) in WRONG {
        let mut policy = whole();
        change(&mut policy);
        let misfit = check(&policy, has_provider).unwrap_err();
        assert_eq!(misfit.place, *place, "{misfit}");
    }
}

#[test]
fn a_provider_that_is_gone_does_not_make_a_kept_policy_unreadable() {
    let read = check(&whole(), has_provider).unwrap();
    assert_eq!(
        check(&whole(), |_| false).unwrap_err().place,
        "providers.allow[0]"
    );
    assert_eq!(Policy::read(&whole()), Ok(read));
}

prop_compose! {
    fn rules()(
        name in "[a-z]{0,3}",
        providers in prop::collection::vec("openai|groq|grok|\\*", 0..3),
        max_charge_nanos in prop::option::of(-1i64..3),
        model in "[a-z*/]{0,5}",
        task in "(code|chat|poetry)?",
        (min, max) in (prop::option::of(0u64..5), prop::option::of(0u64..5)),
        from in "([01][0-9]|2[0-4]):[0-6][0-9]",
        day in prop::collection::vec("monday|friday|Fri", 0..2),
        time_zone in "(UTC|Asia/Tokyo|Nowhere)?",
    ) -> RoutingRule {
        RoutingRule {
            name,
            providers,
            max_charge_nanos,
            r#match: Some(RuleMatch {
                model,
                task,
                prompt_tokens_min: min,
                prompt_tokens_max: max,
                hours: Some(RuleHours { to: from.clone(), from, days: day, time_zone }),
                ..RuleMatch::default()
            }),
            ..RoutingRule::default()
        }
    }
}

proptest! {
    /// Else an owner's requests would be refused for a policy that was taken.
    #[test]
    fn what_may_be_kept_can_be_read_from_its_bytes(
        rules in prop::collection::vec(rules(), 0..3),
        (prefer, fallback) in (-1..5, -1..5),
        aliases in prop::collection::btree_map("[a-c]", "[a-e]|auto", 0..3),
    ) {
        let policy = RoutingPolicy { rules, prefer, fallback, aliases, ..RoutingPolicy::default() };
        let kept = check(&policy, has_provider);
        let decoded: RoutingPolicy = prost::Message::decode(&*prost::Message::encode_to_vec(&policy)).unwrap();
        prop_assert_eq!(&decoded, &policy);
        if kept.is_ok() {
            prop_assert_eq!(Policy::read(&decoded), kept);
        }
    }
}
