//! What every gRPC port offers beside its services: `grpc.health.v1.Health`, by service name and for
//! the whole, and server reflection in both versions.

use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

/// Tells clients whether the services of this process can be called.
#[derive(Clone, Debug)]
pub struct Health {
    reporter: HealthReporter,
    services: Vec<&'static str>,
}

impl Health {
    /// Adds the health service to `routes`; nothing is serving yet.
    pub async fn add_to(routes: Routes, services: Vec<&'static str>) -> (Self, Routes) {
        let (reporter, server) = tonic_health::server::health_reporter();
        let health = Self { reporter, services };
        health.not_serving().await;
        (health, routes.add_service(server))
    }

    /// Everything can be called.
    pub async fn serving(&self) {
        self.set(ServingStatus::Serving).await;
    }

    /// Nothing new should be sent here: it is not ready, or stopping.
    pub async fn not_serving(&self) {
        self.set(ServingStatus::NotServing).await;
    }

    async fn set(&self, status: ServingStatus) {
        self.reporter.set_service_status("", status).await;
        for service in &self.services {
            self.reporter.set_service_status(*service, status).await;
        }
    }
}

/// Adds server reflection (`v1` and `v1alpha`) for the services of this process.
///
/// # Errors
/// If the descriptors cannot be read.
pub fn add_reflection(
    routes: Routes,
    descriptors: &'static [u8],
    services: &[&'static str],
) -> Result<Routes, tonic_reflection::server::Error> {
    let builder = || {
        let builder = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(descriptors)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .with_service_name("grpc.health.v1.Health");
        services
            .iter()
            .fold(builder, |builder, name| builder.with_service_name(*name))
    };
    Ok(routes
        .add_service(builder().build_v1()?)
        .add_service(builder().build_v1alpha()?))
}
