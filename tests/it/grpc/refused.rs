//! What callers from outside are refused: everything without a credential, and what services do among
//! themselves even with the best of them.

use http::uri::PathAndQuery;
use keyward_auth::Peer;
use keyward_auth::methods::METHODS;
use keyward_proto::vault::v1::vault_service_client::VaultServiceClient;
use keyward_proto::vault::v1::{UnsealProviderKeyRequest, UnsealPurpose};
use keyward_testkit::{Gateway, Role, Tenant, Topology};
use prost_reflect::DescriptorPool;
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;
use tonic_types::StatusExt as _;

use crate::system::{both, shared};

async fn every_method_without_a_credential(topology: Topology) {
    let system = shared(topology).await;
    for path in methods() {
        let status = call(&system.gateway, &path, &[]).await.expect_err(&path);
        let refused = matches!(
            status.code(),
            Code::Unauthenticated | Code::PermissionDenied
        );
        assert!(refused, "{path}: {status}");
        let info = status.get_details_error_info().expect("an ErrorInfo");
        assert_eq!(info.domain, "keyward.dev", "{path}");
    }
}

async fn every_method_with_a_forged_grant_or_role(topology: Topology) {
    let system = shared(topology).await;
    for path in methods() {
        for forged in [
            ("keyward-grant", "forged"),
            ("keyward-peer", "router:00"),
            ("keyward-peer", "router:"),
        ] {
            let status = call(&system.gateway, &path, &[forged])
                .await
                .expect_err(&path);
            let refused = matches!(
                status.code(),
                Code::Unauthenticated | Code::PermissionDenied
            );
            assert!(refused, "{path} with {forged:?}: {status}");
        }
    }
}

async fn what_is_for_services_alone_even_with_the_admins_key(topology: Topology) {
    let system = shared(topology).await;
    let admin = format!("Bearer {}", system.gateway.admin_key());
    let inner = METHODS
        .iter()
        .filter(|rule| !rule.peers.contains(&Peer::Outside));
    let mut count = 0;
    for rule in inner {
        let credential = [("authorization", admin.as_str())];
        let status = call(&system.gateway, rule.path, &credential)
            .await
            .expect_err(rule.path);
        assert_eq!(
            status.code(),
            Code::PermissionDenied,
            "{}: {status}",
            rule.path
        );
        count += 1;
    }
    assert!(count >= 8, "hardly any method is for services alone");
}

async fn unsealing_a_key_even_by_its_owner(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (id, _) = tenant.own_key("openai").await;
    let mut vault = VaultServiceClient::new(system.gateway.grpc(Role::Vault).await);
    let mut request = Request::new(UnsealProviderKeyRequest {
        provider_key_id: id,
        purpose: UnsealPurpose::Serve.into(),
        ..UnsealProviderKeyRequest::default()
    });
    let credential = format!("Bearer {}", tenant.client.access_key())
        .parse()
        .unwrap();
    request.metadata_mut().insert("authorization", credential);
    let status = vault.unseal_provider_key(request).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied, "{status}");
}

/// The path of every method of the contracts.
fn methods() -> Vec<String> {
    let pool = DescriptorPool::decode(keyward_proto::DESCRIPTORS).unwrap();
    let mut paths = Vec::new();
    for service in pool.services() {
        for method in service.methods() {
            paths.push(format!("/{}/{}", service.full_name(), method.name()));
        }
    }
    assert!(paths.len() > 40);
    paths
}

/// Calls any method with an empty message, and gives the status it ends with.
async fn call(gateway: &Gateway, path: &str, metadata: &[(&str, &str)]) -> Result<(), Status> {
    let role = match path.split('.').nth(1) {
        Some("vault") => Role::Vault,
        Some("metering") => Role::Metering,
        _ => Role::Router,
    };
    let mut client = tonic::client::Grpc::new(gateway.grpc(role).await);
    client.ready().await.expect("gRPC answers");
    let mut request = Request::new(futures::stream::iter([()]));
    for (name, value) in metadata {
        let name: tonic::metadata::MetadataKey<_> = name.parse().unwrap();
        request.metadata_mut().insert(name, value.parse().unwrap());
    }
    let path: PathAndQuery = path.parse().unwrap();
    let codec = ProstCodec::<(), ()>::default();
    let mut answers = client.streaming(request, path, codec).await?.into_inner();
    while answers.message().await?.is_some() {}
    Ok(())
}

both!(
    every_method_without_a_credential,
    every_method_with_a_forged_grant_or_role,
    what_is_for_services_alone_even_with_the_admins_key,
    unsealing_a_key_even_by_its_owner,
);
