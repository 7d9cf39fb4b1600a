//! What a process waits for before it is ready: the vault's store, and the roles elsewhere that it
//! cannot do without.

use std::time::Duration;

use keyward_auth::Connection;
use keyward_router::Router;
use keyward_runtime::ops::Condition;
use keyward_runtime::serve::Process;
use keyward_vault::Vault;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// How often a missing role is asked for while a process comes up.
const POLL: Duration = Duration::from_millis(20);

/// How often a role that answered is asked again.
const RECHECK: Duration = Duration::from_secs(1);

/// The vault is ready while its store answers.
pub(crate) fn watch_vault(process: &Process, vault: Vault) {
    let condition = process
        .readiness
        .condition("vault.store", "the store has not answered yet");
    let stopping = process.stopping.clone();
    process.spawn(async move {
        let watch = async {
            loop {
                let answer = vault.ready().await;
                report(&condition, answer.is_ok(), "the store does not answer");
                tokio::time::sleep(RECHECK).await;
            }
        };
        stopping.run_until_cancelled(watch).await;
    });
}

/// The router is ready while it hears of the vault's changes.
pub(crate) fn watch_router(process: &Process, router: Router) {
    let condition = process
        .readiness
        .condition("router.vault", "the vault has not answered yet");
    let stopping = process.stopping.clone();
    process.spawn(async move {
        let watch = async {
            loop {
                let ready = router.is_ready();
                report(&condition, ready, "nothing is heard from the vault");
                tokio::time::sleep(if ready { RECHECK } else { POLL }).await;
            }
        };
        stopping.run_until_cancelled(watch).await;
    });
}

/// A role elsewhere is there while its health check says that it serves.
pub(crate) fn watch_role(process: &Process, condition: &'static str, role: Connection) {
    let condition = process
        .readiness
        .condition(condition, "it has not answered yet");
    let stopping = process.stopping.clone();
    process.spawn(async move {
        let mut client = HealthClient::new(role);
        let watch = async {
            loop {
                let answer = client.check(HealthCheckRequest::default()).await;
                let ready = answer
                    .is_ok_and(|answer| answer.into_inner().status() == ServingStatus::Serving);
                report(
                    &condition,
                    ready,
                    "it does not answer, or is not ready itself",
                );
                tokio::time::sleep(if ready { RECHECK } else { POLL }).await;
            }
        };
        stopping.run_until_cancelled(watch).await;
    });
}

fn report(condition: &Condition, ready: bool, reason: &str) {
    if ready {
        condition.met();
    } else {
        condition.unmet(reason);
    }
}
