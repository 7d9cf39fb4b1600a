//! Changes of routing policies in the audit log, which the router makes.

use keyward_auth::Peer;
use keyward_proto::vault::v1 as proto;
use keyward_proto::vault::v1::vault_service_client::VaultServiceClient;
use keyward_runtime::error::Reason;

use crate::rig::{ADMIN_KEY, Rig, ok, reason, with};

fn change(kind: proto::OwnerKind, uid: &str) -> proto::RecordPolicyChangeRequest {
    proto::RecordPolicyChangeRequest {
        owner_kind: kind.into(),
        owner_uid: uid.to_owned(),
        version: 3,
        changed_members: vec!["aliases".to_owned(), "rules".to_owned()],
        failure: String::new(),
    }
}

impl Rig {
    async fn uid_of_user(&self, id: &str) -> String {
        let request = proto::GetUserRequest {
            user_id: id.to_owned(),
        };
        let answer = ok(self.identity().get_user(with(ADMIN_KEY, request)).await);
        answer.user.unwrap().uid
    }
}

#[tokio::test]
async fn a_change_leaves_an_event_with_who_whose_which_and_what() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let uid = rig.uid_of_user("bob").await;
    let made = change(proto::OwnerKind::User, &uid);
    let failed = proto::RecordPolicyChangeRequest {
        failure: "another change\ncame first".to_owned(),
        ..made.clone()
    };
    for told in [made, failed] {
        ok(rig.router().record_policy_change(with(&bob, told)).await);
    }
    let about = proto::ListAuditEventsRequest {
        action: "routing_policy.update".to_owned(),
        resource_id: "users/bob".to_owned(),
        ..Default::default()
    };
    let events = ok(rig.audit().list_audit_events(with(&bob, about)).await).audit_events;
    let told: Vec<_> = events
        .iter()
        .rev()
        .map(|event| {
            (
                event.outcome.as_str(),
                event.reason.as_str(),
                event.resource_version,
            )
        })
        .collect();
    let expect = [
        ("ok", "aliases, rules", 3),
        ("failed", "another change came first", 3),
    ];
    assert_eq!(told, expect);
    assert!(
        events
            .iter()
            .all(|event| event.user == "bob" && event.peer == "router")
    );
    let verify = with(ADMIN_KEY, proto::VerifyAuditLogRequest {});
    assert!(ok(rig.audit().verify_audit_log(verify).await).proven);
}

#[tokio::test]
async fn who_may_not_change_a_policy_is_refused() {
    let rig = Rig::start().await;
    let (bob, eve) = (rig.user("bob").await, rig.user("eve").await);
    let uid = rig.uid_of_user("bob").await;
    let asked = || change(proto::OwnerKind::User, &uid);
    let refused = rig.router().record_policy_change(with(&eve, asked())).await;
    assert_eq!(reason(refused), Reason::NotFound);
    for peer in [Peer::Edge, Peer::Metering, Peer::Outside] {
        let mut client = VaultServiceClient::new(rig.connect(peer));
        let refused = client.record_policy_change(with(&bob, asked())).await;
        assert!(refused.is_err(), "{peer:?}");
    }
    for wrong in [
        change(proto::OwnerKind::User, "bob"),
        change(proto::OwnerKind::Unspecified, &uid),
        change(
            proto::OwnerKind::System,
            "00000000-0000-0000-0000-000000000000",
        ),
    ] {
        let refused = rig
            .router()
            .record_policy_change(with(ADMIN_KEY, wrong))
            .await;
        assert_eq!(reason(refused), Reason::InvalidRequest);
    }
    let events = rig.events().await;
    let about = events
        .iter()
        .filter(|event| event.action == "routing_policy.update");
    assert!(
        about.clone().all(|event| event.outcome == "refused"),
        "{events:?}"
    );
    assert_eq!(about.filter(|event| event.user == "eve").count(), 1);
}
