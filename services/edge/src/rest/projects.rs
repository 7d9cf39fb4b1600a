//! `/api/v1/projects[/{project}]`, those of an organisation or another user by `?organization=` and
//! `?user=`.

use axum::extract::State;
use keyward_proto::vault::v1::{
    CreateProjectRequest, DeleteProjectRequest, GetProjectRequest, ListProjectsRequest, Project,
    UpdateProjectRequest,
};
use keyward_runtime::ids;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Given;
use super::location::At;
use super::parameters::Parameters;
use super::reply::{IfMatch, Outcome, Reply, Resource};
use super::values::{Change, mask, null_or, present, time_text};
use crate::caller::Call;
use crate::failure::Failure;
use crate::services::Services;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewProject {
    id: String,
    organization: Option<String>,
    user: Option<String>,
    #[serde(default, deserialize_with = "null_or")]
    display_name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProjectChange {
    #[serde(default)]
    display_name: Change<String>,
}

/// Whose projects: both empty for the caller's own.
struct Holder {
    organization: String,
    user: String,
}

impl Holder {
    fn take(parameters: &mut Parameters) -> Result<Self, Failure> {
        Ok(Self {
            organization: parameters.take("organization")?,
            user: parameters.take("user")?,
        })
    }
}

impl Resource for Project {
    const LIST: &'static str = "projects";

    fn into_json(self) -> Value {
        json!({
            "id": self.project_id,
            "organization": present(self.organization),
            "user": present(self.user),
            "display_name": present(self.display_name),
            "created_at": time_text(self.create_time.as_ref()),
            "updated_at": time_text(self.update_time.as_ref()),
        })
    }

    fn etag(&self) -> Option<&str> {
        Some(&self.etag)
    }
}

pub(crate) async fn create(
    State(services): State<Services>,
    call: Call,
    mut parameters: Parameters,
    Given(new): Given<NewProject>,
) -> Outcome {
    let named = Holder::take(&mut parameters)?;
    parameters.finish()?;
    let request = call.request(CreateProjectRequest {
        request_id: ids::new_text(),
        project: Some(Project {
            project_id: new.id,
            organization: new.organization.unwrap_or(named.organization),
            user: new.user.unwrap_or(named.user),
            display_name: new.display_name,
            ..Project::default()
        }),
    });
    let answer = services.identity().create_project(request).await;
    let answer = answer.map_err(|error| Failure::from(error).with_field("project_id", "id"))?;
    Reply::created(answer.into_inner().project)
}

pub(crate) async fn get(
    State(services): State<Services>,
    call: Call,
    At(project_id): At<String>,
    mut parameters: Parameters,
) -> Outcome {
    let Holder { organization, user } = Holder::take(&mut parameters)?;
    parameters.finish()?;
    let request = call.request(GetProjectRequest {
        project_id,
        organization,
        user,
    });
    let answer = services.identity().get_project(request).await?;
    Reply::resource(answer.into_inner().project)
}

pub(crate) async fn list(
    State(services): State<Services>,
    call: Call,
    mut parameters: Parameters,
) -> Outcome {
    let Holder { organization, user } = Holder::take(&mut parameters)?;
    let page = parameters.page()?;
    parameters.finish()?;
    let request = call.request(ListProjectsRequest {
        page_size: page.size,
        page_token: page.token,
        organization,
        user,
    });
    let answer = services
        .identity()
        .list_projects(request)
        .await?
        .into_inner();
    Ok(Reply::list(answer.projects, answer.next_page_token))
}

pub(crate) async fn update(
    State(services): State<Services>,
    call: Call,
    At(project_id): At<String>,
    mut parameters: Parameters,
    IfMatch(etag): IfMatch,
    Given(change): Given<ProjectChange>,
) -> Outcome {
    let Holder { organization, user } = Holder::take(&mut parameters)?;
    parameters.finish()?;
    let request = call.request(UpdateProjectRequest {
        request_id: ids::new_text(),
        update_mask: Some(mask(&[("display_name", change.display_name.is_given())])?),
        project: Some(Project {
            project_id,
            organization,
            user,
            display_name: change.display_name.value().unwrap_or_default(),
            ..Project::default()
        }),
        etag,
    });
    let answer = services.identity().update_project(request).await?;
    Reply::resource(answer.into_inner().project)
}

pub(crate) async fn delete(
    State(services): State<Services>,
    call: Call,
    At(project_id): At<String>,
    mut parameters: Parameters,
) -> Outcome {
    let Holder { organization, user } = Holder::take(&mut parameters)?;
    parameters.finish()?;
    let request = call.request(DeleteProjectRequest {
        request_id: ids::new_text(),
        project_id,
        organization,
        user,
    });
    services.identity().delete_project(request).await?;
    Ok(Reply::gone())
}
