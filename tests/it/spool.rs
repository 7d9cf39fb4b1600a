//! The router's spool: whatever is lost, and whenever, what was used is recorded once and charged once.

use std::path::Path;
use std::time::Duration;

use keyward_testkit::{Answer, Launch, Role, Script, Tenant, Topology, wait};
use serde_json::Value;

use crate::served::{CHARGE, MODEL};
use crate::system::{System, World, everywhere};

async fn a_stream_whose_router_is_killed_is_charged_for_what_was_delivered(world: World) {
    let (mut system, tenant) = with_credits(world).await;
    let key = system.providers.system_key.clone();
    let script = Script::ok("one two three four five").hang_after(2);
    system.providers.openai.script(&key, script);
    let mut stream = tenant.client.chat_stream(MODEL, "hello").await;
    assert!(stream.next_content().await.is_some());
    let request_id = stream.header("x-request-id").to_owned();
    lose_router(&mut system, world).await;
    drop(stream);

    let record = recorded(&tenant, &request_id).await;
    assert_eq!(record["usage_source"], "recovered", "{record}");
    assert_eq!(record["status"], "cut", "{record}");
    let prompt = record["usage"]["input"].as_i64().unwrap();
    assert!(prompt >= 3, "{record}");
    let charge = record["charge"].as_str().unwrap();
    // At least the prompt, at 150 nano-credits a token and 5 %.
    assert!(nanos(charge) >= prompt * 157, "{record}");
    let credits = tenant.credits().await;
    assert_eq!(credits["held"], "0.00", "{credits}");
    let spent = 1_000_000_000 - nanos(credits["balance"].as_str().unwrap());
    assert_eq!(spent, nanos(charge), "{credits}");

    // What was settled is not settled again.
    lose_router(&mut system, world).await;
    assert_eq!(tenant.records().await.len(), 1);
    assert_eq!(tenant.credits().await, credits);
}

async fn nothing_is_charged_where_the_router_is_killed_before_the_first_byte(world: World) {
    let (mut system, tenant) = with_credits(world).await;
    let key = system.providers.system_key.clone();
    system.providers.openai.script(&key, Script::Hang);
    let mut call = std::pin::pin!(tenant.client.chat(MODEL, "hello"));
    let openai = &system.providers.openai;
    let dispatched = wait::until("the call to be dispatched", || async {
        !openai.requests_with(&key).is_empty()
    });
    tokio::select! {
        _ = &mut call => panic!("it was answered"),
        () = dispatched => {}
    }
    lose_router(&mut system, world).await;
    wait::until("the attempt to be recorded", || async {
        tenant.records().await.len() == 1
    })
    .await;
    let record = &tenant.records().await[0];
    assert_eq!(record["usage_source"], "recovered", "{record}");
    assert_eq!(record["charge"], "0.00", "{record}");
    let credits = tenant.credits().await;
    assert_eq!(
        (&credits["held"], &credits["balance"]),
        (&"0.00".into(), &"1.00".into())
    );
}

async fn an_own_key_in_use_when_its_router_is_killed_has_its_record(world: World) {
    let (mut system, tenant) = with_credits(world).await;
    let (_, key) = tenant.own_key("openai").await;
    let script = Script::ok("one two three four five").hang_after(2);
    system.providers.openai.script(&key, script);
    let mut stream = tenant.client.chat_stream(MODEL, "hello").await;
    assert!(stream.next_content().await.is_some());
    let request_id = stream.header("x-request-id").to_owned();
    lose_router(&mut system, world).await;
    let record = recorded(&tenant, &request_id).await;
    assert_eq!(record["usage_source"], "recovered", "{record}");
    assert_eq!(record["charge"], "0.00", "{record}");
    assert_eq!(tenant.balance().await, "1.00");
}

everywhere!(
    a_stream_whose_router_is_killed_is_charged_for_what_was_delivered,
    nothing_is_charged_where_the_router_is_killed_before_the_first_byte,
    an_own_key_in_use_when_its_router_is_killed_has_its_record,
);

