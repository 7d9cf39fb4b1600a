//! What is managed over HTTP beside keys and tenants: tiers, prices, estimates, sums, CSV; changes
//! that are made once, and only if nobody else made one.

use keyward_testkit::{Client, Tenant, Topology, canary, tenancy};
use serde_json::{Value, json};

use crate::system::{both, shared};

/// Requests that a table has in the test of its pages: more than the contract gives at once.
const MANY: usize = 1_200;

async fn a_cost_is_estimated_in_every_tier_and_with_an_own_key(topology: Topology) {
    let system = shared(topology).await;
    let client = Tenant::new(&system.gateway, "trial").await.client;
    for (tier, charge) in [
        ("trial", "3450.00"),
        ("starter", "3300.00"),
        ("professional", "3150.00"),
        ("enterprise", "3000.00"),
    ] {
        let body = json!({"model": "gpt-4", "input_tokens": 100_000_000, "tier": tier});
        let estimate = client
            .post("/api/v1/costs/estimate", body)
            .await
            .ok()
            .json();
        assert_eq!(estimate["charge"], charge, "{tier}");
        assert_eq!(estimate["list_cost"], "3000.00");
        let own = json!({"charge": "0.00", "list_cost": "3000.00", "saved": charge});
        assert_eq!(estimate["own_key"], own);
    }
    let body = json!({"model": "no-such-model", "input_tokens": 1});
    let answer = client.post("/api/v1/costs/estimate", body).await;
    assert_eq!(answer.error(404), "model_not_found");
}

async fn the_price_book_shows_a_model_by_any_of_its_names(topology: Topology) {
    let system = shared(topology).await;
    let client = Tenant::new(&system.gateway, "trial").await.client;
    for name in ["gpt-4", "openai/gpt-4", "openai%2Fgpt-4"] {
        let path = format!("/api/v1/prices/{name}");
        let prices = client.get(&path).await.ok().json();
        assert_eq!(prices["model"], "openai/gpt-4", "{name}");
        let openai = prices["providers"].as_array().unwrap();
        let openai = openai.iter().find(|offer| offer["provider"] == "openai");
        assert_eq!(openai.unwrap()["prices"]["input"], "30.00");
    }
    let answer = client.get("/api/v1/prices/no-such-model").await;
    assert_eq!(answer.error(404), "model_not_found");
    let few = tenancy::all_by(&client, "/api/v1/prices?provider=openai", "prices", 7).await;
    let many = tenancy::all_by(&client, "/api/v1/prices?provider=openai", "prices", 200).await;
    assert!(few.len() > 7 && few == many);
}

async fn a_tier_is_made_once_changed_under_its_etag_and_charged(topology: Topology) {
    let system = shared(topology).await;
    let admin = system.gateway.admin();
    let tier = canary::name("tier");
    let keyed = admin.with("idempotency-key", &canary::name("once"));
    let body = json!({"tier": tier, "markup_basis_points": 1250});
    let made = keyed.post("/api/v1/tiers", body.clone()).await.ok();
    assert_eq!(made.status, 201);
    let again = keyed.post("/api/v1/tiers", body).await.ok();
    assert_eq!((again.status, again.json()), (made.status, made.json()));

    let path = format!("/api/v1/tiers/{tier}");
    let etag = admin.get(&path).await.ok().header("etag").to_owned();
    assert_eq!(made.header("etag"), etag);
    let matching = admin.with("if-match", &etag);
    let change = json!({"markup_basis_points": 100});
    let changed = matching.patch(&path, change.clone()).await.ok();
    assert_eq!(changed.json()["markup_percent"], "1");
    let stale = matching.patch(&path, change).await;
    assert_eq!(stale.error(412), "precondition_failed");

    let client = Tenant::new(&system.gateway, &tier).await.client;
    let body = json!({"model": "gpt-4", "input_tokens": 1_000_000});
    let estimate = client
        .post("/api/v1/costs/estimate", body)
        .await
        .ok()
        .json();
    assert_eq!(
        (&estimate["tier"], &estimate["charge"]),
        (&json!(tier), &json!("30.30"))
    );
    let answer = client.patch(&path, json!({"markup_basis_points": 0})).await;
    assert_eq!(answer.error(403), "insufficient_scope");
}

async fn a_tier_that_does_not_exist_is_given_to_nobody(topology: Topology) {
    let system = shared(topology).await;
    let admin = system.gateway.admin();
    let id = canary::name("user");
    let answer = admin
        .post("/api/v1/users", json!({"id": id, "tier": "gold"}))
        .await;
    assert_eq!(answer.error(400), "invalid_request");
    assert_eq!(answer.json()["error"]["param"], "tier");
    let answer = admin.get(&format!("/api/v1/users/{id}")).await;
    assert_eq!(answer.error(404), "not_found");
}

