//! Limits, from outside: who is let in, what refused callers are told, what own keys are spared, and
//! what happens to it all when routers die and Redis goes away.

use std::time::{Duration, Instant};

use futures::future::join_all;
use futures::{StreamExt as _, stream};
use keyward_testkit::{
    Answer, Client, PrivateRedis, Role, Script, Tenant, Topology, canary, client, wait,
};
use serde_json::{Value, json};

use crate::system::{System, both, shared};

both! {
    sixty_a_minute_pass_and_the_next_is_told_when_to_come_back,
    tokens_are_counted_as_they_were_used,
    the_eleventh_at_one_time_is_refused_until_one_is_over,
    a_request_larger_than_a_limit_is_told_that_it_can_never_pass,
}

/// What an echo of three words is charged at the tier's markup of 5 %: three words in, three out.
const CHARGE_NANOS: u64 = 9_450;

/// A user whose tier has these limits, with credits.
async fn limited(system: &System, limits: Value) -> Tenant {
    let tier = canary::name("tier");
    let body = json!({"tier": tier, "markup_basis_points": 500, "default_limits": limits});
    let made = system.gateway.admin().post("/api/v1/tiers", body).await;
    assert_eq!(made.status.as_u16(), 201, "{}", made.text());
    let tenant = Tenant::new(&system.gateway, &tier).await;
    tenant.grant("10").await;
    tenant
}

async fn ask(client: &Client) -> Answer {
    client.chat("sandbox/echo", "one two three").await
}

/// So many at once: who was served, who was refused, and how long it took.
async fn storm(clients: &[&Client], each: usize) -> (Vec<Answer>, Vec<Answer>, Duration) {
    let start = Instant::now();
    let calls = clients
        .iter()
        .flat_map(|client| (0..each).map(|_| ask(client)));
    let answers = join_all(calls).await;
    let (served, refused) = answers.into_iter().partition(|a| a.status.is_success());
    (served, refused, start.elapsed())
}

/// No more than bursts and what came in the time between.
#[track_caller]
fn assert_within(served: usize, bursts: usize, took: Duration) {
    let most = bursts + usize::try_from(took.as_secs()).unwrap() + 1;
    assert!(served <= most, "{served} of {most} in {took:?}");
}

async fn sixty_a_minute_pass_and_the_next_is_told_when_to_come_back(topology: Topology) {
    let system = shared(topology).await;
    for scope in ["user", "access_key"] {
        let limits = json!({"requests_per_minute": 60});
        let client = if scope == "user" {
            limited(&system, limits).await.client
        } else {
            let tenant = limited(&system, json!({})).await;
            let key = tenant.access_key(json!({"limits": limits})).await;
            system.gateway.client(&key)
        };
        let (served, refused, took) = storm(&[&client], 80).await;
        assert!(served.len() >= 60, "{} served", served.len());
        assert_within(served.len(), 60, took);
        let least = served.iter().map(|answer| {
            assert_eq!(answer.header("x-ratelimit-limit-requests"), "60");
            assert!(answer.header("x-ratelimit-reset-requests").ends_with('s'));
            assert_eq!(answer.header("x-ratelimit-limit-tokens"), "");
            let left = answer.header("x-ratelimit-remaining-requests");
            left.parse::<u32>().unwrap()
        });
        assert_eq!(least.min(), Some(0));
        for answer in &refused {
            assert_eq!(answer.error(429), "rate_limit_exceeded");
            assert_eq!(answer.json()["error"]["scope"], scope);
            assert_eq!(answer.header("retry-after"), "1");
            let millis: u64 = answer.header("retry-after-ms").parse().unwrap();
            assert!((1..=1000).contains(&millis), "{millis}");
            assert_eq!(answer.header("x-ratelimit-remaining-requests"), "0");
            assert_eq!(answer.header("x-should-retry"), "");
            assert!(answer.message().contains("60 requests a minute"));
        }
        // Who comes back when told passes.
        let last = refused.last().expect("some were refused");
        let millis = last.header("retry-after-ms").parse().unwrap();
        tokio::time::sleep(Duration::from_millis(millis)).await;
        let _ = ask(&client).await.ok();
    }
}

