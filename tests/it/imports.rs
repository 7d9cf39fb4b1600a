//! Keys that another system keeps as Fernet tokens: taken over through the edge, which sees nothing of
//! what is in them, stored so that Python reads them too, and served with.

use keyward_testkit::canary::Search;
use keyward_testkit::{Launch, Tenant, Topology};
use serde_json::{Value, json};

use crate::system::{System, both};

/// Tokens of Python's `cryptography`, and the key and the content of each.
const KNOWN: &str = include_str!("../../services/vault/tests/vectors/fernet/derived.json");

/// What is in each of them.
const SECRET: &str = "sk-sandbox-known-answer";

const PATH: &str = "/api/v1/provider-keys/import";

async fn an_imported_key_serves_and_is_found_nowhere(topology: Topology) {
    let known: Value = serde_json::from_str(KNOWN).unwrap();
    let known = known.as_array().unwrap();
    let keys: Vec<&Value> = known.iter().map(|known| &known["key"]).collect();
    let settings = |launch: Launch| {
        launch
            .vault_set("vault.fernet_keys", &json!(keys).to_string())
            .vault_set("vault.cipher", "fernet")
    };
    let mut system = System::own(topology, settings).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let [first, .., last] = known.as_slice() else {
        panic!("there are known tokens");
    };
    let body = |token: &Value| json!({"provider": "sandbox", "fernet_token": token});

    let mut dry = body(&last["token"]);
    dry["validate_only"] = true.into();
    let shown = tenant.client.post(PATH, dry).await;
    assert_eq!(shown.status.as_u16(), 200, "{}", shown.text());
    assert_eq!(shown.json()["id"], "");
    let made = tenant.client.post(PATH, body(&last["token"])).await;
    assert_eq!(made.status.as_u16(), 201, "{}", made.text());
    let again = tenant.client.post(PATH, body(&first["token"])).await;
    assert_eq!(again.error(409), "already_exists");
    let id = made.json()["id"].as_str().unwrap().to_owned();
    assert!(again.text().contains(&id), "{}", again.text());
    for wrong in ["", "no token", SECRET] {
        let refused = tenant.client.post(PATH, body(&wrong.into())).await;
        assert_eq!(refused.error(400), "invalid_request");
        let expect = "the token does not open with any key of `vault.fernet_keys`";
        assert_eq!(refused.message(), expect);
    }

    let served = tenant.client.chat("sandbox/echo", "with it").await.ok();
    assert_eq!(served.header("x-keyward-key-source"), "user");

    system.gateway.stop().await;
    let search = Search::of(SECRET);
    for answer in [&shown, &made, &again, &served] {
        assert_eq!(search.found_in(&answer.body), None);
    }
    assert_eq!(search.found_in(system.gateway.logs().as_bytes()), None);
    for (path, bytes) in system.gateway.data_files() {
        assert_eq!(search.found_in(&bytes), None, "{}", path.display());
    }
}

both!(an_imported_key_serves_and_is_found_nowhere);
