//! `Idempotency-Key` on calls to models: the first answer comes again, once paid for.

use std::time::Duration;

use keyward_testkit::client::ask;
use keyward_testkit::gateway::run;
use keyward_testkit::{
    Answer, Client, Launch, Role, Script, Tenant, TestDatabase, Topology, canary, wait,
};

use crate::served::{CHARGE, MODEL};
use crate::system::{System, both, shared};

async fn the_first_answer_comes_again_and_is_paid_for_once(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1.00").await;
    let (client, question) = (keyed(&tenant), canary::characters(20));
    let first = client.chat(MODEL, &question).await.ok();
    assert_eq!(first.header("x-credits-charged"), CHARGE);
    assert_eq!(first.header("idempotency-replayed"), "");
    let balance = tenant.balance().await;
    let again = client.chat(MODEL, &question).await.ok();
    assert_eq!(again.body, first.body);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.header("x-credits-charged"), "0.00");
    assert_eq!(again.header("x-request-id"), first.header("x-request-id"));
    assert_eq!(again.header("x-provider"), first.header("x-provider"));
    assert_eq!(tenant.balance().await, balance);
    assert_eq!(tenant.records().await.len(), 1);
    assert_eq!(system.providers.openai.keys_seen(&question).len(), 1);
}

async fn another_body_under_the_same_key_is_refused(topology: Topology) {
    let system = shared(topology).await;
    let (tenant, key) = system.own_key().await;
    let client = keyed(&tenant);
    let _ = client.chat(MODEL, "one").await.ok();
    let other = client.chat(MODEL, "two").await;
    assert_eq!(other.error(422), "idempotency_mismatch");
    assert_eq!(system.providers.openai.requests_with(&key).len(), 1);
}

async fn what_is_asked_elsewhere_under_the_same_key_is_another_request(topology: Topology) {
    let system = shared(topology).await;
    let (tenant, key) = system.own_key().await;
    let client = keyed(&tenant);
    let _ = client.chat(MODEL, "one").await.ok();
    let mut body = ask(MODEL, "one");
    body["max_tokens"] = 16.into();
    let other = client.post("/v1/messages", body).await;
    assert_eq!(other.status.as_u16(), 422, "{}", other.text());
    assert_eq!(system.providers.openai.requests_with(&key).len(), 1);
}

async fn a_second_one_is_refused_while_the_first_runs(topology: Topology) {
    let system = shared(topology).await;
    let (tenant, key) = system.own_key().await;
    let slow = Script::ok("ok").delay(Duration::from_secs(2));
    system.providers.openai.script(&key, slow);
    let client = keyed(&tenant);
    let second = async {
        let openai = &system.providers.openai;
        wait::until("the first is under way", || async {
            !openai.requests_with(&key).is_empty()
        })
        .await;
        client.chat(MODEL, "slow").await
    };
    let (first, second) = futures::join!(client.chat(MODEL, "slow"), second);
    assert_eq!(second.error(409), "idempotency_in_progress");
    assert_eq!(client.chat(MODEL, "slow").await.ok().body, first.ok().body);
}

async fn what_failed_can_be_tried_again_under_its_key(topology: Topology) {
    let system = shared(topology).await;
    let (tenant, key) = system.own_key().await;
    let client = keyed(&tenant).with("x-keyward-fallback", "none");
    for failure in [
        Script::status(503, "overloaded", "Overloaded."),
        Script::bad_request("Your temperature is too high."),
    ] {
        system.providers.openai.script_next(&key, failure);
        assert!(!client.chat(MODEL, "failing").await.status.is_success());
    }
    let answer = client.chat(MODEL, "failing").await.ok();
    assert_eq!(answer.header("idempotency-replayed"), "");
    let again = client.chat(MODEL, "failing").await.ok();
    assert_eq!(again.header("idempotency-replayed"), "true");
}

async fn two_callers_with_the_same_key_have_nothing_in_common(topology: Topology) {
    let system = shared(topology).await;
    let shared_key = canary::name("same");
    for _ in 0..2 {
        let (tenant, _) = system.own_key().await;
        let client = tenant.client.with("idempotency-key", &shared_key);
        let answer: Answer = client.chat(MODEL, "hello").await.ok();
        assert_eq!(answer.header("idempotency-replayed"), "");
    }
}

async fn streams_are_not_remembered(topology: Topology) {
    let system = shared(topology).await;
    let (tenant, key) = system.own_key().await;
    let client = keyed(&tenant);
    for _ in 0..2 {
        let finished = client.chat_stream(MODEL, "hello").await.finish().await;
        assert!(finished.is_done());
    }
    assert_eq!(system.providers.openai.requests_with(&key).len(), 2);
}

