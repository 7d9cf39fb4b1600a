//! What is named by an id that the gateway gives.

use keyward_testkit::canary::{assert_absent, provider_key};
use serde_json::json;

use crate::caller::{Caller, Ended};

fn done(ended: Ended) -> Ended {
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    ended
}

#[tokio::test]
async fn a_key_is_changed_from_first_to_last() {
    let caller = Caller::new().await;
    let (first, second) = (provider_key("sandbox"), provider_key("sandbox"));
    let _ = done(caller.run_with(&["keys", "add", "sandbox", "-"], &[], &first));
    let listed = caller.json(&["keys", "list"]);
    let id = listed["provider_keys"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let key = || caller.json(&["keys", "get", &id]);

    let _ = done(caller.run(&["keys", "update", &id, "--label", "work", "--weight", "3"]));
    assert_eq!(
        (key()["label"].as_str(), key()["weight"].as_u64()),
        (Some("work"), Some(3))
    );
    let time = "2040-01-31T12:00:00Z";
    let _ = done(caller.run(&["keys", "update", &id, "--expires-at", time]));
    assert_eq!(key()["expires_at"], time);
    let _ = done(caller.run(&["keys", "update", &id, "--expires-at", "never"]));
    assert!(key()["expires_at"].is_null());

    let limited = ["keys", "update", &id, "--allowed-models", "sandbox/*,o3"];
    let _ = done(caller.run(&limited));
    assert_eq!(key()["allowed_models"], json!(["sandbox/*", "o3"]));
    let _ = done(caller.run(&["keys", "update", &id, "--allowed-models", "any"]));
    assert_eq!(key()["allowed_models"], json!(null));

    let rotated = done(caller.run_with(&["keys", "rotate", &id, "-"], &[], &second));
    assert_absent(&second, rotated.stdout.as_bytes(), "standard output");
    assert_absent(&second, rotated.stderr.as_bytes(), "standard error");
    assert_eq!(key()["version"], 2);

    let tested = caller.json(&["keys", "test", &id]);
    assert_eq!(tested["message"], "API key is valid");
    assert_eq!(key()["status"], "connected");
    let unsaved = [
        "keys",
        "test",
        "--provider",
        "sandbox",
        "--key-file",
        "-",
        "--json",
    ];
    let tested = done(caller.run_with(&unsaved, &[], "sk-sandbox-revoked"));
    assert!(
        tested.stdout.contains("Invalid API key"),
        "{}",
        tested.stdout
    );

    let _ = done(caller.run(&["keys", "disable", &id, "--dry-run"]));
    assert_eq!(key()["enabled"], true, "a dry run changes nothing");
    let _ = done(caller.run(&["keys", "disable", &id]));
    assert_eq!(key()["status"], "disabled");
    let _ = done(caller.run(&["keys", "enable", &id]));
    assert_eq!(key()["enabled"], true);

    assert_eq!(
        caller.run(&["keys", "delete", &id]).code,
        1,
        "nobody was asked"
    );
    let _ = done(caller.run(&["keys", "delete", &id, "--dry-run"]));
    assert_eq!(key()["enabled"], true, "a dry run deletes nothing");
    let told = done(caller.run(&["keys", "delete", &id, "--yes"]));
    assert!(told.stderr.contains("at the provider"), "{}", told.stderr);
    assert_eq!(caller.run(&["keys", "get", &id]).code, 1);
}

#[tokio::test]
async fn a_revoked_access_key_is_refused() {
    let caller = Caller::new().await;
    let made = caller.json(&["access", "create", "--scopes", "usage"]);
    let (id, secret) = (
        made["id"].as_str().unwrap(),
        made["secret"].as_str().unwrap(),
    );
    let balance = || caller.run_with(&["credits"], &[("KEYWARD_ACCESS_KEY", secret)], "");
    let _ = done(balance());
    let _ = done(caller.run(&["access", "revoke", id, "--yes"]));
    assert!(caller.json(&["access", "get", id])["revoked_at"].is_string());
    // Metering is told within the lifetime of a grant; the vault at once.
    let keys = caller.run_with(&["access", "list"], &[("KEYWARD_ACCESS_KEY", secret)], "");
    assert_eq!(keys.code, 5, "{}", keys.stderr);
}

#[tokio::test]
async fn a_receipt_says_what_a_request_cost() {
    let caller = Caller::new().await;
    let answer = caller
        .gateway
        .admin()
        .chat("sandbox/echo", "one two three")
        .await
        .ok();
    let request = answer.header("x-request-id");
    let receipt = caller.json(&["usage", "receipt", request]);
    assert_eq!(receipt["charge"], "0.000009");
    let shown = done(caller.run(&["usage", "receipt", request])).stdout;
    for expected in ["charge", "0.000009", "LIST COST", "sandbox/echo"] {
        assert!(shown.contains(expected), "{shown}");
    }
}
