//! Budgets: the tighter of balance and budget binds, what is refused touches neither, and a change
//! counts at once.

use keyward_testkit::{Answer, Client, Tenant, Topology, canary, tenancy};
use serde_json::{Value, json};

use crate::system::{System, World, both, everywhere, shared};

const MODEL: &str = "sandbox/echo";

/// Many words: at a markup of 15 %, 100,000 of prompt and as many of answer cost 0.345.
fn words(count: usize) -> String {
    "word ".repeat(count)
}

async fn ask(client: &Client, count: usize) -> Answer {
    client.chat(MODEL, &words(count)).await
}

async fn make(client: &Client, budget: Value) -> Value {
    client.post("/api/v1/budgets", budget).await.ok().json()
}

fn path(budget: &Value) -> String {
    format!("/api/v1/budgets/{}", budget["id"].as_str().unwrap())
}

async fn the_tighter_of_balance_and_budget_binds(world: World) {
    let system = System::own_in(world, |launch| launch).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    tenant.grant("1.00").await;
    let budget = json!({"amount": "0.50", "period": "day", "time_zone": "America/New_York"});
    let body = json!({"user": tenant.user, "scopes": ["inference"], "budget": budget});
    let admin = system.gateway.admin();
    let issued = admin.post("/api/v1/access-keys", body).await.ok().json();
    let narrow = system.gateway.client(issued["secret"].as_str().unwrap());
    let budget = &issued["budget"];
    assert_eq!(budget["account"], tenant.account());
    assert_eq!(budget["access_key"], issued["id"]);
    assert_eq!(budget["action"], "block");

    // 0.345 of 0.50; then the balance has 0.655 and the budget 0.155.
    let _ = ask(&narrow, 100_000).await.ok();
    let refused = ask(&narrow, 100_000).await;
    assert_eq!(refused.error(429), "budget_exceeded");
    assert_eq!(refused.header("x-should-retry"), "false");
    let now = tenant.client.get(&path(budget)).await.ok().json();
    for part in [
        budget["id"].as_str().unwrap(),
        "0.155 left until",
        now["period_ends_at"].as_str().unwrap(),
    ] {
        assert!(refused.message().contains(part), "{}", refused.message());
    }
    assert_eq!(
        (&now["spent"], &now["held"]),
        (&json!("0.345"), &json!("0.00"))
    );
    assert_eq!(now["left"], "0.155");
    let credits = tenant.credits().await;
    assert_eq!(
        (&credits["balance"], &credits["held"]),
        (&json!("0.655"), &json!("0.00"))
    );

    // Another key of the same account is bound by the balance alone.
    let _ = ask(&tenant.client, 100_000).await.ok();
    let refused = ask(&tenant.client, 100_000).await;
    assert_eq!(refused.error(402), "insufficient_credits");
    let now = tenant.client.get(&path(budget)).await.ok().json();
    assert_eq!(
        (&now["spent"], &now["held"]),
        (&json!("0.345"), &json!("0.00"))
    );
    assert_eq!(tenant.balance().await, "0.31");
}

async fn a_budget_counts_as_it_is_now(world: World) {
    let system = System::own_in(world, |launch| launch).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    tenant.grant("10.00").await;
    let client = &tenant.client;
    let budget = make(client, json!({"amount": "0", "period": "month"})).await;
    let path = path(&budget);
    assert_eq!(ask(client, 10).await.error(429), "budget_exceeded");
    let listed = tenancy::all(client, "/api/v1/budgets", "budgets").await;
    assert_eq!(listed, [budget]);

    let shown = client.get(&path).await.ok();
    let matching = client.with("if-match", shown.header("etag"));
    let _ = matching.patch(&path, json!({"amount": "1.00"})).await.ok();
    let _ = ask(client, 10).await.ok();
    let stale = matching.patch(&path, json!({"amount": "2.00"})).await;
    assert_eq!(stale.error(412), "precondition_failed");
    let _ = client.patch(&path, json!({"amount": "0"})).await.ok();
    assert_eq!(ask(client, 10).await.error(429), "budget_exceeded");
    let _ = client.patch(&path, json!({"action": "notify"})).await.ok();
    let _ = ask(client, 10).await.ok();
    let _ = client.patch(&path, json!({"action": "block"})).await.ok();
    assert_eq!(ask(client, 10).await.error(429), "budget_exceeded");
    assert_eq!(client.delete(&path).await.ok().status, 204);
    let _ = ask(client, 10).await.ok();
    assert_eq!(client.get(&path).await.error(404), "not_found");
}

