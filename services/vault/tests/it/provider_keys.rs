//! Storing and managing provider keys.

use keyward_proto::vault::v1::{self as proto, KeyStatus, OwnerKind};
use keyward_runtime::error::{Reason, WireError};
use prost_types::FieldMask;

use crate::rig::{ADMIN_KEY, Rig, new_key, ok, openai_key, reason, with};

fn update(key: &proto::ProviderKey, paths: &[&str]) -> proto::UpdateProviderKeyRequest {
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    proto::UpdateProviderKeyRequest {
        provider_key: Some(key.clone()),
        update_mask: Some(FieldMask { paths }),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_stored_key_is_shown_masked_and_listed_newest_first() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let first = rig
        .store_key(&bob, &format!(" {}\n", openai_key("first")))
        .await;
    assert_eq!(first.masked_key, "sk-proj-…xxxx");
    assert_eq!(first.status(), KeyStatus::Untested);
    assert_eq!((first.version, first.weight, first.enabled), (1, 1, true));
    assert!(first.fingerprint.starts_with("fp:") && first.fingerprint.len() == 11);
    assert_eq!(first.owner.as_ref().unwrap().id, "bob");
    let second = rig.store_key(&bob, &openai_key("second")).await;
    assert_eq!(rig.get_key(&bob, &first.provider_key_id).await, first);

    let mut token = String::new();
    let mut seen = Vec::new();
    loop {
        let request = proto::ListProviderKeysRequest {
            page_size: 1,
            page_token: token,
            ..Default::default()
        };
        let page = ok(rig.keys().list_provider_keys(with(&bob, request)).await);
        seen.extend(
            page.provider_keys
                .into_iter()
                .map(|key| key.provider_key_id),
        );
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, [second.provider_key_id, first.provider_key_id]);
}

#[tokio::test]
async fn the_same_key_twice_is_refused_with_the_first_ones_id() {
    let rig = Rig::start().await;
    let (bob, eve) = (rig.user("bob").await, rig.user("eve").await);
    let secret = openai_key("twin");
    let stored = rig.store_key(&bob, &secret).await;
    let again = rig
        .keys()
        .create_provider_key(with(&bob, new_key(None, &secret)))
        .await;
    let error = WireError::from(&again.unwrap_err());
    assert_eq!(error.reason, Reason::AlreadyExists);
    assert!(error.message.contains(&stored.provider_key_id));
    assert!(!error.message.contains(&secret));
    // Another owner may have the same key, and it looks like another.
    let other = rig.store_key(&eve, &secret).await;
    assert_ne!(other.fingerprint, stored.fingerprint);
}

#[tokio::test]
async fn what_cannot_be_a_key_is_refused_with_the_field_and_never_repeated() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let good = || new_key(None, &openai_key("good"));
    let cases = [
        (
            "key",
            proto::CreateProviderKeyRequest {
                key: "sk-canary too short".into(),
                ..good()
            },
        ),
        (
            "provider",
            proto::CreateProviderKeyRequest {
                provider: "Open AI".into(),
                ..good()
            },
        ),
        (
            "label",
            proto::CreateProviderKeyRequest {
                label: "a\nb".into(),
                ..good()
            },
        ),
        (
            "label",
            proto::CreateProviderKeyRequest {
                label: "a\0".into(),
                ..good()
            },
        ),
        (
            "settings.deployments",
            proto::CreateProviderKeyRequest {
                settings: Some(proto::ProviderKeySettings {
                    deployments: [("m".to_owned(), "a\0".to_owned())].into(),
                    ..Default::default()
                }),
                ..good()
            },
        ),
        (
            "weight",
            proto::CreateProviderKeyRequest {
                weight: u32::MAX,
                ..good()
            },
        ),
        (
            "base_url",
            proto::CreateProviderKeyRequest {
                base_url: "http://10.0.0.1".into(),
                ..good()
            },
        ),
        (
            "settings.endpoint",
            proto::CreateProviderKeyRequest {
                provider: "azure".into(),
                key: "0123456789abcdef0123456789abcdef".into(),
                ..good()
            },
        ),
    ];
    for (param, request) in cases {
        let refused = rig
            .keys()
            .create_provider_key(with(&bob, request))
            .await
            .unwrap_err();
        let error = WireError::from(&refused);
        assert_eq!(error.reason, Reason::InvalidRequest, "{param}");
        assert_eq!(error.fact("param"), Some(param));
        assert!(!error.message.contains("canary"));
    }
    let listed = proto::ListProviderKeysRequest::default();
    assert!(
        ok(rig.keys().list_provider_keys(with(&bob, listed)).await)
            .provider_keys
            .is_empty()
    );
}

