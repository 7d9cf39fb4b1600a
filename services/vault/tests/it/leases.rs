//! Asking which leases still hold.

use keyward_auth::Peer;
use keyward_proto::vault::v1 as proto;
use keyward_proto::vault::v1::vault_service_client::VaultServiceClient;
use keyward_runtime::error::Reason;
use tonic::Request;

use crate::rig::{Rig, ok, openai_key, reason, with};

fn asking(leases: &[proto::HeldLease]) -> Request<proto::CheckLeasesRequest> {
    Request::new(proto::CheckLeasesRequest {
        leases: leases.to_vec(),
    })
}

/// A key of bob's, opened.
async fn leased(rig: &Rig, bob: &str, tag: &str) -> proto::HeldLease {
    let key = rig.store_key(bob, &openai_key(tag)).await;
    let unsealed = rig.serve(bob, &key.provider_key_id).await.unwrap();
    proto::HeldLease {
        provider_key_id: key.provider_key_id,
        version: unsealed.version,
        lease_id: unsealed.lease_id.clone(),
    }
}

#[tokio::test]
async fn leases_of_keys_that_changed_hold_no_more() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let stays = leased(&rig, &bob, "stays").await;
    let deleted = leased(&rig, &bob, "deleted").await;
    let rotated = leased(&rig, &bob, "rotated").await;
    let held = [stays.clone(), deleted.clone(), rotated.clone()];
    let check = async || ok(rig.router().check_leases(asking(&held)).await);
    let before = check().await;
    assert_eq!(before.lease_ids.len(), 3);

    let delete = proto::DeleteProviderKeyRequest {
        provider_key_id: deleted.provider_key_id.clone(),
        ..Default::default()
    };
    ok(rig.keys().delete_provider_key(with(&bob, delete)).await);
    let rotate = proto::RotateProviderKeyRequest {
        provider_key_id: rotated.provider_key_id.clone(),
        key: openai_key("new"),
        ..Default::default()
    };
    ok(rig.keys().rotate_provider_key(with(&bob, rotate)).await);
    let after = check().await;
    assert_eq!(after.lease_ids, [stays.lease_id]);
    assert_eq!(after.sequence, before.sequence + 2);
}

#[tokio::test]
async fn no_more_are_checked_at_a_time_than_the_contract_says_and_none_is_no_fault() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let held = leased(&rig, &bob, "k").await;
    let check = async |leases: &[_]| rig.router().check_leases(asking(leases)).await;
    let most = vec![held.clone(); 500];
    assert_eq!(ok(check(&most).await).lease_ids.len(), 500);
    let more = vec![held.clone(); 501];
    assert_eq!(reason(check(&more).await), Reason::InvalidRequest);
    assert!(ok(check(&[]).await).sequence > 0);
    let malformed = proto::HeldLease {
        provider_key_id: "no id".into(),
        ..held
    };
    assert!(ok(check(&[malformed]).await).lease_ids.is_empty());
}

#[tokio::test]
async fn nobody_but_the_router_asks_for_leases() {
    let rig = Rig::start().await;
    for peer in [Peer::Edge, Peer::Metering, Peer::Outside, Peer::Vault] {
        let mut client = VaultServiceClient::new(rig.connect(peer));
        let refused = client.check_leases(asking(&[])).await;
        assert_eq!(reason(refused), Reason::PeerNotAllowed);
    }
}
