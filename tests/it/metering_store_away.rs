//! Metering's store is away for a while under load: own keys go on, what is for credits is refused,
//! and afterwards every request has its one record.
//!
//! `KEYWARD_TEST_OUTAGE_SECONDS` and `KEYWARD_TEST_REQUESTS_PER_SECOND` ask for more of it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use keyward_testkit::postgres::{PASSWORD, ROLE};
use keyward_testkit::{Answer, PrivatePostgres, Role, Tenant, Topology, wait};
use serde_json::Value;
use tokio::time::{MissedTickBehavior, interval};

use crate::by_hand::asked_for;
use crate::postgres::migrate_metering;
use crate::served::MODEL;
use crate::system::System;

/// How long the outage lasts, and how much is asked meanwhile, where nobody asks for more.
const OUTAGE_SECONDS: u32 = 3;
const REQUESTS_PER_SECOND: u32 = 30;

/// How soon after its return everything must be recorded.
const CAUGHT_UP_WITHIN: Duration = Duration::from_mins(1);

#[tokio::test]
async fn nothing_is_lost_or_doubled_while_meterings_store_is_away() {
    let server = PrivatePostgres::start();
    let url = server.url(ROLE, PASSWORD, &server.make_database());
    migrate_metering(&url);
    let system = System::own(Topology::Split, |launch| {
        let launch = launch.set("metering.store.url", &url);
        launch.set("log.filter", "error")
    })
    .await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    tenant.own_key("openai").await;
    let _ = tenant.client.chat(MODEL, "before").await.ok();
    let _ = tenant.client.chat("sandbox/echo", "before").await.ok();

    server.stop();
    let (mut asked, refused) = under_load(&tenant).await;
    assert!(refused > 0, "nothing was asked for credits");
    server.start_again();
    let back = Instant::now();
    emptied(&system).await;
    let took = back.elapsed();
    println!(
        "{} requests were recorded {took:?} after the return",
        asked.len()
    );
    assert!(took < CAUGHT_UP_WITHIN, "{took:?}");
    wait::until("credits to serve again", || async {
        let answer = tenant.client.chat("sandbox/echo", "after").await;
        answer.status.is_success()
    })
    .await;

    let records = tenant.records().await;
    let mut recorded: Vec<String> = records.iter().filter_map(of_own_key).collect();
    recorded.sort_unstable();
    asked.sort_unstable();
    assert_eq!(recorded.len(), asked.len() + 1, "with the one before");
    let recorded: BTreeSet<_> = recorded.into_iter().collect();
    assert_eq!(recorded.len(), asked.len() + 1, "each once");
    assert!(asked.iter().all(|id| recorded.contains(id)));
    // Two sandbox requests of one word in and one out, at a markup of 5 %.
    assert_eq!(tenant.balance().await, "0.9999937");
}

/// Asks at an even pace with an own key, and now and then for credits; the requests that were
/// served, and how many were refused for lack of a hold.
async fn under_load(tenant: &Tenant) -> (Vec<String>, usize) {
    let rate = asked_for("KEYWARD_TEST_REQUESTS_PER_SECOND", REQUESTS_PER_SECOND);
    let seconds = asked_for("KEYWARD_TEST_OUTAGE_SECONDS", OUTAGE_SECONDS);
    let mut ticks = interval(Duration::from_secs(1) / rate);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut under_way = FuturesUnordered::new();
    let (mut served, mut refused) = (Vec::new(), 0);
    let mut take = |answer: Answer, is_own: bool| {
        if is_own {
            served.push(answer.ok().header("x-request-id").to_owned());
        } else {
            assert_eq!(answer.error(503), "overloaded");
            refused += 1;
        }
    };
    for number in 0..rate * seconds {
        ticks.tick().await;
        let is_own = number % rate != rate / 2;
        under_way.push(async move {
            let model = if is_own { MODEL } else { "sandbox/echo" };
            (tenant.client.chat(model, "meanwhile").await, is_own)
        });
        while let Some(Some((answer, is_own))) = futures::FutureExt::now_or_never(under_way.next())
        {
            take(answer, is_own);
        }
    }
    while let Some((answer, is_own)) = under_way.next().await {
        take(answer, is_own);
    }
    (served, refused)
}

/// Waits until the router's spool holds nothing more.
async fn emptied(system: &System) {
    let start = Instant::now();
    loop {
        let metrics = system.gateway.ops(Role::Router, "/metrics").await.ok();
        if metrics.text().contains("keyward_router_spool_depth 0\n") {
            return;
        }
        assert!(start.elapsed() < CAUGHT_UP_WITHIN, "{}", metrics.text());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn of_own_key(record: &Value) -> Option<String> {
    let is_own = record["key_source"] == "user";
    is_own.then(|| record["request_id"].as_str().unwrap_or_default().to_owned())
}
