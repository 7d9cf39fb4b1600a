//! The audit log.

use keyward_proto::vault::v1 as proto;
use prost_types::FieldMask;

use crate::rig::{ADMIN_KEY, Rig, ok, openai_key, with};

#[tokio::test]
async fn every_deed_leaves_an_event_with_who_what_and_how() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let key = rig.store_key(&bob, &openai_key("canary")).await;
    let id = key.provider_key_id.clone();
    for enabled in [false, true] {
        let request = proto::UpdateProviderKeyRequest {
            provider_key: Some(proto::ProviderKey {
                enabled,
                ..key.clone()
            }),
            update_mask: Some(FieldMask {
                paths: vec!["enabled".into()],
            }),
            ..Default::default()
        };
        ok(rig.keys().update_provider_key(with(&bob, request)).await);
    }
    let rotate = proto::RotateProviderKeyRequest {
        provider_key_id: id.clone(),
        key: openai_key("canary2"),
        ..Default::default()
    };
    ok(rig.keys().rotate_provider_key(with(&bob, rotate)).await);
    rig.serve(&bob, &id).await.unwrap();
    let delete = proto::DeleteProviderKeyRequest {
        provider_key_id: id.clone(),
        ..Default::default()
    };
    ok(rig.keys().delete_provider_key(with(&bob, delete)).await);

    let about = proto::ListAuditEventsRequest {
        provider_key_id: id.clone(),
        ..Default::default()
    };
    let events = ok(rig.audit().list_audit_events(with(&bob, about)).await).audit_events;
    let deeds: Vec<_> = events
        .iter()
        .rev()
        .map(|event| (event.action.as_str(), event.resource_version))
        .collect();
    assert_eq!(
        deeds,
        [
            ("provider_key.create", 1),
            ("provider_key.disable", 1),
            ("provider_key.enable", 1),
            ("provider_key.rotate", 2),
            ("provider_key.unseal", 2),
            ("provider_key.delete", 2),
        ]
    );
    for event in &events {
        assert_eq!((event.outcome.as_str(), event.user.as_str()), ("ok", "bob"));
        assert!(!event.access_key_id.is_empty() && event.event_time.is_some());
    }
    let all = format!("{:?}", rig.events().await);
    assert!(!all.contains("canary") && !all.contains(&bob) && !all.contains(ADMIN_KEY));
}

#[tokio::test]
async fn refused_changes_are_audited_in_the_name_of_who_tried() {
    let rig = Rig::start().await;
    let (bob, eve) = (rig.user("bob").await, rig.user("eve").await);
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    let delete = proto::DeleteProviderKeyRequest {
        provider_key_id: id.clone(),
        ..Default::default()
    };
    rig.keys()
        .delete_provider_key(with(&eve, delete))
        .await
        .unwrap_err();
    let event = &rig.events().await[0];
    assert_eq!(
        (event.action.as_str(), event.outcome.as_str()),
        ("provider_key.delete", "refused")
    );
    assert_eq!(
        (event.user.as_str(), event.resource_id.as_str()),
        ("eve", id.as_str())
    );
}
