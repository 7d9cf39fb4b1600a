//! gRPC from outside: the same credential, the same answers, and nothing that is for services alone.

mod chat;
mod invoke;
mod refused;

use keyward_testkit::{Role, Topology};
use tonic::Request;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::system::{System, both, shared};

/// A service of each role that has one.
const SERVICES: [(Role, &str); 3] = [
    (Role::Vault, "keyward.vault.v1.ProviderKeyService"),
    (Role::Metering, "keyward.metering.v1.CreditService"),
    (Role::Router, "keyward.router.v1.RouterService"),
];

async fn health_answers_for_each_service(topology: Topology) {
    let system = shared(topology).await;
    for (role, service) in SERVICES {
        let mut health = HealthClient::new(system.gateway.grpc(role).await);
        let request = HealthCheckRequest {
            service: service.to_owned(),
        };
        let answer = health.check(request).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service}");
    }
}

async fn reflection_lists_the_services(topology: Topology) {
    let system = shared(topology).await;
    for (role, service) in SERVICES {
        if topology == Topology::Split && role == Role::Vault {
            continue;
        }
        let services = reflected(&system, role).await.unwrap();
        assert!(services.iter().any(|name| name == service), "{services:?}");
        assert!(
            services.iter().any(|name| name == "grpc.health.v1.Health"),
            "{services:?}"
        );
    }
}

#[tokio::test]
async fn a_vault_apart_shows_no_reflection_unless_told_to() {
    let system = shared(Topology::Split).await;
    let status = reflected(&system, Role::Vault).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unimplemented, "{status}");
    let set = |launch: keyward_testkit::Launch| launch.set("grpc.reflection", "true");
    let system = System::own(Topology::Split, set).await;
    assert!(!reflected(&system, Role::Vault).await.unwrap().is_empty());
}

async fn reflected(system: &System, role: Role) -> Result<Vec<String>, tonic::Status> {
    let mut client = ServerReflectionClient::new(system.gateway.grpc(role).await);
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let requests = futures::stream::iter([request]);
    let mut answers = client.server_reflection_info(requests).await?.into_inner();
    let answer = answers.message().await?.expect("an answer");
    match answer.message_response {
        Some(MessageResponse::ListServicesResponse(list)) => Ok(list
            .service
            .into_iter()
            .map(|service| service.name)
            .collect()),
        other => panic!("no list of services: {other:?}"),
    }
}

/// A call with an access key.
fn with_key<T>(mut request: Request<T>, access_key: &str) -> Request<T> {
    let value = format!("Bearer {access_key}").parse().expect("a header");
    request.metadata_mut().insert("authorization", value);
    request
}

both!(
    health_answers_for_each_service,
    reflection_lists_the_services
);