#[tokio::test]
async fn an_update_takes_what_the_mask_names_and_honours_the_etag() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let key = rig.store_key(&bob, &openai_key("k")).await;
    let wanted = proto::ProviderKey {
        label: "new".into(),
        weight: 7,
        enabled: false,
        ..key.clone()
    };
    let request = update(&wanted, &["label", "weight"]);
    let changed = ok(rig.keys().update_provider_key(with(&bob, request)).await)
        .provider_key
        .unwrap();
    assert_eq!(
        (changed.label.as_str(), changed.weight, changed.enabled),
        ("new", 7, true)
    );
    assert_ne!(changed.etag, key.etag);

    let stale = proto::UpdateProviderKeyRequest {
        etag: key.etag.clone(),
        ..update(&wanted, &["label"])
    };
    let refused = rig.keys().update_provider_key(with(&bob, stale)).await;
    assert_eq!(reason(refused), Reason::PreconditionFailed);
    for paths in [&["provider"][..], &["key"], &[]] {
        let refused = rig
            .keys()
            .update_provider_key(with(&bob, update(&wanted, paths)))
            .await;
        assert_eq!(reason(refused), Reason::InvalidRequest);
    }
}

#[tokio::test]
async fn rotating_keeps_the_id_raises_the_version_and_clears_an_error() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let (old, new) = (openai_key("old"), openai_key("new"));
    let id = rig.store_key(&bob, &old).await.provider_key_id;
    let report = |version| proto::ReportKeyOutcomeRequest {
        provider_key_id: id.clone(),
        version,
        outcome: proto::KeyOutcome::Rejected.into(),
        reason: format!("Incorrect API key provided: {}", openai_key("leak")),
        ..Default::default()
    };
    ok(rig.router().report_key_outcome(report(1)).await);
    let failing = rig.get_key(&bob, &id).await;
    assert_eq!(failing.status(), KeyStatus::Error);
    assert!(failing.status_reason.starts_with("Incorrect API key"));
    assert!(
        !failing.status_reason.contains("leakxxxx"),
        "{}",
        failing.status_reason
    );

    for (secret, version) in [(&new, 2), (&new, 3)] {
        let request = proto::RotateProviderKeyRequest {
            provider_key_id: id.clone(),
            key: secret.clone(),
            ..Default::default()
        };
        let rotated = ok(rig.keys().rotate_provider_key(with(&bob, request)).await);
        let rotated = rotated.provider_key.unwrap();
        assert_eq!(
            (rotated.provider_key_id.as_str(), rotated.version),
            (id.as_str(), version)
        );
        assert_eq!(rotated.status(), KeyStatus::Untested);
    }
    assert_eq!(rig.serve(&bob, &id).await.unwrap().secret, new.as_bytes());
    // What is said of an older version is dropped.
    ok(rig.router().report_key_outcome(report(2)).await);
    assert_eq!(rig.get_key(&bob, &id).await.status(), KeyStatus::Untested);
}

