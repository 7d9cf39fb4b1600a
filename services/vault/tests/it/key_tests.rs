//! Keys that are tested: by those who manage them, and in turn by routers alone.

use keyward_auth::Peer;
use keyward_proto::vault::v1::vault_service_client::VaultServiceClient;
use keyward_proto::vault::v1::{
    self as proto, KeyOutcome, KeyStatus, OwnerKind, Scope, UnsealPurpose,
};
use keyward_runtime::error::Reason;
use prost_types::Duration;
use tonic::{Request, Status};

use crate::rig::{ADMIN_KEY, Rig, ok, openai_key, reason, unsealing, with};

const DAY: i64 = 86_400;

impl Rig {
    async fn report(&self, id: &str, outcome: KeyOutcome, tested: bool) {
        let request = proto::ReportKeyOutcomeRequest {
            request_id: keyward_runtime::ids::new_text(),
            provider_key_id: id.to_owned(),
            version: 1,
            outcome: outcome as i32,
            reason: "Incorrect API key provided: sk-proj-canary0123".to_owned(),
            tested,
            ..Default::default()
        };
        ok(self.router().report_key_outcome(request).await);
    }

    async fn claim(&self, seconds: i64, limit: u32) -> Result<Vec<String>, Status> {
        let request = proto::ClaimDueTestsRequest {
            interval: Some(Duration { seconds, nanos: 0 }),
            limit,
        };
        let claimed = self.router().claim_due_tests(request).await;
        claimed.map(|claimed| claimed.into_inner().provider_key_ids)
    }

    async fn check(
        &self,
        by: &str,
        change: impl FnOnce(&mut proto::CheckProviderKeyRequest),
    ) -> Result<proto::ProviderKey, Status> {
        let mut request = proto::CheckProviderKeyRequest {
            provider: "openai".to_owned(),
            key: openai_key("canary"),
            ..Default::default()
        };
        change(&mut request);
        let checked = self.router().check_provider_key(with(by, request)).await;
        checked.map(|checked| checked.into_inner().provider_key.unwrap())
    }
}

#[tokio::test]
async fn a_test_shows_what_the_key_is_and_serving_does_not() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    let test = rig.unseal(with(&bob, unsealing(&id, UnsealPurpose::Test)));
    let key = test.await.unwrap().provider_key.clone().unwrap();
    assert_eq!(
        (key.provider_key_id, key.provider),
        (id.clone(), "openai".into())
    );
    let served = rig.serve(&bob, &id).await.unwrap();
    assert!(served.provider_key.is_none());
}

#[tokio::test]
async fn a_good_test_clears_an_error_and_each_test_is_noted() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    rig.report(&id, KeyOutcome::Rejected, true).await;
    let key = rig.get_key(&bob, &id).await;
    assert_eq!(key.status(), KeyStatus::Error);
    assert!(
        !key.status_reason.contains("canary"),
        "{}",
        key.status_reason
    );
    rig.report(&id, KeyOutcome::Accepted, true).await;
    let connected = rig.get_key(&bob, &id).await;
    assert_eq!(connected.status(), KeyStatus::Connected);
    assert!(connected.status_reason.is_empty());
    // Nothing new: in passing it is not worth a word, from a test all routers hear of it.
    rig.report(&id, KeyOutcome::Accepted, false).await;
    assert_eq!(rig.get_key(&bob, &id).await.etag, connected.etag);
    rig.report(&id, KeyOutcome::Accepted, true).await;
    assert_ne!(rig.get_key(&bob, &id).await.etag, connected.etag);
    let events = rig.events().await;
    let tests = events.iter().filter(|event| event.purpose == "test");
    assert_eq!(tests.count(), 3);
}

#[tokio::test]
async fn what_is_not_saved_is_checked_by_the_rules_of_saving_and_not_kept() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let key = rig.check(&bob, |_| {}).await.unwrap();
    assert_eq!(
        (key.provider.as_str(), key.provider_key_id.as_str()),
        ("openai", "")
    );
    let wrong_form = rig.check(&bob, |key| key.key = "sk-ant-no".into()).await;
    assert_eq!(reason(wrong_form), Reason::InvalidRequest);
    let private = rig
        .check(&bob, |key| key.base_url = "http://10.0.0.1".into())
        .await;
    assert_eq!(reason(private), Reason::InvalidRequest);
    let others = rig
        .check(&bob, |key| {
            key.owner = Some(proto::Owner {
                kind: OwnerKind::System.into(),
                id: String::new(),
            });
        })
        .await;
    assert_eq!(reason(others), Reason::NotFound);
    let calls_only = rig.access_key("bob", &[Scope::Inference]).await;
    assert_eq!(
        reason(rig.check(&calls_only, |_| {}).await),
        Reason::InsufficientScope
    );
    let mut edge = VaultServiceClient::new(rig.connect(Peer::Edge));
    let request = with(&bob, proto::CheckProviderKeyRequest::default());
    assert_eq!(
        reason(edge.check_provider_key(request).await),
        Reason::PeerNotAllowed
    );
    let list = proto::ListProviderKeysRequest::default();
    let listed = ok(rig.keys().list_provider_keys(with(&bob, list)).await);
    assert!(listed.provider_keys.is_empty());
}

#[tokio::test]
async fn a_router_opens_without_a_caller_only_what_it_was_handed_to_test() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    let alone = || rig.unseal(Request::new(unsealing(&id, UnsealPurpose::Test)));
    assert!(rig.claim(30 * DAY, 10).await.unwrap().is_empty());
    assert_eq!(reason(alone().await), Reason::InsufficientScope);
    rig.advance(31 * DAY);
    assert_eq!(
        rig.claim(30 * DAY, 10).await.unwrap(),
        std::slice::from_ref(&id)
    );
    assert!(rig.claim(30 * DAY, 10).await.unwrap().is_empty());
    assert!(alone().await.unwrap().provider_key.is_some());
    let event = &rig.events().await[0];
    assert_eq!((event.purpose.as_str(), event.user.as_str()), ("test", ""));
    // It was tested: one claim opens it once, and the next is due in a month.
    assert_eq!(reason(alone().await), Reason::InsufficientScope);
    rig.advance(3600);
    assert!(rig.claim(30 * DAY, 10).await.unwrap().is_empty());
    assert_eq!(reason(alone().await), Reason::InsufficientScope);
    rig.advance(31 * DAY);
    assert_eq!(rig.claim(30 * DAY, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn only_routers_are_handed_keys_and_only_so_many() {
    let rig = Rig::start().await;
    for (interval, limit) in [(0, 1), (-5, 1), (DAY, 0), (DAY, 101), (i64::MIN, 1)] {
        assert_eq!(
            reason(rig.claim(interval, limit).await),
            Reason::InvalidRequest
        );
    }
    assert!(rig.claim(i64::MAX, 100).await.unwrap().is_empty());
    let mut edge = VaultServiceClient::new(rig.connect(Peer::Edge));
    let request = with(ADMIN_KEY, proto::ClaimDueTestsRequest::default());
    assert_eq!(
        reason(edge.claim_due_tests(request).await),
        Reason::PeerNotAllowed
    );
}
