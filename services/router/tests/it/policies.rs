//! Changes of policies: none without the vault's word that it is in the audit log.

use keyward_proto::router::v1 as proto;
use keyward_proto::vault::v1::OwnerKind;
use keyward_runtime::error::{Reason, WireError};

use crate::harness::Harness;

impl Harness {
    /// Forbids credits, or allows them again.
    async fn forbid_credits(
        &self,
        forbid_credits: bool,
        request_id: &str,
        etag: &str,
    ) -> Result<String, Reason> {
        let request = proto::UpdateRoutingPolicyRequest {
            policy: Some(proto::RoutingPolicy {
                forbid_credits,
                ..proto::RoutingPolicy::default()
            }),
            request_id: request_id.to_owned(),
            etag: etag.to_owned(),
            ..proto::UpdateRoutingPolicyRequest::default()
        };
        let answer = self.client.clone().update_routing_policy(request).await;
        let answer = answer.map_err(|status| WireError::from(&status).reason);
        Ok(answer?.into_inner().etag)
    }

    /// The versions that were written down, with what was changed.
    fn written_down(&self) -> Vec<(u64, String)> {
        let changes = self.vault.0.policy_changes.lock();
        let told = changes.iter().map(|change| {
            assert_eq!(
                (change.owner_kind(), change.owner_uid.as_str()),
                (OwnerKind::User, "uid-bob")
            );
            assert_eq!(change.failure, "");
            (change.version, change.changed_members.join(" "))
        });
        told.collect()
    }

    async fn etag(&self) -> String {
        let request = proto::GetRoutingPolicyRequest::default();
        let answer = self.client.clone().get_routing_policy(request).await;
        answer.unwrap().into_inner().etag
    }
}

#[tokio::test]
async fn a_change_is_written_down_once_with_its_version_and_what_it_changes() {
    let harness = Harness::start().await;
    for request_id in ["one", "one"] {
        assert_eq!(
            harness.forbid_credits(true, request_id, "").await.unwrap(),
            "1"
        );
    }
    assert_eq!(harness.forbid_credits(true, "two", "1").await.unwrap(), "2");
    let stale = harness.forbid_credits(false, "three", "1").await;
    assert_eq!(stale, Err(Reason::PreconditionFailed));
    let other = harness.forbid_credits(false, "one", "").await;
    assert_eq!(other, Err(Reason::IdempotencyMismatch));
    let expect = [(1, "credits".to_owned()), (2, String::new())];
    assert_eq!(harness.written_down(), expect);
}

#[tokio::test]
async fn what_is_not_written_down_is_not_changed() {
    let harness = Harness::start().await;
    for reason in [Reason::Overloaded, Reason::InsufficientScope] {
        *harness.vault.0.broken.lock() = Some(reason);
        let refused = harness.forbid_credits(true, "", "").await;
        assert_eq!(refused, Err(reason));
        assert_eq!(harness.etag().await, "0");
    }
    *harness.vault.0.broken.lock() = None;
    assert_eq!(harness.forbid_credits(true, "", "").await.unwrap(), "1");
    assert_eq!(harness.etag().await, "1");
}
