//! Giving keys out.

use std::sync::atomic::{AtomicBool, Ordering};

use keyward_auth::Peer;
use keyward_proto::vault::v1::vault_service_client::VaultServiceClient;
use keyward_proto::vault::v1::{self as proto, OwnerKind, Scope, UnsealPurpose};
use keyward_runtime::error::Reason;
use prost_types::FieldMask;
use tonic::Request;

use crate::rig::{ADMIN_KEY, Rig, new_key, ok, openai_key, reason, unsealing, with};

#[tokio::test]
async fn a_key_is_opened_for_its_owner_with_a_lease_and_an_event() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let secret = openai_key("canary");
    let id = rig.store_key(&bob, &secret).await.provider_key_id;
    let unsealed = rig.serve(&bob, &id).await.unwrap();
    assert_eq!(unsealed.secret, secret.as_bytes());
    assert_eq!(unsealed.version, 1);
    let lease = unsealed.lease_duration.unwrap();
    assert!(lease.seconds > 0 && lease.seconds <= 30);
    let event = &rig.events().await[0];
    assert_eq!(
        (event.action.as_str(), event.outcome.as_str()),
        ("provider_key.unseal", "ok")
    );
    assert_eq!(
        (event.resource_id.as_str(), event.lease_id.as_str()),
        (id.as_str(), unsealed.lease_id.as_str())
    );
    assert_eq!(
        (event.user.as_str(), event.peer.as_str()),
        ("bob", "router")
    );
    assert_eq!(event.inference_id, "inference-1");
    assert!(!event.trace_id.is_empty() && !event.access_key_id.is_empty());
    assert!(rig.get_key(&bob, &id).await.last_used_time.is_some());
}

#[tokio::test]
async fn a_stranger_learns_nothing_and_is_audited() {
    let rig = Rig::start().await;
    let (bob, eve) = (rig.user("bob").await, rig.user("eve").await);
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    // Not even an administrator's grant opens another's key.
    for stranger in [eve.as_str(), ADMIN_KEY] {
        assert_eq!(reason(rig.serve(stranger, &id).await), Reason::NotFound);
        let event = &rig.events().await[0];
        assert_eq!(
            (event.action.as_str(), event.outcome.as_str()),
            ("provider_key.unseal", "refused")
        );
        assert!(event.lease_id.is_empty() && !event.reason.is_empty());
    }
    let no_such = "01900000-0000-7000-8000-000000000000";
    assert_eq!(reason(rig.serve(&eve, no_such).await), Reason::NotFound);
}

#[tokio::test]
async fn nobody_but_the_router_opens_keys() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    for peer in [Peer::Edge, Peer::Metering, Peer::Outside, Peer::Vault] {
        let mut client = VaultServiceClient::new(rig.connect(peer));
        let request = with(&bob, unsealing(&id, UnsealPurpose::Serve));
        assert_eq!(
            reason(client.unseal_provider_key(request).await),
            Reason::PeerNotAllowed
        );
        let request = with(&bob, proto::ListUsableKeysRequest {});
        assert_eq!(
            reason(client.list_usable_keys(request).await),
            Reason::PeerNotAllowed
        );
    }
}

#[tokio::test]
async fn serving_needs_a_caller_with_inference() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    let serve = || unsealing(&id, UnsealPurpose::Serve);
    assert_eq!(
        reason(rig.unseal(Request::new(serve())).await),
        Reason::InvalidAccessKey
    );
    let manages_only = rig.access_key("bob", &[Scope::Keys]).await;
    assert_eq!(
        reason(rig.serve(&manages_only, &id).await),
        Reason::NotFound
    );
    let unstated = unsealing(&id, UnsealPurpose::Unspecified);
    assert_eq!(
        reason(rig.unseal(with(&bob, unstated)).await),
        Reason::InvalidRequest
    );
}

#[tokio::test]
async fn a_refresh_follows_a_serve_of_the_same_caller_within_ten_minutes() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let other = rig.access_key("bob", &[Scope::Inference]).await;
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    let refresh = || unsealing(&id, UnsealPurpose::Refresh);
    assert_eq!(
        reason(rig.unseal(with(&bob, refresh())).await),
        Reason::InsufficientScope
    );
    assert_eq!(
        reason(rig.unseal(Request::new(refresh())).await),
        Reason::InsufficientScope
    );
    rig.serve(&bob, &id).await.unwrap();
    rig.unseal(with(&bob, refresh())).await.unwrap();
    // Work that outlives its grant has no caller any more.
    rig.unseal(Request::new(refresh())).await.unwrap();
    assert_eq!(
        reason(rig.unseal(with(&other, refresh())).await),
        Reason::InsufficientScope
    );
    rig.advance(599);
    rig.unseal(with(&bob, refresh())).await.unwrap();
    rig.advance(2);
    assert_eq!(
        reason(rig.unseal(with(&bob, refresh())).await),
        Reason::InsufficientScope
    );
}

#[tokio::test]
async fn a_test_is_for_those_who_manage_the_key() {
    let rig = Rig::start().await;
    let (bob, eve) = (rig.user("bob").await, rig.user("eve").await);
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    let test = || unsealing(&id, UnsealPurpose::Test);
    rig.unseal(with(&bob, test())).await.unwrap();
    let key = rig.get_key(&bob, &id).await;
    assert!(key.last_tested_time.is_some() && key.last_used_time.is_none());
    assert_eq!(
        reason(rig.unseal(with(&eve, test())).await),
        Reason::NotFound
    );
    assert_eq!(
        reason(rig.unseal(Request::new(test())).await),
        Reason::InsufficientScope
    );
}