async fn a_key_whose_budget_is_refused_is_not_issued(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let label = canary::name("label");
    let budget = json!({"amount": "1", "period": "day", "time_zone": "Europe/Atlantis"});
    let body =
        json!({"user": tenant.user, "scopes": ["inference"], "label": label, "budget": budget});
    let admin = system.gateway.admin();
    let refused = admin.post("/api/v1/access-keys", body).await;
    assert_eq!(refused.error(400), "invalid_request");
    let path = format!("/api/v1/access-keys?user={}", tenant.user);
    let keys = tenancy::all(&admin, &path, "access_keys").await;
    let left = keys.iter().filter(|key| key["label"] == label.as_str());
    assert!(
        left.into_iter().all(|key| !key["revoked_at"].is_null()),
        "{keys:?}"
    );
}

async fn requests_count_by_their_tags(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    tenant.grant("1.00").await;
    let body = json!({"amount": "0", "period": "hour", "tag": "team=red"});
    make(&tenant.client, body).await;
    let tagged = |tags: &str| tenant.client.with("x-keyward-tags", tags);
    let _ = ask(&tagged("team=blue"), 10).await.ok();
    let refused = ask(&tagged("job=nightly,team=red"), 10).await;
    assert_eq!(refused.error(429), "budget_exceeded");
}

async fn what_is_no_budget_is_refused_by_its_field(topology: Topology) {
    let system = shared(topology).await;
    let client = Tenant::new(&system.gateway, "trial").await.client;
    for (param, body) in [
        (
            "time_zone",
            json!({"amount": "1", "period": "day", "time_zone": "Europe/Atlantis"}),
        ),
        ("period", json!({"amount": "1", "period": "year"})),
        (
            "action",
            json!({"amount": "1", "period": "day", "action": "shout"}),
        ),
        ("amount", json!({"amount": "-1", "period": "day"})),
        (
            "model",
            json!({"amount": "1", "period": "day", "model": "no/such"}),
        ),
        ("limit", json!({"amount": "1", "period": "day", "limit": 1})),
    ] {
        let refused = client.post("/api/v1/budgets", body).await;
        assert_eq!(refused.error(400), "invalid_request", "{param}");
        assert_eq!(refused.json()["error"]["param"], param);
    }
}

async fn budgets_of_others_do_not_exist(topology: Topology) {
    let system = shared(topology).await;
    let [bob, eve] = [(), ()].map(|()| Tenant::new(&system.gateway, "trial"));
    let (bob, eve) = (bob.await, eve.await);
    let budget = make(&bob.client, json!({"amount": "1", "period": "day"})).await;
    let path = path(&budget);
    assert_eq!(eve.client.get(&path).await.error(404), "not_found");
    assert_eq!(eve.client.delete(&path).await.error(404), "not_found");
    let change = eve.client.patch(&path, json!({"amount": "0"})).await;
    assert_eq!(change.error(404), "not_found");
    let body = json!({"amount": "0", "period": "day", "account": bob.account()});
    let made = eve.client.post("/api/v1/budgets", body).await;
    assert_eq!(made.error(404), "not_found");
    assert_eq!(bob.client.get(&path).await.ok().json(), budget);
}

mod money {
    use super::*;

    everywhere!(
        the_tighter_of_balance_and_budget_binds,
        a_budget_counts_as_it_is_now,
    );
}

both!(
    a_key_whose_budget_is_refused_is_not_issued,
    requests_count_by_their_tags,
    what_is_no_budget_is_refused_by_its_field,
    budgets_of_others_do_not_exist,
);
