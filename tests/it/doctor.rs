//! `keyward doctor`, beside a gateway and without one: what it finds, and what it exits with.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

use keyward_testkit::gateway::{free_ports, run};
use keyward_testkit::{Gateway, Launch, Role, ScriptedUpstream, Tenant, Topology, canary};
use serde_json::Value;

use crate::system::{System, both};

/// A master key that seals nothing here.
const OTHER_KEY: &str =
    r#"[{"id": "other", "key": "U6gg9l81/5EY3aW7Fsqxm1nT8E4neGEezRmsJO4T11E="}]"#;

/// What the doctor said.
#[derive(Debug)]
struct Diagnosis {
    exit: i32,
    said: Value,
    text: String,
}

impl Diagnosis {
    fn read(output: &Output) -> Self {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Self {
            exit: output.status.code().unwrap(),
            said: serde_json::from_str(&text).unwrap_or_else(|error| {
                let stderr = String::from_utf8_lossy(&output.stderr);
                panic!("{error}: {text}{stderr}")
            }),
            text,
        }
    }

    /// The checks of a name that begins so, each with its status and message.
    fn checks(&self, name: &str) -> Vec<(&str, &str)> {
        let checks = self.said["checks"].as_array().unwrap().iter();
        checks
            .filter(|check| check["name"].as_str().unwrap().starts_with(name))
            .map(|check| {
                let status = check["status"].as_str().unwrap();
                (status, check["message"].as_str().unwrap())
            })
            .collect()
    }

    /// The one check of this name.
    fn check(&self, name: &str) -> (&str, &str) {
        let found = self.checks(name);
        assert_eq!(found.len(), 1, "{name}: {self:?}");
        found[0]
    }

    fn count(&self, status: &str) -> u64 {
        self.said["summary"][status].as_u64().unwrap()
    }
}

/// Looks at the process of a role, with the access key of the admin.
fn examine(
    gateway: &Gateway,
    topology: Topology,
    role: Role,
    further: &[(&str, &str)],
) -> Diagnosis {
    let key = gateway.admin_key();
    let mut variables = vec![("KEYWARD_ACCESS_KEY", key.as_str())];
    variables.extend(further);
    let arguments: &[&str] = match topology {
        Topology::Embedded => &["doctor", "--json"],
        Topology::Split => &["doctor", "--json", "--role", role.name()],
    };
    Diagnosis::read(&gateway.run_as(role, arguments, &variables))
}

async fn a_healthy_gateway_is_found_well(topology: Topology) {
    let gateway = Launch::new(topology).start().await;
    for role in Role::ALL {
        let found = examine(&gateway, topology, role, &[]);
        assert_eq!(found.exit, 0, "{role:?}: {found:?}");
        assert_eq!(
            (found.count("fail"), found.count("warn")),
            (0, 0),
            "{role:?}: {found:?}"
        );
        assert_eq!(found.check("listen.ops").0, "ok");
        if role == Role::Edge {
            assert_eq!(found.check("route").0, "ok", "{found:?}");
            assert!(
                found.check("clock").1.contains("the gateway's"),
                "{found:?}"
            );
        }
        if topology == Topology::Embedded {
            assert_eq!(found.count("skip"), 0, "{found:?}");
            assert_eq!(found.checks("peer"), []);
        }
        assert!(!found.text.contains(&gateway.admin_key()));
    }
}

async fn a_master_key_that_others_can_read_is_a_fault(topology: Topology) {
    let gateway = Launch::new(topology).start().await;
    let path = gateway.data_dir().join("master.key");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let found = examine(&gateway, topology, Role::Vault, &[]);
    assert_eq!(found.exit, 1);
    assert_eq!(found.check("files.master.key").0, "fail");
    assert_eq!(found.check("master_key").0, "fail");
    assert!(found.text.contains("chmod 600"));
}

async fn another_master_key_is_a_fault_that_names_the_missing_one(topology: Topology) {
    let gateway = Launch::new(topology).start().await;
    let file = fs::read_to_string(gateway.data_dir().join("master.key")).unwrap();
    let (id, key) = file.trim().split_once(':').unwrap();
    let other = [("KEYWARD_VAULT__MASTER_KEYS", OTHER_KEY)];
    let found = examine(&gateway, topology, Role::Vault, &other);
    assert_eq!(found.exit, 1);
    let (status, message) = found.check("master_key");
    assert_eq!(status, "fail");
    assert!(message.contains(id), "{message}");
    assert!(!found.text.contains(key));
}