async fn a_post_that_is_repeated_is_done_once(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let admin = system.gateway.admin();
    let keyed = admin.with("idempotency-key", &canary::name("once"));
    let body = json!({"user": tenant.user, "scopes": ["usage"], "label": "once"});
    let first = keyed.post("/api/v1/access-keys", body.clone()).await.ok();
    let again = keyed.post("/api/v1/access-keys", body.clone()).await.ok();
    assert_eq!((again.status, again.json()), (first.status, first.json()));
    let secret = first.json()["secret"].as_str().unwrap().to_owned();
    let _ = system
        .gateway
        .client(&secret)
        .get("/api/v1/credits")
        .await
        .ok();
    let listed = format!("/api/v1/access-keys?user={}", tenant.user);
    let listed = tenancy::all(&admin, &listed, "access_keys").await;
    assert_eq!(
        listed.iter().filter(|key| key["label"] == "once").count(),
        1
    );

    let other = json!({"user": tenant.user, "scopes": ["keys"], "label": "once"});
    let answer = keyed.post("/api/v1/access-keys", other).await;
    assert_eq!(answer.error(422), "idempotency_mismatch");
    let key = json!({"provider": "openai", "key": canary::provider_key("openai")});
    let mine = tenant.client.with("idempotency-key", "mine");
    let first = mine.post("/api/v1/provider-keys", key.clone()).await.ok();
    let again = mine.post("/api/v1/provider-keys", key).await.ok();
    assert_eq!((again.status, again.json()), (first.status, first.json()));
}

async fn what_nobody_knows_is_refused_by_name(topology: Topology) {
    let system = shared(topology).await;
    let client = Tenant::new(&system.gateway, "trial").await.client;
    for (path, param) in [
        ("/api/v1/tiers?page=2", "page"),
        ("/api/v1/tiers/trial?x=1", "x"),
        ("/api/v1/prices?modell=gpt-4", "modell"),
        ("/api/v1/usage?group_by=day,week", "group_by"),
        ("/api/v1/usage?from=yesterday", "from"),
        ("/api/v1/usage/records?source=mine", "source"),
        ("/api/v1/usage/records?page_size=1001", "page_size"),
        ("/api/v1/providers?page_size=0", "page_size"),
    ] {
        let answer = client.get(path).await;
        assert_eq!(answer.error(400), "invalid_request", "{path}");
        assert_eq!(answer.json()["error"]["param"], param, "{path}");
    }
    let body = json!({"model": "gpt-4", "tokens": 5});
    let answer = client.post("/api/v1/costs/estimate", body).await;
    assert_eq!(answer.error(400), "invalid_request");
    assert_eq!(answer.json()["error"]["param"], "tokens");
}

async fn usage_adds_up_and_comes_as_csv(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "starter").await;
    tenant.grant("1").await;
    let tagged = tenant.client.with("x-keyward-tags", "team=a b,job==1+1");
    let asks = (0..MANY).map(|_| tagged.chat("sandbox/echo", "one two three"));
    let answers = futures::stream::StreamExt::buffer_unordered(futures::stream::iter(asks), 16);
    let answers: Vec<_> = futures::stream::StreamExt::collect(answers).await;
    assert!(answers.iter().all(|answer| answer.status.is_success()));

    let sums = tenant
        .client
        .get("/api/v1/usage?group_by=model,tag")
        .await
        .ok()
        .json();
    assert_eq!(sums["total"]["requests"], MANY);
    assert_eq!(sums["total"]["usage"]["input"], 3 * MANY);
    // Three words in at 1.00 and three out at 2.00 a million, with 10 % on top.
    assert_eq!(sums["total"]["charge"], "0.01188");
    let tags: Vec<&Value> = sums["usage"]
        .as_array()
        .unwrap()
        .iter()
        .map(|sum| &sum["tag"])
        .collect();
    assert!(
        tags.contains(&&json!("team=a b")) && tags.contains(&&json!("job==1+1")),
        "{tags:?}"
    );

    let lines = csv(&tenant.client, "/api/v1/usage/records").await;
    assert_eq!(lines.len(), MANY + 1);
    assert!(lines[0].starts_with("request_id,attempt,time,provider,model,"));
    assert!(lines[1].contains(",\"job==1+1,team=a b\","), "{}", lines[1]);
    let ids: std::collections::BTreeSet<&str> = lines[1..]
        .iter()
        .filter_map(|line| line.split(',').next())
        .collect();
    assert_eq!(ids.len(), MANY);
    let lines = csv(&tenant.client, "/api/v1/usage?group_by=source").await;
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("source,requests,"));
    assert!(
        lines[1].starts_with(&format!("system,{MANY},{MANY},0,")),
        "{}",
        lines[1]
    );
}

/// The lines of a table.
async fn csv(client: &Client, path: &str) -> Vec<String> {
    let answer = client.with("accept", "text/csv").get(path).await.ok();
    assert!(answer.header("content-type").starts_with("text/csv"));
    answer
        .text()
        .split_terminator("\r\n")
        .map(str::to_owned)
        .collect()
}

both!(
    a_cost_is_estimated_in_every_tier_and_with_an_own_key,
    the_price_book_shows_a_model_by_any_of_its_names,
    a_tier_is_made_once_changed_under_its_etag_and_charged,
    a_tier_that_does_not_exist_is_given_to_nobody,
    a_post_that_is_repeated_is_done_once,
    what_nobody_knows_is_refused_by_name,
    usage_adds_up_and_comes_as_csv,
);
