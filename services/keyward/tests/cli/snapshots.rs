//! What people see, word for word: each file of `snapshots` is a session with a gateway of its own.
//! `TRYCMD=overwrite` writes what is seen now; times and ids then become `[..]` again by hand.

use keyward_testkit::{Gateway, Launch, Tenant, Topology};
use serde_json::json;
use trycmd::TestCases;

/// Sessions with this gateway, by this access key.
fn session(gateway: &Gateway, access_key: &str, file: &str) -> TestCases {
    let cases = TestCases::new();
    cases
        .default_bin_path(keyward_testkit::gateway::binary())
        .register_bin("keyward", keyward_testkit::gateway::binary())
        .env("KEYWARD_URL", gateway.url())
        .env("KEYWARD_ACCESS_KEY", access_key)
        .env("KEYWARD_ACCESS_KEY_FILE", "")
        .env("KEYWARD_DATA_DIR", "no-such-folder")
        .env("SANDBOX_KEY", "sk-sandbox-mine")
        .env("COLUMNS", "100")
        .case(format!("tests/cli/snapshots/{file}.trycmd"));
    cases
}

async fn start() -> Gateway {
    Launch::new(Topology::Embedded).start().await
}

#[test]
fn help_reads_well() {
    TestCases::new()
        .register_bin("keyward", keyward_testkit::gateway::binary())
        .case("tests/cli/snapshots/help.trycmd");
}

#[tokio::test]
async fn errors_say_what_to_do() {
    let gateway = start().await;
    session(&gateway, &gateway.admin_key(), "errors").run();
}

#[tokio::test]
async fn keys_are_managed() {
    let gateway = start().await;
    let body = json!({"provider": "sandbox", "key": "sk-sandbox-first", "label": "first"});
    let admin = gateway.admin();
    let made = admin.post("/api/v1/provider-keys", body).await.ok().json();
    let id = made["id"].as_str().unwrap().to_owned();
    let cases = session(&gateway, &gateway.admin_key(), "keys");
    cases.insert_var("[FIRST]", id).unwrap();
    cases.run();
}

#[tokio::test]
async fn tenancy_is_managed() {
    let gateway = start().await;
    session(&gateway, &gateway.admin_key(), "tenancy").run();
}

#[tokio::test]
async fn access_keys_are_managed() {
    let gateway = start().await;
    session(&gateway, &gateway.admin_key(), "access").run();
}

#[tokio::test]
async fn money_and_usage_are_seen() {
    let gateway = start().await;
    let tenant = Tenant::new(&gateway, "professional").await;
    tenant.grant("1").await;
    let answer = tenant
        .client
        .chat("sandbox/echo", "one two three")
        .await
        .ok();
    let request = answer.header("x-request-id").to_owned();
    let cases = session(&gateway, tenant.client.access_key(), "money");
    cases.insert_var("[REQUEST]", request).unwrap();
    cases.insert_var("[USER]", tenant.user.clone()).unwrap();
    cases.run();
}

#[tokio::test]
async fn a_key_without_the_scope_is_told_so() {
    let gateway = start().await;
    let tenant = Tenant::new(&gateway, "trial").await;
    session(&gateway, tenant.client.access_key(), "scope").run();
}

#[tokio::test]
async fn who_has_no_access_key_is_told_where_to_get_one() {
    let gateway = start().await;
    session(&gateway, "", "nobody").run();
}

#[tokio::test]
async fn tiers_prices_and_providers_are_seen() {
    let gateway = start().await;
    session(&gateway, &gateway.admin_key(), "prices").run();
}
