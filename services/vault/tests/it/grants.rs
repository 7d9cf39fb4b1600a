//! Grants on the way to a provider key: what is wrong with one opens nothing.

use jiff::Timestamp;
use keyward_auth::{GrantSigner, GrantToken, Peer, Principal, Scopes, Subject, metadata};
use keyward_proto::vault::v1 as proto;
use keyward_proto::vault::v1::identity_service_client::IdentityServiceClient;
use keyward_runtime::error::Reason;
use tonic::Request;

use crate::rig::{Rig, ok, openai_key, reason, unsealing};

/// As the router forwards it.
fn forwarded(grant: &str, id: &str) -> Request<proto::UnsealProviderKeyRequest> {
    let mut request = Request::new(unsealing(id, proto::UnsealPurpose::Serve));
    let grant = grant.parse().unwrap();
    request.metadata_mut().insert(metadata::GRANT, grant);
    request
}

/// The vault's grant for a credential.
async fn granted(rig: &Rig, credential: &str) -> String {
    let mut identity = IdentityServiceClient::new(rig.connect(Peer::Router));
    let request = proto::ExchangeCredentialRequest {
        credential: credential.to_owned(),
        ..Default::default()
    };
    ok(identity.exchange_credential(request).await).grant
}

/// A grant that says the same, signed by somebody else.
fn forged(of: &str) -> GrantToken {
    let subject = Subject {
        id: of.to_owned(),
        uid: "01900000-0000-7000-8000-000000000000".to_owned(),
    };
    let principal = Principal {
        access_key_id: "ak".to_owned(),
        user: Some(subject),
        organization: None,
        project: None,
        organization_role: None,
        scopes: Scopes::all(),
        tier: "trial".to_owned(),
        allowed_models: Vec::new(),
        limits: keyward_auth::AccessKeyLimits::default(),
        cache: None,
    };
    let signer = GrantSigner::from_seed("another", &[7; 32]).unwrap();
    signer.sign("grant", &principal, Timestamp::now())
}

#[tokio::test]
async fn a_grant_that_is_not_the_vaults_or_has_ended_opens_nothing() {
    let rig = Rig::start().await;
    let bob = rig.user("bob").await;
    let id = rig.store_key(&bob, &openai_key("k")).await.provider_key_id;
    let good = granted(&rig, &bob).await;
    rig.unseal(forwarded(&good, &id)).await.unwrap();

    // One that the vault signed 61 s ago, for 60.
    rig.advance(-61);
    let ended = granted(&rig, &bob).await;
    rig.advance(61);
    let mut wrong = vec![ended, forged("bob").as_str().to_owned(), "kwg1.".to_owned()];
    // A bit of what it says, and one of its signature.
    for at in [good.len() / 2, good.len() - 20] {
        let mut flipped = good.clone().into_bytes();
        flipped[at] = if flipped[at] == b'A' { b'B' } else { b'A' };
        wrong.push(String::from_utf8(flipped).unwrap());
    }
    for grant in wrong {
        let refused = rig.unseal(forwarded(&grant, &id)).await;
        assert_eq!(reason(refused), Reason::InvalidAccessKey, "{grant}");
    }
}

#[tokio::test]
async fn a_grant_of_one_organisation_opens_no_key_of_another() {
    let rig = Rig::start().await;
    for name in ["acme", "other"] {
        rig.organization(name).await;
    }
    rig.user("eve").await;
    rig.member("other", "eve", proto::OrganizationRole::Owner)
        .await;
    let key = crate::rig::new_key(
        Some((proto::OwnerKind::Organization, "acme")),
        &openai_key("k"),
    );
    let stored = crate::rig::with(crate::rig::ADMIN_KEY, key);
    let stored = ok(rig.keys().create_provider_key(stored).await);
    let id = stored.provider_key.unwrap().provider_key_id;
    let eve = rig.access_key("eve", &crate::rig::ALL_SCOPES).await;
    let grant = granted(&rig, &eve).await;
    let refused = rig.unseal(forwarded(&grant, &id)).await;
    assert_eq!(reason(refused), Reason::NotFound);
    let event = &rig.events().await[0];
    assert_eq!(
        (
            event.action.as_str(),
            event.outcome.as_str(),
            event.organization.as_str()
        ),
        ("provider_key.unseal", "refused", "other")
    );
}