#[tokio::test]
async fn disabled_and_expired_keys_stay_shut() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let key = rig.store_key(&bob, &openai_key("k")).await;
    let id = key.provider_key_id.clone();
    let patch = |key: proto::ProviderKey, path: &str| proto::UpdateProviderKeyRequest {
        provider_key: Some(key),
        update_mask: Some(FieldMask {
            paths: vec![path.to_owned()],
        }),
        ..Default::default()
    };
    let off = patch(
        proto::ProviderKey {
            enabled: false,
            ..key.clone()
        },
        "enabled",
    );
    let off = ok(rig.keys().update_provider_key(with(&bob, off)).await)
        .provider_key
        .unwrap();
    assert_eq!(off.status(), proto::KeyStatus::Disabled);
    assert_eq!(
        reason(rig.serve(&bob, &id).await),
        Reason::PreconditionFailed
    );
    let on = patch(
        proto::ProviderKey {
            enabled: true,
            ..key.clone()
        },
        "enabled",
    );
    ok(rig.keys().update_provider_key(with(&bob, on)).await);
    rig.serve(&bob, &id).await.unwrap();

    let soon = keyward_runtime::time::now() + jiff::SignedDuration::from_secs(20);
    let expire_time = Some(keyward_runtime::time::to_proto(soon));
    let expiring = patch(proto::ProviderKey { expire_time, ..key }, "expire_time");
    ok(rig.keys().update_provider_key(with(&bob, expiring)).await);
    // No lease outlives the key.
    let lease = rig.serve(&bob, &id).await.unwrap().lease_duration.unwrap();
    assert!(lease.seconds < 20);
    rig.advance(21);
    assert_eq!(
        reason(rig.serve(&bob, &id).await),
        Reason::PreconditionFailed
    );
    assert_eq!(
        rig.get_key(&bob, &id).await.status(),
        proto::KeyStatus::Expired
    );
}

#[tokio::test]
async fn organisation_keys_serve_its_members_from_the_next_call_to_the_last() {
    use proto::OrganizationRole::{Admin, Member, Viewer};
    let rig = Rig::start().await;
    let (boss, bob, eve) = (
        rig.user("boss").await,
        rig.user("bob").await,
        rig.user("eve").await,
    );
    rig.organization("acme").await;
    rig.member("acme", "boss", Admin).await;
    rig.member("acme", "bob", Member).await;
    let request = new_key(Some((OwnerKind::Organization, "acme")), &openai_key("org"));
    let stored = ok(rig.keys().create_provider_key(with(&boss, request)).await);
    let id = stored.provider_key.unwrap().provider_key_id;
    rig.serve(&bob, &id).await.unwrap();
    assert_eq!(reason(rig.serve(&eve, &id).await), Reason::NotFound);
    // His grant still says member; the store does not.
    rig.member("acme", "bob", Viewer).await;
    assert_eq!(reason(rig.serve(&bob, &id).await), Reason::NotFound);
}

#[tokio::test]
async fn system_keys_serve_whoever_may_call_models() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    rig.vault
        .sync_system_keys(std::collections::BTreeMap::new(), true)
        .await
        .unwrap();
    let usable = ok(rig
        .router()
        .list_usable_keys(with(&bob, proto::ListUsableKeysRequest {}))
        .await);
    let [key] = usable.keys.as_slice() else {
        panic!("one key")
    };
    let key = key.provider_key.clone().unwrap();
    assert_eq!(key.provider, "sandbox");
    let unsealed = rig.serve(&bob, &key.provider_key_id).await.unwrap();
    assert_eq!(unsealed.secret, b"sk-sandbox-system");
    let manages_only = rig.access_key("bob", &[Scope::Keys]).await;
    assert_eq!(
        reason(rig.serve(&manages_only, &key.provider_key_id).await),
        Reason::NotFound
    );
    let usable = with(&manages_only, proto::ListUsableKeysRequest {});
    assert!(
        ok(rig.router().list_usable_keys(usable).await)
            .keys
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_in_the_midst_of_use_ends_it_and_each_use_has_its_event() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    let revoked = AtomicBool::new(false);
    let uses = futures::future::join_all((0..64).map(|_| async {
        let began_after = revoked.load(Ordering::SeqCst);
        let result = rig.serve(&bob, &id).await;
        assert!(
            !(began_after && result.is_ok()),
            "used after its revocation was answered"
        );
        u32::from(result.is_ok())
    }));
    let revoking = async {
        tokio::task::yield_now().await;
        let request = proto::DeleteProviderKeyRequest {
            provider_key_id: id.clone(),
            ..Default::default()
        };
        ok(rig.keys().delete_provider_key(with(&bob, request)).await);
        revoked.store(true, Ordering::SeqCst);
    };
    let (uses, ()) = tokio::join!(uses, revoking);
    assert_eq!(reason(rig.serve(&bob, &id).await), Reason::NotFound);
    let events = rig.events().await;
    let opened = events
        .iter()
        .filter(|e| e.action == "provider_key.unseal" && e.outcome == "ok");
    assert_eq!(opened.count(), uses.iter().sum::<u32>() as usize);
}