#[tokio::test]
async fn outcomes_move_the_status_and_switching_on_clears_it() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let key = rig.store_key(&bob, &openai_key("k")).await;
    let id = key.provider_key_id.clone();
    for (outcome, status, quota) in [
        (proto::KeyOutcome::Accepted, KeyStatus::Connected, false),
        (proto::KeyOutcome::QuotaExhausted, KeyStatus::Error, true),
        (proto::KeyOutcome::Rejected, KeyStatus::Error, false),
        (proto::KeyOutcome::Accepted, KeyStatus::Connected, false),
        (proto::KeyOutcome::Rejected, KeyStatus::Error, false),
    ] {
        let report = proto::ReportKeyOutcomeRequest {
            provider_key_id: id.clone(),
            version: 1,
            outcome: outcome.into(),
            reason: "because ".repeat(100),
            ..Default::default()
        };
        ok(rig.router().report_key_outcome(report).await);
        let usable = ok(rig
            .router()
            .list_usable_keys(with(&bob, proto::ListUsableKeysRequest {}))
            .await);
        let [listed] = usable.keys.as_slice() else {
            panic!("one key")
        };
        assert_eq!(listed.quota_exhausted, quota);
        let listed = listed.provider_key.as_ref().unwrap();
        assert_eq!(listed.status(), status);
        assert!(listed.status_reason.len() <= 500);
    }
    let on = update(
        &proto::ProviderKey {
            enabled: true,
            ..key
        },
        &["enabled"],
    );
    let on = ok(rig.keys().update_provider_key(with(&bob, on)).await)
        .provider_key
        .unwrap();
    assert_eq!(
        (on.status(), on.status_reason.as_str()),
        (KeyStatus::Untested, "")
    );
    // A report about a key that is gone is no fault.
    let gone = proto::ReportKeyOutcomeRequest {
        provider_key_id: "01900000-0000-7000-8000-000000000000".into(),
        version: 1,
        outcome: proto::KeyOutcome::Rejected.into(),
        ..Default::default()
    };
    ok(rig.router().report_key_outcome(gone).await);
}

#[tokio::test]
async fn a_deleted_key_is_gone_and_can_be_stored_again() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let key = rig.store_key(&bob, &openai_key("k")).await;
    let delete = proto::DeleteProviderKeyRequest {
        provider_key_id: key.provider_key_id.clone(),
        ..Default::default()
    };
    let stale = proto::DeleteProviderKeyRequest {
        etag: "0-0".into(),
        ..delete.clone()
    };
    let refused = rig.keys().delete_provider_key(with(&bob, stale)).await;
    assert_eq!(reason(refused), Reason::PreconditionFailed);
    ok(rig
        .keys()
        .delete_provider_key(with(&bob, delete.clone()))
        .await);
    assert_eq!(
        reason(rig.keys().delete_provider_key(with(&bob, delete)).await),
        Reason::NotFound
    );
    assert_eq!(
        reason(rig.serve(&bob, &key.provider_key_id).await),
        Reason::NotFound
    );
    let again = rig.store_key(&bob, &openai_key("k")).await;
    assert_ne!(again.provider_key_id, key.provider_key_id);
}

#[tokio::test]
async fn keys_of_projects_organisations_and_the_platform_are_managed_by_those_in_charge() {
    use proto::OrganizationRole::{Admin, Member};
    let rig = Rig::start().await;
    let (boss, bob) = (rig.user("boss").await, rig.user("bob").await);
    rig.organization("acme").await;
    rig.member("acme", "boss", Admin).await;
    rig.member("acme", "bob", Member).await;
    let project = proto::Project {
        project_id: "web".into(),
        organization: "acme".into(),
        ..Default::default()
    };
    let request = proto::CreateProjectRequest {
        project: Some(project),
        ..Default::default()
    };
    ok(rig.identity().create_project(with(&boss, request)).await);
    for (number, owner) in [
        (OwnerKind::Organization, "acme"),
        (OwnerKind::Organization, ""),
        (OwnerKind::Project, "web"),
        (OwnerKind::Project, "organizations/acme/projects/web"),
    ]
    .into_iter()
    .enumerate()
    {
        let secret = openai_key(&format!("n{number}"));
        let request = new_key(Some(owner), &secret);
        let refused = rig
            .keys()
            .create_provider_key(with(&bob, request.clone()))
            .await;
        assert_eq!(reason(refused), Reason::InsufficientScope, "{owner:?}");
        let stored = ok(rig.keys().create_provider_key(with(&boss, request)).await);
        let id = stored.provider_key.unwrap().provider_key_id;
        rig.get_key(&bob, &id).await;
    }
    let system = new_key(Some((OwnerKind::System, "")), &openai_key("system"));
    let refused = rig
        .keys()
        .create_provider_key(with(&boss, system.clone()))
        .await;
    assert_eq!(reason(refused), Reason::NotFound);
    ok(rig
        .keys()
        .create_provider_key(with(ADMIN_KEY, system))
        .await);
}
