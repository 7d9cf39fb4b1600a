//! Tests of provider keys, from outside: what is told in which words, what follows for the key, and
//! whom it is for.

use keyward_testkit::{Answer, Client, Script, Tenant, Topology, canary, tenancy, wait};
use serde_json::{Value, json};

use crate::served::MODEL;
use crate::system::{System, both, shared};

both! {
    a_test_says_how_a_stored_key_stands_in_fixed_words,
    a_key_that_is_not_saved_is_tested_and_kept_nowhere,
    what_may_not_be_saved_is_not_tested,
    a_refused_key_is_out_until_a_good_test,
    somebody_elses_key_is_not_there,
    ten_keys_are_tested_a_minute,
    keys_that_are_due_are_tested_by_themselves,
}

const UNSAVED: &str = "/api/v1/provider-keys/test";

async fn test(client: &Client, id: &str) -> Answer {
    let path = format!("/api/v1/provider-keys/{id}/test");
    client.post(&path, json!({})).await
}

/// What is left on an account of OpenRouter's, in its own form.
fn credits(left: u32) -> Script {
    let data = json!({"data": {"total_credits": 100, "total_usage": 100 - left}});
    Script::given(200, "application/json", data.to_string())
}

async fn a_test_says_how_a_stored_key_stands_in_fixed_words(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let cases = [
        (credits(50), true, "connected", "API key is valid"),
        (Script::unauthorized(), false, "error", "Invalid API key"),
        (credits(0), false, "error", "Insufficient credits"),
        (
            Script::rate_limited(Some(60)),
            false,
            "error",
            "Rate limit exceeded",
        ),
        (credits(50), true, "connected", "API key is valid"),
    ];
    let (id, key) = tenant.own_key("openrouter").await;
    for (script, valid, status, message) in cases {
        system.providers.openrouter.script(&key, script);
        let told = test(&tenant.client, &id).await.ok().json();
        assert_eq!(told["valid"], valid, "{told}");
        assert_eq!(told["message"], message, "{told}");
        assert_eq!(told["status"], status, "{told}");
        let stored = tenant.key(&id).await;
        assert_eq!(stored["status"], status, "{message}: {stored}");
        assert!(stored["last_tested_at"].is_string());
    }
    let told = test(&tenant.client, &id).await.ok().json();
    assert_eq!(
        told["balance"],
        json!({"amount": "50.00", "currency": "USD"})
    );
    let asked = system.providers.openrouter.requests_with(&key);
    let mut paths: Vec<&str> = asked.iter().map(|request| request.path.as_str()).collect();
    paths.sort_unstable();
    paths.dedup();
    assert_eq!(paths, ["/v1/credits", "/v1/key"]);
}

async fn a_key_that_is_not_saved_is_tested_and_kept_nowhere(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let key = canary::provider_key("openai");
    let models = json!({"data": [{"id": "gpt-4o"}]}).to_string();
    let script = Script::given(200, "application/json", models);
    system.providers.openai.script(&key, script);
    let body = json!({"provider": "openai", "key": format!("  {key}\n")});
    let told = tenant.client.post(UNSAVED, body).await.ok().json();
    assert_eq!(told["message"], "API key is valid", "{told}");
    assert_eq!(told["models"], json!(["gpt-4o"]));
    assert_eq!(system.providers.openai.requests_with(&key).len(), 1);
    let listed = tenant.client.get("/api/v1/provider-keys").await.ok().json();
    assert_eq!(listed["provider_keys"], json!([]));
    let sandbox = json!({"provider": "sandbox", "key": "sk-sandbox-revoked"});
    let told = tenant.client.post(UNSAVED, sandbox).await.ok().json();
    assert_eq!(
        (&told["valid"], &told["message"]),
        (&json!(false), &json!("Invalid API key"))
    );
}

async fn what_may_not_be_saved_is_not_tested(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let key = canary::provider_key("openai");
    for (body, param) in [
        (json!({"provider": "openai", "key": "sk-ant-no"}), "key"),
        (json!({"provider": "openai", "key": ""}), "key"),
        (
            json!({"provider": "openai", "key": key, "base_url": "https://127.0.0.1"}),
            "base_url",
        ),
        (json!({"provider": "nobody", "key": key}), "provider"),
        (json!({"provider": "openai"}), "key"),
    ] {
        let refused = tenant.client.post(UNSAVED, body).await;
        assert_eq!(refused.error(400), "invalid_request");
        assert_eq!(refused.json()["error"]["param"], param);
    }
    let system_key = json!({"provider": "openai", "key": key, "owner": "system"});
    assert_eq!(
        tenant.client.post(UNSAVED, system_key).await.error(404),
        "not_found"
    );
    assert!(system.providers.openai.requests_with(&key).is_empty());
}

