//! A sealed vault and its router: what they had opened is in no buffer of their own any more. Those
//! of the transport keep what they carried last; what a key stands in there tells the two apart.

use keyward_testkit::{Role, Tenant, Topology, wait};

use super::process::is_followed;
use crate::sealed::vault;
use crate::served::MODEL;
use crate::system::System;

/// How many keys are open before the vault is sealed.
const KEYS: usize = 5;

/// How much of a key's beginning an allocator writes over in what was freed.
const WRITTEN_OVER: usize = 16;

/// Whether a copy of a key is its own, and not part of a message: in the answer to an unseal the
/// field 2 follows on it, in a request of HTTP the end of the line.
fn is_alone(behind: &[u8]) -> bool {
    behind[0] != 2 << 3 && behind != b"\r\n"
}

#[tokio::test]
async fn what_a_vault_and_its_router_had_opened_leaves_their_memory_once_it_is_sealed() {
    let mut system = System::own(Topology::Split, |launch| launch).await;
    let mut tenants = Vec::new();
    for _ in 0..KEYS {
        let tenant = Tenant::new(&system.gateway, "professional").await;
        let (_, key) = tenant.own_key("openai").await;
        tenants.push((tenant, key));
    }
    // They came in through a vault. The one that is searched only opens them.
    system.gateway.terminate(Role::Vault);
    system.gateway.exited(Role::Vault).await;
    system.gateway.begin_role(Role::Vault).await;
    let [vault_id, router_id] =
        [Role::Vault, Role::Router].map(|role| system.gateway.process_id(role));
    let holds = |process: u32, key: &str| {
        let key = &key.as_bytes()[WRITTEN_OVER..];
        is_followed(process, key, is_alone)
    };
    if holds(router_id, &tenants[0].1).is_err() {
        // Hardened against this user: nobody else of its kind can look either.
        return;
    }
    let held = |process: u32| {
        let held = |(_, key): &&(Tenant, String)| holds(process, key).unwrap();
        tenants.iter().filter(held).count()
    };
    // What is learnt of a key by its first use ends the first lease.
    wait::until("every key to be open, and to be found so", || async {
        for (tenant, _) in &tenants {
            let _ = tenant.client.chat(MODEL, "hello").await.ok();
        }
        held(router_id) == KEYS
    })
    .await;
    // It hands keys over, and keeps none for itself.
    wait::until("the vault to keep no key", || async { held(vault_id) == 0 }).await;

    vault(&system, &["seal", "--yes", "--reason", "a drill"]);
    for (role, process) in [(Role::Vault, vault_id), (Role::Router, router_id)] {
        let what = format!("no key to be in the memory of the {}", role.name());
        wait::until(&what, || async { held(process) == 0 }).await;
    }
}
