//! Projects.

use keyward_proto::vault::v1 as proto;

use crate::app::projects::ProjectHolder;
use crate::app::{Context, Core};
use crate::error::Result;
use crate::grpc::change::command;
use crate::grpc::{decode, encode};

pub(super) async fn create_project(
    core: &Core,
    context: &Context,
    message: proto::CreateProjectRequest,
) -> Result<proto::CreateProjectResponse> {
    let wanted = message.project.unwrap_or_default();
    let (id, name) = (wanted.project_id, wanted.display_name);
    let holder = ProjectHolder {
        organization: wanted.organization,
        user: wanted.user,
    };
    let answer = |made| proto::CreateProjectResponse {
        project: Some(encode::project(made)),
    };
    let made = core
        .project_create(&command(context, &answer), &holder, &id, &name)
        .await;
    made.map(answer)
}

pub(super) async fn get_project(
    core: &Core,
    context: &Context,
    message: proto::GetProjectRequest,
) -> Result<proto::GetProjectResponse> {
    let id = message.project_id;
    let holder = ProjectHolder {
        organization: message.organization,
        user: message.user,
    };
    let found = core.project_get(context, &holder, &id).await?;
    let project = Some(encode::project(found));
    Ok(proto::GetProjectResponse { project })
}

pub(super) async fn list_projects(
    core: &Core,
    context: &Context,
    message: proto::ListProjectsRequest,
) -> Result<proto::ListProjectsResponse> {
    let page = decode::page(message.page_size, &message.page_token)?;
    let holder = ProjectHolder {
        organization: message.organization,
        user: message.user,
    };
    let found = core.project_list(context, &holder, page).await?;
    let (projects, next_page_token) =
        encode::paged(found, page, |project| project.uid, encode::project);
    Ok(proto::ListProjectsResponse {
        projects,
        next_page_token,
    })
}

pub(super) async fn update_project(
    core: &Core,
    context: &Context,
    message: proto::UpdateProjectRequest,
) -> Result<proto::UpdateProjectResponse> {
    let wanted = message.project.unwrap_or_default();
    let (id, name, mask) = (wanted.project_id, wanted.display_name, message.update_mask);
    let name = decode::display_name(&name, mask.as_ref())?;
    let holder = ProjectHolder {
        organization: wanted.organization,
        user: wanted.user,
    };
    let which = (&holder, id.as_str());
    let answer = |changed| proto::UpdateProjectResponse {
        project: Some(encode::project(changed)),
    };
    let changed = core
        .project_update(&command(context, &answer), which, name, &message.etag)
        .await;
    changed.map(answer)
}

pub(super) async fn delete_project(
    core: &Core,
    context: &Context,
    message: proto::DeleteProjectRequest,
) -> Result<proto::DeleteProjectResponse> {
    let id = message.project_id;
    let holder = ProjectHolder {
        organization: message.organization,
        user: message.user,
    };
    let answer = |laggards| proto::DeleteProjectResponse { laggards };
    let deleted = core
        .project_delete(&command(context, &answer), &holder, &id)
        .await;
    deleted.map(answer)
}
