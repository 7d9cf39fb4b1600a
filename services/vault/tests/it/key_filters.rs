//! What a key may serve: some models, some users.

use keyward_proto::vault::v1::{self as proto, OrganizationRole, OwnerKind, Scope};
use keyward_runtime::error::Reason;
use prost_types::FieldMask;
use tonic::Status;

use crate::rig::{ADMIN_KEY, Rig, new_key, ok, openai_key, reason, with};

impl Rig {
    async fn create(
        &self,
        new: proto::CreateProviderKeyRequest,
    ) -> Result<proto::ProviderKey, Status> {
        let created = self.keys().create_provider_key(with(ADMIN_KEY, new)).await;
        created.map(|created| created.into_inner().provider_key.unwrap())
    }

    async fn change(
        &self,
        key: proto::ProviderKey,
        path: &str,
    ) -> Result<proto::ProviderKey, Status> {
        let request = proto::UpdateProviderKeyRequest {
            provider_key: Some(key),
            update_mask: Some(FieldMask {
                paths: vec![path.to_owned()],
            }),
            ..Default::default()
        };
        let changed = self
            .keys()
            .update_provider_key(with(ADMIN_KEY, request))
            .await;
        changed.map(|changed| changed.into_inner().provider_key.unwrap())
    }

    /// An access key of this user, in the organisation.
    async fn in_acme(&self, user: &str) -> String {
        let key = proto::AccessKey {
            user: user.to_owned(),
            organization: "acme".to_owned(),
            scopes: vec![Scope::Inference.into(), Scope::Keys.into()],
            ..Default::default()
        };
        self.issue(ADMIN_KEY, key).await.unwrap().secret
    }

    async fn usable(&self, by: &str) -> Vec<String> {
        let request = with(by, proto::ListUsableKeysRequest {});
        let listed = ok(self.router().list_usable_keys(request).await);
        let keys = listed.keys.into_iter().filter_map(|key| key.provider_key);
        keys.map(|key| key.provider_key_id).collect()
    }
}

/// An organisation with two members, and a key of its own.
async fn acme() -> (Rig, proto::CreateProviderKeyRequest) {
    let rig = Rig::start().await;
    rig.organization("acme").await;
    for user in ["bob", "eve", "mallory"] {
        rig.user(user).await;
    }
    for user in ["bob", "eve"] {
        rig.member("acme", user, OrganizationRole::Member).await;
    }
    let new = new_key(Some((OwnerKind::Organization, "acme")), &openai_key("k"));
    (rig, new)
}

#[tokio::test]
async fn a_key_for_some_users_is_listed_and_opened_for_no_other() {
    let (rig, new) = acme().await;
    let new = proto::CreateProviderKeyRequest {
        allowed_users: vec!["bob".into(), "bob".into()],
        ..new
    };
    let key = rig.create(new).await.unwrap();
    assert_eq!(key.allowed_users, ["bob"]);
    let id = key.provider_key_id.clone();
    let (bob, eve) = (rig.in_acme("bob").await, rig.in_acme("eve").await);
    assert_eq!(rig.usable(&bob).await, std::slice::from_ref(&id));
    assert!(rig.usable(&eve).await.is_empty());
    rig.serve(&bob, &id).await.unwrap();
    assert_eq!(reason(rig.serve(&eve, &id).await), Reason::NotFound);
    let widened = proto::ProviderKey {
        allowed_users: Vec::new(),
        ..key
    };
    rig.change(widened, "allowed_users").await.unwrap();
    assert_eq!(rig.usable(&eve).await, std::slice::from_ref(&id));
    rig.serve(&eve, &id).await.unwrap();
}

#[tokio::test]
async fn users_are_members_of_the_organisation_that_the_key_belongs_to() {
    let (rig, new) = acme().await;
    for stranger in ["mallory", "nobody", ""] {
        let new = proto::CreateProviderKeyRequest {
            allowed_users: vec!["bob".into(), stranger.into()],
            ..new.clone()
        };
        assert_eq!(
            reason(rig.create(new).await),
            Reason::InvalidRequest,
            "{stranger}"
        );
    }
    let own = proto::CreateProviderKeyRequest {
        allowed_users: vec!["bob".into()],
        ..new_key(Some((OwnerKind::User, "bob")), &openai_key("own"))
    };
    assert_eq!(reason(rig.create(own).await), Reason::InvalidRequest);
}

#[tokio::test]
async fn patterns_of_models_are_kept_changed_and_bounded() {
    let (rig, new) = acme().await;
    let new = proto::CreateProviderKeyRequest {
        allowed_models: vec![" gpt-4o* ".into(), "openai/*".into()],
        ..new
    };
    let key = rig.create(new.clone()).await.unwrap();
    assert_eq!(key.allowed_models, ["gpt-4o*", "openai/*"]);
    let changed = proto::ProviderKey {
        allowed_models: vec!["o3".into()],
        ..key.clone()
    };
    let changed = rig.change(changed, "allowed_models").await.unwrap();
    assert_eq!(changed.allowed_models, ["o3"]);
    let bob = rig.in_acme("bob").await;
    let shown = rig.get_key(&bob, &key.provider_key_id).await;
    assert_eq!(shown.allowed_models, ["o3"]);
    for bad in [
        vec![String::new()],
        vec!["*".into(); 101],
        vec!["a\nb".into()],
    ] {
        let bad = proto::ProviderKey {
            allowed_models: bad,
            ..key.clone()
        };
        assert_eq!(
            reason(rig.change(bad, "allowed_models").await),
            Reason::InvalidRequest
        );
    }
    let events = rig.events().await;
    assert!(
        events
            .iter()
            .any(|event| event.action == "provider_key.update")
    );
}