#[tokio::test]
async fn what_was_used_is_charged_once_though_metering_and_then_the_router_are_killed() {
    let (mut system, tenant) = with_credits(World::Split).await;
    let key = system.providers.system_key.clone();
    let slow = Script::ok("ok").delay(Duration::from_millis(100));
    system.providers.openai.script(&key, slow);
    let mut stream = tenant.client.chat_stream(MODEL, "hello").await;
    assert!(stream.next_content().await.is_some());
    let request_id = stream.header("x-request-id").to_owned();
    system.gateway.kill_role(Role::Metering);
    waits(&system, 1).await;
    system.gateway.kill_role(Role::Router);
    drop(stream);
    system.gateway.begin_role(Role::Metering).await;
    system.gateway.begin_role(Role::Router).await;

    let record = recorded(&tenant, &request_id).await;
    assert_eq!(record["usage_source"], "reported", "{record}");
    assert_eq!(record["charge"], CHARGE, "{record}");
    lose_router(&mut system, World::Split).await;
    waits(&system, 0).await;
    assert_eq!(tenant.records().await.len(), 1);
    assert_eq!(tenant.balance().await, "0.999998898");
}

#[tokio::test]
async fn own_keys_serve_while_metering_is_away_and_nothing_is_lost_or_doubled() {
    const REQUESTS: usize = 100;
    let (mut system, tenant) = with_credits(World::Split).await;
    tenant.own_key("openai").await;
    let mut asked = ask(&tenant, 10).await;
    system.gateway.kill_role(Role::Metering);
    asked.extend(ask(&tenant, REQUESTS - 20).await);
    system.gateway.begin_role(Role::Metering).await;
    asked.extend(ask(&tenant, 10).await);
    waits(&system, 0).await;
    let records = tenant.records().await;
    let mut recorded: Vec<&str> = records
        .iter()
        .map(|record| record["request_id"].as_str().unwrap())
        .collect();
    recorded.sort_unstable();
    asked.sort_unstable();
    assert_eq!(recorded, asked);
}

#[tokio::test]
async fn a_router_stops_with_0_though_metering_is_gone_and_tells_it_after_the_next_start() {
    let (mut system, tenant) = with_credits(World::Split).await;
    tenant.own_key("openai").await;
    system.gateway.kill_role(Role::Metering);
    let asked = ask(&tenant, 3).await;
    system.gateway.terminate(Role::Router);
    system.gateway.exited(Role::Router).await;
    let shown = system
        .gateway
        .run_as(Role::Router, &["usage", "spool", "--json"], &[]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["waiting"][0]["kind"], "record", "{shown}");
    assert_eq!(shown["waiting"][0]["count"], 3, "{shown}");
    system.gateway.begin_role(Role::Metering).await;
    system.gateway.begin_role(Role::Router).await;
    waits(&system, 0).await;
    assert_eq!(tenant.records().await.len(), asked.len());
}

#[tokio::test]
async fn what_a_lost_router_left_is_told_by_a_command() {
    let (mut system, tenant) = with_credits(World::Split).await;
    let (_, key) = tenant.own_key("openai").await;
    let _ = ask(&tenant, 1).await;
    system.gateway.kill_role(Role::Metering);
    let mut asked = ask(&tenant, 3).await;
    let script = Script::ok("one two").hang_after(1);
    system.providers.openai.script(&key, script);
    let mut stream = tenant.client.chat_stream(MODEL, "hello").await;
    assert!(stream.next_content().await.is_some());
    asked.push(stream.header("x-request-id").to_owned());
    waits(&system, 3).await;
    system.gateway.kill_role(Role::Router);
    let left = tempfile::tempdir().unwrap();
    for name in ["spool.db", "spool.db-wal"] {
        let from = system.gateway.data_dir().join(name);
        std::fs::rename(from, left.path().join(name)).unwrap();
    }
    let file = left.path().join("spool.db").display().to_string();
    let replay = || {
        let arguments = ["usage", "spool", "replay", &file, "--json"];
        system.gateway.run_as(Role::Router, &arguments, &[])
    };
    let away = replay();
    assert_eq!(away.status.code(), Some(4), "{away:?}");
    system.gateway.begin_role(Role::Metering).await;
    system.gateway.begin_role(Role::Router).await;
    let replay = || {
        let arguments = ["usage", "spool", "replay", &file, "--json"];
        system.gateway.run_as(Role::Router, &arguments, &[])
    };
    let told = replay();
    assert!(told.status.success(), "{told:?}");
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(
        (&told["delivered"], &told["left"]),
        (&4.into(), &0.into()),
        "{told}"
    );
    for request_id in &asked {
        let record = recorded(&tenant, request_id).await;
        let is_last = Some(request_id) == asked.last();
        let source = if is_last { "recovered" } else { "reported" };
        assert_eq!(record["usage_source"], source, "{record}");
    }
    let again: Value = serde_json::from_slice(&replay().stdout).unwrap();
    assert_eq!(again["delivered"], 0, "{again}");
    assert_eq!(tenant.records().await.len(), 5);
}