async fn a_store_of_a_newer_version_is_a_fault(topology: Topology) {
    let gateway = Launch::new(topology).start().await;
    for (role, file) in [
        (Role::Vault, "vault.db"),
        (Role::Metering, "metering.db"),
        (Role::Router, "router.db"),
    ] {
        let database = rusqlite::Connection::open(gateway.data_dir().join(file)).unwrap();
        database.pragma_update(None, "user_version", 999).unwrap();
        let found = examine(&gateway, topology, role, &[]);
        assert_eq!(found.exit, 1);
        let (status, message) = found.check(&format!("store.{}", role.name()));
        assert_eq!(status, "fail");
        assert!(message.contains("999"), "{message}");
    }
}

#[tokio::test]
async fn secrets_of_the_vault_given_to_the_edge_are_told_and_not_shown() {
    let topology = Topology::Split;
    let gateway = Launch::new(topology).start().await;
    let key = canary::provider_key("openai");
    let given = [("KEYWARD_PROVIDERS__OPENAI__SYSTEM_KEY", key.as_str())];
    let found = examine(&gateway, topology, Role::Edge, &given);
    assert_eq!(found.exit, 0, "a warning is no fault: {found:?}");
    let (status, message) = found.check("secrets");
    assert_eq!(status, "warn");
    assert!(message.contains("providers.openai.system_key"), "{message}");
    assert!(!found.text.contains(&key));

    let given = [("KEYWARD_VAULT__MASTER_KEYS", OTHER_KEY)];
    let found = examine(&gateway, topology, Role::Router, &given);
    assert_eq!((found.exit, found.check("secrets").0), (1, "fail"));
    let found = examine(&gateway, topology, Role::Vault, &[]);
    assert_eq!(found.check("secrets").0, "ok");
}

#[tokio::test]
async fn the_collector_is_tried_wherever_it_is_named() {
    let topology = Topology::Embedded;
    let gateway = Launch::new(topology).start().await;
    let look = |further: &[(&str, &str)]| {
        let found = examine(&gateway, topology, Role::Edge, further);
        let (status, message) = found.check("telemetry");
        (status.to_owned(), message.to_owned())
    };
    for name in [
        "KEYWARD_TELEMETRY__OTLP_ENDPOINT",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    ] {
        let (status, message) = look(&[(name, "http://127.0.0.1:1")]);
        assert_eq!(status, "warn", "{name}: {message}");
        assert!(message.contains("127.0.0.1:1"), "{name}: {message}");
    }
    let off = [
        ("KEYWARD_TELEMETRY__OTLP_ENDPOINT", "http://127.0.0.1:1"),
        ("OTEL_SDK_DISABLED", "true"),
    ];
    assert_eq!(look(&off).0, "ok");
}

