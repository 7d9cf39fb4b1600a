//! Policies and requests as they are drawn.

use keyward_testkit::{Client, canary};
use serde_json::{Value, json};

use super::dice::Dice;

pub(super) const PROVIDERS: [&str; 3] = ["openai", "groq", "openrouter"];

/// Models that several of them have, one that only OpenRouter may know, and one that nobody knows.
const MODELS: [&str; 12] = [
    "openai/gpt-4o",
    "openai/gpt-4o-mini",
    "gpt-4.1-nano",
    "openai/gpt-5-mini",
    "openai/gpt-oss-120b",
    "openai/gpt-oss-20b",
    "meta-llama/llama-3.3-70b-instruct",
    "meta-llama/llama-3.1-8b-instruct",
    "openai/gpt-4.1-mini:nitro",
    "meta-llama/llama-3.3-70b-instruct:floor",
    "deepseek/deepseek-unheard-of",
    "nobody-knows-it",
];
const PATTERNS: [&str; 4] = ["openai/*", "openai/gpt-4*", "meta-llama/*", "*"];
const TASKS: [&str; 3] = ["code", "reasoning", "chat"];
/// No policy's cap is what ends a request here: that is metering's to say, not the plan's.
const CAP: &str = "50";

/// A name that policies may give a model.
const ALIAS: &str = "ours";

/// What an owner allows; often everything.
pub(super) fn policy(dice: &mut Dice) -> Value {
    let mut policy = json!({});
    if dice.falls(40) {
        policy["prefer"] = dice.one_of(&["openrouter", "provider"]).into();
    }
    if dice.falls(15) {
        policy["own_keys"] = dice.one_of(&["forbidden", "required"]).into();
    }
    if dice.falls(30) {
        policy["keys_first"] = dice.one_of(&["own", "organization"]).into();
    }
    if dice.falls(25) {
        policy["fallback"] = dice.one_of(&["none", "own-keys", "credits"]).into();
    }
    if dice.falls(15) {
        policy["credits"] = "forbidden".into();
    }
    if dice.falls(15) {
        policy["max_charge"] = CAP.into();
    }
    if dice.falls(20) {
        policy["providers"] = access(dice, &PROVIDERS);
    }
    if dice.falls(15) {
        policy["models"] = access(dice, &PATTERNS[..3]);
    }
    if dice.falls(40) {
        policy["aliases"] = json!({ALIAS: dice.one_of(&MODELS[..8])});
    }
    if dice.falls(20) {
        let models = [dice.one_of(&MODELS[..8]), dice.one_of(&MODELS[..8])];
        policy["tasks"] = json!({dice.one_of(&TASKS): models});
    }
    let rules = dice.below(3);
    policy["rules"] = (0..rules).map(|number| rule(dice, number)).collect();
    policy
}

fn access(dice: &mut Dice, names: &[&str]) -> Value {
    match dice.falls(50) {
        true => json!({"allow": dice.some_of(names)}),
        false => json!({"block": [dice.one_of(names)]}),
    }
}

fn rule(dice: &mut Dice, number: usize) -> Value {
    let when = match dice.below(4) {
        0 => json!({"model": dice.one_of(&PATTERNS)}),
        1 => json!({"tags": {"team": "search*"}}),
        2 => json!({"prompt_tokens": {"min": 500}}),
        _ => json!({"task": dice.one_of(&TASKS)}),
    };
    let mut rule = json!({"name": format!("rule {number}"), "match": when});
    match dice.below(4) {
        0 => rule["providers"] = json!([dice.one_of(&PROVIDERS), dice.one_of(&PROVIDERS)]),
        1 => rule["order"] = json!([dice.one_of(&PROVIDERS)]),
        2 => rule["weights"] = json!({dice.one_of(&PROVIDERS): 3, "openrouter": 2}),
        _ => rule["max_charge"] = CAP.into(),
    }
    rule
}

/// A request: its body, and who asks with which headers.
pub(super) struct Wish {
    pub(super) body: Value,
    /// What is found in nobody else's.
    pub(super) marker: String,
    /// The key that it brings.
    pub(super) inline: Option<String>,
    pub(super) client: Client,
}

impl Wish {
    pub(super) fn draw(dice: &mut Dice, client: &Client) -> Self {
        let marker = canary::characters(20);
        let mut wish = Self {
            body: body(dice, &marker),
            marker,
            inline: None,
            client: client.clone(),
        };
        let mut say = |name: &str, value: &str| wish.client = wish.client.with(name, value);
        if dice.falls(40) {
            let fallback = ["none", "own-keys", "credits", "credits;max=50"];
            say("x-keyward-fallback", dice.one_of(&fallback));
        }
        if dice.falls(30) {
            let tags = ["team=search-eu", "team=ads"];
            say("x-keyward-tags", dice.one_of(&tags));
        }
        if dice.falls(10) {
            say("x-keyward-task", dice.one_of(&TASKS));
        }
        let inline_provider = dice.one_of(&PROVIDERS);
        if dice.falls(8) {
            say("x-byok-provider", inline_provider);
        }
        if dice.falls(12) {
            let key = canary::provider_key(inline_provider);
            say("x-byok-api-key", &key);
            wish.inline = Some(key);
        }
        wish
    }

    pub(super) fn question(&self) -> Value {
        json!({"request": self.body})
    }
}

fn body(dice: &mut Dice, marker: &str) -> Value {
    let padding = match dice.below(4) {
        0 => "word ".repeat(800),
        1 => "```rust\nfn main() {}\n```".to_owned(),
        _ => String::new(),
    };
    let content = format!("{marker} {padding}");
    let mut body = json!({
        "model": model(dice), "max_tokens": 64,
        "messages": [{"role": "user", "content": content}],
    });
    if dice.falls(30) {
        body["models"] = json!([dice.one_of(&MODELS), dice.one_of(&MODELS)]);
    }
    if dice.falls(35) {
        body["provider"] = preferences(dice);
    }
    if dice.falls(10) {
        body["reasoning_effort"] = "low".into();
    }
    if dice.falls(10) {
        let function = json!({"name": "look_up", "parameters": {"type": "object"}});
        body["tools"] = json!([{"type": "function", "function": function}]);
    }
    if dice.falls(30) {
        body["stream"] = true.into();
    }
    body
}

fn model(dice: &mut Dice) -> &'static str {
    match dice.below(10) {
        0 => "auto",
        1 | 2 => ALIAS,
        3 => dice.one_of(&MODELS[8..]),
        _ => dice.one_of(&MODELS[..8]),
    }
}

fn preferences(dice: &mut Dice) -> Value {
    let named = [dice.one_of(&PROVIDERS), dice.one_of(&PROVIDERS)];
    match dice.below(10) {
        0 => json!({"order": named}),
        1 => json!({"order": named, "allow_fallbacks": false}),
        2 => json!({"only": named}),
        3 => json!({"ignore": [named[0]]}),
        4 => json!({"allow_fallbacks": false}),
        5 => json!({"sort": dice.one_of(&["price", "throughput", "latency"])}),
        6 => json!({"max_price": {"prompt": dice.one_of(&[0.1, 1.0, 10.0])}}),
        7 => json!({"require_parameters": true}),
        8 => json!({"data_collection": "deny"}),
        _ => json!({"zdr": true}),
    }
}