async fn tokens_are_counted_as_they_were_used(topology: Topology) {
    let system = System::own(topology, |launch| launch).await;
    let tenant = limited(&system, json!({"tokens_per_minute": 20_000})).await;
    let mut body = client::ask("gpt-4o", "hello");
    body["max_tokens"] = json!(9_000);
    let answer = Script::ok("Hi.").usage(100, 900);
    system
        .providers
        .openai
        .script(&system.providers.system_key, answer);
    let call = || tenant.client.post("/v1/chat/completions", body.clone());
    let left = |answer: &Answer| -> i64 {
        assert_eq!(answer.header("x-ratelimit-limit-tokens"), "20000");
        answer
            .header("x-ratelimit-remaining-tokens")
            .parse()
            .unwrap()
    };
    // Each takes 9,000 and some at first, and 1,000 in the end: without that the third would fail.
    let start = Instant::now();
    let first = left(&call().await.ok());
    assert!((10_800..=11_000).contains(&first), "{first}");
    for number in 1..=4 {
        let now = left(&call().await.ok());
        let run_off = 20_000 * i64::try_from(start.elapsed().as_millis()).unwrap() / 60_000 + 1;
        let expect = first - 1_000 * number;
        let most = (expect + run_off).min(first);
        assert!(
            (expect..=most).contains(&now),
            "{now}, not {expect}..={most}"
        );
    }
}

async fn the_eleventh_at_one_time_is_refused_until_one_is_over(topology: Topology) {
    let system = shared(topology).await;
    let tenant = limited(&system, json!({})).await;
    let key = json!({"limits": {"concurrency": 10}});
    let client = system.gateway.client(&tenant.access_key(key).await);
    let mut streams = Vec::new();
    for _ in 0..10 {
        let mut body = client::ask("sandbox/slow", &"word ".repeat(2_000));
        body["stream"] = json!(true);
        streams.push(client.stream(body).await);
    }
    let refused = ask(&client).await;
    assert_eq!(refused.error(429), "rate_limit_exceeded");
    assert!(refused.message().contains("10 requests at one time"));
    assert_eq!(refused.json()["error"]["scope"], "access_key");
    assert_eq!(refused.header("retry-after"), "1");
    drop(streams.pop());
    wait::until("a slot to be free", || async {
        ask(&client).await.status.is_success()
    })
    .await;
}

async fn a_request_larger_than_a_limit_is_told_that_it_can_never_pass(topology: Topology) {
    let system = shared(topology).await;
    let tenant = limited(&system, json!({"tokens_per_minute": 5})).await;
    let refused = ask(&tenant.client).await;
    assert_eq!(refused.error(413), "request_too_large");
    assert_eq!(refused.json()["error"]["scope"], "user");
    assert_eq!(refused.header("x-should-retry"), "false");
    let _ = tenant.client.chat("sandbox/echo", "two words").await.ok();
}

#[tokio::test]
async fn own_keys_are_not_limited_by_the_platform_and_every_call_is_recorded() {
    const CALLS: usize = 1_000;
    let system = shared(Topology::Embedded).await;
    let limits = json!({"requests_per_minute": 60, "tokens_per_minute": 60, "concurrency": 1});
    let tenant = limited(&system, limits).await;
    let own = json!({"provider": "sandbox", "key": "sk-sandbox-own"});
    tenant.add_key(own).await;
    let calls = (0..CALLS).map(|_| ask(&tenant.client));
    let answers: Vec<Answer> = stream::iter(calls).buffer_unordered(16).collect().await;
    for answer in answers {
        let answer = answer.ok();
        assert_eq!(answer.header("x-ratelimit-bypass"), "BYOK API key used");
        assert_eq!(answer.header("x-credits-charged"), "0.00");
        assert_eq!(answer.header("x-ratelimit-limit-requests"), "");
    }
    assert_eq!(tenant.balance().await, "10.00");
    wait::until("every record", || async {
        tenant.records().await.len() == CALLS
    })
    .await;
}

/// A gateway whose router counts in Redis.
async fn with_redis(topology: Topology, redis: &PrivateRedis) -> System {
    System::own(topology, |launch| {
        launch
            .set("redis.url", &redis.url())
            .set("redis.timeout", "5s")
            .set("log.filter", "info")
    })
    .await
}

#[tokio::test]
async fn routers_share_limits_through_redis() {
    let redis = PrivateRedis::start();
    let system = with_redis(Topology::Split, &redis).await;
    let front = system
        .gateway
        .front(&system.gateway.grpc_url(Role::Vault))
        .await;
    let tenant = limited(&system, json!({"requests_per_minute": 60})).await;
    let other = front.client(tenant.client.access_key());
    let (served, refused, took) = storm(&[&tenant.client, &other], 50).await;
    assert!(served.len() >= 60, "{} served", served.len());
    assert_within(served.len(), 60, took);
    for answer in served.iter().chain(&refused) {
        assert_eq!(answer.header("x-ratelimit-mode"), "");
    }
    assert!(!front.log().contains(keyward_testkit::redis::PASSWORD));
}