#[tokio::test]
async fn a_peer_that_is_away_is_a_fault() {
    let topology = Topology::Split;
    let mut gateway = Launch::new(topology).start().await;
    gateway.terminate(Role::Metering);
    gateway.exited(Role::Metering).await;
    let found = examine(&gateway, topology, Role::Edge, &[]);
    assert_eq!(found.exit, 1);
    assert_eq!(found.check("peer.metering").0, "fail");
    assert_eq!(found.check("peer.vault").0, "ok");
    let unset = [("KEYWARD_VAULT__URL", "https://127.0.0.1:1")];
    let found = examine(&gateway, topology, Role::Router, &unset);
    assert_eq!(found.check("peer.vault").0, "fail");
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_is_a_warning() {
    let topology = Topology::Embedded;
    let system = System::own(topology, |launch| launch).await;
    let gateway = &system.gateway;
    let tenant = Tenant::new(gateway, "trial").await;
    let (_, key) = tenant.own_key("groq").await;
    let found = examine(gateway, topology, Role::Edge, &[]);
    assert_eq!(found.check("provider.groq").0, "ok", "{found:?}");
    let nowhere = format!("http://127.0.0.1:{}/v1", free_ports(1)[0]);
    let moved = [("KEYWARD_PROVIDERS__GROQ__BASE_URL", nowhere.as_str())];
    let found = examine(gateway, topology, Role::Edge, &moved);
    assert_eq!(
        (found.exit, found.check("provider.groq").0),
        (0, "warn"),
        "{found:?}"
    );
    assert!(!found.text.contains(&key));
    assert_eq!(
        system.providers.groq.requests().len(),
        0,
        "something was sent"
    );
}

#[tokio::test]
async fn the_address_of_a_keys_owner_is_tried_with_the_guard_up() {
    let topology = Topology::Embedded;
    let upstream = ScriptedUpstream::start();
    let launch = Launch::new(topology).set("providers.private_allow", r#"["127.0.0.0/8"]"#);
    let gateway = launch.start().await;
    let tenant = Tenant::new(&gateway, "trial").await;
    let body = serde_json::json!({
        "provider": "openai", "key": canary::provider_key("openai"), "base_url": upstream.base_url(),
    });
    let _ = tenant.client.post("/api/v1/provider-keys", body).await.ok();
    let found = examine(&gateway, topology, Role::Edge, &[]);
    assert_eq!(
        found.check("provider.openai@127.0.0.1").0,
        "ok",
        "{found:?}"
    );
    let guarded = [("KEYWARD_PROVIDERS__PRIVATE_ALLOW", "[]")];
    let found = examine(&gateway, topology, Role::Edge, &guarded);
    assert_eq!(
        found.check("provider.openai@127.0.0.1").0,
        "warn",
        "{found:?}"
    );
}

#[tokio::test]
async fn risky_settings_are_warnings() {
    let gateway = Launch::new(Topology::Embedded).start().await;
    let key = canary::provider_key("openai");
    let risky = [
        ("KEYWARD_PROVIDERS__ALLOW_PRIVATE_BASE_URLS", "true"),
        ("KEYWARD_PROVIDERS__OPENAI__SYSTEM_KEY", key.as_str()),
        (
            "KEYWARD_PROVIDERS__OPENAI__BASE_URL",
            "http://127.0.0.1:1/v1",
        ),
        ("KEYWARD_EGDE_LISTEN", "127.0.0.1:1"),
    ];
    let found = examine(&gateway, Topology::Embedded, Role::Edge, &risky);
    assert_eq!(found.exit, 0);
    for name in [
        "settings.providers.allow_private_base_urls",
        "settings.routing.fallback_to_credits",
        "settings.environment",
        "provider.openai",
    ] {
        assert_eq!(found.check(name).0, "warn", "{found:?}");
    }
    assert!(!found.text.contains(&key));
}

#[test]
fn settings_that_do_not_load_are_a_fault_and_the_only_line() {
    let folder = tempfile::tempdir().unwrap();
    let variables = [("KEYWARD_EDGE__LISEN", "127.0.0.1:1")];
    let found = Diagnosis::read(&run(&["doctor", "--json"], &variables, folder.path()));
    assert_eq!((found.exit, found.checks("").len()), (1, 1));
    let (status, message) = found.check("settings");
    assert_eq!(status, "fail");
    assert!(
        message.contains("edge.lisen") && message.contains("KEYWARD_EDGE__LISEN"),
        "{message}"
    );
}

#[test]
fn without_a_gateway_nothing_is_a_fault_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let ports = free_ports(3).into_iter();
    let addresses: Vec<String> = ports.map(|port| format!("127.0.0.1:{port}")).collect();
    let variables = [
        ("KEYWARD_EDGE__LISTEN", addresses[0].as_str()),
        ("KEYWARD_GRPC__LISTEN", addresses[1].as_str()),
        ("KEYWARD_OPS__LISTEN", addresses[2].as_str()),
    ];
    let found = Diagnosis::read(&run(&["doctor", "--json"], &variables, folder.path()));
    assert_eq!((found.exit, found.count("warn")), (0, 0), "{found:?}");
    assert_eq!(found.check("route").0, "skip");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

    // Somebody else on one of the addresses.
    let listener = TcpListener::bind(&addresses[2]).unwrap();
    let hang_up = std::thread::spawn(move || listener.incoming().take(2).for_each(drop));
    let found = Diagnosis::read(&run(&["doctor", "--json"], &variables, folder.path()));
    assert_eq!(
        (found.exit, found.check("listen.ops").0),
        (1, "fail"),
        "{found:?}"
    );
    // It may have called less often.
    let _ = std::net::TcpStream::connect(&addresses[2]);
    hang_up.join().unwrap();
}

#[tokio::test]
async fn people_read_a_line_for_each_check() {
    let gateway = Launch::new(Topology::Embedded)
        .without_admin_key()
        .start()
        .await;
    let output = gateway.run_as(Role::Edge, &["doctor"], &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.starts_with("STATUS"), "{text}");
    let line = text
        .lines()
        .find(|line| line.contains(" admin_key "))
        .unwrap();
    assert!(
        line.starts_with("warn") && line.contains("-> hand it over"),
        "{line}"
    );
    // The key that lies there serves for the dry run.
    let route = text.lines().find(|line| line.contains(" route ")).unwrap();
    assert!(
        route.starts_with("ok") && route.contains("sandbox/echo"),
        "{route}"
    );
    assert!(!text.contains(&gateway.admin_key()));
}

both!(
    a_healthy_gateway_is_found_well,
    a_master_key_that_others_can_read_is_a_fault,
    another_master_key_is_a_fault_that_names_the_missing_one,
    a_store_of_a_newer_version_is_a_fault,
);