async fn a_refused_key_is_out_until_a_good_test(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (id, first) = tenant.own_key("openrouter").await;
    let (_, second) = tenant.own_key("openai").await;
    let openrouter = &system.providers.openrouter;
    openrouter.script(&first, Script::unauthorized());
    let _ = tenant.client.chat(MODEL, "hello").await.ok();
    let _ = tenant.client.chat(MODEL, "hello").await.ok();
    assert_eq!(
        openrouter.requests_with(&first).len(),
        1,
        "it is out at once"
    );
    assert_eq!(system.providers.openai.requests_with(&second).len(), 2);
    let stored = tenant.key(&id).await;
    assert_eq!(stored["status"], "error", "{stored}");
    assert_eq!(stored["status_reason"], "Incorrect API key provided.");
    let of_the_key = async || {
        let notices = tenancy::all(&tenant.client, "/api/v1/notices", "notices").await;
        let is_it =
            |notice: &&Value| notice["type"] == "key_failing" && notice.to_string().contains(&id);
        notices.iter().filter(is_it).count()
    };
    wait::until("its owner to be told", || async { of_the_key().await == 1 }).await;
    openrouter.script(&first, Script::ok("ok"));
    assert_eq!(test(&tenant.client, &id).await.ok().json()["valid"], true);
    assert_eq!(tenant.key(&id).await["status"], "connected");
    let served = tenant.client.chat(MODEL, "hello").await.ok();
    assert_eq!(served.header("x-keyward-key-source"), "user:openrouter");
}

async fn somebody_elses_key_is_not_there(topology: Topology) {
    let system = shared(topology).await;
    let (tenant, other) = (
        Tenant::new(&system.gateway, "trial").await,
        Tenant::new(&system.gateway, "trial").await,
    );
    let (id, key) = tenant.own_key("openai").await;
    assert_eq!(test(&other.client, &id).await.error(404), "not_found");
    let none = "01900000-0000-7000-8000-000000000000";
    assert_eq!(test(&other.client, none).await.error(404), "not_found");
    let calls_only = tenant.access_key(json!({"scopes": ["inference"]})).await;
    let calls_only = system.gateway.client(&calls_only);
    assert_eq!(
        test(&calls_only, &id).await.error(403),
        "insufficient_scope"
    );
    assert!(system.providers.openai.requests_with(&key).is_empty());
}

async fn ten_keys_are_tested_a_minute(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let further = tenant.access_key(json!({})).await;
    let further = system.gateway.client(&further);
    let body = json!({"provider": "sandbox", "key": "sk-sandbox-mine"});
    let mut refused = None;
    // Slow machines earn a test back in between.
    for _ in 0..40 {
        let answer = further.post(UNSAVED, body.clone()).await;
        if !answer.status.is_success() {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.unwrap();
    assert_eq!(refused.error(429), "rate_limit_exceeded");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=6).contains(&wait), "{wait}");
}

/// Without anybody asking; a key that fails is shown so, and is back once it works again.
async fn keys_that_are_due_are_tested_by_themselves(topology: Topology) {
    let often = |launch: keyward_testkit::Launch| launch.set("routing.key_test_interval", "1s");
    let system = System::own(topology, often).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (id, key) = tenant.own_key("openai").await;
    system.providers.openai.script(&key, Script::echo_key(401));
    let stands = async |status: &str| {
        let key = || tenant.key(&id);
        wait::until("the key is tested", || async move {
            key().await["status"] == status
        })
        .await;
    };
    stands("error").await;
    let reason = tenant.key(&id).await["status_reason"].clone();
    assert!(
        reason.as_str().unwrap().contains("Incorrect API key"),
        "{reason}"
    );
    assert!(!reason.as_str().unwrap().contains(&key));
    system.providers.openai.script(&key, Script::ok("ok"));
    stands("connected").await;
    let events = system
        .gateway
        .admin()
        .get("/api/v1/audit-events?page_size=200")
        .await
        .ok();
    let events = events.json();
    let tested = |event: &&Value| event["resource_id"] == id && event["purpose"] == "test";
    let events = events["audit_events"].as_array().unwrap();
    assert!(
        events.iter().filter(tested).count() >= 4,
        "opened and reported, twice"
    );
}
