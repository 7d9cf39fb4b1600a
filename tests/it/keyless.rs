//! A server of the platform's that asks for no key: it is shown none, serves at once, and is paid for in
//! credits as it is priced.

use std::fs;

use keyward_testkit::{Gateway, Launch, Script, ScriptedUpstream, Tenant, Topology};
use serde_json::json;
use tempfile::TempDir;

use crate::system::both;

const MODEL: &str = "house/llama";

/// A gateway in front of a server without keys.
struct House {
    gateway: Gateway,
    server: ScriptedUpstream,
    /// Where its prices stand.
    _folder: TempDir,
}

impl House {
    async fn start(topology: Topology) -> Self {
        let server = ScriptedUpstream::start();
        let folder = tempfile::tempdir().unwrap();
        let overlay = folder.path().join("overlay.json");
        let prices = json!({"schema": 1, "models": [{"id": MODEL, "offers": [
            {"provider": "house", "upstream": "llama", "prices": {"input": 1_000_000_000, "output": 0}},
        ]}]});
        fs::write(&overlay, prices.to_string()).unwrap();
        let gateway = Launch::new(topology)
            .provider("house", &server)
            .set("providers.house.keyless", "true")
            .set("catalog.overlay", overlay.to_str().unwrap())
            .start()
            .await;
        Self {
            gateway,
            server,
            _folder: folder,
        }
    }
}

async fn a_server_that_asks_for_no_key_is_shown_none_and_paid_in_credits(topology: Topology) {
    let house = House::start(topology).await;
    let tenant = Tenant::new(&house.gateway, "enterprise").await;
    house
        .server
        .script_model("llama", Script::ok("none").usage(1_000, 5));
    let refused = tenant.client.chat(MODEL, "hello").await;
    assert_eq!(refused.error(402), "insufficient_credits");
    tenant.grant("1.00").await;
    let answer = tenant.client.chat(MODEL, "hello").await.ok();
    assert_eq!(answer.content(), "none");
    assert_eq!(answer.header("x-keyward-key-source"), "system");
    assert_eq!(answer.header("x-credits-charged"), "0.001");
    let sent = house.server.requests();
    assert_eq!(sent.len(), 1);
    assert!(!sent[0].headers.contains_key("authorization"), "{sent:?}");
}

/// Nobody can say what it costs.
async fn a_model_without_a_price_is_not_served(topology: Topology) {
    let house = House::start(topology).await;
    let tenant = Tenant::new(&house.gateway, "enterprise").await;
    tenant.grant("1.00").await;
    let refused = tenant.client.chat("house/mistral", "hello").await;
    assert_eq!(refused.status, 404, "{}", refused.text());
    assert!(house.server.requests().is_empty());
}

/// Some text as a key would make it free.
async fn no_key_of_ones_own_makes_it_free(topology: Topology) {
    let house = House::start(topology).await;
    let tenant = Tenant::new(&house.gateway, "enterprise").await;
    tenant.grant("1.00").await;
    house
        .server
        .script_model("llama", Script::ok("Hi").usage(1_000, 5));
    let _ = tenant
        .add_key(json!({"provider": "house", "key": "anything"}))
        .await;
    let answer = tenant.client.chat(MODEL, "hello").await.ok();
    assert_eq!(answer.header("x-credits-charged"), "0.001");
}

both!(
    a_server_that_asks_for_no_key_is_shown_none_and_paid_in_credits,
    a_model_without_a_price_is_not_served,
    no_key_of_ones_own_makes_it_free,
);