#[tokio::test]
async fn a_full_disk_refuses_new_work_and_drops_nothing() {
    let small = |launch: Launch| {
        launch
            .set("log.filter", "error")
            .router_files_up_to(Some(128))
    };
    let mut system = System::own(Topology::Split, small).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.own_key("openai").await;
    let mut served = ask(&tenant, 1).await.len();
    system.gateway.kill_role(Role::Metering);
    let refused = loop {
        let calls = (0..20).map(|_| tenant.client.chat(MODEL, "hello"));
        let answers = futures::future::join_all(calls).await;
        let is_served = |answer: &Answer| answer.status.is_success();
        served += answers.iter().filter(|answer| is_served(answer)).count();
        assert!(served < 10_000, "the disk is never full");
        if let Some(refused) = answers.into_iter().find(|answer| !is_served(answer)) {
            break refused;
        }
    };
    assert_eq!(refused.error(503), "overloaded");
    assert!(refused.message().contains("spool"), "{}", refused.message());
    assert_ne!(refused.header("retry-after"), "");

    system.gateway.begin_role(Role::Metering).await;
    waits(&system, 0).await;
    wait::until("requests to be taken on again", || async {
        let answer = tenant.client.chat(MODEL, "hello").await;
        answer.status.is_success()
    })
    .await;
    wait::until("everything to be recorded", || async {
        tenant.records().await.len() > served
    })
    .await;
    assert_eq!(tenant.records().await.len(), served + 1);
}

/// A gateway of its own, and a tenant with a credit.
async fn with_credits(world: World) -> (System, Tenant) {
    let system = System::own_in(world, |launch| launch.set("log.filter", "info")).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    (system, tenant)
}

/// Kills the router's process and starts it again.
async fn lose_router(system: &mut System, world: World) {
    match world.topology() {
        Topology::Embedded => {
            system.gateway.kill();
            system.gateway.begin().await;
        }
        Topology::Split => {
            system.gateway.kill_role(Role::Router);
            system.gateway.begin_role(Role::Router).await;
        }
    }
    let spool = system.gateway.data_dir().join("spool.db");
    assert!(is_private(&spool), "others can read {}", spool.display());
}

fn is_private(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path).unwrap().permissions().mode();
    mode & 0o777 == 0o600
}

/// Asks with an own key, a few at a time; gives the requests' ids.
async fn ask(tenant: &Tenant, count: usize) -> Vec<String> {
    use futures::StreamExt as _;
    let asked = (0..count).map(|_| async {
        let answer = tenant.client.chat(MODEL, "hello").await.ok();
        answer.header("x-request-id").to_owned()
    });
    futures::stream::iter(asked)
        .buffer_unordered(8)
        .collect()
        .await
}

/// Waits until so many events wait in the router's spool.
async fn waits(system: &System, events: usize) {
    let line = format!("keyward_router_spool_depth {events}\n");
    wait::until("the spool's depth", || async {
        let metrics = system.gateway.ops(Role::Router, "/metrics").await.ok();
        metrics.text().contains(&line)
    })
    .await;
}

/// The one record of a request, once it is there.
async fn recorded(tenant: &Tenant, request_id: &str) -> Value {
    wait::for_some("the request to be recorded", || async {
        let mut records = tenant.records().await;
        records.retain(|record| record["request_id"] == request_id);
        assert!(records.len() < 2, "{records:?}");
        records.pop()
    })
    .await
}

/// Nano-credits of a decimal amount.
fn nanos(amount: &str) -> i64 {
    let (whole, fraction) = amount.split_once('.').unwrap();
    let whole: i64 = whole.parse().unwrap();
    let fraction: i64 = format!("{fraction:0<9}").parse().unwrap();
    whole * 1_000_000_000 + fraction
}
