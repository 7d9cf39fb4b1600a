//! A sealed vault, as callers see it: what was opened serves no more, nothing serves in its stead, and
//! all is as before once it is unsealed.

use std::time::{Duration, Instant};

use keyward_testkit::{Role, Tenant, Topology, wait};

use crate::served::{MODEL, Served};
use crate::system::{System, both};

/// Within this every router has dropped what it held.
const STOPS_WITHIN: Duration = Duration::from_secs(1);

/// Runs `keyward vault …` as the admin.
pub(crate) fn vault(system: &System, arguments: &[&str]) {
    let (key, url) = (system.gateway.admin_key(), system.gateway.url());
    let variables = [
        ("KEYWARD_ACCESS_KEY", key.as_str()),
        ("KEYWARD_URL", url.as_str()),
    ];
    let arguments = [&["vault"], arguments].concat();
    let output = system.gateway.run_as(Role::Edge, &arguments, &variables);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
}

async fn what_a_router_holds_serves_no_more_once_the_vault_is_sealed(topology: Topology) {
    let system = System::own(topology, |launch| launch).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1").await;
    let (_, key) = tenant.own_key("openai").await;
    let served = Served::by_own(&key);
    served.check(&system.providers, &tenant.client, MODEL).await;

    vault(&system, &["seal", "--yes", "--reason", "a drill"]);
    let sealed = Instant::now();
    wait::until("the key to be out of use", || async {
        let answer = tenant.client.chat(MODEL, "meanwhile").await;
        match answer.status.as_u16() {
            200 => assert!(sealed.elapsed() < STOPS_WITHIN, "it served for too long"),
            _ => assert_eq!(answer.error(503), "overloaded"),
        }
        !answer.status.is_success()
    })
    .await;
    for model in [MODEL, "sandbox/echo"] {
        let answer = tenant.client.chat(model, "sealed").await;
        assert_eq!(answer.error(503), "overloaded", "{model}");
        assert!(
            answer.message().contains("the vault is sealed"),
            "{model}: {}",
            answer.message()
        );
    }
    let openai = &system.providers.openai;
    let own = &system.providers.system_key;
    assert!(openai.requests_with(own).is_empty(), "credits served");
    assert_eq!(tenant.balance().await, "1.00");

    vault(&system, &["unseal"]);
    served.check(&system.providers, &tenant.client, MODEL).await;
}

both!(what_a_router_holds_serves_no_more_once_the_vault_is_sealed);
