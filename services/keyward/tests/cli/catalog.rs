//! The catalogue beside a gateway that runs: refreshed, rolled back, laid over, and broken.

use std::fs;
use std::process::Output;

use keyward_testkit::{Gateway, Launch, Role, Topology, wait};
use serde_json::Value;

/// A list in OpenRouter's form: one price a hundredfold, one model that nobody knew.
const LIST: &str = r#"{"data": [
    {"id": "openai/gpt-4o", "pricing": {"prompt": "0.00025", "completion": "0.00001"}},
    {"id": "openai/made-up-9", "pricing": {"prompt": "0.000001", "completion": "0.000002"}}]}"#;

async fn start() -> Gateway {
    Launch::new(Topology::Embedded).start().await
}

fn call(gateway: &Gateway, arguments: &[&str]) -> Output {
    gateway.run_as(Role::Router, arguments, &[])
}

/// Runs a command that has to succeed, and reads its JSON.
fn json(gateway: &Gateway, arguments: &[&str]) -> Value {
    let output = call(gateway, &[arguments, &["--json"]].concat());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What a million tokens of input cost, as the gateway that runs has it.
async fn input_price(gateway: &Gateway, model: &str, provider: &str) -> Option<String> {
    let path = format!("/api/v1/prices/{model}");
    let answer = gateway.admin().get(&path).await.json();
    let offers = answer["providers"].as_array()?.iter();
    let mut found = offers.filter(|offer| offer["provider"] == provider);
    Some(found.next()?["prices"]["input"].as_str()?.to_owned())
}

async fn costs(gateway: &Gateway, model: &str, provider: &str, price: Option<&str>) {
    wait::until("the price that holds", || async {
        input_price(gateway, model, provider).await.as_deref() == price
    })
    .await;
}

fn in_force(gateway: &Gateway) -> u64 {
    let listed = json(gateway, &["catalog", "versions"]);
    let mut versions = listed["versions"].as_array().unwrap().iter();
    let found = versions.find(|version| version["in_force"] == true);
    found.unwrap()["version"].as_u64().unwrap()
}

#[tokio::test]
async fn a_refresh_holds_for_the_gateway_that_runs_and_can_be_taken_back() {
    let gateway = start().await;
    let list = gateway.data_dir().join("list.json");
    fs::write(&list, LIST).unwrap();
    let place = list.to_str().unwrap();
    let own = in_force(&gateway);
    let before = input_price(&gateway, "openai/gpt-4o", "openrouter").await;

    let refresh = ["catalog", "refresh", "--from", "openrouter", place];
    let dry = json(&gateway, &[refresh.as_slice(), &["--dry-run"]].concat());
    assert_eq!((&dry["version"], in_force(&gateway)), (&Value::Null, own));
    let unasked = call(&gateway, &refresh);
    assert_eq!(unasked.status.code(), Some(1), "nobody could be asked");
    let said = String::from_utf8_lossy(&unasked.stderr).into_owned();
    assert!(said.contains("rollback` undoes it"), "{said}");
    assert!(!said.contains("cannot be undone"), "{said}");
    let shown = String::from_utf8_lossy(&unasked.stdout).into_owned();
    let first: Vec<_> = shown.lines().next().unwrap().split_whitespace().collect();
    let summary = ["PROVIDER", "ADDED", "REMOVED", "PRICES", "HELD", "BACK"];
    assert_eq!(first, summary, "{shown}");
    assert_eq!(in_force(&gateway), own);

    let taken = json(&gateway, &[refresh.as_slice(), &["--yes"]].concat());
    let version = taken["version"].as_u64().unwrap();
    assert!(version > own && in_force(&gateway) == version);
    let held = taken["held_back"].as_array().unwrap().iter();
    let dearer = |change: &&Value| change["model"] == "openai/gpt-4o" && change["price"] == "input";
    assert_eq!(held.filter(dearer).count(), 1, "{taken}");
    costs(&gateway, "openai/made-up-9", "openrouter", Some("1.00")).await;
    let after = input_price(&gateway, "openai/gpt-4o", "openrouter").await;
    assert_eq!(after, before, "what is not plausible is not taken");

    json(&gateway, &["catalog", "rollback"]);
    assert_eq!(in_force(&gateway), own);
    costs(&gateway, "openai/made-up-9", "openrouter", None).await;
}

#[tokio::test]
async fn an_overlay_holds_at_once_and_a_broken_one_takes_nothing_down() {
    let mut gateway = start().await;
    let overlay = gateway.data_dir().join("catalog/overlay.json");
    fs::create_dir_all(overlay.parent().unwrap()).unwrap();
    let text = r#"{"schema": 1, "models": [{"id": "sandbox/echo", "offers": [
        {"provider": "sandbox", "prices": {"input": 3000000000, "output": 2000000000}}]}]}"#;
    fs::write(&overlay, text).unwrap();
    costs(&gateway, "sandbox/echo", "sandbox", Some("3.00")).await;
    let compared = call(&gateway, &["catalog", "diff"]);
    let said = String::from_utf8_lossy(&compared.stderr).into_owned();
    assert!(said.contains("overlay.json is left out"), "{said}");

    fs::write(&overlay, text.replace("\"id\"", "\"idd\"")).unwrap();
    wait::until("the log that says so", || async {
        gateway.logs().contains("the catalogue cannot be used")
    })
    .await;
    assert!(gateway.logs().contains("unknown field `idd`"));
    let served = gateway.admin().chat("sandbox/echo", "still here").await;
    assert_eq!(served.ok().header("x-provider"), "sandbox");
    let price = input_price(&gateway, "sandbox/echo", "sandbox").await;
    assert_eq!(price.as_deref(), Some("3.00"));
    let doctor = call(&gateway, &["doctor", "--json"]);
    assert_eq!(doctor.status.code(), Some(1));
    let said: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let mut checks = said["checks"].as_array().unwrap().iter();
    let check = checks.find(|check| check["name"] == "catalogue").unwrap();
    assert_eq!(check["status"], "fail");
    let message = check["message"].as_str().unwrap();
    assert!(message.contains("overlay.json"), "{message}");

    fs::remove_file(&overlay).unwrap();
    costs(&gateway, "sandbox/echo", "sandbox", Some("1.00")).await;
    gateway.restart().await;
    costs(&gateway, "sandbox/echo", "sandbox", Some("1.00")).await;
}

