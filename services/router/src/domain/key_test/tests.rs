//! Per provider: what is asked, and what each answer means.

use keyward_catalog::Dialect;
use url::Url;

use super::*;

fn urls(provider: &str, dialect: Dialect, base: &str, api_version: &str) -> Vec<(String, Weight)> {
    let base = Url::parse(base).unwrap();
    let calls = plan(provider, dialect, &base, api_version).calls;
    calls
        .into_iter()
        .map(|call| (call.url, call.weight))
        .collect()
}

#[test]
fn each_provider_is_asked_by_its_cheapest_call_that_needs_the_key() {
    use Dialect::{Anthropic, Azure, Google, OpenAi};
    use Weight::{Adds, Decides, DecidesInstead};
    type Case = (
        &'static str,
        Dialect,
        &'static str,
        &'static [(&'static str, Weight)],
    );
    let cases: &[Case] = &[
        (
            "openrouter",
            OpenAi,
            "https://openrouter.ai/api/v1",
            &[
                ("https://openrouter.ai/api/v1/key", Decides),
                ("https://openrouter.ai/api/v1/credits", Adds),
            ],
        ),
        (
            "openai",
            OpenAi,
            "https://api.openai.com/v1/",
            &[("https://api.openai.com/v1/models", Decides)],
        ),
        (
            "groq",
            OpenAi,
            "https://api.groq.com/openai/v1",
            &[("https://api.groq.com/openai/v1/models", Decides)],
        ),
        (
            "mistral",
            OpenAi,
            "https://api.mistral.ai/v1",
            &[("https://api.mistral.ai/v1/models", Decides)],
        ),
        (
            "xai",
            OpenAi,
            "https://api.x.ai/v1",
            &[("https://api.x.ai/v1/models", Decides)],
        ),
        (
            "my-vllm",
            OpenAi,
            "http://10.0.0.1:8000/v1",
            &[("http://10.0.0.1:8000/v1/models", Decides)],
        ),
        (
            "deepseek",
            OpenAi,
            "https://api.deepseek.com",
            &[
                ("https://api.deepseek.com/models", Decides),
                ("https://api.deepseek.com/user/balance", Adds),
            ],
        ),
        (
            "anthropic",
            Anthropic,
            "https://api.anthropic.com",
            &[("https://api.anthropic.com/v1/models?limit=1000", Decides)],
        ),
        (
            "google",
            Google,
            "https://generativelanguage.googleapis.com",
            &[(
                "https://generativelanguage.googleapis.com/v1beta/models?pageSize=1000",
                Decides,
            )],
        ),
        (
            "azure",
            Azure,
            "https://mine.openai.azure.com",
            &[
                (
                    "https://mine.openai.azure.com/openai/deployments?api-version=2024-10-21",
                    Decides,
                ),
                (
                    "https://mine.openai.azure.com/openai/models?api-version=2024-10-21",
                    DecidesInstead,
                ),
            ],
        ),
    ];
    for (provider, dialect, base, expect) in cases {
        let found = urls(provider, *dialect, base, "2024-10-21");
        let found: Vec<(&str, Weight)> = found.iter().map(|(url, w)| (url.as_str(), *w)).collect();
        assert_eq!(&found, expect, "{provider}");
    }
}

#[test]
fn a_key_is_shown_in_the_header_that_its_provider_reads() {
    let base = Url::parse("https://llm.example").unwrap();
    for (dialect, name, scheme) in [
        (Dialect::OpenAi, "authorization", "Bearer "),
        (Dialect::Anthropic, "x-api-key", ""),
        (Dialect::Google, "x-goog-api-key", ""),
        (Dialect::Azure, "api-key", ""),
    ] {
        let plan = plan("p", dialect, &base, "v");
        assert_eq!((plan.key.name, plan.key.scheme), (name, scheme));
        assert_eq!(plan.besides.is_some(), dialect == Dialect::Anthropic);
    }
}

fn check(status: u16, body: &str, finding: Finding, said: &str) {
    let body = body.as_bytes();
    let verdict = read(Answer { status, body });
    let told = format!("{status} {}", String::from_utf8_lossy(body));
    assert_eq!(verdict.finding, finding, "{told}");
    assert!(verdict.said.contains(said), "{told}: {}", verdict.said);
}

