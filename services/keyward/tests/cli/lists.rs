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
        (&["usage", "records"], "records"),
        (&["audit", "list"], "audit_events"),
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