#[tokio::test]
async fn an_answer_outlives_the_gateway_and_cannot_be_read_in_its_files() {
    let mut system = System::own(Topology::Embedded, |launch| launch).await;
    let (tenant, key) = system.own_key().await;
    system
        .providers
        .openai
        .script(&key, Script::ok("canaryanswer"));
    let client = keyed(&tenant);
    let first = client.chat(MODEL, "canaryquestion").await.ok();
    for (path, bytes) in system.gateway.data_files() {
        for word in ["canaryanswer", "canaryquestion"] {
            let found = bytes
                .windows(word.len())
                .any(|window| window == word.as_bytes());
            assert!(!found, "{word} in {}", path.display());
        }
    }
    system.gateway.restart().await;
    let path = "/v1/chat/completions";
    let client = system.gateway.client(tenant.client.access_key());
    let client = client.with("idempotency-key", &key_of(&tenant));
    let again = client.post(path, ask(MODEL, "canaryquestion")).await.ok();
    assert_eq!(again.body, first.body);
    assert_eq!(again.header("idempotency-replayed"), "true");
}

#[tokio::test]
async fn what_a_router_had_under_way_when_it_died_can_be_tried_again_soon() {
    let mut system = System::own(Topology::Split, |launch| launch).await;
    let (tenant, key) = system.own_key().await;
    let client = keyed(&tenant);
    let System {
        gateway, providers, ..
    } = &mut system;
    providers.openai.script_next(&key, Script::Hang);
    let death = async {
        wait::until("the first is under way", || async {
            !providers.openai.requests_with(&key).is_empty()
        })
        .await;
        gateway.kill_role(Role::Router);
        gateway.begin_role(Role::Router).await;
    };
    let (first, ()) = futures::join!(client.chat(MODEL, "dying"), death);
    assert!(!first.status.is_success());
    let mut again = client.chat(MODEL, "dying").await;
    assert_eq!(again.error(409), "idempotency_in_progress");
    // Its place is held for half a minute.
    for _ in 0..60 {
        if again.status.as_u16() != 409 {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        again = client.chat(MODEL, "dying").await;
    }
    let again = again.ok();
    assert_eq!(again.header("idempotency-replayed"), "");
    assert_eq!(client.chat(MODEL, "dying").await.ok().body, again.body);
    assert_eq!(providers.openai.requests_with(&key).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_router_answers_another_of_the_same_store_gives_again() {
    let database = TestDatabase::new();
    let url = database.url();
    migrate_router(&url);
    let on_postgres = |launch: Launch| launch.set("router.store.url", &url);
    let system = System::own(Topology::Split, on_postgres).await;
    let (tenant, key) = system.own_key().await;
    let front = system
        .gateway
        .front(&system.gateway.grpc_url(Role::Vault))
        .await;
    let here = keyed(&tenant);
    let there = front.client(tenant.client.access_key());
    let there = there.with("idempotency-key", &key_of(&tenant));
    let slow = Script::ok("ok").delay(Duration::from_secs(4));
    system.providers.openai.script(&key, slow);
    let second = async {
        let openai = &system.providers.openai;
        wait::until("the first is under way", || async {
            !openai.requests_with(&key).is_empty()
        })
        .await;
        there.chat(MODEL, "slow").await
    };
    let (first, second) = futures::join!(here.chat(MODEL, "slow"), second);
    assert_eq!(second.error(409), "idempotency_in_progress");
    let again = there.chat(MODEL, "slow").await.ok();
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.body, first.ok().body);
    assert_eq!(
        there.chat(MODEL, "other").await.error(422),
        "idempotency_mismatch"
    );
    assert_eq!(system.providers.openai.requests_with(&key).len(), 1);
}

fn migrate_router(url: &str) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let variables = [
        ("KEYWARD_ROUTER__STORE__URL", url),
        ("KEYWARD_DATA_DIR", data.to_str().unwrap()),
    ];
    let done = run(&["migrate"], &variables, folder.path());
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

/// One key for each tenant.
fn key_of(tenant: &Tenant) -> String {
    format!("key-{}", tenant.user)
}

fn keyed(tenant: &Tenant) -> Client {
    tenant.client.with("idempotency-key", &key_of(tenant))
}

both!(
    the_first_answer_comes_again_and_is_paid_for_once,
    another_body_under_the_same_key_is_refused,
    what_is_asked_elsewhere_under_the_same_key_is_another_request,
    a_second_one_is_refused_while_the_first_runs,
    what_failed_can_be_tried_again_under_its_key,
    two_callers_with_the_same_key_have_nothing_in_common,
    streams_are_not_remembered,
);
