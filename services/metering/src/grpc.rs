//! The services of the contract: decode, ask the application, encode. The only place that names
//! tonic.

mod budgets;
mod convert;
mod credit;
pub(crate) mod directory;
mod estimate;
pub(crate) mod key_watch;
mod leases;
mod metering;
mod notices;
mod price_versions;
mod pricing;
mod reports;
mod sums;
#[cfg(test)]
mod tests;
mod usage;

use std::sync::Arc;

use keyward_auth::{AuthLayer, Caller, LocalServices, OrganizationRole};
use keyward_proto::metering::v1::budget_service_server::BudgetServiceServer;
use keyward_proto::metering::v1::credit_service_server::CreditServiceServer;
use keyward_proto::metering::v1::metering_service_server::MeteringServiceServer;
use keyward_proto::metering::v1::notice_service_server::NoticeServiceServer;
use keyward_proto::metering::v1::pricing_service_server::PricingServiceServer;
use keyward_proto::metering::v1::usage_service_server::UsageServiceServer;
use keyward_runtime::error::to_status;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Status};
use tower::Layer as _;
use uuid::Uuid;

use crate::app::{App, Once};
use crate::domain::requester::{Requester, Subject, sees_all};
use crate::{Metering, MeteringError};

/// Serves the contract over the application. Clones share it.
#[derive(Clone)]
pub(crate) struct Grpc {
    app: Arc<App>,
    /// Cancelled when the process stops.
    stopping: CancellationToken,
}

impl Grpc {
    pub(crate) fn new(app: Arc<App>, stopping: CancellationToken) -> Self {
        Self { app, stopping }
    }
}

impl Metering {
    /// Adds its servers to those of other roles in this process, behind the layer that
    /// authenticates.
    #[must_use]
    pub fn add_services(&self, others: LocalServices, layer: &AuthLayer) -> LocalServices {
        let grpc = self.grpc();
        others
            .with(layer.layer(MeteringServiceServer::new(grpc.clone())))
            .with(layer.layer(CreditServiceServer::new(grpc.clone())))
            .with(layer.layer(UsageServiceServer::new(grpc.clone())))
            .with(layer.layer(PricingServiceServer::new(grpc.clone())))
            .with(layer.layer(BudgetServiceServer::new(grpc.clone())))
            .with(layer.layer(NoticeServiceServer::new(grpc.clone())))
    }
}

/// Who asks, of a request whose method needs a caller.
fn requester<T>(request: &Request<T>) -> Result<Requester, Status> {
    let caller = keyward_auth::caller(request)?;
    requester_of(caller).map_err(status)
}

fn requester_of(caller: &Caller) -> Result<Requester, MeteringError> {
    let principal = &caller.principal;
    let subject = |subject: &keyward_auth::Subject| {
        let uid = uid(&subject.uid)?;
        Ok::<_, MeteringError>(Subject {
            id: subject.id.clone(),
            uid,
        })
    };
    let role_sees_all = principal.organization_role.is_some_and(sees_all);
    let role_spends = principal.organization_role != Some(OrganizationRole::Viewer);
    Ok(Requester {
        user: principal.user.as_ref().map(subject).transpose()?,
        organization: principal.organization.as_ref().map(subject).transpose()?,
        project: principal.project.as_ref().map(subject).transpose()?,
        access_key_id: principal.access_key_id.clone(),
        grant: caller.grant.clone(),
        tier: principal.tier.clone(),
        sees_whole_organization: role_sees_all || principal.is_platform_admin(),
        may_spend: role_spends || principal.is_platform_admin(),
        is_platform_admin: principal.is_platform_admin(),
    })
}

fn uid(text: &str) -> Result<Uuid, MeteringError> {
    Uuid::parse_str(text).map_err(|_| MeteringError::NotFound("account"))
}

/// What a change is known by, should it come again.
fn once(request_id: &str, request: &impl prost::Message) -> Once {
    Once {
        request_id: request_id.to_owned(),
        request: request.encode_to_vec(),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` passes")]
fn status(error: MeteringError) -> Status {
    to_status(&error)
}