#[test]
fn an_answer_says_how_the_key_stands_or_nothing() {
    use Finding::{Accepted, NoCredit, NotTold, ProviderFailed, RateLimited, Rejected, TimedOut};
    check(200, r#"{"data":[]}"#, Accepted, "");
    check(200, "[]", Accepted, "");
    check(200, "<html>welcome</html>", NotTold, "no JSON");
    check(
        200,
        r#"{"error":{"code":401,"message":"no"}}"#,
        Rejected,
        "no",
    );
    check(204, "", NotTold, "");
    check(301, r#"{"message":"over there"}"#, NotTold, "over there");
    check(
        400,
        r#"{"error":{"message":"API key not valid. Please"}}"#,
        Rejected,
        "not valid",
    );
    check(
        400,
        r#"{"error":{"message":"unknown member"}}"#,
        NotTold,
        "unknown member",
    );
    check(
        400,
        r#"{"error":{"message":"Your credit balance is too low"}}"#,
        NoCredit,
        "too low",
    );
    check(
        401,
        r#"{"error":{"message":"Incorrect API key provided"}}"#,
        Rejected,
        "Incorrect",
    );
    check(401, "", Rejected, "status 401");
    check(
        402,
        r#"{"error":{"message":"Insufficient Balance"}}"#,
        NoCredit,
        "Balance",
    );
    check(
        403,
        r#"{"error":{"message":"forbidden"}}"#,
        Rejected,
        "forbidden",
    );
    check(404, "not here", NotTold, "status 404");
    check(408, "", TimedOut, "");
    check(
        429,
        r#"{"error":{"message":"slow down"}}"#,
        RateLimited,
        "slow down",
    );
    check(
        429,
        r#"{"error":{"message":"m","type":"insufficient_quota","code":"insufficient_quota"}}"#,
        NoCredit,
        "m",
    );
    check(500, "", ProviderFailed, "status 500");
    check(503, "", ProviderFailed, "");
    check(529, "", ProviderFailed, "");
}

#[test]
fn people_read_the_words_that_they_look_for() {
    for (finding, message) in [
        (Finding::Accepted, "API key is valid"),
        (Finding::Rejected, "Invalid API key"),
        (Finding::NoCredit, "Insufficient credits"),
        (Finding::RateLimited, "Rate limit exceeded"),
    ] {
        assert_eq!(finding.message(), message);
    }
}

fn models(body: &str) -> Vec<String> {
    Told::read(body.as_bytes()).models
}

#[test]
fn models_are_found_in_the_usual_forms_up_to_a_bound() {
    assert_eq!(
        models(r#"{"data":[{"id":"gpt-4o"},{"id":7},{"x":1}]}"#),
        ["gpt-4o"]
    );
    assert_eq!(models(r#"[{"id":"meta/llama"}]"#), ["meta/llama"]);
    assert_eq!(
        models(r#"{"models":[{"name":"models/gemini-2.5-pro"}]}"#),
        ["gemini-2.5-pro"]
    );
    let many: Vec<String> = (0..1000).map(|n| format!(r#"{{"id":"m{n}"}}"#)).collect();
    assert_eq!(
        models(&format!(r#"{{"data":[{}]}}"#, many.join(","))).len(),
        MODELS_MAX
    );
    assert!(
        models(&format!(
            r#"[{{"id":"{}"}},{{"id":"a\nb"}}]"#,
            "m".repeat(300)
        ))
        .is_empty()
    );
}

/// A key that is accepted, with what further answers tell.
fn with(bodies: &[&str]) -> (Finding, Option<i64>, Option<i64>) {
    let first = bodies[0].as_bytes();
    let mut verdict = read(Answer {
        status: 200,
        body: first,
    });
    for body in &bodies[1..] {
        verdict.and(Told::read(body.as_bytes()));
    }
    let balance = verdict.balance;
    (
        verdict.finding,
        balance
            .as_ref()
            .map(|balance| balance.amount_nanos / 1_000_000),
        balance.and_then(|balance| balance.limit_nanos.map(|limit| limit / 1_000_000)),
    )
}

#[test]
fn openrouter_tells_what_is_left_on_the_account_or_of_the_keys_own_limit() {
    use Finding::{Accepted, NoCredit};
    let key = r#"{"data":{"label":"l","usage":1,"limit":null,"limit_remaining":null,"is_free_tier":false}}"#;
    let limited = r#"{"data":{"limit":100,"limit_remaining":74.5,"is_free_tier":false}}"#;
    let used_up = r#"{"data":{"limit":100,"limit_remaining":0,"is_free_tier":false}}"#;
    let free = r#"{"data":{"limit":null,"limit_remaining":null,"is_free_tier":true}}"#;
    let credits = r#"{"data":{"total_credits":100.5,"total_usage":25.75}}"#;
    let spent = r#"{"data":{"total_credits":10,"total_usage":10}}"#;
    let none = r#"{"data":{"total_credits":0,"total_usage":0}}"#;
    assert_eq!(with(&[key]), (Accepted, None, None));
    assert_eq!(with(&[key, credits]), (Accepted, Some(74_750), None));
    assert_eq!(with(&[limited]), (Accepted, Some(74_500), Some(100_000)));
    assert_eq!(with(&[used_up]).0, NoCredit);
    assert_eq!(with(&[key, spent]), (NoCredit, Some(0), None));
    assert_eq!(with(&[free, none]), (Accepted, Some(0), None));
    assert_eq!(
        with(&[key, r#"{"error":{"message":"management keys only"}}"#]),
        (Accepted, None, None)
    );
}

#[test]
fn deepseek_tells_whether_anything_is_left() {
    let models = r#"{"data":[{"id":"deepseek-chat"}]}"#;
    let told = |available: bool| {
        format!(
            r#"{{"is_available":{available},"balance_infos":[{{"currency":"CNY","total_balance":"110.00"}}]}}"#
        )
    };
    assert_eq!(
        with(&[models, &told(true)]),
        (Finding::Accepted, Some(110_000), None)
    );
    assert_eq!(with(&[models, &told(false)]).0, Finding::NoCredit);
    let balance = Told::read(told(true).as_bytes()).balance.unwrap();
    assert_eq!(balance.currency, "CNY");
}
