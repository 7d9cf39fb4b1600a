//! Notices from outside: what an account is told of without asking, in its list and at an endpoint of
//! its own, once.

use keyward_testkit::gateway::run;
use keyward_testkit::{
    Client, Received, Script, ScriptedUpstream, Tenant, Topology, tenancy, wait,
};
use ring::hmac;
use serde_json::{Value, json};

use crate::served::MODEL;
use crate::system::{System, both};

mod mail;

/// Where a tenant has its notices sent.
struct Endpoint {
    server: ScriptedUpstream,
    id: String,
    secret: String,
}

impl Endpoint {
    async fn new(client: &Client) -> Self {
        let server = ScriptedUpstream::start();
        let body = json!({"url": server.base_url()});
        let made = client.post("/api/v1/webhooks", body).await.ok().json();
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        Self {
            server,
            id: text("id"),
            secret: text("secret"),
        }
    }

    /// Waits for so many notices, and gives them in the order of their kind and threshold.
    async fn told(&self, count: usize) -> Vec<Value> {
        wait::until("the notices to arrive", || async {
            self.server.requests().len() >= count
        })
        .await;
        let mut told: Vec<_> = self
            .server
            .requests()
            .iter()
            .map(|r| self.read(r))
            .collect();
        told.sort_by_key(|notice| (notice["type"].to_string(), notice["data"].to_string()));
        told
    }

    /// The notice in a request that is signed as promised.
    fn read(&self, request: &Received) -> Value {
        use base64::Engine as _;
        use base64::engine::general_purpose::STANDARD;
        let header = |name: &str| request.headers[name].to_str().unwrap();
        let (id, time) = (header("webhook-id"), header("webhook-timestamp"));
        let secret = self.secret.strip_prefix("whsec_").unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(secret).unwrap());
        let signed = [id.as_bytes(), b".", time.as_bytes(), b".", &request.body].concat();
        let signature = header("webhook-signature").strip_prefix("v1,").unwrap();
        let signature = STANDARD.decode(signature).unwrap();
        hmac::verify(&key, &signed, &signature).expect("signed by who sends it");
        let notice = request.json();
        assert_eq!(notice["id"], id);
        notice
    }
}

/// A gateway that may call endpoints of these tests, with a low balance of its own.
async fn system(topology: Topology) -> System {
    System::own(topology, |launch| {
        launch
            .set("providers.private_allow", "[\"127.0.0.1\"]")
            .set("metering.low_balance", "0.70")
    })
    .await
}

async fn listed(client: &Client) -> Vec<Value> {
    tenancy::all(client, "/api/v1/notices", "notices").await
}

/// 100,000 words of prompt and as many of answer cost 0.345 at a markup of 15 %.
async fn spend(client: &Client) {
    let words = "word ".repeat(100_000);
    let _ = client.chat("sandbox/echo", &words).await.ok();
}

async fn budgets_and_balances_are_told_of_as_they_are_used_up(topology: Topology) {
    let system = system(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let endpoint = Endpoint::new(&tenant.client).await;
    tenant.grant("1.035").await;
    let budget = json!({"amount": "0.69", "period": "month", "action": "notify"});
    let budget = tenant
        .client
        .post("/api/v1/budgets", budget)
        .await
        .ok()
        .json();

    spend(&tenant.client).await;
    let told = endpoint.told(2).await;
    let shown = |notice: &Value| {
        let data = &notice["data"];
        let level = data.get("threshold").or(data.get("level"));
        (notice["type"].clone(), level.cloned().unwrap_or_default())
    };
    let expect = |kind: &str, level: &str| (json!(kind), json!(level));
    let half = expect("budget_threshold", "50");
    let low = expect("low_balance", "0.70");
    assert_eq!(told.iter().map(shown).collect::<Vec<_>>(), [half, low]);
    let subject = format!("budgets/{}", budget["id"].as_str().unwrap());
    assert_eq!(told[0]["subject"], subject.as_str());
    assert_eq!(told[0]["account"], tenant.account());

    spend(&tenant.client).await;
    spend(&tenant.client).await;
    let told = endpoint.told(5).await;
    let kinds: Vec<_> = told.iter().map(shown).collect();
    for kind in [
        expect("budget_threshold", "80"),
        expect("budget_threshold", "100"),
        expect("low_balance", "0.00"),
    ] {
        assert!(kinds.contains(&kind), "{kinds:?}");
    }
    let mut ids: Vec<_> = told.iter().map(|notice| notice["id"].to_string()).collect();
    let mut listed: Vec<_> = listed(&tenant.client).await;
    listed.retain(|notice| ids.contains(&notice["id"].to_string()));
    assert_eq!(listed.len(), 5, "the same as in the list");
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 5, "each once");
}

async fn a_key_that_its_provider_refuses_is_told_of_to_its_owner_alone(topology: Topology) {
    let system = system(topology).await;
    let (tenant, other) = (
        Tenant::new(&system.gateway, "trial").await,
        Tenant::new(&system.gateway, "trial").await,
    );
    let endpoint = Endpoint::new(&tenant.client).await;
    let (id, key) = tenant.own_key("openai").await;
    system.providers.openai.script(&key, Script::unauthorized());
    let answer = tenant.client.chat(MODEL, "hello").await;
    assert_eq!(answer.error(401), "provider_key_rejected");

    let told = endpoint.told(1).await.remove(0);
    assert_eq!(told["type"], "key_failing");
    assert_eq!(told["subject"], format!("provider-keys/{id}").as_str());
    let message = told["message"].as_str().unwrap();
    assert!(
        message.contains("openai") && !message.contains(&key),
        "{message}"
    );
    assert_eq!(listed(&other.client).await, Vec::<Value>::new());
    let [one] = &*listed(&tenant.client).await else {
        panic!("one notice");
    };
    assert_eq!(one["id"], told["id"]);
}

async fn a_webhook_is_tried_out_from_the_terminal(topology: Topology) {
    let system = system(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let endpoint = Endpoint::new(&tenant.client).await;
    let folder = tempfile::tempdir().unwrap();
    let done = run(
        &["webhooks", "test", &endpoint.id, "--json"],
        &[
            ("KEYWARD_URL", &*system.gateway.url()),
            ("KEYWARD_ACCESS_KEY", tenant.client.access_key()),
        ],
        folder.path(),
    );
    let said: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(
        (&said["delivered"], &said["status"]),
        (&json!(true), &json!(200))
    );
    assert_eq!(endpoint.told(1).await[0]["type"], "test");
    assert_eq!(listed(&tenant.client).await, Vec::<Value>::new(), "{said}");
}

both!(
    budgets_and_balances_are_told_of_as_they_are_used_up,
    a_key_that_its_provider_refuses_is_told_of_to_its_owner_alone,
    a_webhook_is_tried_out_from_the_terminal,
);
