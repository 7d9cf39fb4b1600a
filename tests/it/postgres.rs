//! The vault's store in Postgres: all is as with a file, and a Postgres that goes away and comes back
//! harms nothing.

use keyward_testkit::gateway::run;
use keyward_testkit::postgres::{PASSWORD, ROLE};
use keyward_testkit::{Launch, PrivatePostgres, Tenant, TestDatabase, Topology, canary, wait};
use serde_json::json;

use crate::served::{MODEL, Served};
use crate::system::{System, both};

/// A master key of these tests alone.
const MASTER_KEYS: &str =
    r#"[{"id": "m1", "key": "yqd7Y73vH4BcUoiow/1o5aj/vrL0RmiXrRmUkgclXMc="}]"#;

/// Has the binary make the vault's schema.
pub(crate) fn migrate(url: &str) {
    migrate_store("vault", url);
}

/// The same of metering's.
pub(crate) fn migrate_metering(url: &str) {
    migrate_store("metering", url);
}

fn migrate_store(role: &str, url: &str) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let setting = format!("KEYWARD_{}__STORE__URL", role.to_uppercase());
    let variables = [
        (setting.as_str(), url),
        ("KEYWARD_DATA_DIR", data.to_str().unwrap()),
    ];
    let done = run(&["migrate"], &variables, folder.path());
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{said}");
    assert!(
        !said.contains(PASSWORD),
        "the password is in the log: {said}"
    );
    assert!(
        !data.join(format!("{role}.db")).exists(),
        "an embedded store was made too"
    );
}

/// With the vault's store there.
pub(crate) fn on_postgres(launch: Launch, url: &str) -> Launch {
    launch
        .vault_set("vault.store.url", url)
        .vault_set("vault.master_keys", MASTER_KEYS)
}

async fn a_vault_on_postgres_serves_rotates_deletes_and_audits(topology: Topology) {
    let database = TestDatabase::new();
    migrate(&database.url());
    let mut system = System::own(topology, |launch| on_postgres(launch, &database.url())).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    let (id, key) = tenant.own_key("openai").await;
    let served = |key| Served::by_own(key);
    served(&key)
        .check(&system.providers, &tenant.client, MODEL)
        .await;
    let new = canary::provider_key("openai");
    let path = format!("/api/v1/provider-keys/{id}");
    let rotate = format!("{path}/rotate");
    let _ = tenant.client.post(&rotate, json!({"key": new})).await.ok();
    served(&new)
        .check(&system.providers, &tenant.client, MODEL)
        .await;
    system.gateway.restart().await;
    served(&new)
        .check(&system.providers, &tenant.client, MODEL)
        .await;
    let _ = tenant.client.delete(&path).await.ok();
    assert_eq!(tenant.client.get(&path).await.error(404), "not_found");
    let events = tenant
        .client
        .get("/api/v1/audit-events?page_size=100")
        .await
        .ok();
    let events = events.text();
    for action in ["create", "rotate", "unseal", "delete"] {
        let action = format!("provider_key.{action}");
        assert!(events.contains(&action), "no {action} in {events}");
    }
    assert!(!system.gateway.data_dir().join("vault.db").exists());
    assert!(
        !system.gateway.logs().contains(PASSWORD),
        "the password is in a log"
    );
}

async fn a_restart_of_postgres_is_survived(topology: Topology) {
    let server = PrivatePostgres::start();
    let url = server.url(ROLE, PASSWORD, &server.make_database());
    migrate(&url);
    let system = System::own(topology, |launch| on_postgres(launch, &url)).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    let _ = tenant.own_key("openai").await;
    let _ = tenant.client.chat(MODEL, "before").await.ok();
    server.stop();
    wait::until("the bound to pass", || async {
        let answer = tenant.client.chat(MODEL, "meanwhile").await;
        match answer.status.as_u16() {
            // What was opened before may serve, but nobody else's key in its place.
            200 => assert_eq!(answer.header("x-keyward-key-source"), "user"),
            503 => return true,
            other => panic!("{other}: {}", answer.text()),
        }
        false
    })
    .await;
    server.start_again();
    wait::until("the key to serve again", || async {
        tenant.client.chat(MODEL, "after").await.status.is_success()
    })
    .await;
}

#[test]
fn a_vault_on_postgres_does_not_start_without_what_it_cannot_make() {
    let database = TestDatabase::new();
    let url = database.url();
    let folder = tempfile::tempdir().unwrap();
    let admin_key = format!("kw_{}", "a".repeat(40));
    let store = ("KEYWARD_VAULT__STORE__URL", url.as_str());
    let masters = ("KEYWARD_VAULT__MASTER_KEYS", MASTER_KEYS);
    let admin = ("KEYWARD_BOOTSTRAP__ADMIN_KEY", admin_key.as_str());
    let wrong = (
        "KEYWARD_VAULT__STORE__URL",
        "postgres://u:canary@db/d?sslmode=allow",
    );
    for (variables, code, says) in [
        (vec![store, admin], 3, "vault.master_keys"),
        (vec![store, masters], 3, "bootstrap.admin_key"),
        (vec![wrong, masters, admin], 3, "vault.store.url"),
        (vec![store, masters, admin], 1, "keyward migrate"),
    ] {
        let mut variables = variables;
        variables.extend([
            ("KEYWARD_GRPC__LISTEN", "127.0.0.1:0"),
            ("KEYWARD_OPS__LISTEN", "127.0.0.1:0"),
        ]);
        let done = run(&["serve", "--role", "vault"], &variables, folder.path());
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(code), "{said}");
        assert!(said.contains(says), "{said}");
        assert!(
            !said.contains(PASSWORD) && !said.contains("canary"),
            "{said}"
        );
    }
}

both!(
    a_vault_on_postgres_serves_rotates_deletes_and_audits,
    a_restart_of_postgres_is_survived,
);