/// What one word of prompt and answer is charged.
async fn charged(gateway: &Gateway) -> String {
    let answer = gateway.admin().chat("sandbox/echo", "word").await.ok();
    answer.header("x-credits-charged").to_owned()
}

#[tokio::test]
async fn earlier_prices_are_put_in_force_again_and_outlive_a_restart_but_no_other_catalogue() {
    let mut gateway = start().await;
    let overlay = gateway.data_dir().join("catalog/overlay.json");
    let lay_over = |price: u64| {
        let prices = serde_json::json!({"input": price, "output": price});
        let offer = serde_json::json!({"provider": "sandbox", "prices": prices});
        let model = serde_json::json!({"id": "sandbox/echo", "offers": [offer]});
        fs::create_dir_all(overlay.parent().unwrap()).unwrap();
        let text = serde_json::json!({"schema": 1, "models": [model]}).to_string();
        fs::write(&overlay, text).unwrap();
    };
    let versions = async |gateway: &Gateway| {
        let listed = gateway.admin().get("/api/v1/price-versions").await.json();
        listed["price_versions"].as_array().unwrap().clone()
    };
    let first = versions(&gateway).await[0]["version"].as_u64().unwrap();
    lay_over(5_000_000_000);
    costs(&gateway, "sandbox/echo", "sandbox", Some("5.00")).await;
    assert_eq!(charged(&gateway).await, "0.00001");

    let path = format!("/api/v1/price-versions/{first}/activate");
    let activated = gateway.admin().post(&path, serde_json::json!({})).await;
    let activated = activated.ok().json();
    assert_eq!(activated["active"], true, "{activated}");
    assert_eq!(charged(&gateway).await, "0.000003");
    gateway.restart().await;
    assert_eq!(charged(&gateway).await, "0.000003", "a restart");
    let listed = versions(&gateway).await;
    let brief: Vec<_> = listed
        .iter()
        .map(|version| (version["active"] == true, version["of_catalog"] == true))
        .collect();
    assert_eq!(brief, [(false, true), (true, false)]);

    lay_over(7_000_000_000);
    costs(&gateway, "sandbox/echo", "sandbox", Some("7.00")).await;
    assert_eq!(charged(&gateway).await, "0.000014");
    let rerated = format!("/api/v1/usage/rerating?version={first}");
    let report = gateway.admin().get(&rerated).await.ok().json();
    let total = &report["total"];
    assert_eq!(total["charge"], "0.00003", "{report}");
    assert_eq!(total["rerated_charge"], "0.000012", "{report}");
    assert_eq!(total["difference"], "-0.000018", "{report}");
}
