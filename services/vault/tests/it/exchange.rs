//! Credentials and the grants they are exchanged for.

use keyward_auth::{GrantVerifier, OrganizationRole, Principal, Scope};
use keyward_proto::vault::v1::{self as proto, Scope as ProtoScope};
use keyward_runtime::error::{Reason, WireError};
use keyward_secret::Secret;

use crate::rig::{ADMIN_KEY, Rig, ok, reason, with};

async fn exchange(rig: &Rig, credential: &str, organization: &str) -> Result<Principal, Reason> {
    let exchanger = rig.vault.exchanger();
    let exchanged = exchanger
        .exchange(&Secret::new(credential), organization)
        .await;
    let exchanged = exchanged.map_err(|status| WireError::from(&status).reason)?;
    let verifier = GrantVerifier::new();
    verifier.learn(&exchanged.keys);
    let now = keyward_runtime::time::now();
    Ok(verifier
        .verify(exchanged.grant.as_str(), now)
        .unwrap()
        .principal)
}

fn id(subject: Option<&keyward_auth::Subject>) -> Option<&str> {
    subject.map(|subject| subject.id.as_str())
}

#[tokio::test]
async fn a_grant_says_who_calls_and_what_for() {
    let rig = Rig::start().await;
    rig.user("bob").await;
    let key = proto::AccessKey {
        user: "bob".into(),
        scopes: vec![ProtoScope::Inference.into()],
        allowed_models: vec!["gpt-4o".into()],
        cache: Some(false),
        limits: Some(proto::AccessKeyLimits {
            requests_per_minute: 9,
            ..Default::default()
        }),
        ..Default::default()
    };
    let issued = rig.issue(ADMIN_KEY, key).await.unwrap();
    let principal = exchange(&rig, &issued.secret, "").await.unwrap();
    assert_eq!(id(principal.user.as_ref()), Some("bob"));
    assert_eq!(principal.organization, None);
    assert_eq!(
        principal.access_key_id,
        issued.access_key.unwrap().access_key_id
    );
    assert!(principal.has(Scope::Inference) && !principal.has(Scope::Keys));
    assert_eq!(principal.tier, "trial");
    assert_eq!(principal.allowed_models, ["gpt-4o"]);
    assert_eq!(principal.cache, Some(false));
    assert_eq!(principal.limits.requests_per_minute, 9);
}

#[tokio::test]
async fn what_does_not_work_is_one_refusal() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let soon = keyward_runtime::time::now() + jiff::SignedDuration::from_secs(30);
    let expiring = proto::AccessKey {
        user: "bob".into(),
        scopes: vec![ProtoScope::Inference.into()],
        expire_time: Some(keyward_runtime::time::to_proto(soon)),
        ..Default::default()
    };
    let expiring = rig.issue(ADMIN_KEY, expiring).await.unwrap().secret;
    exchange(&rig, &expiring, "").await.unwrap();
    let listed = proto::ListAccessKeysRequest::default();
    let listed = ok(rig.identity().list_access_keys(with(&bob, listed)).await);
    let own = &listed.access_keys.last().unwrap().access_key_id;
    let revoke = proto::RevokeAccessKeyRequest {
        access_key_id: own.clone(),
        ..Default::default()
    };
    ok(rig.identity().revoke_access_key(with(&bob, revoke)).await);
    assert_eq!(
        exchange(&rig, &bob, "").await.unwrap_err(),
        Reason::InvalidAccessKey
    );
    // Its grant is still valid somewhere; here it has ended.
    let listed = rig
        .identity()
        .list_access_keys(with(&bob, proto::ListAccessKeysRequest::default()))
        .await;
    assert_eq!(reason(listed), Reason::InvalidAccessKey);
    rig.advance(31);
    let unknown = format!("kw_{}", "a".repeat(50));
    for credential in [expiring.as_str(), &unknown, "", "kw_", "nonsense"] {
        let refused = exchange(&rig, credential, "").await;
        assert_eq!(
            refused.unwrap_err(),
            Reason::InvalidAccessKey,
            "{credential}"
        );
    }
}

#[tokio::test]
async fn a_member_acts_in_its_only_organisation_or_in_the_one_it_names() {
    use proto::OrganizationRole::{Member, Owner, Viewer};
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let acting = async |name: &str| {
        let principal = exchange(&rig, &bob, name).await?;
        let role = principal.organization_role;
        Ok((
            id(principal.organization.as_ref()).map(str::to_owned),
            role,
            principal.tier,
        ))
    };
    let none = || Ok((None, None, "trial".to_owned()));
    let some = |name: &str, role| Ok((Some(name.to_owned()), Some(role), "enterprise".to_owned()));
    assert_eq!(acting("").await, none());
    rig.organization("acme").await;
    rig.organization("evil").await;
    for unknown in ["acme", "no-such"] {
        assert_eq!(acting(unknown).await, Err(Reason::NotFound));
    }
    rig.member("acme", "bob", Viewer).await;
    assert_eq!(
        acting("").await,
        none(),
        "one who only looks on pays for itself"
    );
    assert_eq!(acting("acme").await, some("acme", OrganizationRole::Viewer));
    rig.member("acme", "bob", Member).await;
    assert_eq!(acting("").await, some("acme", OrganizationRole::Member));
    rig.member("evil", "bob", Owner).await;
    assert_eq!(acting("").await, none(), "members of several say which");
    assert_eq!(acting("evil").await, some("evil", OrganizationRole::Owner));
}

