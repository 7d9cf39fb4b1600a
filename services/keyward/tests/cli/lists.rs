//! Lists, and the shape of their JSON.

use serde_json::{Value, json};

use crate::caller::Caller;

#[tokio::test]
async fn a_list_follows_all_pages() {
    // One more than a page has.
    const USERS: usize = 201;
    let caller = Caller::new().await;
    let admin = caller.gateway.admin();
    // The admin is one of them.
    for number in 1..USERS {
        let body = json!({"id": format!("user-{number}")});
        let _ = admin.post("/api/v1/users", body).await.ok();
    }
    let all = caller.json(&["users", "list"]);
    assert_eq!(all["users"].as_array().unwrap().len(), USERS);
}

#[tokio::test]
async fn every_list_is_one_member_with_its_rows() {
    let caller = Caller::new().await;
    for (arguments, member) in [
        (["keys", "list"].as_slice(), "provider_keys"),
        (&["access", "list"], "access_keys"),
        (&["users", "list"], "users"),
        (&["orgs", "list"], "organizations"),
        (&["projects", "list"], "projects"),
        (&["credits", "transactions"], "transactions"),
        (&["budgets", "list"], "budgets"),
        (&["usage", "records"], "records"),
        (&["audit", "list"], "audit_events"),
        (&["tiers", "list"], "tiers"),
        (&["prices", "list", "--provider", "sandbox"], "prices"),
        (&["providers", "list"], "providers"),
    ] {
        let list = caller.json(arguments);
        let members: Vec<(&String, bool)> = list
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, rows)| (name, rows.is_array()))
            .collect();
        assert_eq!(members, [(&member.to_owned(), true)], "{arguments:?}");
    }
}

#[tokio::test]
async fn sums_come_with_their_total_and_their_time() {
    let caller = Caller::new().await;
    let _ = caller
        .gateway
        .admin()
        .chat("sandbox/echo", "one two")
        .await
        .ok();
    let sums = caller.json(&["usage"]);
    let members: Vec<&String> = sums.as_object().unwrap().keys().collect();
    assert_eq!(members, ["usage", "total", "from", "to"]);
    assert_eq!(sums["usage"][0]["model"], "sandbox/echo");
    assert_eq!(sums["total"]["charge"], "0.000006");
}

#[tokio::test]
async fn records_come_as_csv() {
    let caller = Caller::new().await;
    let _ = caller
        .gateway
        .admin()
        .chat("sandbox/echo", "one two")
        .await
        .ok();
    let csv = caller.run(&["usage", "records", "--csv"]);
    assert_eq!((csv.code, csv.stderr.as_str()), (0, ""));
    let lines: Vec<&str> = csv.stdout.lines().collect();
    assert!(lines[0].starts_with("request_id,attempt,"), "{}", lines[0]);
    assert!(lines[1].contains("sandbox/echo"), "{}", lines[1]);
    assert_eq!(lines.len(), 2);
}

#[tokio::test]
async fn a_limit_takes_the_newest() {
    let caller = Caller::new().await;
    for note in ["first", "second", "third"] {
        let grant = ["credits", "grant", "1", "--user", "admin", "--note", note];
        assert_eq!(caller.run(&grant).code, 0);
    }
    let listed = caller.json(&["credits", "transactions", "--limit", "2"]);
    let notes: Vec<&Value> = listed["transactions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["note"])
        .collect();
    assert_eq!(notes, ["third", "second"]);
}
