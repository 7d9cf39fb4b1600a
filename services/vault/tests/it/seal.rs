//! Sealing and unsealing the vault.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyward_proto::vault::v1 as proto;
use keyward_runtime::error::Reason;
use tonic::{Response, Status};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::custody::database;
use crate::generations::{swept, wear_out};
use crate::rig::{ADMIN_KEY, Rig, new_key, ok, openai_key, reason, with};

async fn seal(rig: &Rig) -> proto::SealVaultResponse {
    let request = proto::SealVaultRequest {
        reason: "a test".into(),
        ..Default::default()
    };
    ok(rig.master_keys().seal_vault(with(ADMIN_KEY, request)).await)
}

async fn unseal(rig: &Rig) -> Result<proto::UnsealVaultResponse, Status> {
    let request = with(ADMIN_KEY, proto::UnsealVaultRequest::default());
    let unsealed = rig.master_keys().unseal_vault(request).await;
    unsealed.map(Response::into_inner)
}

async fn is_sealed(rig: &Rig) -> bool {
    let request = with(ADMIN_KEY, proto::GetVaultStateRequest::default());
    let state = ok(rig.master_keys().get_vault_state(request).await);
    state.vault_state.unwrap().sealed
}

#[tokio::test]
async fn a_sealed_vault_opens_nothing_until_it_is_unsealed_and_goes_on_otherwise() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    rig.serve(&bob, &id).await.unwrap();
    assert!(!is_sealed(&rig).await);
    assert!(seal(&rig).await.vault_state.unwrap().sealed);
    assert_eq!(reason(rig.serve(&bob, &id).await), Reason::VaultSealed);
    let request = new_key(None, &openai_key("other"));
    let stored = rig.keys().create_provider_key(with(&bob, request)).await;
    assert_eq!(reason(stored), Reason::VaultSealed);
    // Identity and lists need no key.
    rig.get_key(&bob, &id).await;
    let eve = rig.user("eve").await;
    let rig = rig.restart().await;
    assert!(is_sealed(&rig).await);
    assert_eq!(reason(rig.serve(&bob, &id).await), Reason::VaultSealed);
    rig.get_key(&bob, &id).await;
    unseal(&rig).await.unwrap();
    assert!(!is_sealed(&rig).await);
    rig.serve(&bob, &id).await.unwrap();
    rig.store_key(&eve, &openai_key("eve")).await;
    let actions: Vec<_> = rig.events().await.into_iter().map(|e| e.action).collect();
    for action in ["vault.seal", "vault.unseal"] {
        assert!(actions.iter().any(|done| done == action), "{action}");
    }
}

/// Where warnings come from, of those given in a test's own thread.
#[derive(Debug, Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn event(&self, event: &Event<'_>) {
        let target = event.metadata().target().to_owned();
        self.0.lock().unwrap().push(target);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn while_it_is_sealed_nothing_is_said_of_older_data_keys_round_after_round() {
    let rig = Rig::start_with(|config| {
        config.seals_max = 20;
        config.sweep_every = Duration::from_hours(1);
    });
    let rig = rig.await;
    let bob = rig.user("bob").await;
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    wear_out(&database(&rig), 20);
    rig.store_key(&bob, &openai_key("other")).await;
    seal(&rig).await;
    let warnings = Warnings::default();
    let listening = tracing::subscriber::set_default(warnings.clone());
    let rig = rig.restart().await;
    for _ in 0..20 {
        assert_eq!(reason(rig.serve(&bob, &id).await), Reason::VaultSealed);
    }
    drop(listening);
    let said = warnings.0.lock().unwrap().clone();
    assert!(!said.is_empty(), "that it is sealed is said");
    let of_sweeps = said.iter().filter(|target| target.ends_with("::sweep"));
    assert_eq!(of_sweeps.count(), 0, "{said:?}");
    unseal(&rig).await.unwrap();
    swept(&database(&rig), 2).await;
}

#[tokio::test]
async fn it_stays_sealed_while_its_master_keys_are_not_there() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    seal(&rig).await;
    let (path, away) = (rig.path().join("master.key"), rig.path().join("away.key"));
    std::fs::rename(&path, &away).unwrap();
    assert_eq!(reason(unseal(&rig).await), Reason::Overloaded);
    assert!(is_sealed(&rig).await);
    assert_eq!(reason(rig.serve(&bob, &id).await), Reason::VaultSealed);
    std::fs::rename(&away, &path).unwrap();
    unseal(&rig).await.unwrap();
    rig.serve(&bob, &id).await.unwrap();
}

#[tokio::test]
async fn a_replica_follows_what_the_store_says() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    let database = rusqlite::Connection::open(rig.path().join("vault.db")).unwrap();
    let patience = std::time::Duration::from_secs(5);
    database.busy_timeout(patience).unwrap();
    // As another replica writes it.
    for (sealed, expected) in [(1, Some(Reason::VaultSealed)), (0, None)] {
        let set = "UPDATE vault_state SET sealed = ?1";
        database.execute(set, [sealed]).unwrap();
        let followed = async {
            while rig
                .serve(&bob, &id)
                .await
                .err()
                .map(|e| reason::<()>(Err(e)))
                != expected
            {
                tokio::task::yield_now().await;
            }
        };
        let bound = std::time::Duration::from_secs(5);
        tokio::time::timeout(bound, followed).await.unwrap();
    }
}
