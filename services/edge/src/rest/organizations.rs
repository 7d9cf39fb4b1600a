//! `/api/v1/organizations[/{organization}]`.

use axum::extract::State;
use keyward_proto::vault::v1::{
    CreateOrganizationRequest, DeleteOrganizationRequest, GetOrganizationRequest,
    ListOrganizationsRequest, Organization, UpdateOrganizationRequest,
};
use keyward_runtime::ids;
use serde_json::Value;

use super::body::Given;
use super::location::At;
use super::parameters::Parameters;
use super::reply::{IfMatch, Outcome, Reply, Resource};
use super::tenant::{NewTenant, TenantChange, tenant_json};
use crate::caller::Call;
use crate::failure::Failure;
use crate::services::Services;

impl Resource for Organization {
    const LIST: &'static str = "organizations";

    fn into_json(self) -> Value {
        tenant_json(
            &self.organization_id,
            &self.tier,
            self.display_name,
            self.create_time.as_ref(),
            self.update_time.as_ref(),
        )
    }

    fn etag(&self) -> Option<&str> {
        Some(&self.etag)
    }
}

pub(crate) async fn create(
    State(services): State<Services>,
    call: Call,
    Given(new): Given<NewTenant>,
) -> Outcome {
    let request = call.request(CreateOrganizationRequest {
        request_id: ids::new_text(),
        organization: Some(Organization {
            organization_id: new.id,
            tier: new.tier,
            display_name: new.display_name,
            ..Organization::default()
        }),
    });
    let answer = services.identity().create_organization(request).await;
    let answer =
        answer.map_err(|error| Failure::from(error).with_field("organization_id", "id"))?;
    Reply::created(answer.into_inner().organization)
}

pub(crate) async fn get(
    State(services): State<Services>,
    call: Call,
    At(organization_id): At<String>,
) -> Outcome {
    let request = call.request(GetOrganizationRequest { organization_id });
    let answer = services.identity().get_organization(request).await?;
    Reply::resource(answer.into_inner().organization)
}

pub(crate) async fn list(
    State(services): State<Services>,
    call: Call,
    mut parameters: Parameters,
) -> Outcome {
    let page = parameters.page()?;
    parameters.finish()?;
    let request = call.request(ListOrganizationsRequest {
        page_size: page.size,
        page_token: page.token,
    });
    let answer = services
        .identity()
        .list_organizations(request)
        .await?
        .into_inner();
    Ok(Reply::list(answer.organizations, answer.next_page_token))
}

pub(crate) async fn update(
    State(services): State<Services>,
    call: Call,
    At(organization_id): At<String>,
    IfMatch(etag): IfMatch,
    Given(change): Given<TenantChange>,
) -> Outcome {
    let request = call.request(UpdateOrganizationRequest {
        request_id: ids::new_text(),
        update_mask: Some(change.mask()?),
        organization: Some(Organization {
            organization_id,
            tier: change.tier.unwrap_or_default(),
            display_name: change.display_name.value().unwrap_or_default(),
            ..Organization::default()
        }),
        etag,
    });
    let answer = services.identity().update_organization(request).await?;
    Reply::resource(answer.into_inner().organization)
}

pub(crate) async fn delete(
    State(services): State<Services>,
    call: Call,
    At(organization_id): At<String>,
) -> Outcome {
    let request = call.request(DeleteOrganizationRequest {
        request_id: ids::new_text(),
        organization_id,
    });
    services.identity().delete_organization(request).await?;
    Ok(Reply::gone())
}
