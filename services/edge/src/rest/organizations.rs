//! `/api/v1/organizations[/{organization}]`.

use axum::extract::State;
use keyward_proto::vault::v1::{
    CreateOrganizationRequest, DeleteOrganizationRequest, GetOrganizationRequest,
    ListOrganizationsRequest, Organization, UpdateOrganizationRequest,
};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::Given;
use super::idempotency::IdempotencyKey;
use super::location::At;
use super::parameters::{Nothing, Page, Query};
use super::reply::{IfMatch, Outcome, Reply, Resource, page};
use super::tenant::{NewTenant, TenantChange, TenantView, check_tier};
use crate::caller::Call;
use crate::failure::Failure;
use crate::services::Services;

pub(super) fn router() -> OpenApiRouter<Services> {
    OpenApiRouter::default()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
}

page!(
    /// A page of organizations.
    OrganizationList { organizations: TenantView }
);

impl Resource for Organization {
    type View = TenantView;

    fn into_view(self) -> TenantView {
        TenantView::new(
            self.organization_id,
            self.tier,
            self.display_name,
            self.create_time.as_ref(),
            self.update_time.as_ref(),
        )
    }

    fn etag(&self) -> Option<&str> {
        Some(&self.etag)
    }
}

/// Make an organization
///
/// For admins of the platform.
#[utoipa::path(
    post, path = "/api/v1/organizations", operation_id = "createOrganization", tag = "Tenancy",
    params(IdempotencyKey), request_body = NewTenant,
    responses((status = 201, description = "The new organization.", body = TenantView)),
)]
async fn create(
    State(services): State<Services>,
    call: Call,
    _: Query<Nothing>,
    key: IdempotencyKey,
    Given(new): Given<NewTenant>,
) -> Outcome {
    check_tier(&services, &call, new.tier.as_deref()).await?;
    let request = call.request(CreateOrganizationRequest {
        request_id: key.request_id(),
        organization: Some(Organization {
            organization_id: new.id,
            tier: new.tier.unwrap_or_default(),
            display_name: new.display_name.unwrap_or_default(),
            ..Organization::default()
        }),
    });
    let answer = services.identity().create_organization(request).await;
    let answer =
        answer.map_err(|error| Failure::from(error).with_field("organization_id", "id"))?;
    Reply::created(answer.into_inner().organization)
}

/// Show an organization
#[utoipa::path(
    get, path = "/api/v1/organizations/{organization}", operation_id = "getOrganization", tag = "Tenancy",
    params(("organization" = String, Path, description = "Its id.", example = "acme")),
    responses((status = 200, description = "The organization.", body = TenantView)),
)]
async fn get(
    State(services): State<Services>,
    call: Call,
    At(organization_id): At<String>,
    _: Query<Nothing>,
) -> Outcome {
    let request = call.request(GetOrganizationRequest { organization_id });
    let answer = services.identity().get_organization(request).await?;
    Reply::resource(answer.into_inner().organization)
}

/// List organizations
///
/// Admins of the platform see all, others those that they are in.
#[utoipa::path(
    get, path = "/api/v1/organizations", operation_id = "listOrganizations", tag = "Tenancy", params(Page),
    responses((status = 200, description = "A page, newest first.", body = OrganizationList)),
)]
async fn list(State(services): State<Services>, call: Call, Query(page): Query<Page>) -> Outcome {
    let request = call.request(ListOrganizationsRequest {
        page_size: page.page_size.0,
        page_token: page.page_token,
    });
    let answer = services
        .identity()
        .list_organizations(request)
        .await?
        .into_inner();
    OrganizationList::reply(answer.organizations, answer.next_page_token)
}

/// Change an organization
///
/// For admins of the platform.
#[utoipa::path(
    patch, path = "/api/v1/organizations/{organization}", operation_id = "updateOrganization", tag = "Tenancy",
    params(("organization" = String, Path, description = "Its id.", example = "acme"), IfMatch),
    request_body = TenantChange,
    responses((status = 200, description = "The organization as it is now.", body = TenantView)),
)]
async fn update(
    State(services): State<Services>,
    call: Call,
    At(organization_id): At<String>,
    _: Query<Nothing>,
    IfMatch(etag): IfMatch,
    Given(change): Given<TenantChange>,
) -> Outcome {
    let update_mask = Some(change.mask()?);
    check_tier(&services, &call, change.tier.as_deref()).await?;
    let request = call.request(UpdateOrganizationRequest {
        update_mask,
        organization: Some(Organization {
            organization_id,
            tier: change.tier.unwrap_or_default(),
            display_name: change.display_name.value().unwrap_or_default(),
            ..Organization::default()
        }),
        etag,
        ..UpdateOrganizationRequest::default()
    });
    let answer = services.identity().update_organization(request).await?;
    Reply::resource(answer.into_inner().organization)
}

/// Remove an organization
///
/// For admins of the platform. Its keys and projects go with it; what it used stays on record.
#[utoipa::path(
    delete, path = "/api/v1/organizations/{organization}", operation_id = "deleteOrganization", tag = "Tenancy",
    params(("organization" = String, Path, description = "Its id.", example = "acme")),
    responses((status = 204, description = "It is gone.")),
)]
async fn delete(
    State(services): State<Services>,
    call: Call,
    At(organization_id): At<String>,
    _: Query<Nothing>,
) -> Outcome {
    let request = call.request(DeleteOrganizationRequest {
        organization_id,
        ..DeleteOrganizationRequest::default()
    });
    let answer = services.identity().delete_organization(request).await?;
    Ok(Reply::gone().confirmed(answer.into_inner().laggards))
}
