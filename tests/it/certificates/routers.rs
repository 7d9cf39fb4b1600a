//! Routers with certificates of their own: each is let have so much and no more, and none without
//! somebody's grant.

use keyward_auth::metadata;
use keyward_proto::vault::v1::identity_service_client::IdentityServiceClient;
use keyward_proto::vault::v1::vault_service_client::VaultServiceClient;
use keyward_proto::vault::v1::{
    ExchangeCredentialRequest, UnsealProviderKeyRequest, UnsealPurpose,
};
use keyward_testkit::{Role, Tenant, Topology};
use tonic::transport::Channel;
use tonic::{Code, Request};

use super::{UNSEAL, call_with, said, uri};
use crate::system::System;

/// Has a router open a key in a caller's name; the reason if it is refused.
async fn open(router: &Channel, credential: &str, id: &str) -> Result<(), Option<String>> {
    let exchange = ExchangeCredentialRequest {
        credential: credential.to_owned(),
        ..Default::default()
    };
    let mut identity = IdentityServiceClient::new(router.clone());
    let exchanged = identity.exchange_credential(exchange).await.unwrap();
    let mut request = Request::new(UnsealProviderKeyRequest {
        provider_key_id: id.to_owned(),
        purpose: UnsealPurpose::Serve as i32,
        inference_id: String::new(),
    });
    let grant = exchanged.into_inner().grant.parse().unwrap();
    request.metadata_mut().insert(metadata::GRANT, grant);
    let mut vault = VaultServiceClient::new(router.clone());
    let opened = vault.unseal_provider_key(request).await;
    opened.map(drop).map_err(|status| said(&status).1)
}

#[tokio::test]
async fn a_router_over_its_ceiling_is_nothing_to_another_with_a_key_of_its_own() {
    let ceiling = |launch: keyward_testkit::Launch| launch.vault_set("vault.unseal_ceiling", "1");
    let system = System::own(Topology::Split, ceiling).await;
    let gateway = &system.gateway;
    let tenant = Tenant::new(gateway, "professional").await;
    let (first, _) = tenant.own_key("openai").await;
    let (second, _) = tenant.own_key("groq").await;
    let caller = tenant.client.access_key();
    let own = || gateway.authority().issue(&[&uri("router")]);
    let (one, other) = (own(), own());
    let over = Err(Some("SECRET_CEILING".to_owned()));

    let connected = gateway.grpc_showing(Role::Vault, &one);
    assert_eq!(open(&connected, caller, &first).await, Ok(()));
    assert_eq!(open(&connected, caller, &second).await, over);
    let again = gateway.grpc_showing(Role::Vault, &one);
    assert_eq!(open(&again, caller, &second).await, over);
    let other = gateway.grpc_showing(Role::Vault, &other);
    assert_eq!(open(&other, caller, &second).await, Ok(()));
    assert_eq!(open(&other, caller, &first).await, over);
}

#[tokio::test]
async fn a_router_without_a_good_grant_gets_no_key_and_is_audited_for_trying() {
    let system = System::own(Topology::Split, |launch| launch).await;
    let gateway = &system.gateway;
    let router = gateway.shown("router");
    let forged = ["forged", "kwg1.AAAA.AAAA"];
    for grant in forged {
        let grant = [(metadata::GRANT, grant)];
        let status = call_with(gateway, Role::Vault, &router, UNSEAL, &grant).await;
        let expect = (Code::Unauthenticated, Some("INVALID_ACCESS_KEY".to_owned()));
        assert_eq!(said(&status.unwrap_err()), expect);
    }
    let refused = super::refused::refusals(&system).await;
    assert_eq!(refused.len(), forged.len(), "{refused:?}");
    for (who, reason) in refused {
        assert_eq!(who, uri("router"));
        assert!(reason.contains("grant"), "{reason}");
    }
}
