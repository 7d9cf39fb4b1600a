//! What lists say of how keys are kept, as time goes by.

use keyward_proto::vault::v1 as proto;

use crate::rig::{Rig, ok, openai_key, with};

const DAY: i64 = 24 * 3600;

async fn listed(rig: &Rig, by: &str) -> (proto::ProviderKey, proto::KeyHygiene) {
    let request = with(by, proto::ListProviderKeysRequest::default());
    let list = ok(rig.keys().list_provider_keys(request).await);
    let [key] = list.provider_keys.as_slice() else {
        panic!("one key");
    };
    (key.clone(), key.hygiene.unwrap())
}

#[tokio::test]
async fn a_key_grows_old_is_used_and_is_as_new_once_rotated() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let key = rig.store_key(&bob, &openai_key("one")).await;
    let (_, fresh) = listed(&rig, &bob).await;
    assert_eq!((fresh.age_days, fresh.rotation_due), (0, false));
    assert_eq!(fresh.unused_since_time, None);
    assert_eq!(key.secret_time, key.create_time);

    rig.advance(31 * DAY);
    let (_, idle) = listed(&rig, &bob).await;
    assert_eq!((idle.age_days, idle.rotation_due), (31, false));
    assert_eq!(idle.unused_since_time, key.create_time);
    rig.serve(&bob, &key.provider_key_id).await.unwrap();
    let (_, used) = listed(&rig, &bob).await;
    assert_eq!(used.unused_since_time, None);

    rig.advance(60 * DAY);
    let (_, due) = listed(&rig, &bob).await;
    assert_eq!((due.age_days, due.rotation_due), (91, true));
    let rotation = proto::RotateProviderKeyRequest {
        provider_key_id: key.provider_key_id.clone(),
        key: openai_key("two"),
        ..Default::default()
    };
    ok(rig.keys().rotate_provider_key(with(&bob, rotation)).await);
    let (rotated, fresh) = listed(&rig, &bob).await;
    assert_eq!((fresh.age_days, fresh.rotation_due), (0, false));
    assert_eq!(rotated.create_time, key.create_time);
    assert_ne!(rotated.secret_time, key.secret_time);
}

#[tokio::test]
async fn a_refused_key_says_since_when_until_it_is_accepted() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let key = rig.store_key(&bob, &openai_key("one")).await;
    let report = async |outcome: proto::KeyOutcome, reason: &str| {
        let request = proto::ReportKeyOutcomeRequest {
            provider_key_id: key.provider_key_id.clone(),
            version: 1,
            outcome: outcome.into(),
            reason: reason.to_owned(),
            ..Default::default()
        };
        ok(rig.router().report_key_outcome(with(&bob, request)).await);
        listed(&rig, &bob).await.1.failing_since_time
    };
    let first = report(proto::KeyOutcome::Rejected, "wrong").await;
    assert!(first.is_some());
    rig.advance(DAY);
    let later = report(proto::KeyOutcome::QuotaExhausted, "empty").await;
    assert_eq!(later, first);
    assert_eq!(report(proto::KeyOutcome::Accepted, "").await, None);
    rig.advance(DAY);
    let again = report(proto::KeyOutcome::Rejected, "wrong").await;
    assert!(again.is_some() && again != first);
}
