//! The first start, and every other.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use keyward_testkit::{Launch, Role, Tenant, Topology};

use crate::served::MODEL;
use crate::system::{System, both};

/// Far more than a start takes, since tests share the machine: the time itself is printed.
const START_MAX: Duration = Duration::from_secs(10);

async fn the_first_start_makes_an_admin_with_credits(topology: Topology) {
    let mut gateway = Launch::new(topology).without_admin_key().start().await;
    println!("{topology:?}: ready after {:?}", gateway.start_time);
    assert!(gateway.start_time < START_MAX, "{:?}", gateway.start_time);

    let key = gateway.admin_key();
    assert!(
        key.starts_with("kw_") && key.len() >= 35,
        "no access key in the file"
    );
    for file in ["admin-key", "master-key"] {
        let found = find(&gateway.data_dir(), file);
        let mode = found.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", found.display());
    }
    assert!(
        !gateway.logs().contains(&key),
        "the admin key was printed to no terminal"
    );

    let admin = gateway.admin();
    let user = admin.get("/api/v1/users/admin").await.ok().json();
    assert_eq!(user["tier"], "enterprise", "{user}");
    keyward_testkit::wait::until("the first credits", || async {
        admin.get("/api/v1/credits").await.ok().json()["balance"] == "10.00"
    })
    .await;
    let answer = admin.chat("sandbox/echo", "one two three").await.ok();
    assert_eq!(answer.content(), "one two three");

    gateway.restart().await;
    println!("{topology:?}: ready again after {:?}", gateway.start_time);
    assert_eq!(gateway.admin_key(), key);
    let credits = admin.get("/api/v1/credits").await.ok().json();
    assert_eq!(credits["balance"], "9.999991", "{credits}");
}

async fn a_given_admin_key_replaces_the_generated_one(topology: Topology) {
    let mut gateway = Launch::new(topology).without_admin_key().start().await;
    let generated = gateway.admin_key();
    let given = format!("kw_{}", keyward_testkit::canary::characters(40));
    gateway
        .change(|launch| launch.vault_set("bootstrap.admin_key", &given))
        .await;
    assert!(
        !gateway.data_dir().join("admin-key").exists(),
        "a dead key is left in a file"
    );
    let path = "/api/v1/users/admin";
    let _ = gateway.client(&given).get(path).await.ok();
    let refused = gateway.client(&generated).get(path).await;
    assert_eq!(refused.error(401), "invalid_access_key");
}

async fn a_restart_keeps_keys_balances_and_access_keys(topology: Topology) {
    let mut system = System::own(topology, |launch| launch).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    let (id, key) = tenant.own_key("openai").await;
    let before = tenant.key(&id).await;
    system.gateway.restart().await;
    let after = tenant.key(&id).await;
    assert_eq!(after["masked_key"], before["masked_key"]);
    assert_eq!(tenant.balance().await, "1.00");
    let answer = tenant.client.chat(MODEL, "hello").await.ok();
    assert_eq!(answer.header("x-keyward-key-source"), "user");
    assert_eq!(system.providers.openai.requests_with(&key).len(), 1);
    let admin = system.gateway.admin();
    let _ = admin
        .get(&format!("/api/v1/users/{}", tenant.user))
        .await
        .ok();
}

async fn a_running_gateway_says_that_it_lives_and_is_ready(topology: Topology) {
    let gateway = Launch::new(topology).start().await;
    for role in Role::ALL {
        let _ = gateway.ops(role, "/healthz").await.ok();
        let ready = gateway.ops(role, "/readyz").await.ok().json();
        assert_eq!(ready["reasons"], serde_json::json!({}), "{}", role.name());
        let metrics = gateway.ops(role, "/metrics").await.ok();
        assert!(metrics.text().contains("# EOF"), "{}", role.name());
    }
}

/// The file whose name contains `name`.
fn find(folder: &Path, name: &str) -> std::path::PathBuf {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let matches = |path: &std::path::PathBuf| {
        let file = path
            .file_name()
            .unwrap()
            .to_string_lossy()
            .replace('_', "-");
        file.contains(name) || (name == "master-key" && file.contains("master"))
    };
    let mut entries = entries.filter(matches);
    entries
        .next()
        .unwrap_or_else(|| panic!("no {name} in {}", folder.display()))
}

both!(
    the_first_start_makes_an_admin_with_credits,
    a_given_admin_key_replaces_the_generated_one,
    a_restart_keeps_keys_balances_and_access_keys,
    a_running_gateway_says_that_it_lives_and_is_ready,
);