#[tokio::test]
async fn keys_bound_to_an_organisation_act_there_and_end_with_the_membership() {
    use proto::OrganizationRole::{Admin, Member};
    let rig = Rig::start().await;
    let (boss, bob) = (rig.user("boss").await, rig.user("bob").await);
    rig.organization("acme").await;
    rig.member("acme", "boss", Admin).await;
    rig.member("acme", "bob", Member).await;
    let key = |user: &str| proto::AccessKey {
        user: user.into(),
        organization: "acme".into(),
        scopes: vec![ProtoScope::Inference.into()],
        ..Default::default()
    };
    let own = rig.issue(&boss, key("")).await.unwrap().secret;
    let principal = exchange(&rig, &own, "").await.unwrap();
    assert_eq!(
        (principal.user, id(principal.organization.as_ref())),
        (None, Some("acme"))
    );
    assert_eq!(
        exchange(&rig, &own, "other").await.unwrap_err(),
        Reason::NotFound
    );

    let bobs = rig.issue(&bob, key("bob")).await.unwrap().secret;
    assert!(
        exchange(&rig, &bobs, "")
            .await
            .unwrap()
            .organization
            .is_some()
    );
    let remove = proto::RemoveMemberRequest {
        organization: "acme".into(),
        user: "bob".into(),
        ..Default::default()
    };
    ok(rig.identity().remove_member(with(&boss, remove)).await);
    assert_eq!(
        exchange(&rig, &bobs, "").await.unwrap_err(),
        Reason::InvalidAccessKey
    );
    assert!(exchange(&rig, &bob, "").await.is_ok());

    let delete = proto::DeleteOrganizationRequest {
        organization_id: "acme".into(),
        ..Default::default()
    };
    ok(rig
        .identity()
        .delete_organization(with(ADMIN_KEY, delete))
        .await);
    assert_eq!(
        exchange(&rig, &own, "").await.unwrap_err(),
        Reason::InvalidAccessKey
    );
}

#[tokio::test]
async fn a_deleted_users_access_keys_stop_at_once() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    rig.store_key(&bob, &crate::rig::openai_key("k")).await;
    let delete = proto::DeleteUserRequest {
        user_id: "bob".into(),
        ..Default::default()
    };
    ok(rig.identity().delete_user(with(ADMIN_KEY, delete)).await);
    assert_eq!(
        exchange(&rig, &bob, "").await.unwrap_err(),
        Reason::InvalidAccessKey
    );
    let usable = rig
        .router()
        .list_usable_keys(with(&bob, proto::ListUsableKeysRequest {}))
        .await;
    assert_eq!(reason(usable), Reason::InvalidAccessKey);
}

#[tokio::test]
async fn nobody_issues_an_access_key_beyond_its_own() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    rig.user("eve").await;
    let key = |scopes: &[ProtoScope]| proto::AccessKey {
        scopes: scopes.iter().map(|scope| *scope as i32).collect(),
        ..Default::default()
    };
    let inference = || key(&[ProtoScope::Inference]);
    rig.issue(&bob, inference()).await.unwrap();
    let wider = rig.issue(&bob, key(&[ProtoScope::Admin])).await;
    assert_eq!(reason(wider), Reason::InvalidRequest);
    assert_eq!(
        reason(rig.issue(&bob, key(&[])).await),
        Reason::InvalidRequest
    );
    let foreign = proto::AccessKey {
        user: "eve".into(),
        ..inference()
    };
    assert_eq!(reason(rig.issue(&bob, foreign).await), Reason::NotFound);
    let nobody = proto::AccessKey {
        user: "nobody".into(),
        ..inference()
    };
    assert_eq!(reason(rig.issue(&bob, nobody).await), Reason::NotFound);
    let calls_only = rig.access_key("bob", &[ProtoScope::Inference]).await;
    assert_eq!(
        reason(rig.issue(&calls_only, inference()).await),
        Reason::InsufficientScope
    );

    let narrow = proto::AccessKey {
        user: "bob".into(),
        allowed_models: vec!["gpt-4o".into()],
        ..key(&[ProtoScope::Inference, ProtoScope::Keys])
    };
    let narrow = rig.issue(ADMIN_KEY, narrow).await.unwrap().secret;
    let child = rig
        .issue(&narrow, inference())
        .await
        .unwrap()
        .access_key
        .unwrap();
    assert_eq!(child.allowed_models, ["gpt-4o"]);
    let escape = proto::AccessKey {
        allowed_models: vec!["o1".into()],
        ..inference()
    };
    assert_eq!(
        reason(rig.issue(&narrow, escape).await),
        Reason::InvalidRequest
    );
}
