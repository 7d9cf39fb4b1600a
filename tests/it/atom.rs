//! Provider keys in the form of ATOM's interface, from outside.

use keyward_testkit::{Script, Tenant, Topology, canary};
use serde_json::{Value, json};

use crate::system::{both, shared};

both! {
    a_key_is_saved_shown_tested_and_deleted_by_its_provider,
    users_are_apart_and_admins_see_all,
}

fn named<'a>(list: &'a Value, member: &str, name: &str) -> &'a Value {
    let mut all = list.as_array().unwrap().iter();
    all.find(|one| one[member] == name).unwrap()
}

#[expect(clippy::too_many_lines, reason = "one life of a key")]
async fn a_key_is_saved_shown_tested_and_deleted_by_its_provider(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let base = format!("/api/user/api-keys/{}", tenant.user);
    let get = async |path: &str| {
        tenant
            .client
            .get(&format!("{base}/{path}"))
            .await
            .ok()
            .json()
    };
    let all = get("providers").await;
    let openai = named(&all["providers"], "id", "openai");
    assert_eq!(
        (&openai["status"], &openai["connection"]),
        (&json!("Not Configured"), &Value::Null)
    );
    assert!(
        openai["capabilities"]
            .as_array()
            .unwrap()
            .contains(&json!("chat")),
        "{openai}"
    );

    let (first, second) = (
        canary::provider_key("openai"),
        canary::provider_key("openai"),
    );
    let path = format!("{base}/keys/openai");
    let saved = tenant
        .client
        .post(&path, json!({"api_key": first}))
        .await
        .ok();
    assert_eq!(
        (saved.status.as_u16(), &saved.json()["success"]),
        (201, &json!(true))
    );
    let saved = tenant
        .client
        .post(&path, json!({"api_key": second}))
        .await
        .ok();
    assert_eq!(
        saved.status.as_u16(),
        200,
        "it takes the place of the first"
    );
    let keys = get("keys").await;
    assert_eq!(keys["count"], 1);
    let masked = keys["keys"][0]["masked_key"].as_str().unwrap();
    assert!(masked.starts_with("sk-proj-") && masked.ends_with(&second[second.len() - 4..]));
    assert!(!keys.to_string().contains(&second));

    let tested = tenant
        .client
        .post(&format!("{path}/test"), json!({}))
        .await
        .ok()
        .json();
    assert_eq!(
        (&tested["success"], &tested["status"]),
        (&json!(true), &json!("Working"))
    );
    system
        .providers
        .openai
        .script(&second, Script::unauthorized());
    let tested = tenant
        .client
        .post(&format!("{path}/test"), json!({}))
        .await
        .ok()
        .json();
    assert_eq!(
        (&tested["success"], &tested["status"]),
        (&json!(false), &json!("Failed"))
    );
    assert_eq!(tested["message"], "Invalid API key");
    let status = get("status").await;
    assert_eq!(
        (
            &status["configured_providers"],
            &status["working_providers"]
        ),
        (&json!(1), &json!(0))
    );
    assert_eq!(get("services").await["services"][0]["connection"], "Failed");

    let _ = tenant.client.delete(&path).await.ok();
    assert_eq!(get("keys").await["count"], 0);
    for (method, path) in [
        (http::Method::GET, path.clone()),
        (http::Method::DELETE, path.clone()),
        (http::Method::POST, format!("{path}/test")),
    ] {
        let gone = tenant.client.send(method, &path, "").await;
        assert_eq!(gone.error(404), "not_found");
    }
    let wrong = tenant
        .client
        .post(&path, json!({"api_key": "sk-ant-no"}))
        .await;
    assert_eq!(wrong.error(400), "invalid_request");
}

async fn users_are_apart_and_admins_see_all(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let other = Tenant::new(&system.gateway, "trial").await;
    let _ = tenant.own_key("openai").await;
    let base = format!("/api/user/api-keys/{}", tenant.user);
    for path in ["providers", "keys", "keys/openai", "services", "status"] {
        let path = format!("{base}/{path}");
        assert_eq!(
            other.client.get(&path).await.error(404),
            "not_found",
            "{path}"
        );
        let _ = system.gateway.admin().get(&path).await.ok();
    }
    let saved = other
        .client
        .post(&format!("{base}/keys/groq"), json!({"api_key": "gsk_x"}))
        .await;
    assert_eq!(saved.error(404), "not_found");
    assert_eq!(
        other
            .client
            .delete(&format!("{base}/keys/openai"))
            .await
            .error(404),
        "not_found"
    );
    let seen = system
        .gateway
        .admin()
        .get(&format!("{base}/status"))
        .await
        .ok();
    assert_eq!(seen.json()["configured_providers"], 1);
}
