//! Settings: what is wrong stops the start and is named, secrets may lie in files, and a changed
//! setting counts from the next start.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use keyward_testkit::gateway::run;
use keyward_testkit::{Launch, Tenant, Topology, canary};

use crate::served::{MODEL, Served};
use crate::system::{System, both};

async fn the_platforms_own_key_can_be_changed(topology: Topology) {
    let mut system = System::own(topology, |launch| launch).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    let served = Served {
        provider: "openai",
        key: &system.providers.system_key,
        source: "system",
        attempts: "1",
    };
    served.check(&system.providers, &tenant.client, MODEL).await;
    let new = canary::provider_key("openai");
    let change = |launch: Launch| launch.system_key("openai", &new);
    system.gateway.change(change).await;
    let served = Served {
        key: &new,
        ..served
    };
    served.check(&system.providers, &tenant.client, MODEL).await;
}

async fn secrets_may_lie_in_files(topology: Topology) {
    let folder = tempfile::tempdir().unwrap();
    let key = format!("kw_{}", canary::characters(40));
    let file = folder.path().join("admin");
    std::fs::write(&file, format!("{key}\n")).unwrap();
    let launch = Launch::new(topology).without_admin_key();
    let launch = launch.vault_set("bootstrap.admin_key_file", &file.display().to_string());
    let gateway = launch.start().await;
    let _ = gateway.client(&key).get("/api/v1/users/admin").await.ok();
    assert!(
        !gateway.data_dir().join("admin-key").exists(),
        "a given key was written down"
    );
}

#[test]
fn settings_that_are_wrong_stop_the_start_and_are_named() {
    let folder = tempfile::tempdir().unwrap();
    for (variable, value, named) in [
        ("KEYWARD_EDGE__LISTN", "127.0.0.1:1", "edge.listn"),
        ("KEYWARD_EDGE__LISTEN", "somewhere", "edge.listen"),
        ("KEYWARD_GRPC__LISTEN", "0.0.0.0:50051", "grpc.listen"),
        ("KEYWARD_ROUTING__PREFER", "neither", "routing.prefer"),
        (
            "KEYWARD_ROUTING__FALLBACK_MAX_CHARGE",
            "much",
            "routing.fallback_max_charge",
        ),
        (
            "KEYWARD_PROVIDERS__OPENAI__BASE_URL",
            "ftp://x",
            "providers.openai.base_url",
        ),
        (
            "KEYWARD_VAULT__REVOCATION_BOUND",
            "soon",
            "vault.revocation_bound",
        ),
        (
            "KEYWARD_VAULT__REVOCATION_BOUND",
            "31s",
            "vault.revocation_bound",
        ),
        (
            "KEYWARD_VAULT__MASTER_KEYS",
            r#"[{"id":"a","key":"short"}]"#,
            "vault.master_keys",
        ),
        (
            "KEYWARD_BOOTSTRAP__ADMIN_KEY",
            "short",
            "bootstrap.admin_key",
        ),
        (
            "KEYWARD_PROVIDERS__PRIVATE_ALLOW",
            r#"["10.0.0.0/33"]"#,
            "providers.private_allow",
        ),
        ("KEYWARD_REDIS__URL", "http://127.0.0.1", "redis.url"),
        ("KEYWARD_REDIS__ROUTERS", "3", "redis.routers"),
        (
            "KEYWARD_PROVIDERS__OPENIA__SYSTEM_KEY",
            "sk-of-a-misspelt-provider",
            "providers.openia",
        ),
        ("KEYWARD_LOG__FILTER", "keyward==", "log.filter"),
    ] {
        let output = run(&["serve"], &[(variable, value)], folder.path());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{variable}: {said}");
        assert!(said.contains(named), "{variable}: {said}");
        let made = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(made, 0, "{variable}: something was made before the refusal");
    }
}

#[test]
fn a_master_key_that_protects_nothing_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let zeros = "A".repeat(43) + "=";
    for (key, says) in [
        ("AAECAwQFBgcICQoLDA0ODw==", "not 32 bytes in base64"),
        ("sk-1234", "not 32 bytes in base64"),
        (zeros.as_str(), "is weak"),
    ] {
        let keys = format!(r#"[{{"id":"a","key":"{key}"}}]"#);
        let variables = [("KEYWARD_VAULT__MASTER_KEYS", keys.as_str())];
        refused_in_one_line(&variables, folder.path(), says, key);
        let made = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(made, 0, "something was made before the refusal");
    }
}

#[test]
fn a_key_file_that_others_can_read_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("keyward-data");
    std::fs::create_dir(&data).unwrap();
    let key = "U6gg9l81/5EY3aW7Fsqxm1nT8E4neGEezRmsJO4T11E=";
    let file = data.join("master.key");
    std::fs::write(&file, format!("a:{key}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    refused_in_one_line(&[], folder.path(), "can be read by others", key);
    assert!(!data.join("vault.db").exists(), "a store was made");
}

/// It ends by itself, so that nothing listens, and says why in one line that shows nothing of the key.
fn refused_in_one_line(variables: &[(&str, &str)], folder: &Path, says: &str, key: &str) {
    let output = run(&["serve"], variables, folder);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    let told = said.lines().filter(|line| line.starts_with("keyward: "));
    let told: Vec<&str> = told.collect();
    assert!(matches!(*told, [line] if line.contains(says)), "{said}");
    assert!(!said.contains(key), "it shows the key: {said}");
    assert!(output.stdout.is_empty(), "it said that it is ready");
}

#[test]
fn variables_that_others_set_are_no_settings() {
    let folder = tempfile::tempdir().unwrap();
    let variables = [
        ("KEYWARD_EDGE_PORT", "tcp://10.0.0.1:8080"),
        ("KEYWARD_DATA_DIR", "data"),
    ];
    for _ in 0..2 {
        let output = run(&["migrate"], &variables, folder.path());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
    }
    assert!(folder.path().join("data").join("vault.db").exists());
}

both!(
    the_platforms_own_key_can_be_changed,
    secrets_may_lie_in_files,
);
