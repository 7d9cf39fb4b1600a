//! A second attempt beside one that takes its time, from outside: who serves, what the receipt tells of
//! both, and that one is charged.

use keyward_testkit::{Script, Tenant, Topology, canary, wait};

use crate::served::{CHARGE, Heard, MODEL, Served};
use crate::system::{Providers, System, both};

/// Enough that the slowest twentieth is known.
const RUNS: usize = 25;

async fn a_slow_first_is_overtaken_and_one_is_charged(topology: Topology) {
    let providers = Providers::start();
    let at_openrouter = canary::provider_key("openrouter");
    let launch = providers
        .launch(topology)
        .system_key("openrouter", &at_openrouter)
        .set("routing.hedge", "p95");
    let gateway = launch.start().await;
    let system = System {
        gateway,
        providers,
        database: None,
    };
    for streamed in [false, true] {
        overtaken(&system, &at_openrouter, streamed).await;
    }
}

async fn overtaken(system: &System, at_openrouter: &str, streamed: bool) {
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    let keys = [
        ("openai", "system", system.providers.system_key.as_str()),
        ("openrouter", "system:openrouter", at_openrouter),
    ];
    let mut first = String::new();
    for _ in 0..RUNS {
        let answer = Heard::of(&tenant.client, MODEL, streamed).await.answer;
        if first.is_empty() {
            answer.header("x-provider").clone_into(&mut first);
        }
    }
    let is_first = |(provider, ..): &&(&str, &str, &str)| *provider == first;
    let slow = keys.iter().find(is_first).unwrap();
    let fast = keys.iter().find(|key| !is_first(key)).unwrap();
    system.providers.named(slow.0).script(slow.2, Script::Hang);
    let served = Served {
        provider: fast.0,
        key: fast.2,
        source: fast.1,
        attempts: "2",
    };
    let heard = Heard::of(&tenant.client, MODEL, streamed).await;
    let answer = &heard.answer;
    served.check_headers(answer);
    assert_eq!(heard.charged, CHARGE);
    let request_id = answer.header("x-request-id").to_owned();
    wait::until("both attempts to be recorded", || async {
        let receipt = tenant.receipt(&request_id).await;
        receipt["attempts"].as_array().map(Vec::len) == Some(2)
    })
    .await;
    let receipt = tenant.receipt(&request_id).await;
    assert_eq!(receipt["charge"], CHARGE, "{receipt}");
    let attempts = receipt["attempts"].as_array().unwrap();
    let lost = attempts.iter().find(|attempt| attempt["attempt"] == 1);
    let lost = lost.unwrap();
    assert_eq!(lost["provider"], slow.0, "{receipt}");
    assert_eq!(lost["status"], "hedged", "{receipt}");
    assert_eq!(lost["charge"], "0.00", "{receipt}");
    let reason = "hedged: another attempt answered first";
    assert_eq!(lost["reason"], reason, "{receipt}");
    system
        .providers
        .named(slow.0)
        .script(slow.2, Script::ok("ok"));
}

both!(a_slow_first_is_overtaken_and_one_is_charged);
