//! What `/metrics` tells of traffic: dashboards and alerts are built on these lines.

use keyward_testkit::{Role, Script, Tenant, Topology};

use crate::served::MODEL;
use crate::system::{System, both};

async fn attempts_are_counted_by_whose_key_and_how_they_ended(topology: Topology) {
    let system = System::own(topology, |launch| launch).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    let (_, key) = tenant.own_key("openai").await;
    let _ = tenant.client.chat(MODEL, "own").await.ok();
    system.providers.openai.script(&key, Script::unauthorized());
    let _ = tenant.client.chat(MODEL, "credits").await.ok();

    for line in [
        r#"keyward_router_attempts_total{provider="openai",key_source="user",outcome="ok"} 1"#,
        r#"keyward_router_attempts_total{provider="openai",key_source="user",outcome="failed"} 1"#,
        r#"keyward_router_attempts_total{provider="openai",key_source="system",outcome="ok"} 1"#,
        r#"keyward_router_attempt_duration_seconds_count{provider="openai"} 3"#,
        r#"keyward_router_key_failures_total{provider="openai",outcome="rejected"} 1"#,
        "keyward_router_fallbacks_to_credits_total 1",
        "keyward_router_limits_local 0",
        "keyward_router_spool_depth 0",
        "keyward_router_spool_quarantined 0",
    ] {
        assert_told(&system, Role::Router, line).await;
    }
    assert_told(&system, Role::Metering, "keyward_metering_holds_open 0").await;
}

async fn provider_keys_are_counted_by_how_they_are_kept(topology: Topology) {
    let mut system = System::own(topology, |launch| launch).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    let (id, key) = tenant.own_key("openai").await;
    system.providers.openai.script(&key, Script::unauthorized());
    let client = tenant.client.with("x-keyward-fallback", "none");
    let _ = client.chat(MODEL, "refused").await;
    keyward_testkit::wait::until("the key to be known as refused", || async {
        tenant.key(&id).await["status"] == "error"
    })
    .await;
    // They are counted at the start, and then now and then.
    system.gateway.restart().await;
    for line in [
        // The sandbox's and OpenAI's of the platform, and the tenant's.
        r#"keyward_vault_provider_keys{state="stored"} 3"#,
        r#"keyward_vault_provider_keys{state="failing"} 1"#,
        r#"keyward_vault_provider_keys{state="rotation_due"} 0"#,
        r#"keyward_vault_provider_keys{state="unused"} 0"#,
        r#"keyward_vault_provider_keys{state="expiring"} 0"#,
    ] {
        assert_told(&system, Role::Vault, line).await;
    }
}

async fn a_process_tells_whether_it_is_ready(topology: Topology) {
    let system = System::own(topology, |launch| launch).await;
    for role in Role::ALL {
        assert_told(&system, role, "keyward_ready 1").await;
    }
}

#[tokio::test]
async fn a_process_that_waits_for_another_is_not_ready() {
    let mut system = System::own(Topology::Split, |launch| launch).await;
    system.gateway.terminate(Role::Metering);
    system.gateway.exited(Role::Metering).await;
    for role in [Role::Router, Role::Edge] {
        assert_told(&system, role, "keyward_ready 0").await;
    }
    assert_told(&system, Role::Vault, "keyward_ready 1").await;
}

/// Waits for a whole line: gauges follow what they count.
async fn assert_told(system: &System, role: Role, line: &str) {
    keyward_testkit::wait::until(line, || async {
        let metrics = system.gateway.ops(role, "/metrics").await.ok().text();
        metrics.lines().any(|told| told == line)
    })
    .await;
}

both!(
    attempts_are_counted_by_whose_key_and_how_they_ended,
    a_process_tells_whether_it_is_ready,
    provider_keys_are_counted_by_how_they_are_kept,
);
