//! Where a key is sent changes only with the key itself.

use keyward_proto::vault::v1 as proto;
use keyward_runtime::error::Reason;
use prost_types::FieldMask;
use tonic::{Response, Status};

use crate::rig::{ADMIN_KEY, Rig, new_key, ok, openai_key, reason, with};

const AZURE_KEY: &str = "0123456789abcdef0123456789abcdef";

async fn change(
    rig: &Rig,
    by: &str,
    key: proto::ProviderKey,
    paths: &[&str],
    secret: &str,
) -> Result<Response<proto::UpdateProviderKeyResponse>, Status> {
    let request = proto::UpdateProviderKeyRequest {
        provider_key: Some(key),
        update_mask: Some(FieldMask {
            paths: paths.iter().map(|&path| path.to_owned()).collect(),
        }),
        key: secret.to_owned(),
        ..Default::default()
    };
    rig.keys().update_provider_key(with(by, request)).await
}

fn settings(endpoint: &str, api_version: &str) -> proto::ProviderKeySettings {
    proto::ProviderKeySettings {
        endpoint: endpoint.into(),
        api_version: api_version.into(),
        ..Default::default()
    }
}

async fn azure_key(rig: &Rig, by: &str) -> proto::ProviderKey {
    let request = proto::CreateProviderKeyRequest {
        provider: "azure".into(),
        settings: Some(settings("https://acme.openai.azure.com", "2024-10-21")),
        ..new_key(None, AZURE_KEY)
    };
    let stored = ok(rig.keys().create_provider_key(with(by, request)).await);
    stored.provider_key.unwrap()
}

#[tokio::test]
async fn another_address_needs_the_key_again() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let secret = openai_key("k");
    let key = rig.store_key(&bob, &secret).await;
    let elsewhere = || proto::ProviderKey {
        base_url: "https://llm.example/v1".into(),
        ..key.clone()
    };
    let refused = change(&rig, &bob, elsewhere(), &["base_url"], "").await;
    assert_eq!(
        refused.as_ref().unwrap_err().code(),
        tonic::Code::FailedPrecondition
    );
    assert_eq!(reason(refused), Reason::SecretRequired);
    assert_eq!(rig.get_key(&bob, &key.provider_key_id).await, key);
    let changed = change(&rig, &bob, elsewhere(), &["base_url"], &secret).await;
    let changed = ok(changed).provider_key.unwrap();
    assert_eq!(changed.base_url, "https://llm.example/v1");
    assert_eq!(
        (changed.version, changed.provider_key_id),
        (2, key.provider_key_id.clone())
    );
    let event = &rig.events().await[0];
    assert_eq!(
        (event.action.as_str(), event.outcome.as_str()),
        ("provider_key.retarget", "ok")
    );
    let opened = rig.serve(&bob, &key.provider_key_id).await.unwrap();
    assert_eq!(opened.secret, secret.as_bytes());
    // And back to the provider's own.
    let back = change(&rig, &bob, key.clone(), &["base_url"], "").await;
    assert_eq!(reason(back), Reason::SecretRequired);
    ok(change(&rig, &bob, key.clone(), &["base_url"], &secret).await);
    rig.serve(&bob, &key.provider_key_id).await.unwrap();
}

#[tokio::test]
async fn another_resource_or_version_of_it_needs_the_key_again() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let key = azure_key(&rig, &bob).await;
    for other in [
        settings("https://other.openai.azure.com", "2024-10-21"),
        settings("https://acme.openai.azure.com", "2025-01-01"),
    ] {
        let changed = proto::ProviderKey {
            settings: Some(other),
            ..key.clone()
        };
        let refused = change(&rig, &bob, changed.clone(), &["settings"], "").await;
        assert_eq!(reason(refused), Reason::SecretRequired);
        ok(change(&rig, &bob, changed, &["settings"], AZURE_KEY).await);
        let opened = rig.serve(&bob, &key.provider_key_id).await.unwrap();
        assert_eq!(opened.secret, AZURE_KEY.as_bytes());
    }
}

#[tokio::test]
async fn deployments_within_the_resource_change_without_the_key() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let key = azure_key(&rig, &bob).await;
    let mut changed = key.clone();
    let deployments = [("gpt-4o".to_owned(), "mine".to_owned())];
    changed.settings.as_mut().unwrap().deployments = deployments.clone().into();
    let stored = ok(change(&rig, &bob, changed, &["settings"], "").await);
    let stored = stored.provider_key.unwrap();
    assert_eq!(stored.settings.unwrap().deployments, deployments.into());
    assert_eq!(stored.version, key.version);
    rig.serve(&bob, &key.provider_key_id).await.unwrap();
}

#[tokio::test]
async fn what_is_entered_again_must_be_as_at_first() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let secret = openai_key("k");
    let key = rig.store_key(&bob, &secret).await;
    let to = |base_url: &str| proto::ProviderKey {
        base_url: base_url.into(),
        ..key.clone()
    };
    for (base_url, secret) in [
        ("http://llm.example", secret.as_str()),
        ("https://127.0.0.1", &secret),
        ("https://x@llm.example", &secret),
        ("https://llm.example", "no key of this provider"),
    ] {
        let refused = change(&rig, &bob, to(base_url), &["base_url"], secret).await;
        assert_eq!(reason(refused), Reason::InvalidRequest, "{base_url}");
    }
    // A key alone is a rotation's.
    let refused = change(&rig, &bob, key.clone(), &["label"], &secret).await;
    assert_eq!(reason(refused), Reason::InvalidRequest);
    assert_eq!(rig.get_key(&bob, &key.provider_key_id).await, key);
}

#[tokio::test]
async fn another_tenants_key_is_not_found_whatever_is_entered() {
    let rig = Rig::start().await;
    let (bob, eve) = (rig.user("bob").await, rig.user("eve").await);
    let secret = openai_key("k");
    let key = rig.store_key(&bob, &secret).await;
    let elsewhere = proto::ProviderKey {
        base_url: "https://attacker.example".into(),
        ..key.clone()
    };
    let refused = change(&rig, &eve, elsewhere, &["base_url"], &secret).await;
    assert_eq!(reason(refused), Reason::NotFound);
    assert_eq!(rig.get_key(&bob, &key.provider_key_id).await, key);
}

#[tokio::test]
async fn an_expiry_in_the_past_is_refused_at_entry() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let past = keyward_runtime::time::now() - jiff::SignedDuration::from_secs(1);
    let past = Some(keyward_runtime::time::to_proto(past));
    let request = proto::CreateProviderKeyRequest {
        expire_time: past,
        ..new_key(None, &openai_key("k"))
    };
    let refused = rig.keys().create_provider_key(with(&bob, request)).await;
    assert_eq!(reason(refused), Reason::InvalidRequest);
    let key = rig.store_key(&bob, &openai_key("k")).await;
    let expired = proto::ProviderKey {
        expire_time: past,
        ..key
    };
    let refused = change(&rig, &bob, expired, &["expire_time"], "").await;
    assert_eq!(reason(refused), Reason::InvalidRequest);
    let access_key = proto::AccessKey {
        user: "bob".into(),
        scopes: vec![proto::Scope::Inference.into()],
        expire_time: past,
        ..Default::default()
    };
    let request = proto::CreateAccessKeyRequest {
        access_key: Some(access_key),
        ..Default::default()
    };
    let refused = rig
        .identity()
        .create_access_key(with(ADMIN_KEY, request))
        .await;
    assert_eq!(reason(refused), Reason::InvalidRequest);
}
