//! `/api/v1/projects[/{project}]`, those of an organisation or another user by `?organization=` and
//! `?user=`.

use axum::extract::State;
use keyward_proto::vault::v1::{
    CreateProjectRequest, DeleteProjectRequest, GetProjectRequest, ListProjectsRequest, Project,
    UpdateProjectRequest,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::Given;
use super::idempotency::IdempotencyKey;
use super::location::At;
use super::parameters::{PageSize, Query};
use super::reply::{IfMatch, Outcome, Reply, Resource, page};
use super::values::{Change, Time, mask, present};
use crate::caller::Call;
use crate::failure::Failure;
use crate::services::Services;

pub(super) fn router() -> OpenApiRouter<Services> {
    OpenApiRouter::default()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
}

/// A new project. It belongs to a user or an organization: to the one that the caller acts in where
/// neither is given.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewProject {
    /// Its id, unique among its holder's.
    #[schema(pattern = "^[a-z0-9][a-z0-9._-]{0,62}$", examples("search"))]
    id: String,
    /// The organization that it belongs to.
    organization: Option<String>,
    /// The user that it belongs to.
    user: Option<String>,
    /// Its name for people.
    display_name: Option<String>,
}

/// What changes about a project.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(min_properties = 1)]
struct ProjectChange {
    /// Its name for people; `null` takes it away.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    display_name: Change<String>,
}

/// Whose project.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Holder {
    /// An organization's; otherwise that of the account acted for.
    organization: Option<String>,
    /// Another user's.
    user: Option<String>,
}

impl Holder {
    fn names(self) -> (String, String) {
        let organization = self.organization.unwrap_or_default();
        (organization, self.user.unwrap_or_default())
    }
}

/// Whose projects, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// An organization's; otherwise those of the account acted for.
    organization: Option<String>,
    /// Another user's.
    user: Option<String>,
    /// At most this many.
    #[serde(default)]
    #[param(inline)]
    page_size: PageSize,
    /// Where the page before ended: its `next_page_token`.
    #[serde(default)]
    page_token: String,
}

/// A project.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Project)]
pub(crate) struct ProjectView {
    /// Its id.
    #[schema(examples("search"))]
    id: String,
    /// The organization that it belongs to.
    #[schema(required, examples("acme"))]
    organization: Option<String>,
    /// The user that it belongs to.
    #[schema(required)]
    user: Option<String>,
    /// Its name for people.
    #[schema(required)]
    display_name: Option<String>,
    /// When it was made.
    #[schema(required)]
    created_at: Option<Time>,
    /// When it was last changed.
    #[schema(required)]
    updated_at: Option<Time>,
}

page!(
    /// A page of projects.
    ProjectList { projects: ProjectView }
);

impl Resource for Project {
    type View = ProjectView;

    fn into_view(self) -> ProjectView {
        ProjectView {
            id: self.project_id,
            organization: present(self.organization),
            user: present(self.user),
            display_name: present(self.display_name),
            created_at: Time::from_proto(self.create_time.as_ref()),
            updated_at: Time::from_proto(self.update_time.as_ref()),
        }
    }

    fn etag(&self) -> Option<&str> {
        Some(&self.etag)
    }
}

/// Make a project
///
/// For the user that it belongs to, or its organization's owners and admins.
#[utoipa::path(
    post, path = "/api/v1/projects", operation_id = "createProject", tag = "Tenancy",
    params(Holder, IdempotencyKey), request_body = NewProject,
    responses((status = 201, description = "The new project.", body = ProjectView)),
)]
async fn create(
    State(services): State<Services>,
    call: Call,
    Query(named): Query<Holder>,
    key: IdempotencyKey,
    Given(new): Given<NewProject>,
) -> Outcome {
    let request = call.request(CreateProjectRequest {
        request_id: key.request_id(),
        project: Some(Project {
            project_id: new.id,
            organization: new.organization.or(named.organization).unwrap_or_default(),
            user: new.user.or(named.user).unwrap_or_default(),
            display_name: new.display_name.unwrap_or_default(),
            ..Project::default()
        }),
    });
    let answer = services.identity().create_project(request).await;
    let answer = answer.map_err(|error| Failure::from(error).with_field("project_id", "id"))?;
    Reply::created(answer.into_inner().project)
}

/// Show a project
#[utoipa::path(
    get, path = "/api/v1/projects/{project}", operation_id = "getProject", tag = "Tenancy",
    params(("project" = String, Path, description = "Its id.", example = "search"), Holder),
    responses((status = 200, description = "The project.", body = ProjectView)),
)]
async fn get(
    State(services): State<Services>,
    call: Call,
    At(project_id): At<String>,
    Query(holder): Query<Holder>,
) -> Outcome {
    let (organization, user) = holder.names();
    let request = call.request(GetProjectRequest {
        project_id,
        organization,
        user,
    });
    let answer = services.identity().get_project(request).await?;
    Reply::resource(answer.into_inner().project)
}

/// List projects
#[utoipa::path(
    get, path = "/api/v1/projects", operation_id = "listProjects", tag = "Tenancy", params(Which),
    responses((status = 200, description = "A page, newest first.", body = ProjectList)),
)]
async fn list(State(services): State<Services>, call: Call, Query(which): Query<Which>) -> Outcome {
    let request = call.request(ListProjectsRequest {
        page_size: which.page_size.0,
        page_token: which.page_token,
        organization: which.organization.unwrap_or_default(),
        user: which.user.unwrap_or_default(),
    });
    let answer = services.identity().list_projects(request).await?;
    let answer = answer.into_inner();
    ProjectList::reply(answer.projects, answer.next_page_token)
}

/// Change a project
///
/// For the user that it belongs to, or its organization's owners and admins.
#[utoipa::path(
    patch, path = "/api/v1/projects/{project}", operation_id = "updateProject", tag = "Tenancy",
    params(("project" = String, Path, description = "Its id.", example = "search"), Holder, IfMatch),
    request_body = ProjectChange,
    responses((status = 200, description = "The project as it is now.", body = ProjectView)),
)]
async fn update(
    State(services): State<Services>,
    call: Call,
    At(project_id): At<String>,
    Query(holder): Query<Holder>,
    IfMatch(etag): IfMatch,
    Given(change): Given<ProjectChange>,
) -> Outcome {
    let (organization, user) = holder.names();
    let request = call.request(UpdateProjectRequest {
        update_mask: Some(mask(&[("display_name", change.display_name.is_given())])?),
        project: Some(Project {
            project_id,
            organization,
            user,
            display_name: change.display_name.value().unwrap_or_default(),
            ..Project::default()
        }),
        etag,
        ..UpdateProjectRequest::default()
    });
    let answer = services.identity().update_project(request).await?;
    Reply::resource(answer.into_inner().project)
}

/// Remove a project
///
/// Its keys go with it; what was used in it stays on record.
#[utoipa::path(
    delete, path = "/api/v1/projects/{project}", operation_id = "deleteProject", tag = "Tenancy",
    params(("project" = String, Path, description = "Its id.", example = "search"), Holder),
    responses((status = 204, description = "It is gone.")),
)]
async fn delete(
    State(services): State<Services>,
    call: Call,
    At(project_id): At<String>,
    Query(holder): Query<Holder>,
) -> Outcome {
    let (organization, user) = holder.names();
    let request = call.request(DeleteProjectRequest {
        project_id,
        organization,
        user,
        ..DeleteProjectRequest::default()
    });
    let answer = services.identity().delete_project(request).await?;
    Ok(Reply::gone().confirmed(answer.into_inner().laggards))
}