#[tokio::test]
async fn slots_of_a_killed_router_come_back() {
    let redis = PrivateRedis::start();
    let mut system = with_redis(Topology::Embedded, &redis).await;
    let tenant = limited(&system, json!({"concurrency": 10})).await;
    let mut streams = Vec::new();
    for _ in 0..10 {
        let mut body = client::ask("sandbox/slow", &"word ".repeat(2_000));
        body["stream"] = json!(true);
        streams.push(tenant.client.stream(body).await);
    }
    assert_eq!(ask(&tenant.client).await.error(429), "rate_limit_exceeded");
    system.gateway.kill();
    system.gateway.begin().await;
    let start = Instant::now();
    wait::until("the slots to expire", || async {
        ask(&tenant.client).await.status.is_success()
    })
    .await;
    let took = start.elapsed();
    assert!(took < Duration::from_secs(17), "{took:?}");
}

#[tokio::test]
async fn without_redis_each_router_goes_on_by_itself_and_says_so() {
    let redis = PrivateRedis::start();
    let system = with_redis(Topology::Embedded, &redis).await;
    let tenant = limited(&system, json!({"requests_per_minute": 10})).await;
    assert_eq!(
        ask(&tenant.client).await.ok().header("x-ratelimit-mode"),
        ""
    );
    redis.kill();
    let (served, refused, took) = storm(&[&tenant.client], 30).await;
    assert!(served.len() >= 10, "{} served", served.len());
    assert_within(served.len(), 10, took);
    for answer in served.iter().chain(&refused) {
        assert_eq!(answer.header("x-ratelimit-mode"), "local");
    }
    let metrics = || system.gateway.ops(Role::Router, "/metrics");
    assert!(
        metrics()
            .await
            .text()
            .contains("keyward_router_limits_local 1")
    );
    let log = system.gateway.log(Role::Router);
    assert_eq!(
        log.matches("counted by this process alone").count(),
        1,
        "{log}"
    );
    redis.start_again();
    wait::until("Redis to count again", || async {
        metrics()
            .await
            .text()
            .contains("keyward_router_limits_local 0")
    })
    .await;
    assert_eq!(
        ask(&tenant.client).await.ok().header("x-ratelimit-mode"),
        ""
    );
}

#[tokio::test]
async fn a_redis_that_forgets_under_load_costs_one_burst_and_no_money() {
    let redis = PrivateRedis::start();
    let system = with_redis(Topology::Embedded, &redis).await;
    let tenant = limited(&system, json!({"requests_per_minute": 30})).await;
    let start = Instant::now();
    let client = [&tenant.client];
    let first = storm(&client, 50);
    let forget = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        redis.run(&["FLUSHALL"])
    };
    let ((mut served, ..), _) = tokio::join!(first, forget);
    let (more, refused, _) = storm(&client, 50).await;
    served.extend(more);
    assert!(!refused.is_empty());
    assert_within(served.len(), 60, start.elapsed());
    let spent = served.len() as u64 * CHARGE_NANOS;
    let left = 10_000_000_000 - spent;
    let expect = format!("{}.{:09}", left / 1_000_000_000, left % 1_000_000_000);
    let expect = expect.trim_end_matches('0');
    wait::until("every charge", || async {
        tenant.balance().await == expect
    })
    .await;
}

#[tokio::test]
async fn a_redis_that_is_set_back_costs_one_burst_and_no_money() {
    let redis = PrivateRedis::start();
    let system = with_redis(Topology::Embedded, &redis).await;
    let tenant = limited(&system, json!({"requests_per_minute": 30})).await;
    let body = json!({"amount": "5", "period": "month"});
    let made = tenant
        .client
        .post("/api/v1/budgets", body)
        .await
        .ok()
        .json();
    let budget = format!("/api/v1/budgets/{}", made["id"].as_str().unwrap());
    let start = Instant::now();
    let client = [&tenant.client];
    let (mut served, ..) = storm(&client, 10).await;
    redis.run(&["SAVE"]);
    let (more, refused, _) = storm(&client, 50).await;
    served.extend(more);
    assert!(!refused.is_empty(), "the burst is used up");

    // It starts with what was saved, where two thirds of the burst are left.
    redis.kill();
    redis.start_again();
    wait::until("Redis to count again", || async {
        let metrics = system.gateway.ops(Role::Router, "/metrics").await;
        metrics.text().contains("keyward_router_limits_local 0")
    })
    .await;
    let (more, refused, _) = storm(&client, 50).await;
    served.extend(more);
    assert!(!refused.is_empty(), "the old counts limit again");
    assert_within(served.len(), 60, start.elapsed());

    let spent = served.len() as u64 * CHARGE_NANOS;
    let decimal = |nanos: u64| {
        let text = format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
        text.trim_end_matches('0').to_owned()
    };
    wait::until("every charge", || async {
        tenant.balance().await == decimal(10_000_000_000 - spent)
    })
    .await;
    let budget = tenant.client.get(&budget).await.ok().json();
    assert_eq!(budget["spent"], decimal(spent).as_str());
    assert_eq!(budget["held"], "0.00");
    let charges = tenant.transactions().await.len() - 1;
    assert_eq!(charges, served.len());
}
